"""One way to take steps, in a process of a host: ``python -m bench.learning.way_process``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.learning.probe import peak_mb
from firmware_host.adaptation.exact import solve
from firmware_host.inference.base import FloatArray, SignatureModel
from firmware_host.inference.int8_layers import Int8Layers
from firmware_host.inference.split import SplitModel
from firmware_host.inference.tflite import TfliteModel

_N_WARM = 10
# As many windows as a wearer labels in half an hour.
N_SOLVED = 96
_RNG = np.random.default_rng(7)


def opened(path: Path, int8_path: Path | None, runtime: str) -> SignatureModel:
    """A model in one file, or in two with the frozen layers on the CPU."""
    tail = TfliteModel(path, runtime=runtime)
    if int8_path is None:
        return tail
    return SplitModel(Int8Layers(int8_path, runtime=runtime, delegate="none"), tail)


def taking(model: SignatureModel, call: str) -> Callable[[], object]:
    """What is timed: a batch of 16 rows, or the whole solve."""
    if call.startswith("solve"):
        n_features = model.signatures["evaluate"].inputs["x"].shape[1]
        x = _RNG.normal(size=(N_SOLVED, n_features)).astype(np.float32)
        y, weight = np.arange(N_SOLVED) % 2, np.ones(N_SOLVED, np.float32)
        return lambda: _solved(model, x, y, weight, linear=call == "solve_head")
    inputs = _inputs(model, call)
    if call != "accumulate":
        return lambda: model.run(call, **inputs)
    n_parts = len(_inputs(model, "train")["weight"]) // len(inputs["weight"])
    step = _inputs(model, "apply")

    def accumulated() -> None:
        for _ in range(n_parts):
            model.run("accumulate", **inputs)
        model.run("apply", **step)

    return accumulated


def _solved(
    model: SignatureModel, x: FloatArray, y: FloatArray, weight: FloatArray, *, linear: bool
) -> None:
    model.run("reset")
    solve(model, x, y, weight, linear=linear, anchor=2.0 if linear else 0.02, bias_anchor=0.02)


def _inputs(model: SignatureModel, call: str) -> dict[str, FloatArray]:
    """Plausible values; the learning rate is too small to run away with, yet every group moves."""
    shapes = {name: spec.shape for name, spec in model.signatures[call].inputs.items()}
    values = {name: _RNG.normal(size=shape) for name, shape in shapes.items()}
    fixed = {"lr": 1e-9, "anchor": 0.1, "epsilon": 1e-3, "weight": 1 / 16}
    values |= {n: np.full(shapes[n], v) for n, v in fixed.items() if n in shapes}
    if "y" in shapes:
        n, n_labels = shapes["y"]
        values["y"] = np.eye(2)[np.arange(n) % 2][:, :n_labels]
    if "placement" in shapes:
        values["placement"] = np.eye(shapes["placement"][1])[:1]
    return {name: value.astype(np.float32) for name, value in values.items()}


def _main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--int8-file", type=Path)
    parser.add_argument("--runtime", required=True)
    parser.add_argument("--call", required=True)
    parser.add_argument("--steps", type=int, required=True)
    args = parser.parse_args()
    take = taking(opened(args.file, args.int8_file, args.runtime), args.call)
    for _ in range(_N_WARM):
        take()
    times = []
    for _ in range(args.steps):
        start = time.process_time()
        take()
        times.append(1e3 * (time.process_time() - start))
    if "tensorflow" in sys.modules:
        raise RuntimeError("expected a process without TensorFlow")
    told = {"step_ms": float(np.median(times)), "step_ms_min": min(times), "peak_mb": peak_mb()}
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    raise SystemExit(_main())
