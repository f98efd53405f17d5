"""Both networks in TensorFlow as anybody would write them: the tape finds the gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from bench.learning.workload import (
    BRANCHES,
    LEARNING_RATE,
    LORA_SCALE,
    MOMENTUM,
    Workload,
)

Tensor = Any


class Network(tf.Module):
    """A network with a training step; frozen arrays are constants."""

    def __init__(self, workload: Workload) -> None:
        super().__init__()
        # A mapping would be tracked as part of the module.
        self._frozen = tuple(workload.frozen.items())
        self._forward = {"stress": self._stress, "conv": self._conv}[workload.name]
        self._values = {n: tf.Variable(v, name=n) for n, v in sorted(workload.trained.items())}
        self._momenta = {
            name: tf.Variable(tf.zeros_like(v), name=f"momentum_{name}")
            for name, v in self._values.items()
        }

    def train(self, y: Tensor, **inputs: Tensor) -> dict[str, Tensor]:
        """One step on a batch; gives the loss before it."""
        variables = list(self._values.values())
        with tf.GradientTape() as tape:
            rows = tf.nn.softmax_cross_entropy_with_logits(y, self._forward(inputs))
            loss = tf.reduce_mean(rows)
        gradients = tape.gradient(loss, variables)
        # By hand: the converter leaves the step counter of a Keras optimizer without a value, and
        # the first call of the signature fails on it.
        for name, gradient in zip(self._values, gradients, strict=True):
            moved = MOMENTUM * self._momenta[name] - LEARNING_RATE * gradient
            self._momenta[name].assign(moved)
            self._values[name].assign_add(moved)
        return {"loss": loss}

    def _stress(self, inputs: Mapping[str, Tensor]) -> Tensor:
        x = inputs["x"]
        h = tf.nn.relu(self._dense("dense1", "lora1", x))
        h = tf.nn.relu(self._dense("dense2", "lora2", h))
        return self._head(tf.concat([h, x], axis=1))

    def _conv(self, inputs: Mapping[str, Tensor]) -> Tensor:
        pooled = tf.concat([self._branch(name, inputs[name]) for name in BRANCHES], axis=1)
        return self._head(tf.nn.relu(self._dense("fuse", "fuse", pooled)))

    def _branch(self, name: str, x: Tensor) -> Tensor:
        branch, frozen = BRANCHES[name], dict(self._frozen)
        x = x[:, None]  # (N, 1, T, C)
        x = tf.nn.relu(
            tf.nn.conv2d(x, frozen[f"{name}_stem_w"], 2, "SAME") + frozen[f"{name}_stem_b"]
        )
        for i, (_, stride) in enumerate(branch.blocks):
            layer = f"{name}_pw{i}"
            strides = [1, stride, stride, 1]
            x = tf.nn.depthwise_conv2d(x, frozen[f"{name}_dw{i}_w"], strides, "SAME")
            x = tf.nn.relu(x + frozen[f"{name}_dw{i}_b"])
            x = tf.nn.relu(self._dense(layer, layer if branch.is_adapted(i) else "", x))
        return tf.reduce_mean(x, axis=[1, 2])

    def _dense(self, layer: str, adapter: str, x: Tensor) -> Tensor:
        """Over the last axis of x (..., in)."""
        frozen, v = dict(self._frozen), self._values
        flat = tf.reshape(x, [-1, x.shape[-1]])
        y = tf.matmul(flat, frozen[f"{layer}_w"], transpose_b=True) + frozen[f"{layer}_b"]
        if adapter:
            code = tf.matmul(flat, v[f"{adapter}_a"], transpose_b=True)
            y += LORA_SCALE * tf.matmul(code, v[f"{adapter}_b"], transpose_b=True)
        return tf.reshape(y, [*x.shape[:-1], y.shape[-1]])

    def _head(self, x: Tensor) -> Tensor:
        v = self._values
        return tf.matmul(x, v["head_w"], transpose_b=True) + v["head_b"]


def train_function(network: Network, workload: Workload) -> Any:
    """The training step traced for the batch's shapes."""
    inputs, labels = workload.batch(0)
    specs = {n: tf.TensorSpec(v.shape, tf.float32, name=n) for n, v in inputs.items()}
    y = tf.TensorSpec(labels.shape, tf.float32, name="y")
    return tf.function(network.train).get_concrete_function(y=y, **specs)
