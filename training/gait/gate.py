"""Train the activity gate: still, walk, run, stairs, other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from firmware_host.errors import DataError
from firmware_host.events import Activity
from firmware_host.signals.gait import N_GATE
from models import gait_gate
from training.evaluation.progress import progress
from training.gait.windows import Stream

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

LABELS = tuple(activity.value for activity in Activity)
N_STEPS = 1800
PEAK_RATE = 3e-3
WEIGHT_DECAY = 5e-2
LABEL_SMOOTHING = 0.05
DROPOUT = 0.3
# Windows of a batch by class: the rare and the mistaken for each other come more often.
SHARES = {"still": 14, "walk": 24, "run": 12, "stairs": 22, "other": 24}
# Boards without a gyroscope give zeros in its three channels.
GYRO_DROPOUT = 0.3
# Spread of speed and of each sensor's size, as logarithms, and noise in SI units. Stronger spreads
# help in the pocket and cost as much on the wrist.
SPEED_SD, SENSOR_SD, NOISE_SD = 0.05, 0.08, 0.05
_SPEED_RANGE = (0.75, 1.33)
# A window at the highest speed, and room to start it at more than one place.
_MIN_SAMPLES = 140


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


class Batches:
    """Random windows with augmentation, classes in fixed shares, datasets in equal parts.

    Recordings of one class and dataset are equally likely, however long they are.

    Raises
    ------
    DataError
        If no recording is long enough.
    """

    def __init__(self, streams: Sequence[Stream], rng: np.random.Generator) -> None:
        usable = [stream for stream in streams if len(stream.values) >= _MIN_SAMPLES]
        if not usable:
            raise DataError(f"expected a recording of {_MIN_SAMPLES} samples or more, got none")
        self._rng = rng
        self._samples = np.concatenate([stream.values for stream in usable])
        self._lengths = np.array([len(stream.values) for stream in usable])
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._pools = _pools(usable)
        n_drawn = [SHARES[name] * (i in self._pools) for i, name in enumerate(LABELS)]
        self._labels = np.repeat(np.arange(len(LABELS)), n_drawn)
        self._one_hot = np.eye(len(LABELS), dtype=np.float32)[self._labels]

    def draw(self) -> tuple[FloatArray, FloatArray]:
        """(n, 100, 6) windows in SI units and (n, 5) one-hot labels; n is 96 with every class."""
        rng, n = self._rng, len(self._labels)
        windows = self._windows(self._recordings())
        size = np.repeat(np.exp(rng.normal(scale=SENSOR_SD, size=(n, 1, 2))), 3, axis=2)
        windows = windows * size + rng.normal(scale=NOISE_SD, size=windows.shape)
        windows[rng.random(n) < GYRO_DROPOUT, :, 3:] = 0.0
        return windows.astype(np.float32), self._one_hot

    def _recordings(self) -> IntArray:
        """(n,) a recording for each label of the batch."""
        chosen = np.empty(len(self._labels), np.int64)
        for label, pools in self._pools.items():
            at = np.flatnonzero(self._labels == label)
            dataset = self._rng.integers(len(pools), size=len(at))
            for i, pool in enumerate(pools):
                here = at[dataset == i]
                chosen[here] = self._rng.choice(pool, len(here))
        return chosen

    def _windows(self, recordings: IntArray) -> FloatArray:
        """(n, 100, 6) of a random start each, walked faster or slower by interpolation."""
        rng, lengths = self._rng, self._lengths[recordings]
        speed = np.exp(rng.normal(scale=SPEED_SD, size=len(recordings))).clip(*_SPEED_RANGE)
        n_source = np.ceil(N_GATE * speed).astype(int) + 1
        start = (rng.random(len(recordings)) * (lengths - n_source + 1)).astype(int)
        at = np.arange(N_GATE) * speed[:, None]
        left = at.astype(int)
        rows = (self._starts[recordings] + start)[:, None] + left
        before, after = self._samples[rows], self._samples[rows + 1]
        return before + (at - left).astype(np.float32)[:, :, None] * (after - before)


def _pools(streams: Sequence[Stream]) -> dict[int, list[IntArray]]:
    """Class -> for each dataset that has it, the numbers of its recordings."""
    datasets = sorted({_dataset(stream) for stream in streams})
    pools: dict[int, list[IntArray]] = {}
    for label in sorted({stream.activity for stream in streams}):
        by_dataset = [
            [i for i, s in enumerate(streams) if s.activity == label and _dataset(s) == name]
            for name in datasets
        ]
        pools[label] = [np.array(numbers) for numbers in by_dataset if numbers]
    return pools


def _dataset(stream: Stream) -> str:
    return stream.person.split("/")[0]


def train_gate(streams: Sequence[Stream], *, seed: int, n_steps: int = N_STEPS) -> GateWeights:
    """Train on every given stream; the same seed gives the same weights on one machine."""
    tf.keras.utils.set_random_seed(seed)
    center, scale = channel_scale(streams)
    network = gait_gate.build(DROPOUT)
    batches = Batches(streams, np.random.default_rng(seed))
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

    for i in progress(range(n_steps), "training the gate", unit="step"):
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
