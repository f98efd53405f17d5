"""Scores of a two-class detector, always by participant first: mean, spread and the worst."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.scoring import auc, balanced_accuracy, bootstrap_interval, macro_f1

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

# An interval must not change from run to run.
_BOOTSTRAP_SEED = 20261121


@dataclass(frozen=True, slots=True)
class PersonScore:
    """One participant's figures over their windows; `auc` is NaN with one class only."""

    person: str
    n_rest: int
    n_stress: int
    balanced_accuracy: float
    macro_f1: float
    auc: float
    recall: float
    false_alarm: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures over participants: never over pooled windows."""

    balanced_accuracy: float
    balanced_accuracy_sd: float
    worst: float
    worst_person: str
    macro_f1: float
    auc: float
    n_people: int
    n_below_0_6: int

    def as_dict(self) -> dict:
        """Plain values, for JSON."""
        return asdict(self)


def score_person(person: str, y: NDArray, probability: NDArray, threshold: float) -> PersonScore:
    """Figures of one participant: (n,) labels 0/1 and stress probabilities."""
    predicted = (probability > threshold).astype(int)
    stress, rest = predicted[y == 1], predicted[y == 0]
    return PersonScore(
        person,
        len(rest),
        len(stress),
        balanced_accuracy(y, predicted),
        macro_f1(y, predicted),
        auc(y, probability),
        float(stress.mean()) if len(stress) else float("nan"),
        float(rest.mean()) if len(rest) else float("nan"),
    )


def summarise(scores: Sequence[PersonScore]) -> Summary:
    """Mean, standard deviation and the worst participant.

    Someone with one class only has no balanced accuracy: left out of it, as of the others.

    Raises
    ------
    ValueError
        If there is no score.
    """
    scored = [s for s in scores if np.isfinite(s.balanced_accuracy)]
    if not scored:
        raise ValueError("expected the score of at least one participant, got none")
    values = np.array([s.balanced_accuracy for s in scored])
    worst = int(values.argmin())
    return Summary(
        float(values.mean()),
        float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        float(values.min()),
        scored[worst].person,
        float(np.mean([s.macro_f1 for s in scored])),
        float(np.nanmean([s.auc for s in scored])),
        len(scored),
        int((values < 0.6).sum()),
    )


def expected_calibration_error(y: ArrayLike, p: ArrayLike, n_bins: int = 10) -> float:
    """How far P(stress) is from the share of stress, on average over windows.

    Parameters
    ----------
    y, p
        (n,) truth 0/1, and predicted probability of class 1.
    n_bins
        Bins of equal width over 0..1; a probability of exactly 1 belongs to the last.

    Returns
    -------
    0..1; NaN without windows.
    """
    bins = reliability_bins(y, p, n_bins)
    total = sum(n for _, _, n in bins)
    if not total:
        return float("nan")
    return sum(n * abs(predicted - observed) for predicted, observed, n in bins) / total


def reliability_bins(
    y: ArrayLike, p: ArrayLike, n_bins: int = 10
) -> list[tuple[float, float, int]]:
    """(mean prediction, share of class 1, windows) of every bin that holds a window."""
    truth, predicted = np.asarray(y, np.float64), np.asarray(p, np.float64)
    if truth.shape != predicted.shape or truth.ndim != 1:
        msg = f"expected two lists of one length, got {truth.shape} and {predicted.shape}"
        raise ValueError(msg)
    if not ((predicted >= 0) & (predicted <= 1)).all():
        raise ValueError("expected probabilities of 0 to 1, got others or NaN")
    place = np.minimum((predicted * n_bins).astype(int), n_bins - 1)
    members = (place == bin_idx for bin_idx in range(n_bins))
    return [
        (float(predicted[m].mean()), float(truth[m].mean()), int(m.sum()))
        for m in members
        if m.any()
    ]


def interval_over_people(values: ArrayLike) -> tuple[float, float] | None:
    """95 % bootstrap interval of the mean when whole people are drawn again.

    Parameters
    ----------
    values
        (n_people,) one figure a person; NaN is left out.

    Returns
    -------
    Lower and upper end; None for fewer than two people.
    """
    each = np.asarray(values, np.float64)
    each = each[np.isfinite(each)]
    if len(each) < 2:
        return None
    return bootstrap_interval(
        lambda chosen: float(each[chosen].mean()),
        np.arange(len(each)),
        rng=np.random.default_rng(_BOOTSTRAP_SEED),
    )
