"""Beats from blood volume pulse (PPG), sample by sample. Needs channel: bvp.

A beat is a maximum of the 0.7-4 Hz band that stands out by 0.7 standard deviations of the last
10 s, found as a zigzag: a maximum counts once the signal has fallen that far below it. It is known
at that moment and not before; `known_at` keeps it out of windows that end earlier.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from firmware_host.signals.filters import SosFilter, butter_bandpass

if TYPE_CHECKING:
    from collections.abc import Sequence

# 42 to 240 beats a minute: the fundamental passes, drift of the contact does not.
BAND_HZ = (0.7, 4.0)
PROMINENCE_SD = 0.7
SPREAD_S = 10.0
# The spread is renewed at this grid; finer changes nothing and costs time.
SPREAD_STEP_S = 0.5
# No beats before the spread rests on this much signal.
MIN_SPREAD_S = 2.0
# Twice the resolution of an E4: below it there is no pulse, only the filter's tail.
MIN_SD_AU = 0.02
# Refuse rates at which a beat's position would be worse than 50 ms before interpolation.
MIN_RATE_HZ = 20.0


class Beat(NamedTuple):
    """One pulse; positions are sample numbers, `peak` with parabolic interpolation.

    `amplitude` (au) is the height above the preceding minimum, `after_gap` says that samples are
    missing between this beat and the one before.
    """

    peak: float
    known_at: int
    amplitude: float
    after_gap: bool


class BeatDetector:
    """Streaming beat finder for one BVP channel."""

    def __init__(self, *, sample_rate_hz: float) -> None:
        if sample_rate_hz < MIN_RATE_HZ:
            raise ValueError(f"bvp: expected at least {MIN_RATE_HZ} Hz, got {sample_rate_hz}")
        self._filter = SosFilter(butter_bandpass(2, *BAND_HZ, sample_rate_hz=sample_rate_hz))
        self._spread = _RunningSpread(sample_rate_hz)
        self._zigzag = _Zigzag()

    def skip(self) -> None:
        """Samples are missing here: settle anew, and join no interval over the hole."""
        self._filter.restart()
        self._zigzag.restart()

    def feed(self, values: Sequence[float], first: int) -> list[Beat]:
        """Beats that became known within these samples, the first of which has number `first`."""
        band = self._filter.process(values)
        beats: list[Beat] = []
        position = 0
        while position < len(band):
            part = band[position : position + self._spread.room]
            self._zigzag.run(part, first + position, self._spread.threshold, beats)
            self._spread.add(part)
            position += len(part)
        return beats


class _RunningSpread:
    """Threshold from the standard deviation of the last 10 s, on a grid of sample counts."""

    def __init__(self, sample_rate_hz: float) -> None:
        self._step = max(1, round(SPREAD_STEP_S * sample_rate_hz))
        n_blocks = round(SPREAD_S / SPREAD_STEP_S)
        self._sums: deque[float] = deque(maxlen=n_blocks)
        self._sums_of_squares: deque[float] = deque(maxlen=n_blocks)
        self._sum = 0.0
        self._squares = 0.0
        self.room = self._step
        self.threshold = math.inf

    def add(self, values: list[float]) -> None:
        """Count at most `room` values."""
        total, squares = self._sum, self._squares
        for value in values:
            total += value
            squares += value * value
        self._sum, self._squares = total, squares
        self.room -= len(values)
        if self.room == 0:
            self._close_block()

    def _close_block(self) -> None:
        self._sums.append(self._sum)
        self._sums_of_squares.append(self._squares)
        self._sum = self._squares = 0.0
        self.room = self._step
        if len(self._sums) < MIN_SPREAD_S / SPREAD_STEP_S:
            return
        n = self._step * len(self._sums)
        mean = sum(self._sums) / n
        variance = sum(self._sums_of_squares) / n - mean * mean
        self.threshold = PROMINENCE_SD * max(math.sqrt(max(variance, 0.0)), MIN_SD_AU)


class _Zigzag:
    """Alternating maxima and minima that differ by at least the threshold."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._rising = False
        self._extreme = math.inf
        self._at = -1
        self._before = self._after = self._last = math.nan
        self._valley = math.nan
        self._after_gap = True

    def run(self, values: list[float], first: int, threshold: float, beats: list[Beat]) -> None:
        """Advance over values numbered from `first`; found beats are appended to `beats`."""
        rising, extreme, at = self._rising, self._extreme, self._at
        before, after, last = self._before, self._after, self._last
        for number, value in enumerate(values, first):
            if rising:
                if value > extreme:
                    extreme, at, before = value, number, last
                else:
                    if at == number - 1:
                        after = value
                    if value < extreme - threshold:
                        peak = at + _vertex(before, extreme, after)
                        beats.append(Beat(peak, number, extreme - self._valley, self._after_gap))
                        self._after_gap = False
                        rising, extreme = False, value
            elif value < extreme:
                extreme = value
            elif value > extreme + threshold:
                self._valley = extreme
                rising, extreme, at, before = True, value, number, last
            last = value
        self._rising, self._extreme, self._at = rising, extreme, at
        self._before, self._after, self._last = before, after, last


def _vertex(before: float, top: float, after: float) -> float:
    """Offset of the parabola's top from the middle of three samples, within half a sample."""
    bend = before - 2.0 * top + after
    if not bend < 0.0:
        return 0.0
    return max(-0.5, min(0.5, 0.5 * (before - after) / bend))
