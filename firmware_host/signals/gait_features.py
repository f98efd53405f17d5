"""Identity features of one 5 s walking window: 580 numbers that no turn of the device changes.

Order: for the lengths and vertical parts among `orientation.CHANNEL_NAMES` 11 moments, 12 band
powers, 16 autocorrelations, 10 stride harmonics, 18 phase couplings; then 6 correlations between
channels, 4 numbers of the rhythm, and the 302 of `gait_vectors`, which replace the horizontal
lengths.

Phase couplings are bispectrum values z_i z_j conj(z_{i+j}) of the stride harmonics: they hold the
shape of the stride's waveform (a sharp heel strike against a smooth swing), which powers and
autocorrelations lose, and do not depend on where in the stride the window starts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_host.signals.cadence import Rhythm
from firmware_host.signals.gait_vectors import VECTOR_NAMES, vector_features
from firmware_host.signals.orientation import CHANNEL_NAMES

FloatArray = NDArray[np.float64]

IDENTITY_RATE_HZ = 50.0
N_WINDOW = 250

_PERCENTILES = (5.0, 25.0, 50.0, 75.0, 95.0)
_MOMENTS = (
    *("mean", "log_sd", "skew", "kurtosis", "log_change", "log_range"),
    *("p5", "p25", "p50", "p75", "p95"),
)
_BAND_EDGES_HZ = (0.3, 0.7, 1.1, 1.6, 2.1, 2.7, 3.4, 4.2, 5.1, 6.1, 7.2, 8.4, 9.8)
_AUTOCORRELATION_LAGS_S = tuple(0.1 * k for k in range(1, 17))
_N_HARMONICS = 10
_COUPLED = ((1, 1), (2, 2), (3, 3), (4, 4), (1, 2), (3, 2), (4, 2), (5, 2), (6, 2))
_N_FFT = 512
# Longest lag looked at, a slow stride: 1.72 s.
_N_LAGS = 87
# A window without rhythm still has features: its harmonics are read at an average walk.
_DEFAULT_STEP_S = 0.55
_TINY = 1e-6

_CHANNEL_FEATURES = (
    *_MOMENTS,
    *(f"band_{low:g}hz" for low in _BAND_EDGES_HZ[:-1]),
    *(f"autocorrelation_{lag:.1f}s" for lag in _AUTOCORRELATION_LAGS_S),
    *(f"harmonic_{k}" for k in range(1, _N_HARMONICS + 1)),
    *(f"coupling_{i}_{j}_{part}" for i, j in _COUPLED for part in ("re", "im")),
)
_USED = np.array([idx for idx, name in enumerate(CHANNEL_NAMES) if "horizontal" not in name])
_USED_NAMES = tuple(CHANNEL_NAMES[idx] for idx in _USED)
FEATURE_NAMES: tuple[str, ...] = (
    *(f"{channel}.{name}" for channel in _USED_NAMES for name in _CHANNEL_FEATURES),
    *(
        f"correlation.{first}.{second}"
        for i, first in enumerate(_USED_NAMES)
        for second in _USED_NAMES[i + 1 :]
    ),
    "rhythm.cadence_spm",
    "rhythm.periodicity",
    "rhythm.step_regularity",
    "rhythm.stride_regularity",
    *VECTOR_NAMES,
)
N_FEATURES = len(FEATURE_NAMES)
GYRO_FEATURES = np.array(["gyro_" in name for name in FEATURE_NAMES])
"""(N_FEATURES,) True where a feature cannot be had without a gyroscope."""

_PAIRS = np.triu_indices(len(_USED), 1)
_WINDOW = np.hanning(N_WINDOW)
_SCALED_WINDOW = 2.0 / _WINDOW.sum() * _WINDOW
_SAMPLE = np.arange(N_WINDOW)
_FREQUENCIES_HZ = np.fft.rfftfreq(_N_FFT, 1.0 / IDENTITY_RATE_HZ)
_BAND_STARTS = np.searchsorted(_FREQUENCIES_HZ, _BAND_EDGES_HZ)
_FIRST, _SECOND = (np.array(pair) - 1 for pair in zip(*_COUPLED, strict=True))
_LAGS = np.rint(np.array(_AUTOCORRELATION_LAGS_S) * IDENTITY_RATE_HZ).astype(int)


def identity_features(
    channels: FloatArray, acc_ms2: FloatArray, gyro_rads: FloatArray | None, rhythm: Rhythm
) -> FloatArray:
    """(N_FEATURES,) features of one window.

    Parameters
    ----------
    channels
        (250, 6) orientation-free channels at 50 Hz, SI units.
    acc_ms2, gyro_rads
        (250, 3) what they were made of, in device axes. Without a gyroscope every feature that
        needs one is NaN: the caller puts in the average person's value, for the wearer and for
        those the wearer is compared with alike.
    rhythm
        Of the same window; NaN step period allowed.
    """
    step_s = rhythm.step_s if np.isfinite(rhythm.step_s) else _DEFAULT_STEP_S
    columns = np.ascontiguousarray(channels[:, _USED].T)  # (4, 250)
    centred = columns - columns.mean(axis=1, keepdims=True)
    correlation = _autocorrelations(centred)
    waves = _stride_waves(centred, step_s)
    per_channel = np.concatenate(
        (
            _moments(columns, centred),
            _band_powers(centred),
            correlation[:, _LAGS],
            _harmonics(waves),
            _couplings(waves, centred),
        ),
        axis=1,
    )
    features: FloatArray = np.concatenate(
        (
            per_channel.ravel(),
            _between(centred),
            _rhythm(correlation[0], rhythm, step_s),
            vector_features(
                acc_ms2, np.zeros_like(acc_ms2) if gyro_rads is None else gyro_rads, step_s
            ),
        )
    )
    if gyro_rads is None:
        features[GYRO_FEATURES] = np.nan
    return features


def _moments(columns: FloatArray, centred: FloatArray) -> FloatArray:
    ordered = np.sort(columns, axis=1)
    at = np.array(_PERCENTILES) / 100.0 * (N_WINDOW - 1)
    low = at.astype(int)
    percentiles = ordered[:, low] + (at - low) * (ordered[:, low + 1] - ordered[:, low])
    squared = centred * centred
    sd = np.sqrt(squared.mean(axis=1)) + _TINY
    skew = (squared * centred).mean(axis=1) / sd**3
    kurtosis = (squared * squared).mean(axis=1) / sd**4
    change = np.abs(columns[:, 1:] - columns[:, :-1]).mean(axis=1) * IDENTITY_RATE_HZ
    span = ordered[:, -1] - ordered[:, 0]
    single = np.stack(
        (
            columns.mean(axis=1),
            np.log(sd),
            np.cbrt(skew),
            np.log(kurtosis + 1.0),
            np.log(change + _TINY),
            np.log(span + _TINY),
        ),
        axis=1,
    )
    return np.concatenate((single, percentiles), axis=1)


def _band_powers(centred: FloatArray) -> FloatArray:
    """(4, 12) log share of the power in each band."""
    spectrum = np.fft.rfft(centred * _WINDOW, _N_FFT, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    bands = np.add.reduceat(power[:, : _BAND_STARTS[-1]], _BAND_STARTS[:-1], axis=1)
    total = power.sum(axis=1, keepdims=True) + _TINY
    shares: FloatArray = bands / total
    logs: FloatArray = np.log(shares + 1e-4)
    return logs


def _autocorrelations(centred: FloatArray) -> FloatArray:
    """(4, _N_LAGS) biased autocorrelation: long lags, seen less often, count less."""
    spectrum = np.fft.rfft(centred, _N_FFT, axis=1)
    product = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, _N_FFT, axis=1)
    correlation: FloatArray = product[:, :_N_LAGS] / (product[:, :1] + _TINY)
    return correlation


def _stride_waves(centred: FloatArray, step_s: float) -> NDArray[np.complex128]:
    """(4, 10) complex amplitudes at multiples of the stride rate (half the step rate)."""
    turn = np.exp((-1j * np.pi / step_s / IDENTITY_RATE_HZ) * _SAMPLE)
    waves = np.multiply.accumulate(np.broadcast_to(turn, (_N_HARMONICS, N_WINDOW)), axis=0)
    amplitudes: NDArray[np.complex128] = (centred * _SCALED_WINDOW) @ waves.T
    return amplitudes


def _harmonics(waves: NDArray[np.complex128]) -> FloatArray:
    """(4, 10) log amplitude relative to the sum over harmonics."""
    amplitude = np.abs(waves)
    shares: FloatArray = amplitude / (amplitude.sum(axis=1, keepdims=True) + _TINY)
    logs: FloatArray = np.log(shares + 1e-2)
    return logs


def _couplings(waves: NDArray[np.complex128], centred: FloatArray) -> FloatArray:
    """(4, 18) phase couplings, real and imaginary part by turns.

    The cube root of the amplitude keeps one strong harmonic from hiding the others.
    """
    sd = np.sqrt((centred * centred).mean(axis=1, keepdims=True)) + 1e-3
    z = waves / sd
    coupling = z[:, _FIRST] * z[:, _SECOND] * np.conj(z[:, _FIRST + _SECOND + 1])
    coupling = coupling / (np.abs(coupling) + 1e-2) ** (2.0 / 3.0)
    parts: FloatArray = np.stack((coupling.real, coupling.imag), axis=2)
    return parts.reshape(len(waves), -1)


def _between(centred: FloatArray) -> FloatArray:
    """(6,) correlation coefficients of every pair of channels."""
    product = centred @ centred.T
    sd = np.sqrt(np.diag(product)) + _TINY
    coefficients: FloatArray = (product / np.outer(sd, sd))[_PAIRS]
    return coefficients


def _rhythm(correlation: FloatArray, rhythm: Rhythm, step_s: float) -> FloatArray:
    step = min(round(step_s * IDENTITY_RATE_HZ), len(correlation) - 1)
    stride = min(round(2.0 * step_s * IDENTITY_RATE_HZ), len(correlation) - 1)
    return np.array([60.0 / step_s, rhythm.periodicity, correlation[step], correlation[stride]])
