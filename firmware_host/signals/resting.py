"""Which windows show the wearer at rest, when nobody says so: the calmest of the first ten minutes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Long enough to hold a pause, short enough to be before the day's events.
QUIET_UNTIL_S = 600.0
MIN_PULSE_QUALITY = 0.5
CALM_SHARE = 0.5
MIN_WINDOWS = 6


def quiet_windows(
    t_end_s: NDArray[np.float64],
    pulse_quality: NDArray[np.float64],
    heart_rate: NDArray[Any],
    motion: NDArray[np.float64],
    *,
    until_s: float = QUIET_UNTIL_S,
) -> NDArray[np.int64]:
    """Positions of the windows to take for rest, increasing.

    The half with the lowest heart rate of the well-measured windows that end before ``until_s``, at least six; if
    too few are well measured, the stillest half of all windows before it. A low heart rate finds rest better than
    stillness does: who sits still may be at work.

    Parameters
    ----------
    t_end_s, pulse_quality, heart_rate, motion
        (n,) seconds since wearing began, 0..1, beats per minute, m/s².
    """
    early = t_end_s <= until_s
    trusted = early & (pulse_quality >= MIN_PULSE_QUALITY)
    is_measured = trusted.sum() >= MIN_WINDOWS
    pool = np.flatnonzero(trusted if is_measured else early)
    unrest = heart_rate if is_measured else motion
    n = max(MIN_WINDOWS, round(CALM_SHARE * len(pool)))
    return np.sort(pool[np.argsort(unrest[pool], kind="stable")[:n]])
