"""The activity gate: a small network over six channels of five seconds.

Two views of a window meet in one hidden layer: depthwise-separable convolutions, pooled over time,
and the power spectrum of each channel, which holds the rhythm that short kernels do not see.
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
N_HIDDEN = 24
# Cycles a window of 5 s (0.4 to 5 Hz): from a slow stride to the second harmonic of running steps.
_FIRST_CYCLES, _LAST_CYCLES, N_BINS = 2.0, 25.0, 16
_VARIANCE_FLOOR = 1e-3
# Below the power of the noise that training adds: a silent channel gives a constant.
_POWER_FLOOR = 0.03


def build(dropout: float) -> Any:
    """Keras model (N, 100, 6) standardised -> (N, 5) logits, with batch normalisation."""
    layers = tf.keras.layers
    inputs = tf.keras.Input((N_SAMPLES, N_CHANNELS))

    def norm(name: str, x: Any) -> Any:
        return layers.ReLU()(_batch_norm(name)(x))

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
    basis = tf.constant(spectrum_basis())
    powers = layers.Lambda(lambda x: _spectrum(x, basis), output_shape=(N_CHANNELS * N_BINS,))
    x = layers.Concatenate()([x, _batch_norm("spectrum")(powers(inputs))])
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(N_HIDDEN, activation="relu", name="hidden")(x)
    return tf.keras.Model(inputs, layers.Dense(N_CLASSES, name="logits")(x))


def _batch_norm(name: str) -> Any:
    # Training is short: with the usual 0.99 the running statistics would lag behind it.
    return tf.keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")


def _pool(x: Tensor) -> Tensor:
    """Mean and standard deviation over time, (N, 1, T, C) -> (N, 2 C)."""
    mean = tf.reduce_mean(x, axis=2, keepdims=True)
    deviation = x - mean
    variance = tf.reduce_mean(deviation * deviation, axis=[1, 2])
    return tf.concat([tf.reduce_mean(mean, axis=[1, 2]), tf.sqrt(variance + _VARIANCE_FLOOR)], 1)


def spectrum_basis() -> FloatArray:
    """(100, 32) cosines, then sines, under a Hann window, blind to a constant."""
    at = np.arange(N_SAMPLES)
    hann = np.sin(np.pi * (at + 1.0) / (N_SAMPLES + 1.0)) ** 2
    cycles = np.linspace(_FIRST_CYCLES, _LAST_CYCLES, N_BINS)[:, None]
    angle = 2.0 * np.pi * cycles * at / N_SAMPLES
    waves = np.concatenate([hann * np.cos(angle), hann * np.sin(angle)]) / np.sqrt(N_SAMPLES / 4.0)
    waves = waves - waves.mean(axis=1, keepdims=True)
    return waves.T.astype(np.float32)


def _spectrum(x: Tensor, basis: Tensor) -> Tensor:
    """Logarithm of the power of each channel at each frequency, (N, 100, 6) -> (N, 6 x 16)."""
    rows = tf.reshape(tf.transpose(x, [0, 2, 1]), [-1, N_SAMPLES])
    waves = tf.reshape(tf.matmul(rows, basis), [-1, 2, N_BINS])
    power = tf.reduce_sum(waves * waves, axis=1)
    return tf.reshape(tf.math.log(power + _POWER_FLOOR), [-1, N_CHANNELS * N_BINS])


def folded_weights(network: Any) -> dict[str, FloatArray]:
    """Weights by name with the normalisation multiplied in: kernels and biases only."""
    weights: dict[str, FloatArray] = {"spectrum_w": spectrum_basis()}
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
    # The spectrum is normalised before the hidden layer: its last rows take gain and shift.
    gain, shift = _norm(network.get_layer("spectrum_norm"))
    rows = weights["hidden_w"][-len(gain) :]
    weights["hidden_b"] = weights["hidden_b"] + shift @ rows
    weights["hidden_w"] = np.concatenate(
        [weights["hidden_w"][: -len(gain)], gain[:, None] * rows]
    ).astype(np.float32)
    return weights


def _norm(layer: Any) -> tuple[FloatArray, FloatArray]:
    gamma, beta, mean, variance = layer.get_weights()
    gain = gamma / np.sqrt(variance + layer.epsilon)
    return gain, beta - mean * gain


def gate_logits(
    imu: Tensor, weights: Mapping[str, FloatArray], center: FloatArray, scale: FloatArray
) -> Tensor:
    """(N, 5) logits of (N, 100, 6) channels in SI units, from frozen folded weights."""
    standardised = (imu - center) / scale
    x = tf.reshape(standardised, [-1, 1, N_SAMPLES, N_CHANNELS])
    return logits_of_maps(feature_maps(x, weights), x, weights)


def feature_maps(x: Tensor, weights: Mapping[str, FloatArray]) -> Tensor:
    """(N, 1, 13, 64) of the convolutions, from standardised channels (N, 1, 100, 6)."""
    x = tf.nn.relu(tf.nn.conv2d(x, weights["stem_w"], 1, "SAME") + weights["stem_b"])
    for i, (_, stride) in enumerate(BLOCKS):
        strides = [1, stride, stride, 1]
        x = tf.nn.depthwise_conv2d(x, weights[f"dw{i}_w"], strides, "SAME")
        x = tf.nn.relu(x + weights[f"dw{i}_b"])
        x = tf.nn.relu(tf.nn.conv2d(x, weights[f"pw{i}_w"], 1, "SAME") + weights[f"pw{i}_b"])
    return x


def logits_of_maps(maps: Tensor, x: Tensor, weights: Mapping[str, FloatArray]) -> Tensor:
    """(N, 5) logits of feature maps and of the spectrum of the same standardised channels."""
    rows = tf.reshape(x, [-1, N_SAMPLES, N_CHANNELS])
    views = tf.concat([_pool(maps), _spectrum(rows, weights["spectrum_w"])], 1)
    hidden = tf.nn.relu(tf.matmul(views, weights["hidden_w"]) + weights["hidden_b"])
    return tf.matmul(hidden, weights["logits_w"]) + weights["logits_b"]
