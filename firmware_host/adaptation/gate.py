"""The gate: an update is kept only if the wearer's own held-back windows do not object."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from firmware_host.scoring import balanced_accuracy, log_loss

# Scores this close are the same: float32 sums in another order differ by less.
_TIE = 1e-6
# How people are told what an update was compared with.
GENERIC_NAME = "the generic model"
IN_FORCE_NAME = "your current model"
BEST_NAME = "the best update so far"
# Held-back comparisons are a handful: less than this share off their loss is chance.
MIN_PAIR_GAIN = 0.05
# Share by which comparisons may raise the log loss of labelled windows; never the errors.
MAX_LABEL_COST = 0.02


class GateReason(StrEnum):
    """Why an update was kept or not."""

    BETTER = "better"
    TIE = "tie"
    SMALL_GAIN = "small_gain"
    WORSE_THAN_CURRENT = "worse_than_current"
    WORSE_THAN_GENERIC = "worse_than_generic"
    NEEDS_ANOTHER_EPISODE = "needs_another_episode"
    AGREES_BETTER = "agrees_better"
    AGREES_NO_BETTER = "agrees_no_better"
    DIVERGED = "diverged"


@dataclass(frozen=True, slots=True)
class Scores:
    """How well one set of weights does on the held-back windows; classes weigh the same."""

    log_loss: float
    balanced_accuracy: float
    n_windows: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well weights agree with n comparisons: the share they order right, and the mean loss."""

    share: float
    loss: float
    n: int


@dataclass(frozen=True, slots=True)
class Decision:
    """Kept or not, why, in a sentence, and the figures it rests on."""

    kept: bool
    reason: GateReason
    text: str
    figures: dict[str, float]


def score(truth: ArrayLike, p_stress: ArrayLike) -> Scores:
    """Score probabilities of stress against 0 (rest) and 1 (stress); NaN probabilities give NaN."""
    p = np.asarray(p_stress, np.float64)
    if not np.isfinite(p).all():
        return Scores(float("nan"), float("nan"), p.size)
    accuracy = balanced_accuracy(truth, (p > 0.5).astype(np.int64))
    return Scores(log_loss(truth, p, balanced=True), accuracy, p.size)


def decide(
    *,
    generic: Scores,
    current: Scores,
    candidate: Scores,
    against: str,
    min_gain: float = 0.0,
) -> Decision:
    """Compare a candidate with the generic model and with what it has to beat.

    Parameters
    ----------
    current, against
        What it has to beat, and its name: the weights in force, or the best of this job so far.
    min_gain
        Share by which the log loss must fall against the current weights. Held-back windows
        overlap and are few; without a margin an update is kept on noise.
    """
    figures = _figures(generic, current, candidate)
    values = (candidate.log_loss, candidate.balanced_accuracy)
    if not all(math.isfinite(value) for value in values):
        return _no(GateReason.DIVERGED, "the update gave no usable scores", figures)
    for reason, who, other in (
        (GateReason.WORSE_THAN_CURRENT, against, current),
        (GateReason.WORSE_THAN_GENERIC, GENERIC_NAME, generic),
    ):
        if _loses(candidate, other):
            return _no(reason, f"on later windows of yours it did worse than {who}", figures)
    gain = current.log_loss - candidate.log_loss
    if gain <= _TIE and candidate.balanced_accuracy - current.balanced_accuracy <= _TIE:
        return _no(GateReason.TIE, f"it did only as well as {against}", figures)
    if gain < min_gain * current.log_loss:
        text = f"it did better by less than {min_gain:.0%}, too little to be sure"
        return _no(GateReason.SMALL_GAIN, text, figures)
    text = f"on {candidate.n_windows} later windows of yours it did better and lost nothing"
    return Decision(kept=True, reason=GateReason.BETTER, text=text, figures=figures)


def decide_compared(
    *,
    generic: Scores,
    current: Scores,
    candidate: Scores,
    against: str,
    agreed: Agreement,
    agrees: Agreement,
) -> Decision:
    """Compare a candidate that learned from comparisons with what it has to beat.

    On labelled windows it must be as often right, its log loss next to the same, and it must agree
    better with comparisons that were held back.

    Parameters
    ----------
    current, against
        As for `decide`.
    agreed, agrees
        With the held-back comparisons: what it has to beat, and the candidate.
    """
    figures = _figures(generic, current, candidate)
    figures |= {"n_comparisons": float(agrees.n), "current_agreement": agreed.share}
    figures |= {"candidate_agreement": agrees.share}
    figures |= {"current_pair_loss": agreed.loss, "candidate_pair_loss": agrees.loss}
    if not math.isfinite(agrees.loss):
        return _no(GateReason.DIVERGED, "the update gave no usable scores", figures)
    for reason, who, other in (
        (GateReason.WORSE_THAN_CURRENT, against, current),
        (GateReason.WORSE_THAN_GENERIC, GENERIC_NAME, generic),
    ):
        if _loses(candidate, other, slack=MAX_LABEL_COST):
            text = f"with your comparisons it did worse than {who} on later labelled windows"
            return _no(reason, text, figures)
    if agrees.share < agreed.share or agrees.loss > (1 - MIN_PAIR_GAIN) * agreed.loss:
        text = "it agreed no better with your later comparisons"
        return _no(GateReason.AGREES_NO_BETTER, text, figures)
    text = f"it agreed better with {agrees.n} later comparisons of yours and lost nothing"
    return Decision(kept=True, reason=GateReason.AGREES_BETTER, text=text, figures=figures)


def agreement(margins: ArrayLike, weight: ArrayLike, n: int) -> Agreement:
    """Score margins (m,) between the windows of compared moments; nothing compared gives NaN."""
    m, w = np.asarray(margins, np.float64), np.asarray(weight, np.float64)
    if not len(m) or not np.isfinite(m).all():
        return Agreement(math.nan, math.nan, n)
    share = float(np.average(m > 0, weights=w))
    return Agreement(share, float(np.average(np.logaddexp(0.0, -m), weights=w)), n)


def _loses(candidate: Scores, other: Scores, *, slack: float = 0.0) -> bool:
    # Compared so that a NaN on the other side cannot let a candidate through.
    return not (
        candidate.log_loss <= (1 + slack) * other.log_loss + _TIE
        and candidate.balanced_accuracy >= other.balanced_accuracy - _TIE
    )


def _no(reason: GateReason, text: str, figures: dict[str, float]) -> Decision:
    return Decision(kept=False, reason=reason, text=text, figures=figures)


def _figures(generic: Scores, current: Scores, candidate: Scores) -> dict[str, float]:
    figures: dict[str, float] = {"n_windows": float(candidate.n_windows)}
    for name, scores in (("generic", generic), ("current", current), ("candidate", candidate)):
        figures[f"{name}_log_loss"] = scores.log_loss
        figures[f"{name}_balanced_accuracy"] = scores.balanced_accuracy
    return figures
