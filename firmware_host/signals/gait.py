"""Walking windows from acceleration and rotation rate, at any sample rate from 20 to 110 Hz.

Two products per 5 s window: six orientation-free channels at 20 Hz for the activity gate, and,
computed only when asked for, the identity features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import SignalError
from firmware_host.signals.cadence import Rhythm, rhythm
from firmware_host.signals.gait_features import IDENTITY_RATE_HZ, N_WINDOW, identity_features
from firmware_host.signals.motion_ring import SampleClock, SampleRing
from firmware_host.signals.orientation import GravityTracker, length, orientation_free
from firmware_host.signals.resample import grid_s, resample
from firmware_host.signals.timeline import is_finite

FloatArray = NDArray[np.float64]

WINDOW_S = 5.0
HOP_S = 2.5
GATE_RATE_HZ = 20.0
N_GATE = 100
MIN_RATE_HZ, MAX_RATE_HZ = 19.0, 111.0

_ACC, _GYRO = "acc", "gyro"
# Windows are asked for soon after they end; this much lateness is forgiven.
_KEEP_S = 30.0
# After a silence this long the device may have been turned over or moved to another pocket.
_FORGET_GRAVITY_AFTER_S = 3.0
# Blocks of a channel that wait for each other: many samples at once cost less than one by one.
_MAX_WAITING = 64
# Intervals longer than this many sample periods count as missing data.
_GAP_PERIODS = 2.5
# A gyroscope that delivered less than this share of the window is not used.
_MAX_GYRO_MISSING = 0.1
# Samples before the window: the average over one period before the first grid point needs them.
_MARGIN_S = 0.1
# Below this rate averaging to 20 Hz would take away more than it makes alike (tried at 32 Hz).
_BAND_LIMIT_FROM_HZ = 40.0
# Window ends are multiples of the hop, sample times sums of periods: equal but for rounding.
_TIME_SLACK_S = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """The samples of one channel that a window needs, before resampling."""

    t_s: FloatArray
    rows: FloatArray
    rate_hz: float

    def at(self, grid: FloatArray, rate_hz: float, n_columns: int) -> FloatArray:
        """(len(grid), n_columns) the first columns on a uniform grid."""
        rows = self.rows[:, :n_columns]
        return resample(self.t_s, rows, grid, input_rate_hz=self.rate_hz, rate_hz=rate_hz)


@dataclass(frozen=True, eq=False)
class GaitWindow:
    """Five seconds of motion.

    `inv` is (100, 6) float32 at 20 Hz in the order of `orientation.CHANNEL_NAMES`; its three
    gyroscope channels are zero without one. `missing` is the share of the window without
    samples, 0..1.
    """

    t_end_s: float
    inv: NDArray[np.float32]
    has_gyro: bool
    missing: float
    _acc: _Cut
    _gyro: _Cut | None

    @cached_property
    def acc_norm_ms2(self) -> FloatArray:
        """(250,) length of the acceleration at 50 Hz."""
        # Computed when asked for: most windows are not walking, and nobody asks.
        grid = _grid_s(self.t_end_s, N_WINDOW, IDENTITY_RATE_HZ)
        return length(self._acc.at(grid, IDENTITY_RATE_HZ, 3))

    @cached_property
    def rhythm(self) -> Rhythm:
        """How periodic the window is, and its step period."""
        return rhythm(self.acc_norm_ms2, sample_rate_hz=IDENTITY_RATE_HZ)

    @property
    def periodicity(self) -> float:
        """Highest autocorrelation of |acceleration| at lags 0.4 to 1.7 s."""
        return self.rhythm.periodicity

    @property
    def cadence_spm(self) -> float:
        """Steps per minute, NaN without a rhythm."""
        return self.rhythm.cadence_spm

    def features(self) -> NDArray[np.float32]:
        """(580,) identity features; NaN where a feature needs the gyroscope that is not there."""
        acc = _band_limited(self._acc, self.t_end_s)
        gyro = None if self._gyro is None else _band_limited(self._gyro, self.t_end_s)
        motion = _motion(acc, gyro, self.t_end_s, N_WINDOW, IDENTITY_RATE_HZ)
        channels = orientation_free(*motion)
        values = identity_features(channels, motion.acc, motion.gyro, self.rhythm)
        return values.astype(np.float32)


class _Input:
    """One channel's clock and recent samples."""

    def __init__(self, channel: str, n_columns: int, *, sample_rate_hz: float) -> None:
        self.rate_hz = _checked_rate(channel, sample_rate_hz)
        self.clock = SampleClock(channel, sample_rate_hz=sample_rate_hz)
        self.ring = SampleRing(round(_KEEP_S * sample_rate_hz), n_columns)
        self._waiting: list[FloatArray] = []
        self._n_waiting = 0
        self._waiting_t0_s = 0.0

    def may_wait(self, t0_s: float, rows: FloatArray) -> bool:
        """Keep a block for later if it goes on where the last one ended and nothing is amiss."""
        last_s = self.ring.last_s()
        if last_s is None or len(self._waiting) >= _MAX_WAITING:
            return False
        if not self._waiting:
            if t0_s - last_s > _FORGET_GRAVITY_AFTER_S:
                return False
            self._waiting_t0_s = t0_s
        if not (self.clock.continues(t0_s, self._n_waiting) and is_finite(rows)):
            return False
        self._waiting.append(rows)
        self._n_waiting += len(rows)
        return True

    def waiting(self) -> tuple[float, FloatArray] | None:
        """Hand over the blocks that wait as one, with the time of its first sample."""
        if not self._waiting:
            return None
        rows = np.concatenate(self._waiting)
        self._waiting.clear()
        self._n_waiting = 0
        return self._waiting_t0_s, rows

    def cut(self, t_start_s: float, t_end_s: float) -> _Cut:
        """Copy the samples of a span: the ring moves on, the window stays."""
        t_s, rows = self.ring.between(t_start_s - _MARGIN_S, t_end_s - _TIME_SLACK_S)
        return _Cut(t_s.copy(), rows.copy(), self.rate_hz)

    def missing(self, t_start_s: float, t_end_s: float) -> float:
        """Share of a span that lies in gaps, 0..1."""
        times, _ = self.ring.between(t_start_s - _TIME_SLACK_S, t_end_s - _TIME_SLACK_S)
        edges = np.empty(len(times) + 2)
        edges[0], edges[1:-1], edges[-1] = t_start_s, times, t_end_s
        steps = edges[1:] - edges[:-1]
        longest_s = _GAP_PERIODS / self.rate_hz
        if np.maximum.reduce(steps) <= longest_s:
            return 0.0
        lost = steps[steps > longest_s].sum()
        return float(min(1.0, lost / (t_end_s - t_start_s)))


class GaitFeatures:
    """Streaming extractor over the channels `acc` [m/s²] and, if the board has it, `gyro` [rad/s].

    Results depend on the samples and their times only: cutting the stream into other chunks
    changes no bit.

    Raises
    ------
    SignalError
        If there is no `acc`, or a rate is outside 19..111 Hz.
    """

    def __init__(self, rates_hz: Mapping[str, float]) -> None:
        if _ACC not in rates_hz:
            raise SignalError(_ACC, "gait needs an accelerometer and the board declares none")
        self._acc = _Input(_ACC, 6, sample_rate_hz=rates_hz[_ACC])
        self._gravity = GravityTracker(sample_rate_hz=self._acc.rate_hz)
        self._gyro: _Input | None = None
        if _GYRO in rates_hz:
            self._gyro = _Input(_GYRO, 3, sample_rate_hz=rates_hz[_GYRO])

    def feed(
        self, channel: str, t0_s: float, values: FloatArray, gap_before_samples: int = 0
    ) -> None:
        """Take (n, 3) samples in SI units whose first was at stream time `t0_s`.

        Other channels than `acc` and `gyro` are ignored. Rows that are not finite count as lost.
        The array is not copied and must not change afterwards.

        Raises
        ------
        SignalError
            If the values do not have three axes, or stream time goes back by over a second.
        """
        source = self._source(channel)
        if source is None or len(values) == 0:
            return
        if values.ndim != 2 or values.shape[1] != 3:
            raise SignalError(channel, f"expected (n, 3) values, got {values.shape}")
        rows = np.asarray(values, dtype=np.float64)
        if gap_before_samples > 0 or not source.may_wait(t0_s, rows):
            self._take_waiting(source)
            self._take(source, t0_s, rows, gap=gap_before_samples > 0)

    def _take_waiting(self, source: _Input) -> None:
        waiting = source.waiting()
        if waiting is not None:
            self._take(source, *waiting, gap=False)

    def _take(self, source: _Input, t0_s: float, rows: FloatArray, *, gap: bool) -> None:
        last_s = source.ring.last_s()
        t_s = source.clock.times_s(t0_s, len(rows), gap=gap)
        if not len(t_s):
            return
        rows = rows[len(rows) - len(t_s) :]
        if not is_finite(rows):
            finite = np.isfinite(rows).all(axis=1)
            t_s, rows = t_s[finite], rows[finite]
        if source is self._acc:
            if last_s is not None and t0_s - last_s > _FORGET_GRAVITY_AFTER_S:
                self._gravity.reset()
            rows = np.concatenate((rows, self._gravity.track(rows)), axis=1)
        source.ring.append(t_s, rows)

    def _source(self, channel: str) -> _Input | None:
        if channel == _ACC:
            return self._acc
        return self._gyro if channel == _GYRO else None

    def compute(self, t_end_s: float) -> GaitWindow:
        """Build the window that ends at a stream time, from the samples before that time.

        A sample at the very end belongs to the next window: whether it has come already depends on
        how the stream was cut.

        Without samples the channels are zero and `missing` is 1.
        """
        for source in (self._acc, self._gyro):
            if source is not None:
                self._take_waiting(source)
        t_start_s = t_end_s - WINDOW_S
        acc, gyro = self._acc.cut(t_start_s, t_end_s), None
        if self._gyro and self._gyro.missing(t_start_s, t_end_s) <= _MAX_GYRO_MISSING:
            gyro = self._gyro.cut(t_start_s, t_end_s)
        return GaitWindow(
            t_end_s=t_end_s,
            inv=orientation_free(*_motion(acc, gyro, t_end_s, N_GATE, GATE_RATE_HZ)).astype(
                np.float32
            ),
            has_gyro=gyro is not None,
            missing=self._acc.missing(t_start_s, t_end_s),
            _acc=acc,
            _gyro=gyro,
        )


class _Motion(NamedTuple):
    """(n, 3) each on one grid, in device axes."""

    acc: FloatArray
    gravity: FloatArray
    gyro: FloatArray | None


def _motion(acc: _Cut, gyro: _Cut | None, t_end_s: float, n_points: int, rate_hz: float) -> _Motion:
    grid = _grid_s(t_end_s, n_points, rate_hz)
    if gyro is not None and np.array_equal(acc.t_s, gyro.t_s):
        # The usual board samples both at once: one pass over nine columns costs half of two.
        both = _Cut(acc.t_s, np.concatenate((acc.rows, gyro.rows), axis=1), acc.rate_hz)
        rows = both.at(grid, rate_hz, 9)
        return _Motion(rows[:, :3], rows[:, 3:6], rows[:, 6:])
    rows = acc.at(grid, rate_hz, 6)
    turn = None if gyro is None else gyro.at(grid, rate_hz, 3)
    return _Motion(rows[:, :3], rows[:, 3:], turn)


def _band_limited(cut: _Cut, t_end_s: float) -> _Cut:
    """Take away what a 20 Hz board could not have seen.

    The wrist model learned from 20 Hz recordings. Without this, a faster board's sharper signal
    sets every one of its wearers apart from the cohort, and others on it are taken for the wearer.
    """
    if cut.rate_hz < _BAND_LIMIT_FROM_HZ:
        return cut
    grid = _grid_s(t_end_s, N_GATE + 2, GATE_RATE_HZ)
    rows = cut.at(grid, GATE_RATE_HZ, cut.rows.shape[1])
    return _Cut(grid, rows, GATE_RATE_HZ)


def _grid_s(t_end_s: float, n_points: int, rate_hz: float) -> FloatArray:
    """Times one period apart that fill a half-open window: the last is one period before its end."""
    return grid_s(t_end_s - 1.0 / rate_hz, n_points, sample_rate_hz=rate_hz)


def _checked_rate(channel: str, rate_hz: float) -> float:
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        reason = f"expected {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} Hz, the board declares {rate_hz:g}"
        raise SignalError(channel, reason)
    return float(rate_hz)
