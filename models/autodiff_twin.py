"""What TensorFlow's own differentiation says of the networks: the oracle of the backward by hand.

It runs where a network is trained and exported. An exported file cannot hold it: it needs ops that
no small runtime has.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.stress import StressNet
from models.trainable import TrainableNet

FloatArray = NDArray[np.float32]
Arrays = Mapping[str, FloatArray]


def gradients(network: TrainableNet, batch: Arrays) -> dict[str, FloatArray]:
    """Gradient of what `evaluate` gives as loss by every trainable; `batch` are its inputs."""
    with tf.GradientTape() as tape:
        loss = network.evaluate(**_tensors(batch))["loss"]
    return _gradients(tape, loss, network)


def preference_gradients(network: StressNet, pairs: Arrays) -> dict[str, FloatArray]:
    """Gradient of the loss of `prefer` by every trainable; `pairs` are more, less, weight, beta."""
    shares = pairs["weight"] / max(float(pairs["weight"].sum()), 1e-12)
    with tf.GradientTape() as tape:
        margin = network.preference(**_tensors(pairs))[1]
        # The network's own form of the loss has a kink at a margin of exactly zero, which every
        # adapter starts from; TensorFlow's has none.
        loss = tf.reduce_sum(shares * tf.nn.softplus(-pairs["beta"] * margin))
    return _gradients(tape, loss, network)


def _tensors(arrays: Arrays) -> dict[str, tf.Tensor]:
    return {name: tf.constant(value, tf.float32) for name, value in arrays.items()}


def _gradients(
    tape: tf.GradientTape, loss: tf.Tensor, network: TrainableNet
) -> dict[str, FloatArray]:
    found = tape.gradient(loss, dict(network.adapter.values))
    return {name: np.asarray(gradient) for name, gradient in found.items()}
