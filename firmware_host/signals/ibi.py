"""Interbeat intervals: which to believe, and heart rate features of a window of them.

Needs channel: bvp. An interval is accepted if it is 0.33-1.6 s (37-182 bpm), joins two beats with
no missing sample between, and lies within 25 % of the median of the last 21 plausible ones.
"""

from __future__ import annotations

import bisect
import math
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from firmware_host.signals import pulse_modulation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from firmware_host.signals.bvp import Beat

    FloatArray = NDArray[np.float64]

MIN_IBI_S = 0.33
MAX_IBI_S = 1.6
MEDIAN_OF = 21
MAX_DEVIATION = 0.25
# Fewer accepted intervals than this do not carry a heart rate, let alone its variability.
MIN_INTERVALS = 8
# Conventional pNN50 threshold.
NN50_S = 0.05

FEATURE_NAMES = (
    "hr_median_bpm",
    "hr_p10_bpm",
    "hr_p90_bpm",
    "log_sdnn",
    "log_rmssd",
    "pnn50",
    "log_pulse_amplitude",
    "pulse_amplitude_variation",
    "pulse_modulation_hz",
    "log_pulse_modulation_ratio",
    "bvp_quality",
)
# Typical values at rest, given while too few intervals are accepted; with quality near zero the
# normaliser turns them into "no information".
FALLBACK = (
    *(75.0, 68.0, 82.0, math.log(0.06), math.log(0.05), 0.3, 3.0, 0.3),
    *pulse_modulation.FALLBACK,
    0.0,
)


class Interval(NamedTuple):
    """One beat with the interval before it; `peak` and `known_at` are sample numbers."""

    peak: float
    known_at: int
    ibi_s: float
    accepted: bool
    amplitude: float


class IntervalTracker:
    """Turns beats into intervals, causally."""

    def __init__(self, *, sample_rate_hz: float) -> None:
        self._rate_hz = sample_rate_hz
        self._last_peak: float | None = None
        self._recent: deque[float] = deque()
        self._sorted: list[float] = []

    def feed(self, beats: Iterable[Beat]) -> list[Interval]:
        """One interval for each beat that has a predecessor without a gap between."""
        out = []
        for beat in beats:
            if self._last_peak is not None and not beat.after_gap:
                ibi_s = (beat.peak - self._last_peak) / self._rate_hz
                ok = self._accept(ibi_s)
                out.append(Interval(beat.peak, beat.known_at, ibi_s, ok, beat.amplitude))
            self._last_peak = beat.peak
        return out

    def _accept(self, ibi_s: float) -> bool:
        if not MIN_IBI_S <= ibi_s <= MAX_IBI_S:
            return False
        if len(self._recent) == MEDIAN_OF:
            self._sorted.pop(bisect.bisect_left(self._sorted, self._recent.popleft()))
        self._recent.append(ibi_s)
        bisect.insort(self._sorted, ibi_s)
        n = len(self._sorted)
        median = 0.5 * (self._sorted[(n - 1) // 2] + self._sorted[n // 2])
        return abs(ibi_s - median) <= MAX_DEVIATION * median


def quality_of(ibi_s: FloatArray, accepted: NDArray[np.bool_], *, window_s: float) -> float:
    """Share of the window that accepted intervals cover, 0..1.

    Time, not count: three good beats in a minute of noise are not a good minute.
    """
    return float(min(1.0, ibi_s[accepted].sum() / window_s))


def ibi_features(
    peak_s: FloatArray,
    ibi_s: FloatArray,
    accepted: NDArray[np.bool_],
    amplitude: FloatArray,
    *,
    window_s: float,
) -> tuple[float, ...]:
    """The eleven BVP features of a window, named in `FEATURE_NAMES`.

    Parameters
    ----------
    peak_s, ibi_s, accepted, amplitude
        (n,) intervals of the window in order of time: seconds since it began, lengths in s, pulse
        heights in au.

    Returns
    -------
    Always finite; `FALLBACK` with the measured quality when under `MIN_INTERVALS` are accepted.
    """
    quality = quality_of(ibi_s, accepted, window_s=window_s)
    good = ibi_s[accepted]
    if len(good) < MIN_INTERVALS:
        return (*FALLBACK[:-1], quality)
    rate_bpm = np.sort(60.0 / good)
    # Successive differences only where both intervals are accepted neighbours.
    steps = (ibi_s[1:] - ibi_s[:-1])[accepted[1:] & accepted[:-1]]
    rmssd = math.sqrt(float((steps * steps).mean())) if len(steps) else math.exp(FALLBACK[4])
    pnn50 = float((np.abs(steps) > NN50_S).mean()) if len(steps) else FALLBACK[5]
    heights = amplitude[accepted]
    height = max(float(heights.mean()), 1e-6)
    return (
        sorted_quantile(rate_bpm, 0.5),
        sorted_quantile(rate_bpm, 0.1),
        sorted_quantile(rate_bpm, 0.9),
        math.log(float(good.std()) + 1e-3),
        math.log(rmssd + 1e-3),
        pnn50,
        math.log(height + 1e-3),
        float(heights.std()) / height,
        *pulse_modulation.modulation_features(peak_s[accepted], heights, window_s=window_s),
        quality,
    )


def sorted_quantile(ordered: FloatArray, share: float) -> float:
    """Linear-interpolated quantile of a non-empty increasing array (numpy's is 30 times slower)."""
    position = share * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (position - low) * (ordered[high] - ordered[low]))
