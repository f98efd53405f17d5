"""Scores of a two-class detector, always by participant first: mean, spread and the worst."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.scoring import auc, balanced_accuracy, macro_f1

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


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

    Raises
    ------
    ValueError
        If there is no score.
    """
    if not scores:
        raise ValueError("expected the score of at least one participant, got none")
    values = np.array([s.balanced_accuracy for s in scores])
    worst = int(values.argmin())
    return Summary(
        float(values.mean()),
        float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        float(values.min()),
        scores[worst].person,
        float(np.mean([s.macro_f1 for s in scores])),
        float(np.nanmean([s.auc for s in scores])),
        len(scores),
        int((values < 0.6).sum()),
    )
