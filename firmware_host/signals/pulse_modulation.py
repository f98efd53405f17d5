"""How the height of the pulse rises and falls: breathing, and slower waves of the vessels.

Needs channel: bvp. Breathing in lowers the pulse's height, breathing out raises it; speaking and
held breath spread that over lower frequencies.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

# Twice the fastest heart rate is not needed: nothing above 0.5 Hz is read.
GRID_S = 0.25
# Conventional edges: vessel waves around 0.1 Hz, breathing above.
SLOW_HZ = (0.04, 0.12)
FAST_HZ = (0.12, 0.45)
CENTRE_HZ = (0.1, 0.5)
# Breaths of four seconds, as much slow as fast: what is given when there are too few beats.
FALLBACK = (0.25, 0.0)
# au² of the spectrum; keeps the ratio finite for a height that never changes.
_FLOOR = 1e-6


def modulation_features(
    peak_s: FloatArray, height: FloatArray, *, window_s: float
) -> tuple[float, float]:
    """Centre of the modulation (Hz) and the log ratio of its slow to its fast part.

    Parameters
    ----------
    peak_s, height
        (n,) accepted pulses in order of time, n > 0: seconds since the window began, height in au.
    """
    taper, slow, fast, near, frequency_hz = _grid(window_s)
    series = np.interp(np.arange(len(taper)) * GRID_S, peak_s, height)
    power = np.abs(np.fft.rfft((series - series.mean()) * taper)) ** 2
    inside = power[near]
    total = float(inside.sum())
    if total < _FLOOR:
        return FALLBACK
    centre_hz = float((inside * frequency_hz[near]).sum()) / total
    ratio = (float(power[slow].sum()) + _FLOOR) / (float(power[fast].sum()) + _FLOOR)
    return centre_hz, math.log(ratio)


@lru_cache(maxsize=4)
def _grid(window_s: float) -> tuple[NDArray[Any], ...]:
    """Taper, three masks and the frequencies of a window's spectrum."""
    n = round(window_s / GRID_S)
    frequency_hz = np.fft.rfftfreq(n, GRID_S)
    bands = [(frequency_hz >= low) & (frequency_hz < high) for low, high in (SLOW_HZ, FAST_HZ)]
    near = (frequency_hz >= CENTRE_HZ[0]) & (frequency_hz < CENTRE_HZ[1])
    return np.hanning(n), bands[0], bands[1], near, frequency_hz
