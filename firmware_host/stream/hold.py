"""What waits while the board sends again what is missing before it.

How long it waits goes by the board's own clock and by the order of messages, never by when they
arrive: a recording that is played gives the same events as the live stream did.
"""

from __future__ import annotations

import heapq
import math
from bisect import insort
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from firmware_host.protocol.messages import Ack, AckResult, Block, Event
from firmware_host.stream.track import StreamTrack

# As long as it takes a host that is asked nothing else to ask thrice, a slow line to answer.
PATIENCE_S = 8.0
# However well it goes: a minute of results late is the most.
MAX_HOLD_S = 60.0
MAX_HELD_BYTES = 1_000_000
# Blocks of different streams that a board makes at one time begin this far apart at most.
_BLOCK_S = 2.0
# A silence is not waiting: nobody could have sent anything.
_MAX_STEP_S = 1.0
_U32 = 1 << 32
_U16 = 1 << 16


class Offer(Enum):
    """What became of a block."""

    HELD = auto()  # newer than all of its stream
    FILLED = auto()  # sent again, and it was missing
    KNOWN = auto()  # sent again, and it was not
    ODD = auto()  # no matter of loss: let it be judged without the hold


class Hole(NamedTuple):
    """Samples that are missing: ``n_samples`` of ``stream`` from ``sample_idx`` on.

    ``idle_s`` of the board's time nothing has come that gave hope for them.
    """

    stream: int
    sample_idx: int
    n_samples: int
    idle_s: float


class Held(NamedTuple):
    """A message that waits, and the stream time at which the board could send it first."""

    t_s: float
    message: Block | Event
    arrival_utc: float


@dataclass(slots=True)
class _Missing:
    """Positions ``start`` to ``end`` of a lane, the first of them due at ``start_s``."""

    start: int
    end: int
    start_s: float
    born_s: float
    fresh_s: float


@dataclass(slots=True)
class _Lane:
    """One stream while it is held; positions count samples from ``base_idx``."""

    base_idx: int
    next_seq: int
    due_s: float
    rate_hz: float
    next_pos: int = 0
    # In order, like the blocks by their position.
    missing: list[_Missing] = field(default_factory=list)
    blocks: list[tuple[int, Held]] = field(default_factory=list)

    def position(self, sample_idx: int) -> int:
        return (sample_idx - self.base_idx + _U32 // 2) % _U32 - _U32 // 2

    def take_ready(self, until_s: float) -> list[Held]:
        """Blocks before the first hole that were over at ``until_s``."""
        end = self.missing[0].start if self.missing else math.inf
        n = 0
        while n < len(self.blocks) and self.blocks[n][0] < end and self.blocks[n][1].t_s <= until_s:
            n += 1
        ready = [held for _, held in self.blocks[:n]]
        del self.blocks[:n]
        return ready


class Hold:
    """Blocks and events of one session from the first hole on, until the holes are closed.

    A hole is given up when for `PATIENCE_S` of the board's time nothing that was missing came for
    it or for an older one, since the oldest is sent again first; or after `MAX_HOLD_S`, or when too
    much waits. `take_ready` gives back what no hole holds up any more, `drain` everything.
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.is_open = False
        self.now_s = -math.inf
        """Newest stream time at which the board was alive."""
        self._lanes: dict[int, _Lane] = {}
        self._events: list[Held] = []
        self._n_bytes = 0
        # Time of the board spent waiting.
        self._waited_s = 0.0

    def offer(self, track: StreamTrack, block: Block, t_s: float, arrival_utc: float) -> Offer:
        """Take a block whose first sample is of ``t_s``; open the hold if it shows the first hole."""
        channel = track.channel
        n_samples = len(block.data) // channel.sample_bytes
        lane = self._lanes.get(block.stream) or _lane_of(track, block, t_s)
        pos = lane.position(block.sample_idx)
        ahead = pos - lane.next_pos
        end_s = t_s + n_samples / channel.rate_hz
        # A block is sent when its last sample was taken.
        held = Held(end_s - 1.0 / channel.rate_hz, block, arrival_utc)
        if ahead < 0:
            return self._offer_old(lane, pos, n_samples, held)
        if ahead:
            if not track.is_plausible(t_s - lane.due_s, ahead):
                return Offer.ODD
            self._miss(lane, lane.next_pos, pos, lane.due_s)
            self.is_open = True
        self._lanes[block.stream] = lane
        lane.next_pos = pos + n_samples
        lane.next_seq = (block.seq + 1) % _U16
        lane.due_s = end_s
        self._add(lane, pos, held)
        self.pass_time(end_s)
        return Offer.HELD

    def take_event(self, event: Event, t_s: float, arrival_utc: float) -> None:
        """Let an event wait for the samples before it."""
        self._events.append(Held(t_s, event, arrival_utc))

    def take_answer(self, ack: Ack) -> int:
        """How many samples that were waited for the board says are gone."""
        lane = self._lanes.get(ack.stream)
        if lane is None or ack.result is not AckResult.DONE:
            return 0
        start = lane.position(ack.sample_idx)
        return self._cut(lane, start, start + ack.gone)

    def pass_time(self, t_s: float) -> None:
        """Something live shows that the board's clock has got to ``t_s``."""
        self._waited_s += min(max(t_s - self.now_s, 0.0), _MAX_STEP_S)
        self.now_s = max(self.now_s, t_s)

    @property
    def holes(self) -> list[Hole]:
        """What is missing and not given up, stream by stream."""
        return [
            Hole(
                stream,
                (lane.base_idx + hole.start) % _U32,
                hole.end - hole.start,
                self._waited_s - hole.fresh_s,
            )
            for stream, lane in self._lanes.items()
            for hole in lane.missing
        ]

    def take_ready(self) -> list[Held]:
        """Give up holes that are due for it, and hand over what none holds up, in the board's order."""
        is_too_much = self._n_bytes > MAX_HELD_BYTES
        first_s = math.inf
        for lane in self._lanes.values():
            lane.missing = [m for m in lane.missing if not is_too_much and self._is_hopeful(m)]
            if lane.missing:
                first_s = min(first_s, lane.missing[0].start_s)
        if first_s == math.inf:
            return self.drain()
        return self._hand_over(first_s)

    def drain(self) -> list[Held]:
        """Give everything back in the order in which the board made it, and close."""
        for lane in self._lanes.values():
            lane.missing.clear()
        ready = self._hand_over(math.inf)
        self._clear()
        return ready

    def _hand_over(self, until_s: float) -> list[Held]:
        n_events = sum(held.t_s <= until_s for held in self._events)
        # Of blocks that were over at the same moment, a board sends the lower number first.
        ways = [self._lanes[stream].take_ready(until_s) for stream in sorted(self._lanes)]
        ready = list(heapq.merge(*ways, self._events[:n_events], key=lambda held: held.t_s))
        del self._events[:n_events]
        self._n_bytes -= sum(len(m.data) for _, m, _ in ready if isinstance(m, Block))
        return ready

    def _is_hopeful(self, hole: _Missing) -> bool:
        is_fresh = self._waited_s - hole.fresh_s <= PATIENCE_S
        return is_fresh and self._waited_s - hole.born_s <= MAX_HOLD_S

    def _offer_old(self, lane: _Lane, pos: int, n_samples: int, held: Held) -> Offer:
        end = pos + n_samples
        block = held.message
        assert isinstance(block, Block)
        if any(hole.start <= pos and end <= hole.end for hole in lane.missing):
            self._cut(lane, pos, end)
            self._add(lane, pos, held)
            return Offer.FILLED
        is_new = (block.seq - lane.next_seq + _U16 // 2) % _U16 >= _U16 // 2
        is_across = any(hole.start < end and pos < hole.end for hole in lane.missing)
        return Offer.ODD if is_new or is_across or end > lane.next_pos else Offer.KNOWN

    def _miss(self, lane: _Lane, start: int, end: int, start_s: float) -> None:
        lane.missing.append(_Missing(start, end, start_s, self._waited_s, self._waited_s))

    def _cut(self, lane: _Lane, start: int, end: int) -> int:
        """Take a stretch out of the holes; how many samples of it were missing."""
        n_cut = 0
        for hole in [h for h in lane.missing if h.start < end and start < h.end]:
            lane.missing.remove(hole)
            n_cut += min(hole.end, end) - max(hole.start, start)
            cut_s = hole.start_s + (start - hole.start) / lane.rate_hz
            if hole.start < start:
                # Passed over, and not refreshed for long: it has to be asked for anew.
                self._miss(lane, hole.start, start, hole.start_s)
                lane.missing[-1].born_s = hole.born_s
            if end < hole.end:
                hole.start_s += (end - hole.start) / lane.rate_hz
                hole.start = end
                lane.missing.append(hole)
            self._refresh(cut_s)
        lane.missing.sort(key=lambda hole: hole.start)
        return n_cut

    def _refresh(self, t_s: float) -> None:
        """What was missing at ``t_s`` came: there is hope for all that is younger."""
        for lane in self._lanes.values():
            for hole in lane.missing:
                if hole.start_s >= t_s - _BLOCK_S:
                    hole.fresh_s = self._waited_s

    def _add(self, lane: _Lane, pos: int, held: Held) -> None:
        block = held.message
        assert isinstance(block, Block)
        insort(lane.blocks, (pos, held), key=lambda x: x[0])
        self._n_bytes += len(block.data)


def _lane_of(track: StreamTrack, block: Block, t_s: float) -> _Lane:
    """The stream as it stands before this block."""
    gaps, rate_hz = track.gaps, track.channel.rate_hz
    if gaps.next_idx < 0:
        return _Lane(block.sample_idx, block.seq, t_s, rate_hz)
    return _Lane(gaps.next_idx, gaps.next_seq, track.due_s(block, t_s), rate_hz)
