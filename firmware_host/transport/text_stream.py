"""Lines of a known layout become BLOCK frames, with a HELLO in front of each session."""

from __future__ import annotations

import struct
from binascii import crc32
from dataclasses import dataclass, field, replace

from firmware_host.protocol.encode import encode_block, encode_hello
from firmware_host.protocol.messages import Block, Hello
from firmware_host.transport.base import Chunk
from firmware_host.transport.text_clock import ArrivalClock, BoardClock, Counts, Pace
from firmware_host.transport.text_layout import INT32_MAX, TIME_UNITS_US, TextLayout
from firmware_host.transport.text_lines import LineCounters, Row
from firmware_host.units import MICROSECONDS_PER_SECOND, TICKS_WRAP_US

# A hole in the board's own times is one from here on, in its periods.
_HOLE_PERIODS = 1.5
# A line is off the even grid of its block from here on.
_OFF_PERIODS = 0.5
_WRAPPING = ("t_us", "t_ms")
_U16 = 1 << 16


@dataclass(slots=True)
class Delivery:
    """Lines that came together, each with its arrival."""

    first_utc: float
    rows: list[tuple[float, Row]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Known:
    """What was found out about a board; the next time it is plugged in nothing has to be."""

    layout: TextLayout
    pace: Pace
    resolution_s: float


@dataclass(slots=True)
class _Run:
    """Lines at even distances."""

    start_us: int
    is_anew: bool = False
    lines: list[Counts] = field(default_factory=list)


class TextStream:
    """One connection's deliveries as chunks.

    Parameters
    ----------
    marks
        (arrival, lines so far) at the ends of the first deliveries.
    """

    def __init__(
        self, board_id: str, known: Known, marks: list[tuple[float, int]], counters: LineCounters
    ) -> None:
        self._layout, self._pace = known.layout, known.pace
        self._scales = known.layout.scales
        self._time_at = known.layout.time_at or 0
        self._counters = counters
        period_s = known.pace.period_s
        # Lines come late, never early: the earliest of them says where the grid lies.
        self._origin_utc = min(at - (n - 1) * period_s for at, n in marks)
        self._arrivals = ArrivalClock(period_s)
        self._board = _board_clock(known.layout, counters)
        self._resolution_us = known.resolution_s * MICROSECONDS_PER_SECOND
        self._period_us = period_s * MICROSECONDS_PER_SECOND
        clock = known.layout.clock_name or "host"
        session = crc32(struct.pack("<d", marks[0][0])) % _U16
        self._hello = Hello(session, board_id, f"text, {clock} clock", known.layout.channels)
        self._is_told = False
        self._seq = self._sample_idx = 0
        self._n_hellos = 0
        self._next_us: float | None = None
        self._last_us = 0

    @property
    def session(self) -> int:
        """Session of what comes next."""
        return self._hello.session

    @property
    def ticks_us(self) -> int:
        """Board time of the latest line."""
        return self._last_us % TICKS_WRAP_US

    def chunk(self, delivery: Delivery) -> Chunk | None:
        """Wire bytes of a delivery, with the arrival of its last line; None without a reading."""
        good = self._good(delivery)
        if not good:
            return None
        runs = self._by_arrival(good) if self._board is None else self._by_board(self._board, good)
        data = b"".join(map(self._encode, runs))
        return Chunk(good[-1][0], data) if data else None

    def _good(self, delivery: Delivery) -> list[tuple[float, Row, Counts]]:
        good = []
        for arrival_utc, row in delivery.rows:
            if row.shape != self._layout.shape:
                self._counters.columns += 1
                continue
            counts = tuple([round(row.values[i] / scale) for i, scale in self._scales])
            if max(counts) > INT32_MAX or min(counts) < -INT32_MAX:
                self._counters.out_of_range += 1
            else:
                good.append((arrival_utc, row, counts))
        return good

    def _by_arrival(self, good: list[tuple[float, Row, Counts]]) -> list[_Run]:
        self._counters.readings += len(good)
        first_s, last_s = good[0][0] - self._origin_utc, good[-1][0] - self._origin_utc
        at_s = self._arrivals.place(len(good), first_s, last_s)
        self._period_us = self._arrivals.period_s * MICROSECONDS_PER_SECOND
        lines = [counts for _, _, counts in good]
        return [_Run(round(at_s * MICROSECONDS_PER_SECOND), lines=lines)]

    def _by_board(self, clock: BoardClock, good: list[tuple[float, Row, Counts]]) -> list[_Run]:
        """Runs of lines whose own times lie on an even grid."""
        runs: list[_Run] = []
        slack_us = _OFF_PERIODS * self._period_us + self._resolution_us
        for arrival_utc, row, counts in good:
            for stamped in clock.take(row.values[self._time_at], arrival_utc, counts):
                run = runs[-1] if runs else None
                due_us = run.start_us + len(run.lines) * self._period_us if run else 0.0
                is_off = abs(stamped.elapsed_us - due_us) > slack_us
                if run is None or stamped.is_anew or is_off:
                    run = _Run(stamped.elapsed_us, stamped.is_anew)
                    runs.append(run)
                run.lines.append(stamped.counts)
        self._counters.readings += sum(len(run.lines) for run in runs)
        return runs

    def _encode(self, run: _Run) -> bytes:
        parts = []
        if run.is_anew:
            self._hello = replace(self._hello, session=(self._hello.session + 1) % _U16)
            self._is_told = False
            self._next_us = None
            self._seq = self._sample_idx = 0
        if not self._is_told:
            self._is_told = True
            ticks_us = run.start_us % TICKS_WRAP_US
            parts.append(encode_hello(self._hello, seq=self._n_hellos, ticks_us=ticks_us))
            # One zero byte ends each frame, and a frame holds one part.
            self._n_hellos += parts[-1].count(0)
        self._sample_idx += self._hole(run)
        step = min(channel.max_block_samples for channel in self._hello.channels)
        for first in range(0, len(run.lines), step):
            self._last_us = round(run.start_us + first * self._period_us)
            parts.append(self._blocks(run.lines[first : first + step]))
        self._next_us = run.start_us + len(run.lines) * self._period_us
        return b"".join(parts)

    def _hole(self, run: _Run) -> int:
        """Readings that the board's own even clock says are missing before a run."""
        if self._board is None or self._next_us is None or not self._pace.is_regular:
            return 0
        step_us = run.start_us - self._next_us + self._period_us
        is_hole = step_us > _HOLE_PERIODS * self._period_us + self._resolution_us
        return round(step_us / self._period_us) - 1 if is_hole else 0

    def _blocks(self, lines: list[Counts]) -> bytes:
        """One BLOCK a channel."""
        frames, at = [], 0
        for channel in self._hello.channels:
            counts = [count for line in lines for count in line[at : at + channel.axes]]
            at += channel.axes
            block = Block(
                self._hello.session,
                channel.stream,
                self._seq % _U16,
                self._last_us % TICKS_WRAP_US,
                self._counters.skipped % _U16,
                self._sample_idx,
                struct.pack(f"<{len(counts)}i", *counts),
            )
            frames.append(encode_block(block))
        self._seq += 1
        self._sample_idx += len(lines)
        return b"".join(frames)


def _board_clock(layout: TextLayout, counters: LineCounters) -> BoardClock | None:
    if layout.time_at is None:
        return None
    name = layout.clock_name
    return BoardClock(TIME_UNITS_US[name], counters, wraps=name in _WRAPPING)
