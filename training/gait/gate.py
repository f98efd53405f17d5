"""Train and evaluate the activity gate: still, walk, run, stairs, other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from firmware_host.events import Activity
from firmware_host.signals.gait import N_GATE
from models import gait_gate
from training.gait.windows import Stream

FloatArray = NDArray[np.float32]

LABELS = tuple(activity.value for activity in Activity)
BATCH = 96
N_STEPS = 1800
PEAK_RATE = 3e-3
WEIGHT_DECAY = 5e-2
LABEL_SMOOTHING = 0.05
DROPOUT = 0.3
# Windows of a batch by class: the rare and the mistaken for each other come more often.
SHARES = {"still": 14, "walk": 24, "run": 12, "stairs": 22, "other": 24}
# Boards without a gyroscope give zeros in its three channels.
GYRO_DROPOUT = 0.3
_SPEED_SD, _SCALE_SD, _NOISE_SD = 0.05, 0.08, 0.05


@dataclass(frozen=True, eq=False)
class GateWeights:
    """Folded network weights by name, and the centre and scale (6,) of its input channels."""

    weights: dict[str, FloatArray]
    center: FloatArray
    scale: FloatArray

    def probabilities(self, windows: FloatArray) -> FloatArray:
        """(n, 5) of (n, 100, 6) windows, in blocks that keep memory small."""
        blocks = [
            tf.nn.softmax(self._logits(tf.constant(windows[i : i + 512]))).numpy()
            for i in range(0, len(windows), 512)
        ]
        return np.concatenate(blocks) if blocks else np.zeros((0, len(LABELS)), np.float32)

    def _logits(self, windows: tf.Tensor) -> tf.Tensor:
        return gait_gate.gate_logits(windows, self.weights, self.center, self.scale)


def channel_scale(streams: Sequence[Stream]) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation (6,) of the channels, every class counting the same."""
    by_class = [
        np.concatenate([s.values for s in streams if s.activity == label])
        for label in sorted({s.activity for s in streams})
    ]
    center = np.mean([x.mean(axis=0) for x in by_class], axis=0)
    variance = np.mean([((x - center) ** 2).mean(axis=0) for x in by_class], axis=0)
    return center.astype(np.float32), np.sqrt(variance).astype(np.float32)


class _Batches:
    """Random windows with augmentation, classes in fixed shares, datasets in equal halves."""

    def __init__(self, streams: Sequence[Stream], rng: np.random.Generator) -> None:
        self._rng = rng
        self._pools: dict[int, list[list[Stream]]] = {}
        for label in range(len(LABELS)):
            by_dataset: dict[str, list[Stream]] = {}
            for stream in streams:
                if stream.activity == label and stream.n_windows:
                    by_dataset.setdefault(stream.person.split("/")[0], []).append(stream)
            if by_dataset:
                self._pools[label] = [by_dataset[name] for name in sorted(by_dataset)]

    def draw(self) -> tuple[FloatArray, FloatArray]:
        """(96, 100, 6) windows in SI units and (96, 5) one-hot labels."""
        labels = np.repeat(np.arange(len(LABELS)), [SHARES[name] for name in LABELS])
        labels = np.array([label for label in labels if label in self._pools])
        windows = np.stack([self._window(label) for label in labels])
        silent = self._rng.random(len(windows)) < GYRO_DROPOUT
        windows[silent, :, 3:] = 0.0
        return windows, np.eye(len(LABELS), dtype=np.float32)[labels]

    def _window(self, label: int) -> FloatArray:
        rng, pools = self._rng, self._pools[label]
        pool = pools[rng.integers(len(pools))]
        values = pool[rng.integers(len(pool))].values
        speed = np.exp(rng.normal(scale=_SPEED_SD))
        n_source = min(int(np.ceil(N_GATE * speed)) + 1, len(values))
        start = rng.integers(len(values) - n_source + 1)
        at = np.minimum(np.arange(N_GATE) * speed, n_source - 1.001)
        left = at.astype(int)
        source = values[start : start + n_source]
        window = source[left] + (at - left)[:, None].astype(np.float32) * (
            source[np.minimum(left + 1, n_source - 1)] - source[left]
        )
        scale = np.exp(rng.normal(scale=_SCALE_SD, size=2))
        window = window * np.repeat(scale, 3)
        return (window + rng.normal(scale=_NOISE_SD, size=window.shape)).astype(np.float32)


def train_gate(streams: Sequence[Stream], *, seed: int, n_steps: int = N_STEPS) -> GateWeights:
    """Train on every given stream; the same seed gives the same weights on one machine."""
    tf.keras.utils.set_random_seed(seed)
    center, scale = channel_scale(streams)
    network = gait_gate.build(DROPOUT)
    batches = _Batches(streams, np.random.default_rng(seed))
    schedule = _OneCycle(n_steps)
    optimizer = tf.keras.optimizers.AdamW(
        learning_rate=PEAK_RATE, weight_decay=WEIGHT_DECAY, beta_2=0.99
    )
    loss_of = tf.keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=LABEL_SMOOTHING
    )

    @tf.function
    def step(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_of(y, network(x, training=True))
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return loss

    for i in range(n_steps):
        windows, labels = batches.draw()
        optimizer.learning_rate.assign(schedule.rate(i))
        step(tf.constant((windows - center) / scale), tf.constant(labels))
    return GateWeights(gait_gate.folded_weights(network), center, scale)


@dataclass(frozen=True)
class _OneCycle:
    """Learning rate: up over the first quarter, down to nothing over the rest, both as cosines."""

    n_steps: int

    def rate(self, step: int) -> float:
        """Rate of one step."""
        peak = self.n_steps / 4.0
        if step < peak:
            return PEAK_RATE * (0.04 + 0.96 * 0.5 * (1.0 - np.cos(np.pi * step / peak)))
        done = (step - peak) / (self.n_steps - peak)
        return PEAK_RATE * max(1e-4, 0.5 * (1.0 + np.cos(np.pi * done)))
