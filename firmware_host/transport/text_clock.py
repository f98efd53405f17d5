"""When a printed line was measured: by the board's own column, or by when the lines arrive."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from firmware_host.transport.text_lines import LineCounters
from firmware_host.units import MICROSECONDS_PER_SECOND, TICKS_WRAP_US

# Without a line for this long, and longer than the lines' own distance says, the board paused.
_STALL_S = 0.5
_STALL_PERIODS = 1.5
# Deliveries are late, never early: an early one moves the grid at once, late ones over this time.
_SETTLE_S = 10.0
# The rate is followed over this many deliveries, and not from less than this.
_FOLLOWED = 64
_LEAST_FOLLOWED = 8
_LEAST_FOLLOWED_S = 3.0
# A line's time may run ahead of its arrival by a backlog.
_BACKLOG_S = 10.0
MIN_PERIOD_S = 1e-4
"""Nothing prints faster: such times are no times."""
# The worst oscillators are a few per cent off.
_CLOCKS_APART = 1.05
# 97.5 % points of Student's t for 1, 2, ... degrees of freedom: few points say little of their spread.
_STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.0)
# A board whose lines come this regularly has holes where they do not.
_REGULAR_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Pace:
    """How often lines come: seconds between them, its standard uncertainty as a share, and whether evenly."""

    period_s: float
    uncertainty: float
    is_regular: bool = True


def pace_of_arrivals(marks: Sequence[tuple[float, int]]) -> Pace | None:
    """Pace from (arrival, lines so far) at the end of each delivery; None from fewer than three.

    However many lines came at once, the line through the ends of deliveries has the board's slope. The first
    delivery only says where to begin: it may hold what was printed long before.
    """
    if len(marks) < 3 or marks[-1][0] <= marks[0][0]:
        return None
    n = len(marks)
    mean_s = sum(at for at, _ in marks) / n
    mean_lines = sum(lines for _, lines in marks) / n
    spread = sum((at - mean_s) ** 2 for at, _ in marks)
    slope = sum((at - mean_s) * (lines - mean_lines) for at, lines in marks) / spread
    rest = sum((lines - mean_lines - slope * (at - mean_s)) ** 2 for at, lines in marks)
    if not 0 < slope * MIN_PERIOD_S <= 1:
        return None
    deviation = math.sqrt(rest / (n - 2) / spread) / slope
    return Pace(1.0 / slope, deviation * _STUDENT[min(n - 2, len(_STUDENT)) - 1] / 2.0)


def pace_of_times(times_s: Sequence[float], resolution_s: float) -> Pace | None:
    """Pace from the board's own times, holes left out; None from fewer than three lines."""
    steps = [b - a for a, b in pairwise(times_s) if b >= a]
    if len(steps) < 2 or sum(steps) <= 0:
        return None
    middle_s = sorted(steps)[len(steps) // 2]
    if middle_s < 3 * resolution_s:
        # Printed too coarsely to tell one step from another.
        middle_s = sum(steps) / len(steps)
    even = [step for step in steps if step <= _STALL_PERIODS * middle_s + resolution_s]
    period_s = sum(even) / len(even)
    if period_s < MIN_PERIOD_S:
        return None
    slack_s = 0.5 * period_s + resolution_s
    n_regular = sum(abs(step - period_s) <= slack_s for step in even)
    uncertainty = resolution_s / sum(even)
    return Pace(period_s, uncertainty, n_regular >= _REGULAR_SHARE * len(steps))


def rounded_rate_hz(pace: Pace) -> float:
    """The rate with as few digits as its uncertainty allows, half a per cent at least."""
    rate_hz = 1.0 / pace.period_s
    slack_hz = max(2.0 * pace.uncertainty, 0.005) * rate_hz
    rounded = (float(f"{rate_hz:.{digits}g}") for digits in range(1, 7))
    return next((r for r in rounded if abs(r - rate_hz) <= slack_hz), rate_hz)


class ArrivalClock:
    """Times on an even grid that begins at 0 and follows the arrivals from below.

    Parameters
    ----------
    period_s
        Seconds between lines, as measured.
    """

    def __init__(self, period_s: float) -> None:
        self.period_s = period_s
        self._next_s = 0.0
        self._last_s: float | None = None
        self._host_back_s = 0.0
        self._n_lines = 0
        self._ends: deque[tuple[float, int]] = deque(maxlen=_FOLLOWED)

    def place(self, n_lines: int, first_s: float, last_s: float) -> float:
        """Time of the first of ``n_lines`` that arrived from ``first_s`` to ``last_s``."""
        before_s = first_s + self._host_back_s if self._last_s is None else self._last_s
        if first_s + self._host_back_s < before_s:
            # The host's clock was set back: the board did not notice, and neither does the grid.
            self._host_back_s = before_s + self.period_s - first_s
        first_s, last_s = first_s + self._host_back_s, last_s + self._host_back_s
        span_s = n_lines * self.period_s
        late_s = last_s - (self._next_s + span_s - self.period_s)
        stall_s = max(_STALL_S, _STALL_PERIODS * self.period_s)
        if late_s > stall_s and first_s - before_s > stall_s:
            self._ends.clear()
            at_s = self._next_s + late_s
        elif late_s < 0:
            at_s = max(self._next_s + late_s, self._next_s - 0.9 * self.period_s)
        else:
            at_s = self._next_s + late_s * min(1.0, span_s / _SETTLE_S)
        self._last_s = last_s
        self._next_s = at_s + span_s
        self._follow(n_lines, last_s)
        return at_s

    def _follow(self, n_lines: int, last_s: float) -> None:
        self._n_lines += n_lines
        self._ends.append((last_s, self._n_lines))
        first_s, n_first = self._ends[0]
        if len(self._ends) >= _LEAST_FOLLOWED and last_s - first_s >= _LEAST_FOLLOWED_S:
            self.period_s = (last_s - first_s) / (self._n_lines - n_first)


Counts = tuple[int, ...]
"""Raw numbers of one line."""


class Stamped(NamedTuple):
    """A line with its time on the board's clock; ``is_anew`` begins a clock that started over."""

    elapsed_us: int
    counts: Counts
    is_anew: bool = False


class BoardClock:
    """Follows the column that is the board's clock: wraps, reboots, damaged numbers.

    A time that cannot follow the one before is held until the next line confirms it, or does not.

    Parameters
    ----------
    unit_us
        Microseconds of its unit.
    counters
        Where damaged times are counted.
    wraps
        Whether it is a 32-bit count, as of ``millis()`` and ``micros()``.
    """

    def __init__(self, unit_us: int, counters: LineCounters, *, wraps: bool) -> None:
        self._unit_us = unit_us
        self._counters = counters
        self._wrap = TICKS_WRAP_US if wraps else 0
        self._base = 0.0
        self._last: tuple[float, float] | None = None
        self._held: tuple[float, float, Counts] | None = None

    def take(self, value: float, arrival_utc: float, counts: Counts) -> list[Stamped]:
        """Take a line that says it is ``value``; return those whose time is now known to be right."""
        held, self._held = self._held, None
        here = (value, arrival_utc)
        if self._last is None or self._follows(self._last, here):
            self._counters.bad_time += held is not None
            return [self._accept(here, counts)]
        if held is not None:
            before = held[:2]
            if self._follows(before, here):
                self._base, self._last = 0.0, None
                anew = self._accept(before, held[2])._replace(is_anew=True)
                return [anew, self._accept(here, counts)]
            self._counters.bad_time += 1
        self._held = (*here, counts)
        return []

    def _accept(self, here: tuple[float, float], counts: Counts) -> Stamped:
        if self._last is not None and here[0] < self._last[0]:
            self._base += self._wrap
        self._last = here
        return Stamped(round((self._base + here[0]) * self._unit_us), counts)

    def _follows(self, before: tuple[float, float], here: tuple[float, float]) -> bool:
        step = here[0] - before[0]
        if step < 0 and self._wrap:
            step += self._wrap
        latest_s = max(0.0, here[1] - before[1]) * _CLOCKS_APART + _BACKLOG_S
        return 0 <= step * self._unit_us <= latest_s * MICROSECONDS_PER_SECOND
