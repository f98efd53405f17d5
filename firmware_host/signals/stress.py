"""Streaming stress features: 21 of physiology and 5 of movement, over the last minute or half.

The same object serves the live stream and offline training, so windows are equal bit for bit
whatever the chunking. A window uses only what was known before its end, even if later samples have
already been fed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.errors import SignalError
from firmware_host.signals import bvp, eda, ibi, imu, quality
from firmware_host.signals.timeline import History, Timeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

WINDOW_S = 60.0
# Shorter ones hold too few beats for a heart rate, longer ones outlast the history that is kept.
WINDOW_RANGE_S = (20.0, 120.0)
HOP_S = 10.0
# How far samples may run ahead of `compute`: windows further back find nothing.
AHEAD_S = 60.0
# Blocks of a channel that wait for each other: filters take many samples at once for less.
_MAX_WAITING = 64
FEATURE_NAMES = (
    *ibi.FEATURE_NAMES,
    *eda.EDA_FEATURE_NAMES,
    *eda.TEMP_FEATURE_NAMES,
    *imu.ACC_FEATURE_NAMES,
)
# The channel each feature is made of.
FEATURE_CHANNELS = (
    *("bvp",) * len(ibi.FEATURE_NAMES),
    *("eda",) * len(eda.EDA_FEATURE_NAMES),
    *("temp",) * len(eda.TEMP_FEATURE_NAMES),
    *("acc",) * len(imu.ACC_FEATURE_NAMES),
)
CHANNELS = ("bvp", "eda", "temp", "acc")
_N_AXES = {"bvp": 1, "eda": 1, "temp": 1, "acc": 3}


@dataclass(frozen=True, slots=True)
class StressWindow:
    """One window (a minute unless said otherwise), seen from its end.

    `features` (26,) in the order of `FEATURE_NAMES`, always finite; `quality` by channel in 0..1,
    0 for a channel the board does not have; `motion` the sustained movement in m/s²; `missing` the
    share of samples absent in the worst channel.
    """

    t_end_s: float
    features: NDArray[np.float32]
    quality: dict[str, float]
    motion: float
    worn: bool
    missing: float


class StressFeatures:
    """Extractor for one session of one wearer.

    Parameters
    ----------
    rates_hz
        Sample rate by channel name; needs at least one of bvp, eda, temp, acc, ignores others.
    window_s
        Length of a window, whole seconds within `WINDOW_RANGE_S`. Counts and sums are per minute
        whatever it is; spreads and ranges grow with it, so a baseline must have the same length.

    Raises
    ------
    SignalError
        If none of the channels is there or a window cannot be that long.
    """

    def __init__(self, rates_hz: Mapping[str, float], *, window_s: float = WINDOW_S) -> None:
        self._window_s = _checked_window(window_s)
        self._lines = {
            name: Timeline(name, sample_rate_hz=rates_hz[name])
            for name in CHANNELS
            if name in rates_hz
        }
        if not self._lines:
            raise SignalError("/".join(CHANNELS), f"none of them is among {sorted(rates_hz)}")
        span = {name: _samples(AHEAD_S + window_s + 10, line) for name, line in self._lines.items()}
        if "bvp" in self._lines:
            self._bvp = _PulseTrack(sample_rate_hz=rates_hz["bvp"], window_s=window_s)
        if "eda" in self._lines:
            self._eda = eda.EdaTrack(sample_rate_hz=rates_hz["eda"], span_samples=span["eda"])
        if "temp" in self._lines:
            self._temp = History(span["temp"])
        if "acc" in self._lines:
            span_s = int(AHEAD_S + window_s) + 10
            self._acc = imu.SecondsTrack(sample_rate_hz=rates_hz["acc"], span_s=span_s)
        self._waiting: dict[str, list[FloatArray]] = {name: [] for name in self._lines}
        self._n_taken = dict.fromkeys(self._lines, 0)

    def feed(
        self, channel: str, t0_s: float, values: FloatArray, gap_before_samples: int = 0
    ) -> None:
        """Add samples of one channel; other channels than the four are ignored.

        Parameters
        ----------
        t0_s
            Stream time of the first value.
        values
            (n,) or (n, n_axes) in SI units of the wire (bvp au, eda µS, temp °C, acc m/s²). NaN
            counts as missing, which lowers quality and is never filled in. Not copied: the array
            must not change afterwards.
        gap_before_samples
            Samples lost since the previous call.
        """
        line = self._lines.get(channel)
        if line is None or not len(values):
            return
        rows = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
        if rows.shape[1] != _N_AXES[channel]:
            raise SignalError(channel, f"expected {_N_AXES[channel]} axes, got {rows.shape[1]}")
        waiting = self._waiting[channel]
        for n_missing, run in line.segments(t0_s, rows, gap_before_samples):
            if n_missing:
                self._take_waiting(channel)
                self._skip(channel, n_missing)
            if len(run):
                waiting.append(run)
        if len(waiting) >= _MAX_WAITING:
            self._take_waiting(channel)

    def compute(self, t_end_s: float) -> StressWindow:
        """The window that ends at `t_end_s`; call it once all channels got there."""
        for channel in self._lines:
            self._take_waiting(channel)
        trust = dict.fromkeys(CHANNELS, 0.0)
        pulse = self._pulse_part(t_end_s, trust)
        skin = self._skin_part(t_end_s, trust)
        warmth = self._warmth_part(t_end_s, trust)
        movement, motion = self._movement_part(t_end_s, trust)
        return StressWindow(
            t_end_s,
            np.array([*pulse, *skin, *warmth, *movement], dtype=np.float32),
            trust,
            motion,
            quality.is_worn(bvp=trust["bvp"], eda=trust["eda"]),
            max(line.missing_share(*self._bounds(line, t_end_s)) for line in self._lines.values()),
        )

    def _take_waiting(self, channel: str) -> None:
        waiting = self._waiting[channel]
        if not waiting:
            return
        run = np.concatenate(waiting)
        waiting.clear()
        self._take(channel, run, self._n_taken[channel])
        self._n_taken[channel] += len(run)

    def _skip(self, channel: str, n_missing: int) -> None:
        self._n_taken[channel] += n_missing
        if channel == "bvp":
            self._bvp.skip()
        elif channel == "eda":
            self._eda.skip(n_missing)
        elif channel == "temp":
            self._temp.skip(n_missing)
        else:
            self._acc.skip(n_missing)

    def _take(self, channel: str, run: FloatArray, first: int) -> None:
        if channel == "bvp":
            self._bvp.feed(run[:, 0].tolist(), first)
        elif channel == "eda":
            self._eda.feed(run[:, 0].tolist())
        elif channel == "temp":
            self._temp.append(run[:, 0])
        else:
            self._acc.feed(run)

    def _bounds(self, line: Timeline, t_end_s: float) -> tuple[int, int]:
        """Sample numbers of the window that ends before `t_end_s`."""
        stop = line.index_at(t_end_s)
        return stop - _samples(self._window_s, line), stop

    def _pulse_part(self, t_end_s: float, trust: dict[str, float]) -> tuple[float, ...]:
        line = self._lines.get("bvp")
        if line is None:
            return ibi.FALLBACK
        features = self._bvp.features(*self._bounds(line, t_end_s))
        trust["bvp"] = features[-1]
        return features

    def _skin_part(self, t_end_s: float, trust: dict[str, float]) -> tuple[float, ...]:
        line = self._lines.get("eda")
        if line is None:
            return eda.EDA_FALLBACK
        start, stop = self._bounds(line, t_end_s)
        lead = _samples(eda.SCR_LOOKBACK_S, line)
        level = self._eda.level(start - lead, stop)
        phasic = self._eda.phasic(start - lead, stop)
        trust["eda"] = quality.eda_quality(level[lead:])
        return eda.eda_features(level, phasic, lead, sample_rate_hz=line.sample_rate_hz)

    def _warmth_part(self, t_end_s: float, trust: dict[str, float]) -> tuple[float]:
        line = self._lines.get("temp")
        if line is None:
            return eda.TEMP_FALLBACK
        values = self._temp.window(*self._bounds(line, t_end_s))
        trust["temp"] = quality.temp_quality(values)
        return eda.temp_features(values, sample_rate_hz=line.sample_rate_hz)

    def _movement_part(
        self, t_end_s: float, trust: dict[str, float]
    ) -> tuple[tuple[float, ...], float]:
        line = self._lines.get("acc")
        if line is None:
            return imu.ACC_FALLBACK, 0.0
        seconds = self._acc.window(self._bounds(line, t_end_s)[1], int(self._window_s))
        trust["acc"] = quality.acc_quality(seconds)
        return imu.acc_features(seconds)


class _PulseTrack:
    """Beats and intervals of the recent past."""

    def __init__(self, *, sample_rate_hz: float, window_s: float) -> None:
        self._window_s = window_s
        self._rate_hz = sample_rate_hz
        self._detector = bvp.BeatDetector(sample_rate_hz=sample_rate_hz)
        self._tracker = ibi.IntervalTracker(sample_rate_hz=sample_rate_hz)
        # Beats cannot follow each other faster than the band's upper edge.
        span = int((AHEAD_S + window_s) * bvp.BAND_HZ[1]) + 8
        self._intervals: deque[ibi.Interval] = deque(maxlen=span)

    def skip(self) -> None:
        self._detector.skip()

    def feed(self, values: list[float], first: int) -> None:
        beats = self._detector.feed(values, first)
        if beats:
            self._intervals.extend(self._tracker.feed(beats))

    def features(self, start: int, stop: int) -> tuple[float, ...]:
        """The eleven BVP features of what was known before sample `stop`."""
        inside = []
        for interval in reversed(self._intervals):
            if interval.peak < start:
                break
            if interval.known_at < stop:
                inside.append(interval)
        inside.reverse()
        # Column by column: numpy takes tuples of one kind several times as fast as mixed rows.
        peak, _, ibi_s, accepted, amplitude = zip(*inside, strict=True) if inside else ((),) * 5
        return ibi.ibi_features(
            (np.array(peak, np.float64) - start) / self._rate_hz,
            np.array(ibi_s, np.float64),
            np.array(accepted, np.bool_),
            np.array(amplitude, np.float64),
            window_s=self._window_s,
        )


def _samples(duration_s: float, line: Timeline) -> int:
    return round(duration_s * line.sample_rate_hz)


def _checked_window(window_s: float) -> float:
    shortest, longest = WINDOW_RANGE_S
    if not shortest <= window_s <= longest or window_s != int(window_s):
        raise SignalError(
            "window", f"expected whole seconds from {shortest:g} to {longest:g}, got {window_s}"
        )
    return float(window_s)
