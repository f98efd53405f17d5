"""Bias and linear part of the head by Newton's method: the best there is, no steps to choose.

With the layers below held, the log-odds are linear in what moves and the pulled loss has one
minimum. A few solves of 27 unknowns reach it; the training function of the model file would need
hundreds of steps to come close.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation.batches import (
    BatchShape,
    LabelledWindows,
    balanced,
    log_odds,
    mean_loss,
)
from firmware_host.adaptation.learner import LearnResult, at_rest
from firmware_host.errors import AdaptationError, AdaptationReason
from firmware_host.inference.base import FloatArray, SignatureModel

DoubleArray = NDArray[np.float64]

_MAX_ROUNDS = 40
_CLOSE_ENOUGH = 1e-8
# Newton can overshoot far from the minimum; two units of log-odds per unit input is far enough.
_MAX_STEP = 2.0


def solve(
    model: SignatureModel,
    x: FloatArray,
    y: NDArray[np.int64],
    weight: FloatArray,
    *,
    linear: bool,
    anchor: float,
    bias_anchor: float,
) -> LearnResult:
    """Move the model's bias, and with `linear` its weights on the inputs; the model keeps them.

    Same arguments as `learner.learn`, and the same minimum as its "bias" and "head" tend to, the
    head's weights on hidden units left alone. `loss_before` and `loss_after` as there.

    Parameters
    ----------
    anchor, bias_anchor
        Pull to the values that the model has, in units of the mean loss; positive.

    Raises
    ------
    AdaptationError
        `no_data`, `one_class`, or `diverged`; the adapter is what it was, byte for byte.
    """
    if not (anchor > 0 and bias_anchor > 0):
        raise ValueError(f"expected positive anchors, got {anchor}, {bias_anchor}")
    windows = balanced(x, y, weight, n_features=BatchShape.of(model).n_features)
    before = model.run("get_adapter")
    try:
        loss_before = mean_loss(model, windows)
        moved = _minimum(model, windows, linear, anchor, bias_anchor)
        after = at_rest(before) | _moved(before, moved)
        model.run("set_adapter", **after)
        loss_after = mean_loss(model, windows)
    except BaseException:
        model.run("set_adapter", **before)
        raise
    return LearnResult(before, after, (), loss_before, loss_after, len(windows))


def _minimum(
    model: SignatureModel,
    windows: LabelledWindows,
    linear: bool,
    anchor: float,
    bias_anchor: float,
) -> DoubleArray:
    """(F + 1,) change of the log-odds per input, and of the bias, last."""
    offset = log_odds(model, windows.x)
    ones = np.ones((len(windows), 1))
    inputs = np.hstack([windows.x.astype(np.float64), ones]) if linear else ones
    share = windows.weight.astype(np.float64) / float(windows.weight.sum())
    # Both logits move by half and are both pulled: half of the pull on their difference.
    pull = np.full(inputs.shape[1], anchor / 2)
    pull[-1] = bias_anchor / 2
    change = np.zeros(inputs.shape[1])
    for _ in range(_MAX_ROUNDS):
        p = 0.5 * (1.0 + np.tanh(0.5 * (offset + inputs @ change)))
        gradient = inputs.T @ (share * (p - windows.y)) + pull * change
        curvature = (inputs * (share * p * (1 - p))[:, None]).T @ inputs + np.diag(pull)
        step = np.linalg.solve(curvature, gradient)
        change -= step * min(1.0, _MAX_STEP / max(float(np.abs(step).max()), 1e-12))
        if float(np.abs(step).max()) < _CLOSE_ENOUGH:
            break
    if not np.isfinite(change).all():
        msg = "the update diverged (no finite minimum) and was undone; nothing changed"
        raise AdaptationError(AdaptationReason.DIVERGED, msg)
    full = np.zeros(windows.x.shape[1] + 1)
    full[-len(change) :] = change
    return full


def _moved(before: Mapping[str, FloatArray], change: DoubleArray) -> dict[str, FloatArray]:
    """Head with half of the change on either logit; the inputs are its last columns."""
    sides = np.array([[-0.5], [0.5]])
    n_inputs = len(change) - 1
    head_w = before["head_w"].astype(np.float64)
    head_w[:, -n_inputs:] += sides * change[:-1]
    head_b = before["head_b"].astype(np.float64) + sides[:, 0] * change[-1]
    return {"head_w": head_w.astype(np.float32), "head_b": head_b.astype(np.float32)}
