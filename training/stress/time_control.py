"""The control beside every stress figure: what the clock alone scores.

Protocols put stress at fixed minutes. A table of P(stress | minutes since start) over other people
senses nothing, so whatever it scores is the protocol's share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.metrics import PersonScore, score_person

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.stress.people import Person

BIN_S = 60.0
N_BINS = 90
# Two pseudo-windows at even odds, so that an empty minute says nothing.
PRIOR_WEIGHT = 2.0


def time_table(people: Sequence[Person]) -> NDArray[np.float64]:
    """(90,) P(stress) by minute since the recording's start, classes and people weighing the same.

    The last bin holds everything later.
    """
    hits = np.zeros((2, N_BINS))
    for person in people:
        for c in (0, 1):
            bins = _bins(person.t_end_s[person.y == c])
            if len(bins):
                hits[c] += np.bincount(bins, minlength=N_BINS) / len(bins)
    hits *= 100.0 / max(len(people), 1)
    return (hits[1] + PRIOR_WEIGHT / 2) / (hits.sum(axis=0) + PRIOR_WEIGHT)


def probability(table: NDArray[np.float64], t_end_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) P(stress) of windows by their end time alone."""
    return table[_bins(t_end_s)]


def time_only_scores(people: Sequence[Person]) -> list[PersonScore]:
    """The clock's score on each person, its table made from the other people."""
    scores = []
    for person in people:
        table = time_table([p for p in people if p.person != person.person])
        mask = (person.y == 0) | (person.y == 1)
        p = probability(table, person.t_end_s[mask])
        scores.append(score_person(person.person, person.y[mask], p, 0.5))
    return scores


def _bins(t_end_s: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.minimum((t_end_s // BIN_S).astype(np.int64), N_BINS - 1)
