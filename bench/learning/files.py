"""Build what the peers run: ``python -m bench.learning.files FOLDER``, where TensorFlow is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from bench.learning.workload import (
    FloatArray,
    Workload,
    conv_shapes,
    random_batches,
    random_conv,
)
from firmware_host.signals.stress import FEATURE_NAMES
from models.int8 import MIN_VALUES, rounded
from training.bundle.rounding import rounded_weights
from training.bundle.tflite_file import convert

_SEED = 20261121


def workloads() -> dict[str, tuple[Workload, Any]]:
    """Each workload with its exportable network; frozen weights on the int8 grid of release files."""
    return {"stress": _stress(), "conv": _conv()}


def _stress() -> tuple[Workload, Any]:
    from models.stress import GROUPS, StressNet, random_weights

    weights = rounded_weights(random_weights(np.random.default_rng(_SEED), len(FEATURE_NAMES)))
    arrays = weights.arrays()
    inputs, labels = random_batches({"x": (len(FEATURE_NAMES),)}, 2, _SEED + 1)
    trained = {name: arrays[name] for name in GROUPS}
    frozen = {name: value for name, value in arrays.items() if name not in GROUPS}
    return Workload("stress", frozen, trained, inputs, labels), StressNet(weights)


def _conv() -> tuple[Workload, Any]:
    from bench.learning.conv_net import ConvNet

    frozen, trained = random_conv(_SEED)
    frozen = {name: _on_grid(name, value) for name, value in frozen.items()}
    inputs, labels = random_batches(conv_shapes(), 6, _SEED + 1)
    return Workload("conv", frozen, trained, inputs, labels), ConvNet(frozen, trained)


def _on_grid(name: str, value: FloatArray) -> FloatArray:
    if value.size < MIN_VALUES:
        return value
    # A scale for each output: rows of a matrix, channels of a depthwise kernel, or the last axis.
    return rounded(value, 0 if value.ndim == 2 else 2 if "_dw" in name else 3)


def build(folder: Path) -> None:
    """Write <network>.npz and <network>.ours.tflite of every network."""
    for name, (workload, network) in workloads().items():
        workload.save(folder / f"{name}.npz")
        (folder / f"{name}.ours.tflite").write_bytes(convert(network))


if __name__ == "__main__":
    build(Path(sys.argv[1]))
