"""Which windows show the wearer at rest, when nobody says so: the stillest of the first ten minutes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Long enough to hold a pause, short enough to be before the day's events.
QUIET_UNTIL_S = 600.0
MIN_PULSE_QUALITY = 0.5
STILL_SHARE = 0.5
MIN_WINDOWS = 6


def quiet_windows(
    t_end_s: NDArray[np.float64],
    pulse_quality: NDArray[np.float64],
    motion: NDArray[np.float64],
    *,
    until_s: float = QUIET_UNTIL_S,
) -> NDArray[np.int64]:
    """Positions of the windows to take for rest, increasing.

    The stiller half of the well-measured windows that end before ``until_s``, at least six; if too few are well
    measured, of all windows before it.

    Parameters
    ----------
    t_end_s, pulse_quality, motion
        (n,) seconds since wearing began, 0..1, m/s².
    """
    early = t_end_s <= until_s
    trusted = early & (pulse_quality >= MIN_PULSE_QUALITY)
    pool = np.flatnonzero(trusted if trusted.sum() >= MIN_WINDOWS else early)
    n = max(MIN_WINDOWS, round(STILL_SHARE * len(pool)))
    return np.sort(pool[np.argsort(motion[pool], kind="stable")[:n]])
