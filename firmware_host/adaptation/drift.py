"""Says when the signature no longer fits: lasting change from day to day, without any label.

Each day gives a few numbers: what rest looked like, how much of the signal was poor, how well walks
fitted. For each runs a two-sided cumulative sum (Page 1954, Biometrika 41:100) of its distance from
the wearer's own slow mean, in units of how much such a number differs between a person's sessions.
One odd day, however odd, is no alarm; several in a row to the same side are. The slow mean follows,
so that a change of months is followed and not announced.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Part(StrEnum):
    """What no longer fits."""

    PULSE_SENSOR = "pulse_sensor"
    SKIN_SENSOR = "skin_sensor"
    REST = "rest"
    SIGNAL = "signal"
    GAIT = "gait"


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number a day: which part it tells of, its spread between days, and what to say.

    `spread` in the number's own unit. `higher` and `lower` say what a lasting change means; None
    where a change to that side is welcome.
    """

    part: Part
    spread: float
    higher: str | None
    lower: str | None
    to_do: str


_REFIT = (
    "put the band where it was and clean the sensor; else signet enrol baseline and label again"
)
# Spreads: standard deviation between three sessions of the same person, 16 people (Hongn et al. 2025,
# doi 10.1038/s41597-025-04845-9), kind of session taken out; share and gait score: docs/studies/drift.md.
QUANTITIES: Mapping[str, Quantity] = {
    "log_pulse_amplitude": Quantity(
        Part.PULSE_SENSOR, 0.48,
        "the pulse signal is stronger than it used to be",
        "the pulse signal is weaker than it used to be",
        _REFIT,
    ),
    "bvp_quality": Quantity(
        Part.PULSE_SENSOR, 0.13, None, "the pulse is read less well than it used to be", _REFIT
    ),
    "log_eda_level": Quantity(
        Part.SKIN_SENSOR, 1.3,
        "the skin conducts more than it used to",
        "the skin conducts less than it used to: electrodes dry, worn or loose",
        _REFIT,
    ),
    "hr_median_bpm": Quantity(
        Part.REST, 12.0,
        "the heart at rest is faster than it used to be",
        "the heart at rest is slower than it used to be",
        "if it is still you: signet enrol baseline, and label stress and rest again",
    ),
    "log_rmssd": Quantity(
        Part.REST, 0.33,
        "the heart at rest varies more than it used to",
        "the heart at rest varies less than it used to",
        "if it is still you: signet enrol baseline, and label stress and rest again",
    ),
    "poor_share": Quantity(
        Part.SIGNAL, 0.15, "more of the day cannot be read than at first", None, _REFIT
    ),
    "gait_score": Quantity(
        Part.GAIT, 1.5, None, "walks fit the enrolment less than they used to",
        "if it is still you: signet enrol gait",
    ),
}  # fmt: skip

# Days that make the first mean.
N_FIRST_DAYS = 3
# Distance that is no evidence, and the sum that is an alarm, in spreads: see docs/studies/drift.md.
ALLOWANCE = 0.75
LIMIT = 6.0
# No day counts for more, so that one odd day never is an alarm.
_MOST = 2.5
# Share of its distance by which the slow mean follows a day: half of a step in two weeks.
FOLLOW = 0.05


@dataclass(frozen=True, slots=True)
class Track:
    """Where one quantity stands: days seen, slow mean, sums to either side."""

    n_days: int = 0
    mean: float = 0.0
    above: float = 0.0
    below: float = 0.0

    def day(self, value: float, spread: float) -> Track:
        """After one more day."""
        n = self.n_days + 1
        if n <= N_FIRST_DAYS:
            return Track(n, self.mean + (value - self.mean) / n)
        z = min(_MOST, max(-_MOST, (value - self.mean) / spread))
        return Track(
            n,
            self.mean + FOLLOW * z * spread,
            max(0.0, self.above + z - ALLOWANCE),
            max(0.0, self.below - z - ALLOWANCE),
        )


@dataclass(frozen=True, slots=True)
class Misfit:
    """One part that no longer fits, why, and what to do about it."""

    part: Part
    why: str
    to_do: str


@dataclass(frozen=True, slots=True)
class DriftState:
    """Everything the monitor remembers: a few numbers by quantity."""

    tracks: Mapping[str, Track] = field(default_factory=dict)

    def day(self, values: Mapping[str, float]) -> DriftState:
        """After one more day; quantities that the day did not give stay as they were."""
        known = {name: value for name, value in values.items() if math.isfinite(value)}
        moved = {
            name: self.tracks.get(name, Track()).day(value, QUANTITIES[name].spread)
            for name, value in known.items()
        }
        return DriftState({**self.tracks, **moved})

    def misfits(self) -> list[Misfit]:
        """What no longer fits, each part once."""
        found: dict[Part, Misfit] = {}
        for name, quantity in QUANTITIES.items():
            why = _why(self.tracks.get(name, Track()), quantity)
            if why is not None:
                found.setdefault(quantity.part, Misfit(quantity.part, why, quantity.to_do))
        return list(found.values())

    def renewed(self, parts: set[Part]) -> DriftState:
        """The wearer enrolled these parts anew: what was known of them counts no more."""
        kept = {
            name: track for name, track in self.tracks.items() if QUANTITIES[name].part not in parts
        }
        return replace(self, tracks=kept)


def _why(track: Track, quantity: Quantity) -> str | None:
    if track.above > LIMIT and quantity.higher is not None:
        return quantity.higher
    if track.below > LIMIT and quantity.lower is not None:
        return quantity.lower
    return None
