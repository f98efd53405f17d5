"""What every peer computes: a network with low-rank adapters, where it starts, and its batches.

Only numpy: each peer reads the same file in a process of its own, with its own library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

BATCH = 16
N_BATCHES = 8
LEARNING_RATE, MOMENTUM = 0.01, 0.9
NETWORKS = ("stress", "conv")
_LABELS = "y"


@dataclass(frozen=True)
class Branch:
    """One signal of "conv": its window (samples, channels), kernel, stem width and blocks.

    A block is a depthwise and a pointwise convolution, (channels out, stride); `n_adapted` of the
    last ones carry a low-rank adapter. The stem has stride 2. Stride 2 pads as TensorFlow's SAME.
    """

    n_samples: int
    n_channels: int
    kernel: int
    stem: int
    blocks: tuple[tuple[int, int], ...]
    n_adapted: int

    def is_adapted(self, block: int) -> bool:
        """Whether that block's pointwise convolution carries an adapter."""
        return block >= len(self.blocks) - self.n_adapted


BRANCHES = {
    "imu": Branch(150, 6, 5, 32, ((48, 2), (64, 1), (96, 2), (96, 1)), 2),
    "bvp": Branch(512, 1, 7, 16, ((32, 2), (48, 2), (64, 2), (64, 1)), 2),
    "slow": Branch(32, 2, 5, 16, ((32, 1),), 0),
}
N_FUSED, N_CLASSES, RANK = 128, 6, 8
# alpha / rank of every adapter, of both networks.
LORA_SCALE = 2.0


@dataclass(frozen=True)
class Workload:
    """A network's name, its arrays, and batches that are walked through in turn.

    `frozen` and `trained` name -> array, matrices (out, in), kernels (1, k, in, out); `inputs`
    name -> (N_BATCHES, BATCH, ...), `labels` (N_BATCHES, BATCH, classes) one-hot.
    """

    name: str
    frozen: Mapping[str, FloatArray]
    trained: Mapping[str, FloatArray]
    inputs: Mapping[str, FloatArray]
    labels: FloatArray

    def batch(self, step: int) -> tuple[dict[str, FloatArray], FloatArray]:
        """Inputs by name and labels of one step."""
        idx = step % len(self.labels)
        return {name: values[idx] for name, values in self.inputs.items()}, self.labels[idx]

    def save(self, path: Path) -> None:
        """Write everything to one .npz file."""
        parts = {"frozen": self.frozen, "trained": self.trained, "inputs": self.inputs}
        named = {f"{part}.{n}": v for part, arrays in parts.items() for n, v in arrays.items()}
        np.savez(path, **named, **{_LABELS: self.labels, "name": np.array(self.name)})


def load(path: Path) -> Workload:
    """Read what `Workload.save` wrote."""
    parts: dict[str, dict[str, FloatArray]] = {"frozen": {}, "trained": {}, "inputs": {}}
    with np.load(path) as file:
        for key in set(file.files) - {_LABELS, "name"}:
            part, _, name = key.partition(".")
            parts[part][name] = file[key]
        return Workload(str(file["name"]), **parts, labels=file[_LABELS])


def random_conv(seed: int) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    """Frozen and trained arrays of "conv": three branches, a fusing layer and a head."""
    rng = np.random.default_rng(seed)
    frozen: dict[str, FloatArray] = {}
    trained: dict[str, FloatArray] = {}
    n_pooled = 0
    for name, branch in BRANCHES.items():
        frozen[f"{name}_stem_w"] = _scaled(rng, (1, branch.kernel, branch.n_channels, branch.stem))
        frozen[f"{name}_stem_b"] = _small(rng, branch.stem)
        n_in = branch.stem
        for i, (n_out, _) in enumerate(branch.blocks):
            frozen[f"{name}_dw{i}_w"] = _scaled(rng, (1, branch.kernel, n_in, 1))
            frozen[f"{name}_dw{i}_b"] = _small(rng, n_in)
            frozen[f"{name}_pw{i}_w"] = _matrix(rng, n_out, n_in)
            frozen[f"{name}_pw{i}_b"] = _small(rng, n_out)
            if branch.is_adapted(i):
                trained |= _adapter(rng, f"{name}_pw{i}", n_out, n_in)
            n_in = n_out
        n_pooled += n_in
    frozen |= {"fuse_w": _matrix(rng, N_FUSED, n_pooled), "fuse_b": _small(rng, N_FUSED)}
    trained |= _adapter(rng, "fuse", N_FUSED, n_pooled)
    trained |= {"head_w": _matrix(rng, N_CLASSES, N_FUSED), "head_b": _small(rng, N_CLASSES)}
    return frozen, trained


def random_batches(
    shapes: Mapping[str, tuple[int, ...]], n_classes: int, seed: int
) -> tuple[dict[str, FloatArray], FloatArray]:
    """Inputs of unit spread whose mean leans with the label, so that there is something to learn."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, n_classes, (N_BATCHES, BATCH))
    inputs = {}
    for name, shape in shapes.items():
        lean = rng.normal(0.0, 0.3, (n_classes, *shape))[label]
        inputs[name] = (rng.normal(size=(N_BATCHES, BATCH, *shape)) + lean).astype(np.float32)
    return inputs, np.eye(n_classes, dtype=np.float32)[label]


def conv_shapes() -> dict[str, tuple[int, ...]]:
    """Shape of one window of each input of "conv"."""
    return {name: (branch.n_samples, branch.n_channels) for name, branch in BRANCHES.items()}


def _adapter(rng: np.random.Generator, name: str, n_out: int, n_in: int) -> dict[str, FloatArray]:
    # Both factors random: with B at zero the first step would not move A at all.
    return {
        f"{name}_a": (_matrix(rng, RANK, n_in) / np.sqrt(2.0)).astype(np.float32),
        f"{name}_b": rng.normal(0.0, 0.02, (n_out, RANK)).astype(np.float32),
    }


def _matrix(rng: np.random.Generator, n_out: int, n_in: int) -> FloatArray:
    return rng.normal(0.0, np.sqrt(2.0 / n_in), (n_out, n_in)).astype(np.float32)


def _scaled(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    # A depthwise kernel sums over its taps alone, the last axis is 1.
    fan_in = shape[1] if shape[3] == 1 else shape[1] * shape[2]
    return rng.normal(0.0, np.sqrt(2.0 / fan_in), shape).astype(np.float32)


def _small(rng: np.random.Generator, n: int) -> FloatArray:
    return rng.normal(0.0, 0.05, n).astype(np.float32)
