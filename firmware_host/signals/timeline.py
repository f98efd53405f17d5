"""Where samples lie in stream time, and where there are none.

A channel's samples are numbered from its first one, missing ones counted. Everything downstream
works on these numbers, so the result does not depend on how samples were grouped on arrival.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.errors import SignalError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

# Board stamps jitter by a fraction of a sample; below this they are not news.
JITTER_SAMPLES = 2.0
# A stamp further ahead than this without a declared gap is a gap nobody counted.
UNDECLARED_GAP_S = 1.0
# Far more holes than a window can hold; bounds the memory of a link that drops every block.
MAX_HOLES = 1024


class Timeline:
    """Numbers the samples of one channel.

    Small disagreement between stamps and the declared rate (clock drift) moves the time axis, not
    the samples; a jump ahead of over a second becomes missing samples.
    """

    def __init__(self, name: str, *, sample_rate_hz: float) -> None:
        if not sample_rate_hz > 0:
            raise ValueError(f"{name}: expected a positive sample rate, got {sample_rate_hz}")
        self.name = name
        self.sample_rate_hz = sample_rate_hz
        self.n_samples = 0
        self._origin_s: float | None = None
        self._holes: deque[tuple[int, int]] = deque(maxlen=MAX_HOLES)

    def segments(
        self, t0_s: float, values: FloatArray, gap_before_samples: int
    ) -> list[tuple[int, FloatArray]]:
        """Runs of finite samples, each with the number of missing ones before it.

        Parameters
        ----------
        t0_s
            Stream time of the first value.
        values
            (n, n_axes); a row with a NaN or infinity counts as missing.

        Raises
        ------
        SignalError
            If time goes back by over a second: a new session needs a new extractor.
        """
        missing = self._place(t0_s, gap_before_samples)
        runs = [(missing, values)] if is_finite(values) else _split(values, missing)
        for n_missing, run in runs:
            if n_missing:
                self._holes.append((self.n_samples, self.n_samples + n_missing))
            self.n_samples += n_missing + len(run)
        return runs

    def missing_share(self, start: int, stop: int) -> float:
        """Share of samples `start` to `stop` that did not come (yet), 0..1."""
        absent = max(0, min(0, stop) - start) + max(0, stop - max(start, self.n_samples))
        for lo, hi in self._holes:
            absent += max(0, min(hi, stop) - max(lo, start))
        return absent / (stop - start)

    def index_at(self, t_s: float) -> int:
        """Number of the first sample at or after `t_s`; 0 before anything came."""
        if self._origin_s is None:
            return 0
        # The tolerance keeps a grid point that falls on a sample from moving by one sample
        # through rounding.
        return math.ceil((t_s - self._origin_s) * self.sample_rate_hz - 1e-6)

    def _place(self, t0_s: float, gap_before_samples: int) -> int:
        if self._origin_s is None:
            self._origin_s = t0_s
            return 0
        index = self.n_samples + gap_before_samples
        ahead_s = t0_s - (self._origin_s + index / self.sample_rate_hz)
        if ahead_s < -UNDECLARED_GAP_S:
            raise SignalError(self.name, f"stream time went back by {-ahead_s:.3f} s")
        if ahead_s > UNDECLARED_GAP_S:
            return gap_before_samples + round(ahead_s * self.sample_rate_hz)
        if abs(ahead_s) * self.sample_rate_hz > JITTER_SAMPLES:
            self._origin_s += ahead_s
        return gap_before_samples


def is_finite(values: FloatArray) -> bool:
    """Whether no value is NaN or infinite."""
    # One call instead of two with a mask between: blocks are small and many. Only values whose
    # squares overflow need the second look.
    return math.isfinite(np.vdot(values, values)) or bool(np.isfinite(values).all())


def _split(values: FloatArray, missing: int) -> list[tuple[int, FloatArray]]:
    """Finite runs; missing rows at the end become a last, empty run."""
    finite = np.isfinite(values).all(axis=1)
    edges = np.flatnonzero(np.diff(finite.astype(np.int8))) + 1
    bounds = [0, *edges.tolist(), len(values)]
    runs = []
    for start, stop in itertools.pairwise(bounds):
        if finite[start]:
            runs.append((missing, values[start:stop]))
            missing = 0
        else:
            missing += stop - start
    return [*runs, (missing, values[:0])] if missing else runs


class History:
    """The last samples by number, in one contiguous array; missing ones are NaN.

    Appends are amortised O(1): the array is twice the span and moves down when it is full.
    """

    def __init__(self, span_samples: int) -> None:
        self._span = span_samples
        self._data: FloatArray = np.full(2 * span_samples, np.nan)
        self._used = 0
        self.end = 0

    def append(self, values: FloatArray | list[float]) -> None:
        """Add present samples; only the last `span_samples` can ever be read again."""
        n = len(values)
        tail = values[-self._span :]
        self._reserve(len(tail))
        self._data[self._used : self._used + len(tail)] = tail
        self._used += len(tail)
        self.end += n

    def skip(self, n_missing: int) -> None:
        """Count samples that never came."""
        n = min(n_missing, self._span)
        self._reserve(n)
        self._data[self._used : self._used + n] = np.nan
        self._used += n
        self.end += n_missing

    def window(self, start: int, stop: int) -> FloatArray:
        """Samples `start` to `stop`, NaN where there is none (not yet, no more, never)."""
        first = self.end - self._used
        if start >= first and stop <= self.end:
            return self._data[start - first : stop - first]
        out = np.full(max(0, stop - start), np.nan)
        lo, hi = max(start, first), min(stop, self.end)
        if hi > lo:
            out[lo - start : hi - start] = self._data[lo - first : hi - first]
        return out

    def _reserve(self, n: int) -> None:
        if self._used + n <= len(self._data):
            return
        keep = min(self._used, self._span)
        self._data[:keep] = self._data[self._used - keep : self._used].copy()
        self._used = keep
