"""Real walkers who enrol, walk on other days as themselves or changed, and walk in others' bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_host.identity.enrolment import MIN_WINDOWS
from firmware_host.identity.self_update import WALK_WINDOWS
from firmware_host.signals.gait import HOP_S
from training.gait.background import Identity
from training.gait.windows import Walks

FloatArray = NDArray[np.float32]

# Where a person has one trial only: enrolled on its start, later days from its middle.
_ENROL_UNTIL_S, _LATER_S, _TEST_FROM_S = 45.0, (50.0, 110.0), 115.0
# Fewer are no walk to be learned from or judged by.
_MIN_PART = 6


@dataclass(frozen=True, eq=False)
class Row:
    """One walking window as verification reads it; it is good enough to be used."""

    t_end_s: float
    values: FloatArray
    periodicity: float = 1.0
    missing: float = 0.0

    def features(self) -> FloatArray:
        """(F,) identity features."""
        return self.values


@dataclass(frozen=True, eq=False)
class Walker:
    """Periodic windows of one person, (n, F) each, apart in time: enrolment, later days, test."""

    person: str
    enrolment: FloatArray
    later: FloatArray
    test: FloatArray


def walkers(people: Sequence[Walks], identity: Identity) -> list[Walker]:
    """Everybody with enough windows in each of the three parts."""
    made = [_walker(walks, identity.min_periodicity) for walks in people]
    return [
        one
        for one in made
        if len(one.enrolment) >= MIN_WINDOWS and min(len(one.later), len(one.test)) >= _MIN_PART
    ]


def _walker(walks: Walks, min_periodicity: float) -> Walker:
    periodic = walks.periodicity >= min_periodicity
    trials = list(dict.fromkeys(walks.trial.tolist()))
    if len(trials) >= 3:
        parts = [periodic & (walks.trial == trial) for trial in trials[:3]]
    else:
        low, high = _LATER_S
        t_s = walks.start_s
        parts = [
            periodic & (t_s < _ENROL_UNTIL_S),
            periodic & (t_s >= low) & (t_s < high),
            periodic & (t_s >= _TEST_FROM_S),
        ]
    enrolment, later, test = (walks.features[part] for part in parts)
    return Walker(walks.person, enrolment[:WALK_WINDOWS], later, test)


def turned(walker: Walker, towards: FloatArray, identity: Identity, degrees: float) -> FloatArray:
    """(F,) to add to each of a walker's windows: their way of walking, turned towards another's.

    The person's mean keeps its distance from the average person, so they stay as distinct as they
    were; at 90 degrees nothing is left of how they were enrolled.

    Parameters
    ----------
    towards
        (F,) mean window of somebody from the background.
    """
    center, scale = identity.arrays["center"], identity.arrays["scale"]
    own = (np.concatenate((walker.enrolment, walker.later)).mean(axis=0) - center) / scale
    other = (towards - center) / scale
    across = other - own * (other @ own) / (own @ own)
    across *= np.linalg.norm(own) / np.linalg.norm(across)
    angle = np.deg2rad(degrees)
    moved = (np.cos(angle) - 1.0) * own + np.sin(angle) * across
    return (moved * scale).astype(np.float32)


def stream(rows: FloatArray, n_windows: int, *, t0_s: float) -> list[Row]:
    """A walk of `n_windows`, the same windows over and over, beginning at a time."""
    return [Row(t0_s + i * HOP_S, rows[i % len(rows)]) for i in range(n_windows)]
