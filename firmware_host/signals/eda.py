"""Skin conductance (EDA) and skin temperature features. Needs channels: eda (µS), temp (°C).

EDA is low-passed at 1 Hz; the tonic level is its exponential mean over 20 s and the phasic part
the rest. A response (SCR) is a local maximum that stands over 0.008 µS above the lowest point of
the 5 s before it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.signals.filters import SosFilter, butter_lowpass
from firmware_host.signals.timeline import History

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

LOWPASS_HZ = 1.0
TONIC_S = 20.0
SCR_LOOKBACK_S = 5.0
SCR_MIN_USIEMENS = 0.008
# The second count asks for a rise in proportion to the level, which a weak contact also passes.
SCR_MIN_RELATIVE = 0.01
# Two maxima closer than this are one response with noise on top.
SCR_MIN_SPACING_S = 1.0
# Keeps logarithms and ratios quiet for very dry skin; well below the usual 0.1-10 µS.
FLOOR_USIEMENS = 0.05
# Below this many seconds of samples a window has no trend and no spread.
MIN_PRESENT_S = 10.0

EDA_FEATURE_NAMES = (
    "log_eda_level",
    "eda_relative_slope",
    "log_eda_sd",
    "log_phasic_sd",
    "log_phasic_sd_relative",
    "scr_count",
    "scr_count_relative",
    "log_scr_sum",
    "log_scr_sum_relative",
)
EDA_FALLBACK = (-0.7, 0.0, -3.5, -4.5, -4.0, 1.0, 1.0, -3.5, -3.5)
TEMP_FEATURE_NAMES = ("temp_mean",)
TEMP_FALLBACK = (32.0,)


class EdaTrack:
    """Filtered EDA of the recent past; `level` and `phasic` are windows of µS by sample number."""

    def __init__(self, *, sample_rate_hz: float, span_samples: int) -> None:
        self._filter = SosFilter(butter_lowpass(2, LOWPASS_HZ, sample_rate_hz=sample_rate_hz))
        self._step = 1.0 - math.exp(-1.0 / (TONIC_S * sample_rate_hz))
        self._stale_after = round(TONIC_S * sample_rate_hz)
        self._tonic: float | None = None
        self._level = History(span_samples)
        self._phasic = History(span_samples)

    def skip(self, n_missing: int) -> None:
        """Samples are missing: settle anew; after 20 s the old tonic level says nothing."""
        self._filter.restart()
        self._level.skip(n_missing)
        self._phasic.skip(n_missing)
        if n_missing > self._stale_after:
            self._tonic = None

    def feed(self, values: Sequence[float]) -> None:
        """Add present samples."""
        level = self._filter.process(values)
        if not level:
            return
        tonic = level[0] if self._tonic is None else self._tonic
        step = self._step
        phasic = []
        for value in level:
            tonic += step * (value - tonic)
            phasic.append(value - tonic)
        self._tonic = tonic
        self._level.append(level)
        self._phasic.append(phasic)

    def level(self, start: int, stop: int) -> FloatArray:
        """Low-passed EDA, NaN where missing."""
        return self._level.window(start, stop)

    def phasic(self, start: int, stop: int) -> FloatArray:
        """EDA without its tonic level, NaN where missing."""
        return self._phasic.window(start, stop)


def eda_features(
    level: FloatArray, phasic: FloatArray, n_lead: int, *, sample_rate_hz: float
) -> tuple[float, ...]:
    """The nine EDA features of a window, named in `EDA_FEATURE_NAMES`; responses per minute.

    Parameters
    ----------
    level, phasic
        (n_lead + n,) µS; the `n_lead` samples before the window only serve responses at its start.

    Returns
    -------
    Always finite; `EDA_FALLBACK` when under `MIN_PRESENT_S` of samples are present.
    """
    inside = level[n_lead:]
    present = np.isfinite(inside)
    if np.count_nonzero(present) < MIN_PRESENT_S * sample_rate_hz:
        return EDA_FALLBACK
    good = inside if present.all() else inside[present]
    mean = max(float(good.mean()), 0.0)
    floor = mean + FLOOR_USIEMENS
    slope = slope_per_minute(inside, present, sample_rate_hz=sample_rate_hz)
    phasic_sd = float(phasic[n_lead:][present].std())
    rises = scr_rises(level, n_lead, sample_rate_hz=sample_rate_hz)
    # A count of a half-minute window must mean what it means in a minute.
    per_minute = 60.0 * sample_rate_hz / len(inside)
    total = per_minute * float(rises.sum())
    return (
        math.log(floor),
        slope / floor,
        math.log(float(good.std()) + 0.003),
        math.log(phasic_sd + 0.003),
        math.log(phasic_sd / floor + 0.003),
        per_minute * len(rises),
        per_minute * np.count_nonzero(rises > SCR_MIN_RELATIVE * floor),
        math.log(total + 0.03),
        math.log(total / floor + 0.03),
    )


def scr_rises(level: FloatArray, n_lead: int, *, sample_rate_hz: float) -> FloatArray:
    """Heights (µS) of the responses that peak after the first `n_lead` samples.

    Maxima next to a missing sample do not count; missing samples are ignored in the search for the
    lowest point before a peak.
    """
    before, top, after = level[:-2], level[1:-1], level[2:]
    # NaN compares false, so a peak needs both neighbours.
    peaks = np.flatnonzero((top > before) & (top >= after)) + 1
    lookback = round(SCR_LOOKBACK_S * sample_rate_hz)
    spacing = SCR_MIN_SPACING_S * sample_rate_hz
    rises: list[float] = []
    last = -math.inf
    for peak in peaks.tolist():
        if peak < n_lead or peak - last < spacing:
            continue
        rise = float(level[peak] - np.fmin.reduce(level[max(0, peak - lookback) : peak]))
        if rise > SCR_MIN_USIEMENS:
            rises.append(rise)
            last = peak
    return np.array(rises)


def temp_features(values: FloatArray, *, sample_rate_hz: float) -> tuple[float]:
    """Mean (°C) of a window; `TEMP_FALLBACK` when nearly empty."""
    present = np.isfinite(values)
    if np.count_nonzero(present) < MIN_PRESENT_S * sample_rate_hz:
        return TEMP_FALLBACK
    return (float(values[present].mean()),)


def slope_per_minute(
    values: FloatArray, present: NDArray[np.bool_], *, sample_rate_hz: float
) -> float:
    """Least-squares slope over the present samples, in units a minute."""
    t = np.flatnonzero(present) / (60.0 * sample_rate_hz)
    t -= t.mean()
    return float((t * values[present]).sum() / (t * t).sum())
