"""Cadence of walking and running, from window to window.

A step and a stride (two steps) both repeat, and so do two strides: from one window alone it is
often not known which of them the best period is, and at a swinging wrist or thigh the stride
repeats better than the step. Three things together decide: how well the window repeats after the
step and the stride but not after half a step, what people's steps are like in that gait, and the
windows before.

The settings were chosen on walkers whose cadence is known without this code: 40 simulated wearers,
and steady trials of 18 pocket and 36 wrist wearers, also played slower and faster (65 to 150
steps/min) and cut into short walks between pauses. None was chosen on the lower-back recordings
with reference contacts. docs/studies/cadence.md has the tables.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_host.events import Activity
from firmware_host.signals.cadence import autocorrelation

FloatArray = NDArray[np.float64]

# The slowest and fastest cadence looked for: a frail walker, a sprinter.
MIN_SPM, MAX_SPM = 40.0, 210.0
# Least autocorrelation at the step or the stride for which a cadence is given at all. With 0.25 to
# 0.3 unsteady stepping (stairs, in the pocket) is off by over 15 % in a fifth of the windows, with
# less in over two fifths.
MIN_PERIODICITY = 0.3
# Finer than a tenth of the error that is left.
_LOG_STEP = 0.0125
# The harmonic check. The better of step and stride counts whole: at a swinging wrist it is the
# stride, in broken walking the step. What repeats after half a step too is a step taken for a stride.
_WORSE_WEIGHT, _HALF_STEP_WEIGHT = 0.25, 0.5
# Natural logarithms of odds per unit of autocorrelation. 3 and 4 do alike; with less only the usual
# cadence counts, with more it never does.
_EVIDENCE = 3.0
# How much of the last window's knowledge stays, and how cadence changes in one hop of 2.5 s:
# standard deviation of its logarithm, and the most that a sudden change can cost.
_KEEP = 0.7
_CHANGE_SD, _CHANGE_FLOOR = 0.08, 2.5
# Nobody is ruled out: the usual cadence costs no more than this.
_USUAL_FLOOR = 4.0
# The usual cadence pulls the coarse period off a broad peak; the top is looked for this far away.
_REFINE = 0.1


@dataclass(frozen=True, slots=True)
class _Usual:
    """Log-normal spread of cadence in one gait: centre, and standard deviation of its logarithm."""

    spm: float
    log_sd: float

    def log_odds(self) -> FloatArray:
        deviation = (_LOG_SPM - np.log(self.spm)) / self.log_sd
        odds: FloatArray = np.maximum(-0.5 * deviation**2, -_USUAL_FLOOR)
        return odds


_LOG_SPM: FloatArray = np.arange(np.log(MIN_SPM), np.log(MAX_SPM), _LOG_STEP)
_N_REACH = int(np.sqrt(2.0 * _CHANGE_FLOOR) * _CHANGE_SD / _LOG_STEP)
_REACH = np.arange(-_N_REACH, _N_REACH + 1) * _LOG_STEP
_CHANGE_ODDS: FloatArray = -0.5 * (_REACH / _CHANGE_SD) ** 2
# Wide for walking: at 0.22 one walker in six at 65 to 70 steps/min is doubled.
_USUAL = {
    Activity.WALK: _Usual(108.0, 0.26).log_odds(),
    Activity.RUN: _Usual(162.0, 0.14).log_odds(),
}
GAITS = frozenset(_USUAL)
"""Activities whose cadence is tracked. On stairs it was held against nothing, so it is not given."""


class CadenceTracker:
    """Steps per minute of one walk, window by window.

    Needs the length of the acceleration at one rate and one window length throughout. Depends on
    the windows of the walk so far and nothing else; `reset` when the walk ends.
    """

    def __init__(self, *, sample_rate_hz: float) -> None:
        self._rate_hz = sample_rate_hz
        self._step_lag: FloatArray = 60.0 * sample_rate_hz / np.exp(_LOG_SPM)
        self._n_lags = int(2.0 * self._step_lag[0]) + 4
        self._odds: FloatArray | None = None

    def reset(self) -> None:
        """Forget the walk."""
        self._odds = None

    def update(self, acc_norm: FloatArray, gait: Activity) -> float:
        """Cadence in steps/min over a window, NaN without a rhythm.

        Parameters
        ----------
        acc_norm
            (n,) length of the acceleration in any unit, four seconds or more.
        gait
            One of `GAITS`: a runner's stride is as long as a walker's step.
        """
        correlation = autocorrelation(acc_norm, self._n_lags)
        odds = _EVIDENCE * self._repeats(correlation) + _USUAL[gait]
        if self._odds is not None:
            odds = odds + _KEEP * _after_one_hop(self._odds)
        self._odds = odds - odds.max()
        step_lag = float(self._step_lag[int(np.argmax(odds))])
        # Left and right differ in steady walking, so the stride repeats better and is known more
        # exactly; in broken walking the next step is the only one like the last.
        stride = _peak(correlation, 2.0 * step_lag)
        step = _peak(correlation, step_lag)
        best = _Peak(stride.height, stride.lag / 2.0) if stride.height >= step.height else step
        if not best.height >= MIN_PERIODICITY:
            return float("nan")
        return 60.0 * self._rate_hz / best.lag

    def _repeats(self, correlation: FloatArray) -> FloatArray:
        lags = np.arange(len(correlation))
        stride = np.interp(2.0 * self._step_lag, lags, correlation)
        step = np.interp(self._step_lag, lags, correlation)
        half_step = np.interp(0.5 * self._step_lag, lags, correlation)
        better, worse = np.maximum(stride, step), np.minimum(stride, step)
        repeats: FloatArray = better + _WORSE_WEIGHT * worse - _HALF_STEP_WEIGHT * half_step
        return repeats


def count_steps(cadence_spm: FloatArray, *, hop_s: float) -> float:
    """Steps in windows of one walk in order, each speaking of one hop.

    A window without a cadence (a turn, a step aside) is walked at the median of the others.

    Parameters
    ----------
    cadence_spm
        (n,) steps/min, NaN where it is not known; all NaN gives 0.
    """
    known = cadence_spm[np.isfinite(cadence_spm)]
    if not known.size:
        return 0.0
    n_unknown = cadence_spm.size - known.size
    return float(known.sum() + n_unknown * np.median(known)) * hop_s / 60.0


def _after_one_hop(odds: FloatArray) -> FloatArray:
    """Best way to each cadence from any cadence of the window before."""
    padded = np.pad(odds, _N_REACH, constant_values=-np.inf)
    near = np.lib.stride_tricks.sliding_window_view(padded, 2 * _N_REACH + 1)
    best: FloatArray = np.maximum((near + _CHANGE_ODDS).max(axis=1), odds.max() - _CHANGE_FLOOR)
    return best


@dataclass(frozen=True, slots=True)
class _Peak:
    """Autocorrelation at a peak, and its lag in samples."""

    height: float
    lag: float


def _peak(correlation: FloatArray, lag: float) -> _Peak:
    """Highest peak near a lag, its top by a parabola; of height -inf if there is none."""
    reach = int(_REFINE * lag)
    first, last = max(1, round(lag) - reach), min(len(correlation) - 2, round(lag) + reach)
    middle = correlation[first : last + 1]
    rising = middle >= correlation[first - 1 : last]
    falling = middle > correlation[first + 1 : last + 2]
    heights = np.where(rising & falling, middle, -np.inf)
    if not np.isfinite(heights).any():
        return _Peak(-np.inf, lag)
    top = first + int(np.argmax(heights))
    left, height, right = correlation[top - 1 : top + 2].tolist()
    return _Peak(height, top + 0.5 * (left - right) / (left - 2.0 * height + right))
