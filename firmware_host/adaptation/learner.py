"""Drives a model's `train` function over labelled windows, and undoes what went wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation.batches import (
    BatchShape,
    LabelledWindows,
    balanced,
    draw,
    mean_loss,
)
from firmware_host.errors import AdaptationError, AdaptationReason
from firmware_host.inference.base import MOMENTUM_PREFIX, FloatArray, SignatureModel

Groups = Literal["bias", "head", "lora+head"]
Adapter = Mapping[str, FloatArray]

# What is allowed to move: bias, rest of the head, low-rank adapters.
_MOVING: dict[str, tuple[float, float, float]] = {
    "bias": (1.0, 0.0, 0.0),
    "head": (1.0, 1.0, 0.0),
    "lora+head": (1.0, 1.0, 1.0),
}
_IS_BIAS = np.array([True, False, False])
# A model that says 0.5 to everything has a loss of log 2; twice that is worse than knowing
# nothing, and no honest step ends there.
_DIVERGED_LOSS = 2.0 * math.log(2.0)


@dataclass(frozen=True, slots=True)
class LearnResult:
    """What one update did: the adapter before and after, and the loss of each step before it.

    `loss_before` and `loss_after` are over all windows, both classes weighted the same. `after`
    carries the momentum too: with it, `first_step` goes on exactly where this ended.
    """

    before: Adapter
    after: Adapter
    losses: tuple[float, ...]
    loss_before: float
    loss_after: float
    n_windows: int


def learn(
    model: SignatureModel,
    x: FloatArray,
    y: NDArray[np.int64],
    weight: FloatArray,
    *,
    groups: Groups,
    steps: int,
    learning_rate: float,
    anchor: float,
    seed: int,
    bias_anchor: float | None = None,
    settle: bool = False,
    first_step: int = 0,
) -> LearnResult:
    """Move the model's adapter towards labelled windows; the model keeps the result.

    Same model, windows, settings and seed give the same bytes.

    Parameters
    ----------
    x, y, weight
        (n, F) normalised windows, (n,) labels 0 or 1, (n,) weights of at least 0; weights are
        rescaled so that both classes count the same.
    groups
        What may move; the fewer, the safer.
    steps
        Index of the last step plus one.
    anchor
        Pull to the generic values, in units of the mean loss; 0 for none.
    bias_anchor
        Another pull for the bias, which then takes every second step; None for the same pull.
    settle
        Slow down over the second half of the steps, so that no single batch has the last word.
    first_step
        0 starts with momentum at rest; more goes on from the momentum that the model holds.

    Raises
    ------
    AdaptationError
        `no_data`, `one_class`, or `diverged`; the adapter is what it was, byte for byte.
    """
    _check_settings(groups, steps=steps, learning_rate=learning_rate, anchor=anchor)
    if bias_anchor is not None:
        _check_settings(groups, steps=steps, learning_rate=learning_rate, anchor=bias_anchor)
    pace = _Pace(groups, steps, learning_rate, anchor, bias_anchor, settle)
    windows = balanced(x, y, weight, n_features=BatchShape.of(model).n_features)
    before = model.run("get_adapter")
    try:
        if first_step == 0:
            model.run("set_adapter", **at_rest(before))
        loss_before = mean_loss(model, windows)
        losses = _train(model, windows, pace, range(first_step, steps), seed)
        loss_after = mean_loss(model, windows)
        after = _checked(model, loss_before, loss_after)
    except BaseException:
        # Also on Ctrl-C: half an update is no update.
        model.run("set_adapter", **before)
        raise
    return LearnResult(
        before=before,
        after=after,
        losses=tuple(losses),
        loss_before=loss_before,
        loss_after=loss_after,
        n_windows=len(windows),
    )


@dataclass(frozen=True, slots=True)
class _Pace:
    """How far each group moves at each step, and what pulls it back."""

    groups: str
    steps: int
    learning_rate: float
    anchor: float
    bias_anchor: float | None
    settle: bool

    def at(self, step: int) -> dict[str, FloatArray]:
        rates = np.array(_MOVING[self.groups], np.float32) * np.float32(self.learning_rate)
        anchor = self.anchor
        if self.settle:
            rates *= np.float32(min(1.0, 2.0 * (1.0 - step / self.steps)))
        if self.bias_anchor is not None:
            is_bias_turn = step % 2 == 1
            anchor = self.bias_anchor if is_bias_turn else anchor
            turns = _IS_BIAS if is_bias_turn else ~_IS_BIAS
            rates = np.where(turns, rates, np.float32(0.0))
        return {"lr": rates, "anchor": np.array([anchor], np.float32)}


def at_rest(adapter: Adapter) -> dict[str, FloatArray]:
    """Copy an adapter with its momentum at zero."""
    return {
        name: np.zeros_like(value) if name.startswith(MOMENTUM_PREFIX) else value
        for name, value in adapter.items()
    }


def _check_settings(groups: str, *, steps: int, learning_rate: float, anchor: float) -> None:
    if groups not in _MOVING:
        raise ValueError(f"groups: expected one of {', '.join(_MOVING)}; got {groups!r}")
    if steps < 1 or not learning_rate > 0 or not anchor >= 0:
        raise ValueError(
            f"expected steps >= 1, learning_rate > 0, anchor >= 0; "
            f"got {steps}, {learning_rate}, {anchor}"
        )


def _train(
    model: SignatureModel,
    windows: LabelledWindows,
    pace: _Pace,
    steps: range,
    seed: int,
) -> list[float]:
    shape = BatchShape.of(model)
    losses = []
    for step in steps:
        batch = draw(windows, shape.n_rows, seed=seed, step=step)
        inputs = shape.fill(batch.x, batch.y, batch.weight)
        losses.append(float(model.run("train", **inputs, **pace.at(step))["loss"][0]))
        if not math.isfinite(losses[-1]):
            raise _diverged(f"loss is {losses[-1]} at step {step}")
    return losses


def _checked(model: SignatureModel, loss_before: float, loss_after: float) -> Adapter:
    after = model.run("get_adapter")
    broken = [name for name, value in after.items() if not np.isfinite(value).all()]
    if broken:
        raise _diverged(f"{', '.join(broken)} no longer finite")
    if not loss_after <= max(loss_before, _DIVERGED_LOSS):
        raise _diverged(f"loss went from {loss_before:.3g} to {loss_after:.3g}")
    return after


def _diverged(what: str) -> AdaptationError:
    return AdaptationError(
        AdaptationReason.DIVERGED, f"the update diverged ({what}) and was undone; nothing changed"
    )
