"""How often the drift monitor is wrong about walks, and how soon it hears that somebody else walks.

A day is the mean score of half of a real walk of the wearer, drawn anew; after two weeks somebody
else of the group walks instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.adaptation.drift import DriftState
from training.ageing.alarms import CHANGE_DAY, N_DAYS

if TYPE_CHECKING:
    from training.ageing.gait import Group

# Lives drawn of each wearer.
_N_LIVES = 5


def gait_alarms(made: Sequence[Group], *, seed: int) -> dict[str, float]:
    """False alarms a week; share of impostors heard within four weeks, and after how many days."""
    rng = np.random.default_rng(seed)
    false, delays, spreads = 0, [], []
    n_lives = 0
    for group in made:
        for idx in range(len(group.walkers)):
            own = _days(group, idx, idx)
            spreads.append(float(np.std(own, ddof=1)))
            others = [i for i in range(len(group.walkers)) if i != idx]
            for _ in range(_N_LIVES):
                n_lives += 1
                false += len(_alarms(own, own, rng))
                said = _alarms(own, _days(group, idx, int(rng.choice(others))), rng)
                later = [day - CHANGE_DAY + 1 for day in said if day >= CHANGE_DAY]
                delays.append(min(later, default=N_DAYS))
    heard = [delay for delay in delays if delay <= 28]
    return {
        "spread_of_days": float(np.median(spreads)),
        "false_alarms_per_week": false / (n_lives * N_DAYS / 7.0),
        "said_in_four_weeks": len(heard) / n_lives,
        "median_days": float(np.median(heard)) if heard else float("nan"),
    }


def _days(group: Group, idx: int, who: int) -> list[float]:
    """Mean scores of four half walks of somebody against a wearer's reference."""
    reference, walker = group.enrolled(idx, "as enrolled"), group.walkers[who]
    halves = [half for rows in (walker.later, walker.test) for half in np.array_split(rows, 2)]
    return [float(reference.scores(rows).mean()) for rows in halves]


def _alarms(before: list[float], after: list[float], rng: np.random.Generator) -> list[int]:
    """Days of alarms; after each the wearer enrols anew."""
    state, found = DriftState(), []
    for day in range(N_DAYS):
        scores = before if day < CHANGE_DAY else after
        state = state.day({"gait_score": float(rng.choice(scores))})
        misfits = state.misfits()
        if misfits:
            found.append(day)
            state = state.renewed({misfit.part for misfit in misfits})
    return found
