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

Groups = Literal["bias", "head", "lora", "lora+head"]
Adapter = Mapping[str, FloatArray]

# What is allowed to move: bias, rest of the head, low-rank adapters.
_MOVING: dict[str, tuple[float, float, float]] = {
    "bias": (1.0, 0.0, 0.0),
    "head": (1.0, 1.0, 0.0),
    "lora": (0.0, 0.0, 1.0),
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
    pace = Pace(groups, steps, learning_rate, anchor, bias_anchor, settle)
    windows = balanced(x, y, weight, n_features=BatchShape.of(model).n_features)
    training = Training(model, windows, pace, seed)
    before = model.run("get_adapter")
    try:
        if first_step == 0:
            training.rest()
        loss_before = training.loss()
        losses = [training.step(step) for step in range(first_step, steps)]
        loss_after = training.loss()
        after = training.checked(loss_before, loss_after)
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
class Pace:
    """How far each group moves at each step, and what pulls it back."""

    groups: str
    steps: int
    learning_rate: float
    anchor: float
    bias_anchor: float | None
    settle: bool

    def __post_init__(self) -> None:
        if self.groups not in _MOVING:
            raise ValueError(f"groups: expected one of {', '.join(_MOVING)}; got {self.groups!r}")
        anchors = (self.anchor, self.anchor if self.bias_anchor is None else self.bias_anchor)
        if self.steps < 1 or not self.learning_rate > 0 or not min(anchors) >= 0:
            raise ValueError(
                f"expected steps >= 1, learning_rate > 0, anchors >= 0; "
                f"got {self.steps}, {self.learning_rate}, {anchors}"
            )

    def at(self, step: int) -> dict[str, FloatArray]:
        """Rates and anchor of one step, as inputs of `train`."""
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


class Training:
    """A model's `train` function over labelled windows, one step at a time.

    Where it stands is in the model alone, momentum included: whoever puts that back may go on.
    """

    def __init__(
        self, model: SignatureModel, windows: LabelledWindows, pace: Pace, seed: int
    ) -> None:
        self._model, self._windows, self._pace, self._seed = model, windows, pace, seed
        self._shape = BatchShape.of(model)

    def rest(self) -> None:
        """Forget the momentum of what was trained before."""
        self._model.run("set_adapter", **at_rest(self._model.run("get_adapter")))

    def loss(self) -> float:
        """Weighted loss over all windows."""
        return mean_loss(self._model, self._windows)

    def step(self, step: int) -> float:
        """Take one step, given its index; the loss of its batch before it."""
        batch = draw(self._windows, self._shape.n_rows, seed=self._seed, step=step)
        inputs = self._shape.fill(batch.x, batch.y, batch.weight)
        loss = float(self._model.run("train", **inputs, **self._pace.at(step))["loss"][0])
        if not math.isfinite(loss):
            raise diverged(f"loss is {loss} at step {step}")
        return loss

    def checked(self, loss_before: float, loss_after: float) -> Adapter:
        """Values and momentum of a finished training; diverged ones are refused."""
        after = self._model.run("get_adapter")
        broken = [name for name, value in after.items() if not np.isfinite(value).all()]
        if broken:
            raise diverged(f"{', '.join(broken)} no longer finite")
        if not loss_after <= max(loss_before, _DIVERGED_LOSS):
            raise diverged(f"loss went from {loss_before:.3g} to {loss_after:.3g}")
        return after


def at_rest(adapter: Adapter) -> dict[str, FloatArray]:
    """Copy an adapter with its momentum at zero."""
    return {
        name: np.zeros_like(value) if name.startswith(MOMENTUM_PREFIX) else value
        for name, value in adapter.items()
    }


def diverged(what: str) -> AdaptationError:
    """The error of a training that ran away, for the caller to raise."""
    return AdaptationError(
        AdaptationReason.DIVERGED, f"the update diverged ({what}) and was undone; nothing changed"
    )
