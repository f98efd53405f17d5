"""Recent samples of one motion channel with their times, independent of how they were chunked."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import SignalError

FloatArray = NDArray[np.float64]

# A block that starts further than this from where the last one ended starts a new time line.
# Half a sample keeps times increasing whatever the board's clock does.
_DRIFT_SAMPLES = 0.5
# Clock jitter may step back a little; more than this is another time line.
_MAX_BACKWARD_S = 1.0
# A sensor that runs faster than declared gets ahead of its board's clock; from here on rows are left out.
_MAX_AHEAD_S = 0.25


class SampleClock:
    """Times of samples counted from an anchor, so that cutting a block in two changes no bit."""

    def __init__(self, channel: str, *, sample_rate_hz: float) -> None:
        self._channel = channel
        self._rate_hz = sample_rate_hz
        self._anchor_s = 0.0
        self._n_since_anchor = -1

    def continues(self, t0_s: float, n_before: int) -> bool:
        """Whether a block at `t0_s` follows `n_before` more samples on the present time line."""
        due_s = self._anchor_s + (self._n_since_anchor + n_before) / self._rate_hz
        return self._n_since_anchor >= 0 and abs(t0_s - due_s) * self._rate_hz <= _DRIFT_SAMPLES

    def times_s(self, t0_s: float, n_samples: int, *, gap: bool) -> FloatArray:
        """(n_samples,) increasing times of a block that starts at `t0_s`.

        Fewer, for the last ones, where a sensor that runs faster than declared has got too far ahead: the
        first of the block then lie in a time that its samples have already taken.

        Raises
        ------
        SignalError
            If time goes back by over a second: a new session needs a new extractor.
        """
        due_s = self._anchor_s + self._n_since_anchor / self._rate_hz
        if self._n_since_anchor < 0:
            self._anchor_s, self._n_since_anchor = t0_s, 0
        elif due_s - t0_s > _MAX_BACKWARD_S:
            raise SignalError(self._channel, f"stream time went back by {due_s - t0_s:.3f} s")
        elif due_s - t0_s > _MAX_AHEAD_S:
            n_early = math.ceil((due_s - t0_s) * self._rate_hz)
            if n_early >= n_samples:
                return np.empty(0)
            self._anchor_s, self._n_since_anchor = t0_s + n_early / self._rate_hz, 0
            n_samples -= n_early
        elif gap or abs(t0_s - due_s) * self._rate_hz > _DRIFT_SAMPLES:
            earliest_s = due_s - _DRIFT_SAMPLES / self._rate_hz
            self._anchor_s, self._n_since_anchor = max(t0_s, earliest_s), 0
        index = np.arange(self._n_since_anchor, self._n_since_anchor + n_samples)
        self._n_since_anchor += n_samples
        return self._anchor_s + index / self._rate_hz


class SampleRing:
    """The last `capacity` rows of a channel and their times, oldest first."""

    def __init__(self, capacity: int, n_columns: int) -> None:
        # Twice the capacity: rows move to the front once per `capacity` samples, not per block.
        self._t_s = np.empty(2 * capacity)
        self._rows = np.empty((2 * capacity, n_columns))
        self._capacity = capacity
        self._n = 0

    def append(self, t_s: FloatArray, rows: FloatArray) -> None:
        """Add rows at the end; the oldest fall out."""
        t_s, rows = t_s[-self._capacity :], rows[-self._capacity :]
        if self._n + len(t_s) > len(self._t_s):
            self._make_room()
        end = self._n + len(t_s)
        self._t_s[self._n : end] = t_s
        self._rows[self._n : end] = rows
        self._n = end

    def _make_room(self) -> None:
        keep = slice(self._n - min(self._capacity, self._n), self._n)
        n_kept = keep.stop - keep.start
        self._t_s[:n_kept] = self._t_s[keep].copy()
        self._rows[:n_kept] = self._rows[keep].copy()
        self._n = n_kept

    def last_s(self) -> float | None:
        """Time of the newest row, None when empty."""
        return float(self._t_s[self._n - 1]) if self._n else None

    def between(self, t_start_s: float, t_end_s: float) -> tuple[FloatArray, FloatArray]:
        """Give times (n,) and rows (n, columns) of a closed span of time; views, not copies."""
        times = self._t_s[: self._n]
        first = int(times.searchsorted(t_start_s, side="left"))
        last = int(times.searchsorted(t_end_s, side="right"))
        return times[first:last], self._rows[first:last]
