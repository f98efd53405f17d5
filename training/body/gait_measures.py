"""Measures of walking and running from one worn motion sensor, in windows of twenty seconds.

References
----------
Harmonic ratio: Smidt, Arora and Johnston, Am J Phys Med 50, 1971; as used by Menz, Lord and
Fitzpatrick, Gait & Posture 18, 2003: the amplitudes of a stride's even harmonics over those of its
odd ones. They sum 20 harmonics at the trunk; here it is the first six, all that a watch's 20 Hz
shows of a runner, in the watch's own axes and along gravity. At a wrist the arm swings once a
stride, so values lie far below those of a trunk.
Regularity and symmetry: Moe-Nilssen and Helbostad, J Biomech 37, 2004, on the vertical.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.signal import resample_poly

from firmware_host.events import Activity
from firmware_host.signals.cadence import autocorrelation, rhythm
from firmware_host.signals.stepping import GAITS, CadenceTracker
from training.body.windows import Windows, table
from training.datasets.motion import MotionRecording

FloatArray = NDArray[np.float64]

# What the wrist recordings have; everything else is brought down to it.
RATE_HZ = 20.0
WINDOW_S = 20.0
_CADENCE_WINDOW_S, _CADENCE_HOP_S = 5.0, 2.5
_N_HARMONICS, _N_POINTS = 6, 32
# The stride's own line and no other: half and one and a half times its rate are left out.
_STRIDE_BAND = (0.6, 1.4)
_MIN_STRIDES = 6
# A crossing that comes this much too early or late is a stride that was not seen, not a long one.
_MAX_STRIDE_OFF = 0.4


def at_common_rate(values: FloatArray, rate_hz: float) -> FloatArray:
    """(m, axes) at 20 Hz from (n, axes) at 20, 50 or 100 Hz, low-passed first."""
    if rate_hz == RATE_HZ:
        return values
    down = round(rate_hz / 10.0)
    mean = values.mean(axis=0)
    low: FloatArray = resample_poly(values - mean, 2, down, axis=0) + mean
    return low


def gait_windows(recordings: Sequence[MotionRecording]) -> Windows:
    """Measures of every whole window of the recordings; a new recording begins a new walk."""
    rows = []
    for recording in recordings:
        acc = at_common_rate(recording.acc_ms2, recording.sample_rate_hz)
        gyro = at_common_rate(recording.gyro_rads, recording.sample_rate_hz)
        n = round(WINDOW_S * RATE_HZ)
        for first in range(0, len(acc) - n + 1, n):
            cut = slice(first, first + n)
            rows.append(_window(acc[cut], gyro[cut], recording.activity))
    return table(rows)


def contact_windows(left_t_s: FloatArray) -> Windows:
    """Cadence and variation of strides from the contacts of one foot, (n,) seconds of one walk."""
    starts_s = np.arange(left_t_s[0], left_t_s[-1] - WINDOW_S, WINDOW_S)
    parts = [left_t_s[(left_t_s >= s) & (left_t_s < s + WINDOW_S)] for s in starts_s]
    lengths = [np.diff(part) for part in parts if len(part) >= _MIN_STRIDES]
    return table(
        [
            {"cadence_spm": 120.0 / float(one.mean()), "stride_cv": float(one.std() / one.mean())}
            for one in lengths
        ]
    )


def _window(acc: FloatArray, gyro: FloatArray, activity: Activity) -> dict[str, float]:
    size = np.linalg.norm(acc, axis=1)
    found = {
        "movement_ms2": float(size.std()),
        "gyro_rms_rads": float(np.sqrt(np.mean(np.sum(gyro**2, axis=1)))),
    }
    if activity not in GAITS:
        return found
    found["impact_ms2"] = float(np.percentile(size, 95) - np.median(size))
    found["periodicity"] = _periodicity(size)
    cadence_spm = _cadence_spm(size, activity)
    if not np.isfinite(cadence_spm):
        return found
    found["cadence_spm"] = cadence_spm
    down = acc.mean(axis=0)
    vertical = acc @ (down / np.linalg.norm(down))
    found |= _regularity(vertical - vertical.mean(), cadence_spm)
    edges = _strides(acc, gyro, cadence_spm / 120.0)
    if len(edges) < _MIN_STRIDES:
        return found
    lengths = np.diff(edges)
    found["stride_cv"] = float(lengths.std() / lengths.mean())
    waves = np.column_stack((vertical, acc, gyro))
    names = ("vertical", "acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
    ratios = _harmonic_ratios(waves, edges)
    return found | {f"hr_{name}": float(r) for name, r in zip(names, ratios, strict=True)}


def _cadence_spm(size: FloatArray, activity: Activity) -> float:
    """Median of what the host tells over the window."""
    tracker = CadenceTracker(sample_rate_hz=RATE_HZ)
    n, hop = round(_CADENCE_WINDOW_S * RATE_HZ), round(_CADENCE_HOP_S * RATE_HZ)
    told = [
        tracker.update(size[first : first + n], activity)
        for first in range(0, len(size) - n + 1, hop)
    ]
    known = [value for value in told if np.isfinite(value)]
    return float(np.median(known)) if known else float("nan")


def _periodicity(size: FloatArray) -> float:
    """Median over windows of 5 s of what the host's gate for identity asks for."""
    n, hop = round(_CADENCE_WINDOW_S * RATE_HZ), round(_CADENCE_HOP_S * RATE_HZ)
    firsts = range(0, len(size) - n + 1, hop)
    return float(
        np.median([rhythm(size[f : f + n], sample_rate_hz=RATE_HZ).periodicity for f in firsts])
    )


def _regularity(vertical: FloatArray, cadence_spm: float) -> dict[str, float]:
    step = 60.0 * RATE_HZ / cadence_spm
    correlation = autocorrelation(vertical, int(2.4 * step) + 2)

    def near(lag: float) -> float:
        low, high = int(0.85 * lag), int(np.ceil(1.15 * lag))
        return float(correlation[low : high + 1].max())

    by_step, by_stride = near(step), near(2.0 * step)
    return {
        "step_regularity": by_step,
        "stride_regularity": by_stride,
        "step_symmetry": by_step / max(by_stride, 0.05),
    }


def _strides(acc: FloatArray, gyro: FloatArray, stride_hz: float) -> FloatArray:
    """(n,) ends of strides in samples: upward crossings of the motion at the stride's rate."""
    both = np.hstack((acc - acc.mean(axis=0), gyro - gyro.mean(axis=0)))
    # Both sensors count alike, whatever their units.
    both[:, :3] /= max(float(np.sqrt(np.mean(both[:, :3] ** 2))), 1e-9)
    both[:, 3:] /= max(float(np.sqrt(np.mean(both[:, 3:] ** 2))), 1e-9)
    at_hz = np.fft.rfftfreq(len(both), 1.0 / RATE_HZ)
    low, high = (share * stride_hz for share in _STRIDE_BAND)
    inside = ((at_hz >= low) & (at_hz <= high))[:, None]
    band = np.fft.irfft(np.where(inside, np.fft.rfft(both, axis=0), 0.0), len(both), axis=0)
    main = band @ np.linalg.svd(band, full_matrices=False)[2][0]
    up = np.flatnonzero((main[:-1] < 0) & (main[1:] >= 0))
    edges = up + main[up] / (main[up] - main[up + 1])
    # A Fourier filter bends round at the ends of its window.
    edges = edges[(edges > RATE_HZ) & (edges < len(both) - RATE_HZ)]
    expected = RATE_HZ / stride_hz
    fits = np.abs(np.diff(edges) / expected - 1.0) <= _MAX_STRIDE_OFF
    return edges if fits.all() else edges[:0]


def _harmonic_ratios(waves: FloatArray, edges: FloatArray) -> FloatArray:
    """(signals,) even over odd harmonics, the mean over strides; `waves` is (n, signals)."""
    spline = CubicSpline(np.arange(len(waves)), waves)
    fraction = np.arange(_N_POINTS) / _N_POINTS
    at = edges[:-1, None] + np.diff(edges)[:, None] * fraction
    harmonics = np.abs(np.fft.rfft(spline(at), axis=1))[:, 1 : _N_HARMONICS + 1]
    odd, even = harmonics[:, 0::2].sum(axis=1), harmonics[:, 1::2].sum(axis=1)
    ratios: FloatArray = (even / np.maximum(odd, 1e-9)).mean(axis=0)
    return ratios
