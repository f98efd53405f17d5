"""Our training step in a process with nothing else: ``python -m bench.learning.ours``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from bench.learning.probe import Step, main
from bench.learning.workload import BATCH, LEARNING_RATE, FloatArray, Workload
from firmware_host.inference.tflite import TfliteModel

# Which runtime, by a name that `TfliteModel` knows.
RUNTIME_VARIABLE = "SIGNET_BENCH_RUNTIME"
# Not empty: call the runtime as the peers are called, without the host's checks and copies.
BARE_VARIABLE = "SIGNET_BENCH_BARE"


def make(workload: Workload, folder: Path) -> tuple[Step, str]:
    """The file that our export wrote, behind the wrapper that the host uses."""
    runtime = os.environ.get(RUNTIME_VARIABLE, "auto")
    model = TfliteModel(folder / f"{workload.name}.ours.tflite", runtime=runtime)
    rates = {
        "weight": np.ones(BATCH, np.float32),
        "lr": np.full(3, LEARNING_RATE, np.float32),
        "anchor": np.zeros(1, np.float32),
    }
    train = model.run
    if os.environ.get(BARE_VARIABLE):
        runners = model._runners

        def train(name: str, **arrays: FloatArray) -> dict[str, FloatArray]:
            return runners[name](**arrays)

    def step(inputs: dict[str, FloatArray], labels: FloatArray) -> float:
        return float(train("train", **inputs, y=labels, **rates)["loss"][0])

    if {"tensorflow", "torch"} & set(sys.modules):
        raise RuntimeError("expected a process without TensorFlow and PyTorch")
    return step, model.runtime


if __name__ == "__main__":
    raise SystemExit(main(make))
