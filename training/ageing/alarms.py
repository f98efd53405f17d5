"""How often the drift monitor is wrong, and how soon it is right: simulated days of real spread.

A wearer is a real person's mean rest; a day is that plus what a real person's session differed from
their own mean by. Changes begin after two weeks. The people are divided: the monitor's limit was
chosen on one half, and both halves are reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation.drift import QUANTITIES, DriftState, Part
from firmware_host.signals.normalise import Baseline
from firmware_host.signals.stress import FEATURE_NAMES

FloatArray = NDArray[np.float64]
Rests = Mapping[tuple[str, str], Baseline]

NAMES = tuple(name for name in QUANTITIES if name in FEATURE_NAMES)
_COLUMNS = [FEATURE_NAMES.index(name) for name in NAMES]
N_DAYS, CHANGE_DAY = 56, 14
N_WEARERS = 300
_KINDS = ("stress", "aerobic", "anaerobic")
# No feature sets two days farther apart, in spreads.
_FAR = 5.0
# Three sessions leave this share of a person's variance around their mean.
_UNBIASED = np.sqrt(3.0 / 2.0)


@dataclass(frozen=True, eq=False)
class Days:
    """Means (p, q) of people at rest, and (n, q) what sessions differ from them by."""

    means: FloatArray
    residuals: FloatArray


@dataclass(frozen=True)
class Change:
    """A lasting change: added to a day's numbers, and the parts that may say so."""

    shift: Callable[[int, int, FloatArray], FloatArray]
    parts: frozenset[Part]


def days_of(rests: Rests) -> tuple[Days, Days]:
    """Two halves of the people with all three kinds of session; the kinds' own means taken out."""
    names = sorted({name for name, _ in rests})
    full = [n for n in names if all((n, kind) in rests for kind in _KINDS)]
    table = np.array([[rests[n, k].center[_COLUMNS] for k in _KINDS] for n in full])
    table = table[np.isfinite(table).all(axis=(1, 2))]
    table = table - table.mean(axis=0, keepdims=True) + table.mean(axis=(0, 1))
    return _half(table[0::2]), _half(table[1::2])


def told_apart(rests: Rests) -> float:
    """How well one session of rest tells its person from others: AUC over pairs of two days.

    0.5 is chance. Distance is the mean over all features, each in units of how much it differs
    between days of one person.
    """
    names = sorted({name for name, _ in rests})
    full = [n for n in names if all((n, kind) in rests for kind in _KINDS[1:])]
    days = np.array([[rests[n, kind].center for kind in _KINDS[1:]] for n in full])
    days = days - np.nanmean(days, axis=0, keepdims=True)
    spread = np.sqrt(np.nanmean((days[:, 0] - days[:, 1]) ** 2, axis=0) / 2.0)
    apart = np.abs(days[:, None, 0] - days[None, :, 1]) / np.maximum(spread, 1e-12)
    distance = np.nanmean(np.minimum(apart, _FAR), axis=2)
    own, other = np.diag(distance), distance[~np.eye(len(full), dtype=bool)]
    return float(np.mean(other[:, None] > own[None, :]))


def _half(table: FloatArray) -> Days:
    means = table.mean(axis=1)
    residuals = (table - means[:, None]) * _UNBIASED
    return Days(means, residuals.reshape(-1, len(NAMES)))


def _step(name: str, size: float) -> Callable[[int, int, FloatArray], FloatArray]:
    added = np.array([size if known == name else 0.0 for known in NAMES])
    return lambda _day, _who, _means: added


def _drying(_day: int, _who: int, _means: FloatArray) -> FloatArray:
    """A tenth of the conductance gone each day."""
    return np.array(
        [np.log(0.9) * (_day - CHANGE_DAY) if name == "log_eda_level" else 0.0 for name in NAMES]
    )


def _another(_day: int, who: int, means: FloatArray) -> FloatArray:
    changed: FloatArray = means[(who + 1) % len(means)] - means[who]
    return changed


_ANY = frozenset({Part.PULSE_SENSOR, Part.SKIN_SENSOR, Part.REST})
CHANGES = {
    "pulse at 0.4 of its height": Change(
        _step("log_pulse_amplitude", float(np.log(0.4))), frozenset({Part.PULSE_SENSOR})
    ),
    "pulse read less well by 0.3": Change(
        _step("bvp_quality", -0.3), frozenset({Part.PULSE_SENSOR})
    ),
    "conductance a tenth": Change(
        _step("log_eda_level", float(np.log(0.1))), frozenset({Part.SKIN_SENSOR})
    ),
    "electrodes drying, 10 % a day": Change(_drying, frozenset({Part.SKIN_SENSOR})),
    "heart at rest 20 a minute faster": Change(
        _step("hr_median_bpm", 20.0), frozenset({Part.REST})
    ),
    "somebody else wears it": Change(_another, _ANY),
}


def alarm_figures(rests: Rests, *, seed: int) -> dict[str, Any]:
    """False alarms a week, and which share of changes is said within four weeks and when, by half."""
    halves = zip(("chosen_on", "kept_back"), days_of(rests), strict=True)
    return {
        name: {
            "n_people": len(days.means),
            "false_alarms_per_week": _false_alarms(days, seed),
            "changes": {what: _found(days, change, seed) for what, change in CHANGES.items()},
        }
        for name, days in halves
    }


def _false_alarms(days: Days, seed: int) -> float:
    rng = np.random.default_rng(seed)
    n = sum(len(_life(days, None, rng)) for _ in range(N_WEARERS))
    return n / (N_WEARERS * N_DAYS / 7.0)


def _found(days: Days, change: Change, seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed + 1)
    delays = [_delay(_life(days, change, rng), change) for _ in range(N_WEARERS)]
    said = [delay for delay in delays if delay is not None]
    return {
        "said_in_four_weeks": len(said) / N_WEARERS,
        "median_days": float(np.median(said)) if said else float("nan"),
    }


def _delay(alarms: Sequence[tuple[int, Part]], change: Change) -> int | None:
    """Days from the change to the first alarm about it, none after four weeks."""
    later = [
        day - CHANGE_DAY + 1
        for day, part in alarms
        if CHANGE_DAY <= day < CHANGE_DAY + 28 and part in change.parts
    ]
    return min(later, default=None)


def _life(days: Days, change: Change | None, rng: np.random.Generator) -> list[tuple[int, Part]]:
    """Alarms of one wearer's eight weeks; after one, its part is enrolled anew."""
    who = int(rng.integers(len(days.means)))
    state, alarms = DriftState(), []
    for day in range(N_DAYS):
        numbers = days.means[who] + days.residuals[rng.integers(len(days.residuals))]
        if change is not None and day >= CHANGE_DAY:
            numbers = numbers + change.shift(day, who, days.means)
        state = state.day(dict(zip(NAMES, numbers.tolist(), strict=True)))
        parts = {misfit.part for misfit in state.misfits()}
        alarms += [(day, part) for part in sorted(parts)]
        state = state.renewed(parts)
    return alarms
