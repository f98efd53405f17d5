"""What a report says of one local day."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WalkingDay:
    """Walking and running of one local day.

    Parameters
    ----------
    day
        As printed: "2026-09-21".
    seconds, steps
        Sums over the day's walks.
    cadence_spm, low_spm, high_spm
        Median, 5th and 95th percentile over the windows walked (not run), steps/min; NaN: not known.
    """

    day: str
    n_walks: int
    seconds: float
    steps: int
    cadence_spm: float = math.nan
    low_spm: float = math.nan
    high_spm: float = math.nan


@dataclass(frozen=True, slots=True)
class DayStory:
    """One local day: who walked, and what happened.

    Parameters
    ----------
    name
        As printed: "Mon 4 May".
    midnight_utc
        When the local day began.
    walks
        Spans named wearer, other or unsure: who walked, as the host said.
    happened
        (t_utc, kind, words). Kinds waits, paused, resumed, kept, not_kept (learning) and warning have
        a sign in the picture; others are in the table only.
    """

    name: str
    midnight_utc: float
    walks: Sequence[tuple[float, float, str]] = ()
    happened: Sequence[tuple[float, str, str]] = ()
