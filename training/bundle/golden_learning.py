"""Golden numbers of the functions that learn: the gradient by autodiff, and what each step gives.

They are taken where every trainable matters: a little off the generic values, which hold zeros
that would hide half of the backward.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import ModelError
from firmware_host.inference.base import MOMENTUM_PREFIX, SignatureModel
from models.signatures import LEARNING_RATE_GROUPS, PREFERENCE_PAIRS, TRAIN_BATCH

if TYPE_CHECKING:
    from models.trainable import TrainableNet

FloatArray = NDArray[np.float32]
Arrays = Mapping[str, FloatArray]

# Of the largest number in each array: autodiff and a runtime sum in another order.
GRADIENT_TOLERANCE = 1e-5
_OUTPUT_TOLERANCE = 1e-4
_BY_PAIRS = "preference_gradient"
_SEED = 4
_OFF = 0.1
# A unit rate and no pull: the step is the gradient, and momentum keeps it.
_PLAIN = {"lr": np.ones(len(LEARNING_RATE_GROUPS), np.float32), "anchor": np.zeros(1, np.float32)}
_EPSILON, _BETA = np.full(1, 1e-2, np.float32), np.ones(1, np.float32)


class GradientError(ModelError):
    """A file learns otherwise than autodiff says."""


def learning_golden(prefix: str, network: TrainableNet, batch: Arrays) -> dict[str, FloatArray]:
    """Gradients of a batch and of pairs from it, losses of `train_mezo` and `prefer`.

    `batch` are inputs of `evaluate`; the network is reset afterwards. Names of the result:
    "stress.gradient:head_w", "stress.preference_gradient:head_w" and so on,
    "stress.train_mezo:loss_plus", "stress.prefer:loss".
    """
    from models import autodiff_twin

    network.adapter.reset()
    start = _start({name: np.asarray(v) for name, v in network.adapter.read().items()})
    network.adapter.write(start)
    found = {f"gradient:{n}": v for n, v in autodiff_twin.gradients(network, batch).items()}
    for name, inputs in _steps(network.signatures, start, batch).items():
        network.adapter.write(start)
        outputs = getattr(network, name)(**inputs)
        found |= {f"{name}:{output}": np.asarray(value) for output, value in outputs.items()}
    if "prefer" in network.signatures:
        network.adapter.write(start)
        by_pairs = autodiff_twin.preference_gradients(network, _pairs(batch))
        # The bias is in both windows of a pair: only rounding is left of its gradient.
        del by_pairs["head_b"]
        found |= {f"{_BY_PAIRS}:{name}": gradient for name, gradient in by_pairs.items()}
    network.adapter.reset()
    return {f"{prefix}.{name}": value for name, value in found.items()}


def check_learning(
    prefix: str,
    model: SignatureModel,
    golden: Arrays,
    batch: Arrays,
    *,
    tolerance: float = GRADIENT_TOLERANCE,
) -> float:
    """Largest difference between what a model learns from a batch and the golden numbers.

    The gradient is taken both ways, in one piece and in micro-batches.

    Raises
    ------
    GradientError
        If a gradient is off by more than `tolerance` of the largest number in its array, or
        another output by more than rounding.
    """
    model.run("reset")
    start = _start(model.run("get_adapter"))
    steps = _steps(model.signatures, start, batch)
    expected, worst = _of(golden, f"{prefix}.gradient:"), 0.0
    if not expected:
        raise GradientError(f"expected golden gradients of {prefix}, got none")
    for way, gradient in (("train", _in_one), ("accumulate", _in_parts)):
        model.run("set_adapter", **start)
        worst = max(worst, _compared(way, gradient(model, batch), expected, tolerance))
    for name, inputs in steps.items():
        model.run("set_adapter", **start)
        found, outputs = model.run(name, **inputs), _of(golden, f"{prefix}.{name}:")
        worst = max(worst, _compared(name, found, outputs, max(tolerance, _OUTPUT_TOLERANCE)))
        if name == "prefer":
            expected = _of(golden, f"{prefix}.{_BY_PAIRS}:")
            worst = max(worst, _compared(name, _stepped(model), expected, tolerance))
    model.run("reset")
    return worst


def _start(generic: Arrays) -> dict[str, FloatArray]:
    """The same few steps off the generic values for everybody, momentum at rest."""
    rng = np.random.default_rng(_SEED)
    return {
        name: np.zeros_like(value)
        if name.startswith(MOMENTUM_PREFIX)
        else (value + _OFF * rng.normal(size=value.shape)).astype(np.float32)
        for name, value in sorted(generic.items())
    }


def _steps(
    signatures: Collection[str], start: Arrays, batch: Arrays
) -> dict[str, dict[str, FloatArray]]:
    """Inputs of the other functions that learn, by name."""
    values = [v for name, v in start.items() if not name.startswith(MOMENTUM_PREFIX)]
    noise = np.random.default_rng(_SEED).normal(size=sum(v.size for v in values))
    mezo = {**batch, **_PLAIN, "noise": noise.astype(np.float32), "epsilon": _EPSILON}
    found = {"train_mezo": mezo}
    if "prefer" in signatures:
        found["prefer"] = {**_pairs(batch), **_PLAIN}
    return found


def _pairs(batch: Arrays) -> dict[str, FloatArray]:
    # Rows may repeat after a few: never a row with itself, and weights that let nothing cancel.
    more = batch["x"][:PREFERENCE_PAIRS]
    weight = np.arange(1, PREFERENCE_PAIRS + 1, dtype=np.float32)
    return {"more": more, "less": np.roll(more, 1, axis=0), "weight": weight, "beta": _BETA}


def _in_one(model: SignatureModel, batch: Arrays) -> dict[str, FloatArray]:
    model.run("train", **batch, **_PLAIN)
    return _stepped(model)


def _in_parts(model: SignatureModel, batch: Arrays) -> dict[str, FloatArray]:
    (n_rows,) = model.signatures["accumulate"].inputs["weight"].shape
    batch = {**batch, "weight": batch["weight"] / batch["weight"].sum()}
    for start in range(0, TRAIN_BATCH, n_rows):
        rows = slice(start, start + n_rows)
        part = {name: v[rows] if len(v) == TRAIN_BATCH else v for name, v in batch.items()}
        model.run("accumulate", **part)
    model.run("apply", **_PLAIN)
    return _stepped(model)


def _stepped(model: SignatureModel) -> dict[str, FloatArray]:
    """The gradient that a plain step from rest has left as momentum."""
    state = model.run("get_adapter")
    momenta = {n: v for n, v in state.items() if n.startswith(MOMENTUM_PREFIX)}
    return {name.removeprefix(MOMENTUM_PREFIX): -value for name, value in momenta.items()}


def _of(golden: Arrays, start: str) -> dict[str, FloatArray]:
    return {key.removeprefix(start): v for key, v in golden.items() if key.startswith(start)}


def _compared(what: str, received: Arrays, expected: Arrays, tolerance: float) -> float:
    worst = 0.0
    for name, value in expected.items():
        largest = max(float(np.abs(value).max()), 1e-12)
        difference = float(np.abs(received[name] - value).max()) / largest
        if not difference <= tolerance:
            raise GradientError(
                f"{what}: expected {name} within {tolerance:g} of autodiff, got {difference:.2g}"
            )
        worst = max(worst, difference)
    return worst
