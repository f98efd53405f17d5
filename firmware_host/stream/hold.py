"""What waits while the board sends again what is missing before it.

How long it waits goes by stream time and by the order of messages. When they arrive counts only as it
does without a gap: where ticks alone cannot tell how much time passed (`StreamClock.unwrap`, after
35 min of silence), or whether a leap is a pause (`StreamTrack`, once a block is handed on). A recording
keeps arrival times, so one that is played gives the same events as the live stream did.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right, insort
from dataclasses import replace
from enum import Enum, auto
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from firmware_host.protocol.messages import Ack, AckResult, Block, Event
from firmware_host.stream.lane import U16, U32, Held, Lane, Missing, lane_of
from firmware_host.stream.track import StreamTrack

# As long as it takes a host that is asked nothing else to ask thrice, a slow line to answer.
PATIENCE_S = 8.0
# However well it goes: a minute of results late is the most.
MAX_HOLD_S = 60.0
# Memory of what waits: a minute of the fastest boards, on any host.
MAX_HELD_BYTES = 3_000_000
# No line worth listening to has so many holes at once, nobody presses so many buttons in a minute.
MAX_HOLES = 1000
MAX_EVENTS = 256
# Of a stream, so many are worth asking for at a time.
_HOLES_SHOWN = 64
# Blocks of different streams that a board makes at one time begin this far apart at most.
_BLOCK_S = 2.0
# A silence is not waiting: nobody could have sent anything.
_MAX_STEP_S = 1.0
# Rounding must not hide that a hole is due to be given up; looking early only costs.
_HAIR_S = 1e-6
_time = attrgetter("t_s")


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


class Hold:
    """Blocks and events of one session from the first hole on, until the holes are closed.

    A hole is given up when for `PATIENCE_S` of the board's time nothing that was missing came for
    it or for an older one, since the oldest is sent again first; or after `MAX_HOLD_S`, or when too
    much waits: bytes, holes or events, or a minute of blocks while the board's clock stands still.
    `take_ready` gives back what no hole holds up any more, `drain` everything. What a message costs
    does not grow with what waits, but for a search among the holes.
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.is_open = False
        self.now_s = -math.inf
        """Newest stream time at which the board was alive."""
        self._lanes: dict[int, Lane] = {}
        self._events: list[Held] = []
        self._n_bytes = 0
        self._n_holes = 0
        # Time of the board spent waiting, and how much of it blocks say went by since it last did.
        self._waited_s = 0.0
        self._stuck_s = 0.0
        # No hole has to be given up before.
        self._look_s = math.inf

    def offer(self, track: StreamTrack, block: Block, t_s: float, arrival_utc: float) -> Offer:
        """Take a block whose first sample is of ``t_s``; open the hold if it shows the first hole."""
        channel = track.channel
        n_samples = len(block.data) // channel.sample_bytes
        lane = self._lanes.get(block.stream) or lane_of(track, block, t_s)
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
            now_s = self._waited_s
            hole = Missing(lane.next_pos, pos, lane.due_s, born_s=now_s, fresh_s=now_s)
            self._miss(lane, len(lane.missing), hole)
            self.is_open = True
        self._lanes[block.stream] = lane
        lane.next_pos = pos + n_samples
        lane.next_seq = (block.seq + 1) % U16
        lane.due_s = end_s
        self._n_bytes += lane.add(pos, held)
        self._stuck_s += n_samples / channel.rate_hz
        self.pass_time(end_s)
        return Offer.HELD

    def take_event(self, event: Event, t_s: float, arrival_utc: float) -> None:
        """Let an event wait for the samples before it."""
        insort(self._events, Held(t_s, event, arrival_utc), key=_time)

    def take_answer(self, ack: Ack) -> int:
        """How many samples that were waited for the board says are gone."""
        lane = self._lanes.get(ack.stream)
        if lane is None or ack.result is not AckResult.DONE:
            return 0
        start = lane.position(ack.sample_idx)
        return self._cut(lane, start, start + ack.gone)

    def pass_time(self, t_s: float) -> None:
        """Something live shows that the board's clock has got to ``t_s``."""
        if t_s > self.now_s:
            self._waited_s += min(t_s - self.now_s, _MAX_STEP_S)
            self.now_s = t_s
            self._stuck_s = 0.0

    @property
    def holes(self) -> list[Hole]:
        """What is missing and not given up, stream by stream, of each the first ones."""
        return [
            Hole(
                stream,
                (lane.base_idx + hole.start) % U32,
                hole.end - hole.start,
                self._waited_s - hole.fresh_s,
            )
            for stream, lane in self._lanes.items()
            for hole in islice(lane.missing, _HOLES_SHOWN)
        ]

    def take_ready(self) -> list[Held]:
        """Give up holes that are due for it, and hand over what none holds up, in the board's order."""
        if self._waited_s >= self._look_s:
            self._give_up()
        if not self._n_holes or self._is_too_much():
            return self.drain()
        holding = (lane.missing[0].start_s for lane in self._lanes.values() if lane.missing)
        return self._hand_over(min(holding))

    def drain(self) -> list[Held]:
        """Give everything back in the order in which the board made it, and close."""
        for lane in self._lanes.values():
            lane.missing.clear()
        ready = self._hand_over(math.inf)
        self._clear()
        return ready

    def _is_too_much(self) -> bool:
        return (
            self._n_bytes > MAX_HELD_BYTES
            or self._n_holes > MAX_HOLES
            or len(self._events) > MAX_EVENTS
            or self._stuck_s > MAX_HOLD_S
        )

    def _give_up(self) -> None:
        """Forget the holes that there is no hope for; the next look is when there may be more of them."""
        for lane in self._lanes.values():
            lane.missing = [hole for hole in lane.missing if self._is_hopeful(hole)]
        left = [hole for lane in self._lanes.values() for hole in lane.missing]
        self._n_holes = len(left)
        self._look_s = min(map(_due_s, left), default=math.inf)

    def _hand_over(self, until_s: float) -> list[Held]:
        n_events = bisect_right(self._events, until_s, key=_time)
        # Of blocks that were over at the same moment, a board sends the lower number first.
        ways = [self._lanes[stream].take_ready(until_s) for stream in sorted(self._lanes)]
        ready = list(heapq.merge(*ways, self._events[:n_events], key=lambda held: held.t_s))
        del self._events[:n_events]
        self._n_bytes -= sum(held.cost_bytes for held in ready)
        return ready

    def _is_hopeful(self, hole: Missing) -> bool:
        is_fresh = self._waited_s - hole.fresh_s <= PATIENCE_S
        return is_fresh and self._waited_s - hole.born_s <= MAX_HOLD_S

    def _offer_old(self, lane: Lane, pos: int, n_samples: int, held: Held) -> Offer:
        end = pos + n_samples
        block = held.message
        assert isinstance(block, Block)
        at = lane.first_after(pos)
        hole = lane.missing[at] if at < len(lane.missing) else None
        if hole is not None and hole.start <= pos and end <= hole.end:
            self._cut(lane, pos, end)
            self._n_bytes += lane.add(pos, held)
            return Offer.FILLED
        is_new = (block.seq - lane.next_seq + U16 // 2) % U16 >= U16 // 2
        is_across = hole is not None and hole.start < end
        return Offer.ODD if is_new or is_across or end > lane.next_pos else Offer.KNOWN

    def _miss(self, lane: Lane, at: int, hole: Missing) -> None:
        lane.missing.insert(at, hole)
        self._n_holes += 1
        self._look_s = min(self._look_s, _due_s(hole))

    def _cut(self, lane: Lane, start: int, end: int) -> int:
        """Take a stretch out of the holes; how many samples of it were missing."""
        n_cut = 0
        at = lane.first_after(start)
        while at < len(lane.missing) and lane.missing[at].start < end:
            hole = lane.missing.pop(at)
            self._n_holes -= 1
            n_cut += min(hole.end, end) - max(hole.start, start)
            cut_s = hole.start_s + (start - hole.start) / lane.rate_hz
            if hole.start < start:
                # Passed over: it has to be asked for anew.
                head = replace(hole, end=start, fresh_s=self._waited_s)
                self._miss(lane, at, head)
                at += 1
            if end < hole.end:
                hole.start_s += (end - hole.start) / lane.rate_hz
                hole.start = end
                self._miss(lane, at, hole)
            self._refresh(cut_s)
        return n_cut

    def _refresh(self, t_s: float) -> None:
        """What was missing at ``t_s`` came: there is hope for all that is younger."""
        for lane in self._lanes.values():
            for hole in lane.missing:
                if hole.start_s >= t_s - _BLOCK_S:
                    hole.fresh_s = self._waited_s


def _due_s(hole: Missing) -> float:
    """When a hole is to be given up, in time spent waiting; a hair early."""
    return min(hole.fresh_s + PATIENCE_S, hole.born_s + MAX_HOLD_S) - _HAIR_S
