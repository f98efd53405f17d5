"""Measures of heart, skin and warmth, minute by minute, the same for real and simulated people.

Beats, intervals, tonic and phasic skin conductance come from the host's own code. Variability and
its bands follow the Task Force of the ESC and NASPE (Circulation 93, 1996), but over one minute:
short, so the lower band holds no more than what fits into it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from firmware_host.signals.bvp import BeatDetector
from firmware_host.signals.eda import EdaTrack, scr_rises, slope_per_minute
from firmware_host.signals.ibi import Interval, IntervalTracker, ibi_features
from training.body.windows import Span, Windows, table

FloatArray = NDArray[np.float64]

WINDOW_S = 60.0
# Variability of a minute is not read from half of its beats.
_MIN_QUALITY = 0.6
_LF_HZ, _HF_HZ = (0.04, 0.15), (0.15, 0.40)
_TACHOGRAM_HZ = 4.0
# Boucsein 2012, ch. 2.2.4.2: responses from 0.05 µS on are read without doubt; the host counts
# smaller ones too, because dry electrodes see a part of the skin's conductance only.
_CLEAR_SCR_USIEMENS = 0.05
_LEAD_S = 5.0


class VitalTracks:
    """One recording, run through the host's detectors from its start to its end.

    Parameters
    ----------
    channels
        By name, (n,) bvp [au], eda [µS], temp [°C] and (n, 3) acc [m/s²].
    rates_hz, starts_s
        Rate and time of the first sample of each.
    """

    def __init__(
        self,
        channels: dict[str, FloatArray],
        rates_hz: dict[str, float],
        starts_s: dict[str, float],
    ) -> None:
        self._channels, self._rates_hz, self._starts_s = channels, rates_hz, starts_s
        self._intervals = _intervals(channels["bvp"], rates_hz["bvp"], starts_s["bvp"])
        self._level = _level(channels["eda"], rates_hz["eda"])
        self._size = np.sqrt(np.einsum("ta,ta->t", channels["acc"], channels["acc"]))

    def windows(self, spans: Sequence[Span]) -> Windows:
        """Measures of every whole minute inside the spans."""
        rows = [
            self._minute(start_s)
            for span in spans
            for start_s in np.arange(span.start_s, span.end_s - WINDOW_S + 1e-6, WINDOW_S)
        ]
        return table(rows)

    def _minute(self, start_s: float) -> dict[str, float]:
        return {
            **self._heart(start_s),
            **self._pulse_shape(start_s),
            **self._skin(start_s),
            **self._warmth(start_s),
            "hand_movement_ms2": float(_std(self._cut("acc", start_s, self._size))),
        }

    def _heart(self, start_s: float) -> dict[str, float]:
        peak_s, ibi_s, accepted, height = self._intervals
        inside = (peak_s >= start_s) & (peak_s < start_s + WINDOW_S)
        at_s, ibi_s, ok, height = (
            peak_s[inside] - start_s,
            ibi_s[inside],
            accepted[inside] > 0,
            height[inside],
        )
        host = ibi_features(at_s, ibi_s, ok, height, window_s=WINDOW_S)
        found = {"bvp_quality": host[-1]}
        if host[-1] < _MIN_QUALITY:
            return found
        steps_s = np.diff(ibi_s)[ok[1:] & ok[:-1]]
        lf_ms, hf_ms = _bands_ms(at_s[ok], ibi_s[ok])
        return found | {
            "hr_bpm": host[0],
            "sdnn_ms": 1e3 * _std(ibi_s[ok]),
            "rmssd_ms": 1e3 * float(np.sqrt(np.mean(steps_s**2))) if len(steps_s) else np.nan,
            "lf_ms": lf_ms,
            "rsa_ms": hf_ms,
            "pulse_height_au": float(height[ok].mean()),
            "pulse_height_cv": host[7],
            "pulse_modulation_hz": host[8],
            "pulse_modulation_log_ratio": host[9],
        }

    def _pulse_shape(self, start_s: float) -> dict[str, float]:
        """Skewness of the pulse wave (Elgendi 2016, Bioengineering 3:21) between 0.5 and 8 Hz."""
        wave = self._cut("bvp", start_s, self._channels["bvp"])
        n, rate_hz = len(wave), self._rates_hz["bvp"]
        if n < WINDOW_S * rate_hz / 2:
            return {}
        spectrum, at_hz = np.fft.rfft(wave - wave.mean()), np.fft.rfftfreq(n, 1.0 / rate_hz)
        band = np.fft.irfft(np.where((at_hz >= 0.5) & (at_hz <= 8.0), spectrum, 0.0), n)
        sd = float(band.std())
        if sd == 0.0:
            return {}
        # The median of five-second skews: one knock against the band is not the pulse's shape.
        parts = band[: n // 12 * 12].reshape(12, -1)
        skews = (
            np.mean((parts - parts.mean(1, keepdims=True)) ** 3, axis=1) / parts.std(axis=1) ** 3
        )
        return {"pulse_skewness": float(np.median(skews))}

    def _skin(self, start_s: float) -> dict[str, float]:
        rate_hz = self._rates_hz["eda"]
        with_lead = self._cut("eda", start_s - _LEAD_S, self._level, WINDOW_S + _LEAD_S)
        n = round(WINDOW_S * rate_hz)
        level = with_lead[-n:]
        if len(level) < n:
            return {}
        rises = scr_rises(with_lead, len(with_lead) - n, sample_rate_hz=rate_hz)
        mean = float(level.mean())
        slope = slope_per_minute(level, np.isfinite(level), sample_rate_hz=rate_hz)
        return {
            "eda_level_usiemens": mean,
            "eda_slope_share_per_min": slope / max(mean, 0.05),
            "scr_per_min": float(len(rises)),
            "scr_clear_per_min": float(np.sum(rises >= _CLEAR_SCR_USIEMENS)),
            "scr_height_usiemens": float(np.median(rises)) if len(rises) else np.nan,
        }

    def _warmth(self, start_s: float) -> dict[str, float]:
        rate_hz = self._rates_hz["temp"]
        degc = self._cut("temp", start_s, self._channels["temp"])
        if len(degc) < round(WINDOW_S * rate_hz) / 2:
            return {}
        slope = slope_per_minute(degc, np.isfinite(degc), sample_rate_hz=rate_hz)
        return {"temp_degc": float(degc.mean()), "temp_slope_degc_per_min": slope}

    def _cut(
        self, name: str, start_s: float, values: FloatArray, length_s: float = WINDOW_S
    ) -> FloatArray:
        rate_hz = self._rates_hz[name]
        first = round((start_s - self._starts_s[name]) * rate_hz)
        return values[max(first, 0) : max(first + round(length_s * rate_hz), 0)]


def _intervals(bvp: FloatArray, rate_hz: float, start_s: float) -> tuple[FloatArray, ...]:
    """Times [s], lengths [s], whether accepted (0 or 1) and heights [au], (n,) each."""
    beats = BeatDetector(sample_rate_hz=rate_hz).feed(bvp.tolist(), 0)
    found: list[Interval] = IntervalTracker(sample_rate_hz=rate_hz).feed(beats)
    rows = [(one.peak, one.ibi_s, one.accepted, one.amplitude) for one in found]
    peak, ibi_s, accepted, height = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    return start_s + peak / rate_hz, ibi_s, accepted, height


def _level(eda: FloatArray, rate_hz: float) -> FloatArray:
    track = EdaTrack(sample_rate_hz=rate_hz, span_samples=len(eda))
    track.feed(eda.tolist())
    return track.level(0, len(eda))


def _bands_ms(at_s: FloatArray, ibi_s: FloatArray) -> tuple[float, float]:
    """Standard deviation of the intervals that the low and the high band hold, ms."""
    grid_s = np.arange(0.0, WINDOW_S, 1.0 / _TACHOGRAM_HZ)
    series = np.interp(grid_s, at_s, ibi_s)
    taper = np.hanning(len(series))
    power = 2.0 * np.abs(np.fft.rfft((series - series.mean()) * taper)) ** 2
    power /= len(series) * float(np.sum(taper**2))
    at_hz = np.fft.rfftfreq(len(series), 1.0 / _TACHOGRAM_HZ)
    low, high = (
        1e3 * float(np.sqrt(power[(at_hz >= a) & (at_hz < b)].sum())) for a, b in (_LF_HZ, _HF_HZ)
    )
    return low, high


def _std(values: FloatArray) -> float:
    return float(values.std()) if len(values) else float("nan")
