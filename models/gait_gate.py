"""The activity gate: a small depthwise-separable network over six channels of five seconds.

One-dimensional layers are two-dimensional ones with height 1, because that is what every TFLite
runtime and accelerator is fast at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Tensor = tf.Tensor
FloatArray = NDArray[np.float32]

N_SAMPLES, N_CHANNELS, N_CLASSES = 100, 6, 5
KERNEL = 5
N_STEM = 16
# (channels out, stride)
BLOCKS = ((32, 2), (32, 1), (48, 2), (48, 1), (64, 2))
N_HIDDEN = 32
_VARIANCE_FLOOR = 1e-3


def build(dropout: float) -> Any:
    """Keras model (N, 100, 6) standardised -> (N, 5) logits, with batch normalisation."""
    layers = tf.keras.layers
    inputs = tf.keras.Input((N_SAMPLES, N_CHANNELS))

    def norm(name: str, x: Any) -> Any:
        # Training is short: with the usual 0.99 the running statistics would lag behind it.
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x))

    x = layers.Reshape((1, N_SAMPLES, N_CHANNELS))(inputs)
    x = layers.Conv2D(N_STEM, (1, KERNEL), padding="same", use_bias=False, name="stem")(x)
    x = norm("stem", x)
    for i, (n_out, stride) in enumerate(BLOCKS):
        # Height is 1, so a stride of (s, s) thins time only.
        x = layers.DepthwiseConv2D(
            (1, KERNEL), strides=(stride, stride), padding="same", use_bias=False, name=f"dw{i}"
        )(x)
        x = norm(f"dw{i}", x)
        x = layers.Conv2D(n_out, 1, use_bias=False, name=f"pw{i}")(x)
        x = norm(f"pw{i}", x)
    x = layers.Lambda(_pool, output_shape=(2 * BLOCKS[-1][0],))(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(N_HIDDEN, activation="relu", name="hidden")(x)
    return tf.keras.Model(inputs, layers.Dense(N_CLASSES, name="logits")(x))


def _pool(x: Tensor) -> Tensor:
    """Mean and standard deviation over time, (N, 1, T, C) -> (N, 2 C)."""
    mean = tf.reduce_mean(x, axis=2, keepdims=True)
    deviation = x - mean
    variance = tf.reduce_mean(deviation * deviation, axis=[1, 2])
    return tf.concat([tf.reduce_mean(mean, axis=[1, 2]), tf.sqrt(variance + _VARIANCE_FLOOR)], 1)


def folded_weights(network: Any) -> dict[str, FloatArray]:
    """Weights by name with the normalisation multiplied in: kernels and biases only."""
    weights: dict[str, FloatArray] = {}
    for name in ("stem", *(f"{kind}{i}" for i in range(len(BLOCKS)) for kind in ("dw", "pw"))):
        kernel = network.get_layer(name).get_weights()[0]
        gain, shift = _norm(network.get_layer(f"{name}_norm"))
        axis = 2 if name.startswith("dw") else 3
        shape = [1, 1, 1, 1]
        shape[axis] = -1
        weights[f"{name}_w"] = np.asarray(kernel * gain.reshape(shape), np.float32)
        weights[f"{name}_b"] = np.asarray(shift, np.float32)
    for name in ("hidden", "logits"):
        kernel, bias = network.get_layer(name).get_weights()
        weights[f"{name}_w"], weights[f"{name}_b"] = kernel, bias
    return weights


def _norm(layer: Any) -> tuple[FloatArray, FloatArray]:
    gamma, beta, mean, variance = layer.get_weights()
    gain = gamma / np.sqrt(variance + layer.epsilon)
    return gain, beta - mean * gain


def gate_logits(
    imu: Tensor, weights: Mapping[str, FloatArray], center: FloatArray, scale: FloatArray
) -> Tensor:
    """(N, 5) logits of (N, 100, 6) channels in SI units, from frozen folded weights."""
    x = tf.reshape((imu - center) / scale, [-1, 1, N_SAMPLES, N_CHANNELS])
    x = tf.nn.relu(tf.nn.conv2d(x, weights["stem_w"], 1, "SAME") + weights["stem_b"])
    for i, (_, stride) in enumerate(BLOCKS):
        strides = [1, stride, stride, 1]
        x = tf.nn.depthwise_conv2d(x, weights[f"dw{i}_w"], strides, "SAME")
        x = tf.nn.relu(x + weights[f"dw{i}_b"])
        x = tf.nn.relu(tf.nn.conv2d(x, weights[f"pw{i}_w"], 1, "SAME") + weights[f"pw{i}_b"])
    hidden = tf.nn.relu(tf.matmul(_pool(x), weights["hidden_w"]) + weights["hidden_b"])
    return tf.matmul(hidden, weights["logits_w"]) + weights["logits_b"]
