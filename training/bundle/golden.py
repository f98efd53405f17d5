"""Inputs and outputs that every runtime must reproduce, and the check that it does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import ModelError
from firmware_host.inference.base import SignatureModel
from firmware_host.inference.bundle import load_bundle, open_model
from firmware_host.inference.tflite import installed_runtimes
from models.signatures import TRAIN_BATCH
from training.bundle.op_gate import check_ops

if TYPE_CHECKING:
    from training.bundle.tflite_file import Exportable

FloatArray = NDArray[np.float32]

N_STEPS = 10
# Float32 sums in another order; a ReLU that flips near zero during the steps would show as 1e-3.
OUTPUT_TOLERANCE = 1e-4
LOSS_TOLERANCE = 2e-3
_RATES = {"lr": np.full(3, 0.01, np.float32), "anchor": np.full(1, 0.1, np.float32)}


class GoldenError(ModelError):
    """A runtime gives other numbers than TensorFlow did at export."""


def golden_of(
    prefix: str, network: Exportable, windows: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """Run TensorFlow's own functions over a few windows; the network is reset afterwards.

    `windows` is input name -> (n, ...). Names of the result: "stress.infer.x" for the inputs of
    all rows, "stress.infer:logits" for the outputs, "stress.train:losses" for ten steps.
    """
    golden: dict[str, FloatArray] = {}
    for name, data in _one_row_signatures(network.signatures, windows):
        rows = [_call(network, name, {data: row[None]}) for row in windows[data]]
        golden[f"{prefix}.{name}.{data}"] = np.asarray(windows[data], np.float32)
        for output in rows[0]:
            stacked = np.concatenate([row[output] for row in rows])
            golden[f"{prefix}.{name}:{output}"] = stacked
    batch = _batch(network.signatures, windows)
    losses = [_call(network, "train", {**batch, **_RATES})["loss"] for _ in range(N_STEPS)]
    network.adapter.reset()
    golden |= {f"{prefix}.train.{name}": value for name, value in batch.items()}
    golden[f"{prefix}.train:losses"] = np.concatenate(losses)
    return golden


def check_bundle(folder: Path) -> dict[str, float]:
    """Load a bundle as the host does: hashes, ops, golden numbers on every installed runtime.

    Gives the largest difference from TensorFlow by "model on runtime".

    Raises
    ------
    ModelError
        If anything is not as it was written.
    """
    bundle = load_bundle(folder)
    golden = bundle.golden()
    worst = {}
    for contract in (bundle.stress, bundle.gait):
        check_ops((bundle.path / contract.file).read_bytes())
    for runtime in installed_runtimes():
        for contract in (bundle.stress, bundle.gait):
            model = open_model(bundle, contract, runtime=runtime)
            worst[f"{contract.name} on {runtime}"] = check_golden(contract.name, model, golden)
    return worst


def check_golden(prefix: str, model: SignatureModel, golden: Mapping[str, FloatArray]) -> float:
    """Largest difference between a model and the golden numbers.

    Raises
    ------
    GoldenError
        If it is more than rounding.
    """
    worst = 0.0
    for key, rows in golden.items():
        if key.startswith(f"{prefix}.") and ":" not in key and ".train." not in key:
            _, name, data = key.split(".")
            outputs = [model.run(name, **{data: row[None]}) for row in rows]
            for output in outputs[0]:
                received = np.concatenate([row[output] for row in outputs])
                expected = golden[f"{prefix}.{name}:{output}"]
                difference = float(np.abs(received - expected).max() / (1 + np.abs(expected).max()))
                worst = max(worst, _within(difference, OUTPUT_TOLERANCE, f"{name}:{output}"))
    return max(worst, _check_training(prefix, model, golden))


def _check_training(prefix: str, model: SignatureModel, golden: Mapping[str, FloatArray]) -> float:
    batch = {
        key.rpartition(".")[2]: value
        for key, value in golden.items()
        if key.startswith(f"{prefix}.train.")
    }
    expected = golden[f"{prefix}.train:losses"]
    model.run("reset")
    received = [float(model.run("train", **batch, **_RATES)["loss"][0]) for _ in expected]
    model.run("reset")
    return _within(float(np.abs(received - expected).max()), LOSS_TOLERANCE, "train:losses")


def _within(difference: float, tolerance: float, what: str) -> float:
    if not difference <= tolerance:
        raise GoldenError(
            f"{what}: expected at most {tolerance:g} from TensorFlow, got {difference:g}"
        )
    return difference


def _call(network: Any, name: str, inputs: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    import tensorflow as tf

    tensors = {key: tf.constant(value, tf.float32) for key, value in inputs.items()}
    return {key: np.asarray(value) for key, value in getattr(network, name)(**tensors).items()}


def _one_row_signatures(
    signatures: Mapping[str, Any], windows: Mapping[str, FloatArray]
) -> list[tuple[str, str]]:
    return [
        (name, next(iter(shapes.inputs)))
        for name, shapes in sorted(signatures.items())
        if len(shapes.inputs) == 1 and next(iter(shapes.inputs)) in windows
    ]


def _batch(
    signatures: Mapping[str, Any], windows: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    inputs = signatures["train"].inputs
    (data,) = set(inputs) & set(windows)
    # Fewer windows than a batch are repeated; the labels alternate, which is enough to move.
    rows = np.resize(np.arange(len(windows[data])), TRAIN_BATCH)
    label = np.arange(TRAIN_BATCH) % 2
    n_labels = inputs["y"][1]
    y = label[:, None] if n_labels == 1 else np.eye(n_labels)[label]
    return {
        data: np.asarray(windows[data][rows], np.float32),
        "y": y.astype(np.float32),
        "weight": np.ones(TRAIN_BATCH, np.float32),
    }
