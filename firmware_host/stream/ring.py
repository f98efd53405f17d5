"""The last seconds of one channel, with NaN where samples are missing."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class ChannelRing:
    """Bounded memory of one channel; a missing sample is a row of NaN, never an interpolation.

    Rows are sample periods. Where the board's rate is not exactly the declared one, each pushed
    stretch keeps its own time, and a window is found from the stretch its end falls in.

    Parameters
    ----------
    sample_rate_hz
        Declared rate.
    n_axes
        Columns.
    capacity_s
        How far back a window may reach.

    Raises
    ------
    ValueError
        If a parameter is not positive.
    """

    def __init__(self, *, sample_rate_hz: float, n_axes: int, capacity_s: float) -> None:
        if not sample_rate_hz > 0 or n_axes < 1 or not capacity_s > 0:
            msg = (
                "sample_rate_hz, n_axes and capacity_s must be positive, got "
                f"{sample_rate_hz}, {n_axes}, {capacity_s}"
            )
            raise ValueError(msg)
        self.sample_rate_hz = sample_rate_hz
        self.n_axes = n_axes
        self._capacity = int(np.ceil(capacity_s * sample_rate_hz)) + 1
        # Twice the size: rows stay in one piece and move only once per capacity.
        self._rows = np.empty((2 * self._capacity, n_axes))
        self._n = 0
        self._first_idx = 0
        self._anchors: deque[tuple[int, float]] = deque()
        self._end_s = np.nan

    @property
    def end_s(self) -> float:
        """Stream time just after the newest sample; NaN while empty."""
        return float(self._end_s)

    def push(self, t0_s: float, values: FloatArray, gap_before_samples: int = 0) -> None:
        """Append samples (n, n_axes) whose first was taken at ``t0_s``.

        Raises
        ------
        ValueError
            If the shape does not fit, the gap is negative or time runs backwards.
        """
        values = np.asarray(values, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != self.n_axes:
            msg = f"expected values of shape (n, {self.n_axes}), got {values.shape}"
            raise ValueError(msg)
        if gap_before_samples < 0:
            msg = f"gap_before_samples must not be negative, got {gap_before_samples}"
            raise ValueError(msg)
        if self._anchors and t0_s < self._anchors[-1][1]:
            msg = f"samples must come in order of time, got {t0_s} after {self._anchors[-1][1]}"
            raise ValueError(msg)
        if not len(values):
            return
        self._append_missing(gap_before_samples)
        self._anchors.append((self._first_idx + self._n, t0_s))
        self._append(values)
        self._end_s = t0_s + len(values) / self.sample_rate_hz
        self._forget_anchors()

    def window(self, t_end_s: float, window_s: float) -> FloatArray:
        """Return ``[t_end_s - window_s, t_end_s)``, (round(window_s * rate), n_axes).

        NaN for what is missing, no longer kept or not there yet.

        Raises
        ------
        ValueError
            If the window is not positive or longer than the capacity.
        """
        n_rows = round(window_s * self.sample_rate_hz)
        if not 1 <= n_rows <= self._capacity:
            msg = f"expected a window of 1 to {self._capacity} samples, got {n_rows}"
            raise ValueError(msg)
        out = np.full((n_rows, self.n_axes), np.nan)
        if not self._anchors:
            return out
        last = self._row_at(t_end_s)
        first = last - n_rows
        lo, hi = max(first, 0), min(last, self._n)
        if lo < hi:
            out[lo - first : hi - first] = self._rows[lo:hi]
        return out

    def _row_at(self, t_s: float) -> int:
        """Row of the first sample at or after ``t_s``, may lie outside of what is kept."""
        anchors = reversed(self._anchors)
        idx, anchor_s = next((a for a in anchors if a[1] <= t_s), self._anchors[0])
        # Half a period of slack: times are floats, and ticks jitter by microseconds.
        return idx - self._first_idx + int(np.ceil((t_s - anchor_s) * self.sample_rate_hz - 0.5))

    def _append_missing(self, n_missing: int) -> None:
        if n_missing >= self._capacity:
            self._first_idx += self._n + n_missing - self._capacity
            self._n = 0
            n_missing = self._capacity
        if n_missing:
            self._append(np.full((n_missing, self.n_axes), np.nan))

    def _append(self, values: FloatArray) -> None:
        if len(values) > self._capacity:
            self._first_idx += self._n + len(values) - self._capacity
            self._n = 0
            values = values[-self._capacity :]
        if self._n + len(values) > len(self._rows):
            keep = min(self._capacity, len(self._rows) - len(values))
            self._rows[:keep] = self._rows[self._n - keep : self._n].copy()
            self._first_idx += self._n - keep
            self._n = keep
        self._rows[self._n : self._n + len(values)] = values
        self._n += len(values)

    def _forget_anchors(self) -> None:
        """Keep one anchor at or before the oldest row any window can reach."""
        oldest_idx = self._first_idx + self._n - self._capacity
        while len(self._anchors) > 1 and self._anchors[1][0] <= oldest_idx:
            self._anchors.popleft()
