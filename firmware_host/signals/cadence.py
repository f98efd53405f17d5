"""Periodicity of a motion signal and step rate, from its autocorrelation.

References
----------
Moe-Nilssen and Helbostad, "Estimation of gait cycle characteristics by trunk accelerometry",
J Biomech 2004: step and stride regularity are the autocorrelation at one step and one stride.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# From a runner's step (150 steps/min) to a slow walker's stride.
PERIODICITY_LAGS_S = (0.4, 1.7)
# 35 steps/min (very slow, with a frame) to 210 (sprint).
_STEP_LAGS_S = (60.0 / 210.0, 60.0 / 35.0)
# Least autocorrelation for which a step rate is given at all.
_MIN_PERIODICITY = 0.3
# Whole multiples of a period repeat as well as it does: the first of the nearly best is taken.
_SAME_PERIOD = 0.85
# A peak at half the period this close to the best one means that the period is a stride.
_STEP_FROM_STRIDE = 0.4
# A step this long is more probably one stride of a swinging arm or leg.
_LONGEST_LIKELY_STEP_S = 0.8


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How periodic a window is (-1..1) and its step period; NaN where there is no rhythm."""

    periodicity: float
    step_s: float

    @property
    def cadence_spm(self) -> float:
        """Steps per minute, NaN without a rhythm."""
        return 60.0 / self.step_s


def autocorrelation(signal: FloatArray, n_lags: int) -> FloatArray:
    """(n_lags,) correlation of a signal with itself at lags 0, 1, ...

    Each lag is normalised by the energy of the two overlapping parts, so a periodic signal gives
    1 at its period however few periods there are. All zeros for a constant signal.
    """
    x = signal - signal.mean()
    n = len(x)
    n_fft = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(x, n_fft)
    product = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, n_fft)[:n_lags]
    energy = np.concatenate(([0.0], np.cumsum(x * x)))
    overlap = energy[n : n - n_lags : -1] * (energy[n] - energy[:n_lags])
    floor = (1e-9 * max(energy[n], 1e-12)) ** 2
    scale = np.sqrt(np.maximum(overlap, floor))
    correlation: FloatArray = np.where(overlap > floor, product / scale, 0.0)
    return correlation


def rhythm(acc_norm: FloatArray, *, sample_rate_hz: float) -> Rhythm:
    """Periodicity and step period of |acceleration|.

    A step and a stride (two steps) both repeat. A swinging wrist or thigh often repeats better
    over the stride, so the period is halved when half of it is a peak as well, or when a step that
    long is not likely.
    """
    longest = int(PERIODICITY_LAGS_S[1] * sample_rate_hz + 1e-6)
    correlation = autocorrelation(acc_norm, longest + 2)
    shortest = int(np.ceil(PERIODICITY_LAGS_S[0] * sample_rate_hz - 1e-6))
    periodicity = float(correlation[shortest : longest + 1].max())
    if periodicity < _MIN_PERIODICITY:
        return Rhythm(periodicity, float("nan"))
    return Rhythm(periodicity, _step_lag(correlation, longest, sample_rate_hz) / sample_rate_hz)


def _step_lag(correlation: FloatArray, longest: int, sample_rate_hz: float) -> float:
    first = int(np.ceil(_STEP_LAGS_S[0] * sample_rate_hz))
    last = min(longest, int(_STEP_LAGS_S[1] * sample_rate_hz))
    peaks = _peaks(correlation, first, last)
    if not peaks:
        return float("nan")
    height = max(correlation[lag] for lag in peaks)
    period = next(lag for lag in peaks if correlation[lag] >= _SAME_PERIOD * height)
    half = _peak_near(correlation, peaks, period / 2.0)
    if half is not None and correlation[half] >= _STEP_FROM_STRIDE * height:
        return _refine(correlation, half)
    if period > _LONGEST_LIKELY_STEP_S * sample_rate_hz:
        return _refine(correlation, period) / 2.0
    return _refine(correlation, period)


def _peaks(correlation: FloatArray, first: int, last: int) -> list[int]:
    middle = correlation[first : last + 1]
    rising = middle > correlation[first - 1 : last]
    falling = middle >= correlation[first + 1 : last + 2]
    return [first + int(i) for i in np.flatnonzero(rising & falling & (middle > 0.0))]


def _peak_near(correlation: FloatArray, peaks: list[int], lag: float) -> int | None:
    """Find the highest peak within 15 % of a lag: left and right steps are not equally long."""
    near = [peak for peak in peaks if abs(peak - lag) <= 0.15 * lag]
    return max(near, key=lambda peak: correlation[peak]) if near else None


def _refine(correlation: FloatArray, lag: int) -> float:
    """Top of the parabola through a peak and its neighbours."""
    left, middle, right = correlation[lag - 1 : lag + 2].tolist()
    curve = left - 2.0 * middle + right
    return lag if curve >= 0.0 else lag + 0.5 * (left - right) / curve
