"""Inputs and outputs that every runtime must reproduce, and the check that it does."""

from __future__ import annotations

import subprocess
import sys
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
from training.bundle.edge_tpu import check_edge_tpu
from training.bundle.golden_learning import (
    GRADIENT_TOLERANCE,
    check_learning,
    learning_golden,
)
from training.bundle.op_gate import check_ops

if TYPE_CHECKING:
    from training.bundle.tflite_file import Exportable

FloatArray = NDArray[np.float32]

_ROOT = Path(__file__).resolve().parents[2]
N_STEPS = 10
# Float32 sums in another order; a ReLU that flips near zero during the steps would show as 1e-3.
OUTPUT_TOLERANCE = 1e-4
LOSS_TOLERANCE = 2e-3
# Two runtimes may round the result of an int8 layer to either side; here they do not.
INT8_TOLERANCE = 0.1
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
    for name, inputs in _one_row_signatures(network.signatures, windows):
        given = {data: np.asarray(windows[data], np.float32) for data in inputs}
        rows = [_call(network, name, row) for row in _rows(given)]
        golden |= {f"{prefix}.{name}.{data}": values for data, values in given.items()}
        for output in rows[0]:
            stacked = np.concatenate([row[output] for row in rows])
            golden[f"{prefix}.{name}:{output}"] = stacked
    batch = _batch(network.signatures, windows)
    losses = [_call(network, "train", {**batch, **_RATES})["loss"] for _ in range(N_STEPS)]
    network.adapter.reset()
    golden |= learning_golden(prefix, network, batch)
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
        if contract.int8_file:
            check_edge_tpu((bundle.path / contract.int8_file).read_bytes())
    for runtime in installed_runtimes():
        for contract in (bundle.stress, bundle.gait):
            model = open_model(bundle, contract, runtime=runtime)
            tolerance = INT8_TOLERANCE if contract.int8_file else OUTPUT_TOLERANCE
            worst[f"{contract.name} on {runtime}"] = check_golden(
                contract.name, model, golden, tolerance=tolerance
            )
    return worst


def check_apart(folder: Path) -> None:
    """Check a bundle in a process of its own, as a host would meet it.

    In a process that has TensorFlow loaded, a runtime may end up computing with TensorFlow's
    kernels: a file that tflite-runtime 2.14 gets wrong then passes.

    Raises
    ------
    GoldenError
        With the line that the check printed.
    """
    command = [sys.executable, "-m", "training", "check", "--bundle", str(folder.resolve())]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2].removeprefix("error: ")
        raise GoldenError(said or "the check did not end well")


def check_golden(
    prefix: str,
    model: SignatureModel,
    golden: Mapping[str, FloatArray],
    *,
    tolerance: float = OUTPUT_TOLERANCE,
) -> float:
    """Largest difference between a model and the golden numbers.

    Raises
    ------
    GoldenError
        If it is more than rounding.
    """
    worst = 0.0
    for name, given in _given(prefix, golden).items():
        outputs = [model.run(name, **row) for row in _rows(given)]
        for output in outputs[0]:
            received = np.concatenate([row[output] for row in outputs])
            expected = golden[f"{prefix}.{name}:{output}"]
            difference = float(np.abs(received - expected).max() / (1 + np.abs(expected).max()))
            worst = max(worst, _within(difference, tolerance, f"{name}:{output}"))
    tolerance = max(tolerance, LOSS_TOLERANCE)
    return max(worst, _check_training(prefix, model, golden, tolerance))


def _given(prefix: str, golden: Mapping[str, FloatArray]) -> dict[str, dict[str, FloatArray]]:
    """Inputs (n, ...) by name, by signature that takes one row."""
    found: dict[str, dict[str, FloatArray]] = {}
    for key, values in golden.items():
        if key.startswith(f"{prefix}.") and ":" not in key and ".train." not in key:
            _, name, data = key.split(".")
            found.setdefault(name, {})[data] = values
    return found


def _rows(given: Mapping[str, FloatArray]) -> list[dict[str, FloatArray]]:
    """One call's inputs for each row, with a batch axis of one."""
    n = min(len(values) for values in given.values())
    return [{data: values[i][None] for data, values in given.items()} for i in range(n)]


def _check_training(
    prefix: str, model: SignatureModel, golden: Mapping[str, FloatArray], tolerance: float
) -> float:
    batch = {
        key.rpartition(".")[2]: value
        for key, value in golden.items()
        if key.startswith(f"{prefix}.train.")
    }
    expected = golden[f"{prefix}.train:losses"]
    model.run("reset")
    received = [float(model.run("train", **batch, **_RATES)["loss"][0]) for _ in expected]
    _check_restored(model, {name: v for name, v in batch.items() if name not in _RATES})
    model.run("reset")
    worst = _within(float(np.abs(received - expected).max()), tolerance, "train:losses")
    if "accumulate" not in model.signatures:
        return worst
    # Other losses than the float network's mean other gradients: there is nothing exact to hold.
    exact = GRADIENT_TOLERANCE if tolerance <= LOSS_TOLERANCE else tolerance
    return max(worst, check_learning(prefix, model, golden, batch, tolerance=exact))


def _check_restored(model: SignatureModel, batch: Mapping[str, FloatArray]) -> None:
    """Raise unless a stored state brings back what was learned, to the bit."""
    state, learned = model.run("get_adapter"), model.run("evaluate", **batch)
    model.run("reset")
    generic = model.run("evaluate", **batch)
    model.run("set_adapter", **state)
    restored = model.run("evaluate", **batch)
    if any((learned[name] != restored[name]).any() for name in learned):
        raise GoldenError(
            "set_adapter: expected the outputs of the state that was stored, got others"
        )
    if all((learned[name] == generic[name]).all() for name in learned):
        raise GoldenError(
            "reset: expected the outputs to change back, got those of the trained state"
        )


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
) -> list[tuple[str, list[str]]]:
    return [
        (name, list(shapes.inputs))
        for name, shapes in sorted(signatures.items())
        if shapes.inputs and set(shapes.inputs) <= set(windows)
    ]


def _batch(
    signatures: Mapping[str, Any], windows: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    inputs = signatures["train"].inputs
    # One row stands for the whole batch: it is not one of the batch's data.
    shared = {name: windows[name][:1] for name in windows if inputs.get(name, (0,))[0] == 1}
    (data,) = set(inputs) & set(windows) - set(shared)
    # Fewer windows than a batch are repeated; the labels alternate, which is enough to move.
    rows = np.resize(np.arange(len(windows[data])), TRAIN_BATCH)
    label = np.arange(TRAIN_BATCH) % 2
    n_labels = inputs["y"][1]
    y = label[:, None] if n_labels == 1 else np.eye(n_labels)[label]
    return {
        **{name: np.asarray(row, np.float32) for name, row in shared.items()},
        data: np.asarray(windows[data][rows], np.float32),
        "y": y.astype(np.float32),
        "weight": np.ones(TRAIN_BATCH, np.float32),
    }
