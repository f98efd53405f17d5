"""Sustained effort: what the wrist did over the last minutes, not just in this window.

Exercise has pauses, and after it heart and skin take minutes to settle; both would be called
stress. A gesture or a walk across the room is short and does not count.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_host.signals.imu import FLOOR_MS2
from firmware_host.signals.smoothing import LogitEma
from firmware_host.signals.stress import FEATURE_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]


# Busy hands move as much for minutes as a rider's do on the handlebar; the heart tells them apart.
# Of rest and stress windows of 44 people less than 0.2 % have effort and this rise together, of
# windows of exercise sessions, warm-up and breaks included, 39 %.
MIN_EXERCISE_RISE_BPM = 15.0
_HEART_RATE = FEATURE_NAMES.index("hr_median_bpm")


class SustainedEffort:
    """Geometric exponential mean of sustained movement over stream time, in m/s².

    The first window passes unchanged, so it knows nothing of how long a session has lasted.
    """

    def __init__(self, *, time_constant_s: float) -> None:
        self._ema = LogitEma(time_constant_s=time_constant_s)

    def update(self, motion_ms2: float, t_s: float) -> float:
        """Effort after a window of this sustained movement that ends at `t_s`."""
        log_motion = math.log(motion_ms2 + FLOOR_MS2)
        return math.exp(self._ema.update(log_motion, t_s)) - FLOOR_MS2


def effort_of(motion_ms2: FloatArray, t_end_s: FloatArray, *, effort_s: float) -> FloatArray:
    """(n,) effort after each window of one session, given (n,) movement and window ends."""
    effort = SustainedEffort(time_constant_s=effort_s)
    pairs = zip(motion_ms2.tolist(), t_end_s.tolist(), strict=True)
    return np.array([effort.update(motion, t_s) for motion, t_s in pairs], np.float64)


def heart_rise_bpm(features: NDArray[Any], center: NDArray[Any]) -> FloatArray:
    """Heart rate above the wearer's rest, of (..., 26) features given the (26,) baseline; NaN without a pulse."""
    rise: FloatArray = np.asarray(features[..., _HEART_RATE] - center[_HEART_RATE], np.float64)
    return rise
