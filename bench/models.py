"""Time of one inference and one training step: ``python -m bench.models``."""

from __future__ import annotations

import numpy as np

from bench.rows import Options, Row, main, per_call_s
from firmware_host.inference.base import FloatArray, SignatureModel
from firmware_host.inference.bundle import load_bundle, open_model
from firmware_host.inference.tflite import installed_runtimes
from training.stress.numpy_model import TableModel

_PEER = "the same network in plain numpy (TableModel)"


def rows(options: Options) -> list[Row]:
    bundle = load_bundle()
    table = TableModel.random(seed=1, n_features=len(bundle.stress.features))
    found = []
    for runtime in installed_runtimes():
        stress, gait = (
            open_model(bundle, part, runtime=runtime) for part in (bundle.stress, bundle.gait)
        )
        stress_us, table_us = (_time(m, "infer", options) * 1e6 for m in (stress, table))
        step_ms, table_ms = (_time(m, "train", options) * 1e3 for m in (stress, table))
        found += [
            Row(f"{runtime}: stress infer", stress_us, "µs", _PEER, stress_us / table_us),
            Row(f"{runtime}: gait infer", _time(gait, "infer", options) * 1e6, "µs"),
            Row(f"{runtime}: gait embed", _time(gait, "embed", options) * 1e6, "µs"),
            Row(
                f"{runtime}: stress training step, batch 16",
                step_ms,
                "ms",
                _PEER,
                step_ms / table_ms,
            ),
            Row(
                f"{runtime}: gait training step, batch 16",
                _time(gait, "train", options) * 1e3,
                "ms",
            ),
        ]
    return found


def _time(model: SignatureModel, name: str, options: Options) -> float:
    inputs = _inputs(model, name)
    n_calls = 50 if options.quick else 300
    return per_call_s(lambda: model.run(name, **inputs), repeats=options.repeats, n_calls=n_calls)


def _inputs(model: SignatureModel, name: str) -> dict[str, FloatArray]:
    """Plausible values; the learning rate is zero, so that no number of steps runs away."""
    rng = np.random.default_rng(3)
    shapes = {key: spec.shape for key, spec in model.signatures[name].inputs.items()}
    values = {key: rng.normal(0.0, 1.0, shape) for key, shape in shapes.items()}
    if "y" in shapes:
        n, k = shapes["y"]
        values["y"] = np.eye(2)[np.arange(n) % 2][:, :k]
        values |= {"weight": np.ones(n), "lr": np.zeros(3), "anchor": np.zeros(1)}
    return {key: value.astype(np.float32) for key, value in values.items()}


if __name__ == "__main__":
    raise SystemExit(main(rows, "bench.models"))
