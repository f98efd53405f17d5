"""Rows of scored windows -> the figures of a stress evaluation, people first.

A figure that a data set or a person cannot give is NaN here and null in the JSON; `reasons` of the
result says why. Whoever the bundle was trained on is kept apart: the figures on top are of the
others, and of everybody only if there are no others (`scored_people` says which).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import AdaptationReason
from firmware_host.scoring import auc, balanced_accuracy, macro_f1
from training.metrics import expected_calibration_error, interval_over_people

FloatArray = NDArray[np.float64]

# A window or two: neither help nor harm.
NOISE = 0.01
NOISE_WORDS = f"a change of more than {NOISE:g} in a person's balanced accuracy"
# The calibration held nothing to learn from: no gain there means "could not learn".
_NOT_LEARNABLE = (
    AdaptationReason.NO_DATA,
    AdaptationReason.ONE_CLASS,
    AdaptationReason.CONTRADICTION,
    AdaptationReason.NO_BASELINE,
)
# Below this a detector is of no use to a person.
_POOR = 0.6
_WITH_INTERVAL = (
    "balanced_accuracy",
    "macro_f1",
    "auc",
    "ece",
    "coverage",
    "balanced_accuracy_answered",
    "time_only_balanced_accuracy",
)


class ScoredRow(Protocol):
    """What is read of one person's test windows; arrays are (n,).

    `p_personal` is the model in force: it equals `p_generic` where nothing was learned. `answered`
    is where the host would have said rest or stress.
    """

    person: str
    seen_in_training: bool
    kept: bool
    reason: str
    group: str
    truth: NDArray[np.int64]
    p_generic: FloatArray
    p_personal: FloatArray
    t_end_s: FloatArray
    answered: NDArray[np.bool_]


def participant(
    row: ScoredRow, clock: FloatArray, *, threshold: float, learned: bool
) -> dict[str, Any]:
    """Figures of one person.

    Parameters
    ----------
    clock
        (n,) P(stress) of the same windows by the time since the session began alone.
    threshold
        P(stress) from which on a window is called stress.
    learned
        Whether the protocol lets the host learn; else `personal` is None.
    """
    truth, p = row.truth, row.p_personal
    called = (p > threshold).astype(np.int64)
    generic = _accuracy(truth, row.p_generic, threshold)
    personal = _accuracy(truth, p, threshold) if learned else None
    answered = row.answered
    return {
        "id": row.person,
        "seen_in_training": bool(row.seen_in_training),
        "generic": generic,
        "personal": personal,
        "kept": bool(row.kept),
        "reason": row.reason,
        "group": row.group,
        "n_windows": len(truth),
        "n_rest": int((truth == 0).sum()),
        "n_stress": int((truth == 1).sum()),
        "balanced_accuracy": generic if personal is None else personal,
        "macro_f1": macro_f1(truth, called),
        "auc": auc(truth, p),
        "ece": expected_calibration_error(truth, p),
        "recall": _share(called[truth == 1] == 1),
        "false_alarm": _share(called[truth == 0] == 1),
        "coverage": _share(answered),
        "balanced_accuracy_answered": _accuracy(truth[answered], p[answered], threshold),
        "time_only_balanced_accuracy": _accuracy(truth, clock, 0.5),
    }


def summary(
    people: Sequence[Mapping[str, Any]], rows: Sequence[ScoredRow], *, learned: bool
) -> dict[str, Any]:
    """Figures over these people, each counting once, with 95 % intervals over people.

    `ece` is the exception: over all their windows at once, because a bin of one person's holds
    too few; `ece_mean_of_people` is the mean of everyone's own.
    """
    values = {name: _column(people, name) for name in _WITH_INTERVAL}
    accuracy = values["balanced_accuracy"]
    figures = {name: _mean(each) for name, each in values.items()}
    figures["ece_mean_of_people"] = figures["ece"]
    figures["ece"] = _pooled_ece(rows)
    worst = int(np.nanargmin(accuracy)) if np.isfinite(accuracy).any() else None
    figures |= {
        "balanced_accuracy_sd": _spread(accuracy),
        "worst": float("nan") if worst is None else float(accuracy[worst]),
        "worst_person": None if worst is None else people[worst]["id"],
        "n_people": int(np.isfinite(accuracy).sum()),
        "n_below_0_6": int((accuracy < _POOR).sum()),
    }
    intervals = {name: interval_over_people(each) for name, each in values.items()}
    # The interval of the mean over people would not hold the figure over all windows.
    intervals["ece_mean_of_people"] = intervals.pop("ece")
    if learned:
        learned_figures, gain_interval = _learning(people)
        figures |= learned_figures
        intervals["gain"] = gain_interval
    return {**figures, "intervals_95": intervals, "reasons": _reasons(figures, learned=learned)}


def _learning(
    people: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, Any], tuple[float, float] | None]:
    generic = _column(people, "generic")
    gain = _column(people, "personal") - generic
    worst = int(np.nanargmin(gain)) if np.isfinite(gain).any() else None
    figures = {
        "balanced_accuracy_generic": _mean(generic),
        "gain": _mean(gain),
        "n_kept": sum(bool(one["kept"]) for one in people),
        "n_no_data": sum(one["reason"] in _NOT_LEARNABLE for one in people),
        "n_helped": int((gain > NOISE).sum()),
        "n_hurt": int((gain < -NOISE).sum()),
        "noise": NOISE,
        "helped_or_hurt_means": NOISE_WORDS,
        "worst_gain": float("nan") if worst is None else float(gain[worst]),
        "worst_gain_person": None if worst is None else people[worst]["id"],
    }
    return figures, interval_over_people(gain)


def split_by_training(
    people: Sequence[Mapping[str, Any]],
    rows: Sequence[ScoredRow],
    summarise: Callable[[Sequence[Mapping[str, Any]], Sequence[ScoredRow]], dict[str, Any]],
) -> dict[str, Any]:
    """Figures of the people who count on top, those of the training people beside.

    Adds `scored_people`: "unseen", or "all were in the training" when nobody else is there.
    """
    seen = [bool(one["seen_in_training"]) for one in people]
    known = [i for i, was in enumerate(seen) if was]
    new = [i for i, was in enumerate(seen) if not was]
    chosen = new or known
    result = summarise([people[i] for i in chosen], [rows[i] for i in chosen])
    beside = None
    if new and known:
        beside = summarise([people[i] for i in known], [rows[i] for i in known])
    return {
        "scored_people": "unseen" if new else "all were in the training",
        "n_seen_in_training": len(known),
        **result,
        "people_in_training": beside,
    }


def _reasons(figures: Mapping[str, Any], *, learned: bool) -> dict[str, str]:
    reasons = {}
    if figures["n_people"] < 2:
        reasons["balanced_accuracy_sd"] = "needs two people"
        reasons["intervals_95"] = "needs two people"
    if figures["n_people"] < 1:
        reasons["balanced_accuracy"] = "nobody has windows of both rest and stress"
    if np.isnan(figures["time_only_balanced_accuracy"]):
        reasons["time_only_balanced_accuracy"] = "nobody has windows of both rest and stress"
    if not learned:
        reasons["personal"] = "protocol generic: no label is used"
    return reasons


def _accuracy(truth: NDArray[np.int64], p: FloatArray, threshold: float) -> float:
    return balanced_accuracy(truth, (p > threshold).astype(np.int64))


def _column(people: Sequence[Mapping[str, Any]], name: str) -> FloatArray:
    return np.array([one[name] for one in people], np.float64)


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _spread(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")


def _share(mask: NDArray[np.bool_]) -> float:
    return float(mask.mean()) if mask.size else float("nan")


def _pooled_ece(rows: Sequence[ScoredRow]) -> float:
    truth = np.concatenate([np.zeros(0, np.int64), *(row.truth for row in rows)])
    return expected_calibration_error(
        truth, np.concatenate([np.zeros(0), *(row.p_personal for row in rows)])
    )
