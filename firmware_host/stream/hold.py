"""What waits while the board sends again what is missing before it.

How long it waits goes by the board's own clock and by the order of messages, never by when they
arrive: a recording that is played gives the same events as the live stream did.
"""

from __future__ import annotations

import heapq
import math
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
    """Samples that are missing: ``n_samples`` of ``stream`` from ``sample_idx`` on."""

    stream: int
    sample_idx: int
    n_samples: int


class Held(NamedTuple):
    """A message that waits, and the stream time at which the board could send it first."""

    t_s: float
    message: Block | Event
    arrival_utc: float


@dataclass(slots=True)
class _Lane:
    """One stream while it is held; positions count samples from ``base_idx``."""

    base_idx: int
    next_seq: int
    due_s: float
    next_pos: int = 0
    # Half open, in order.
    holes: list[tuple[int, int]] = field(default_factory=list)
    blocks: list[tuple[int, Held]] = field(default_factory=list)

    def position(self, sample_idx: int) -> int:
        return (sample_idx - self.base_idx + _U32 // 2) % _U32 - _U32 // 2

    def cut(self, start: int, end: int) -> int:
        """Take a stretch out of the holes; how many samples of it were missing."""
        before = self.n_missing
        cut: list[tuple[int, int]] = []
        for a, b in self.holes:
            cut += [(a, min(b, start)), (max(a, end), b)] if a < end and start < b else [(a, b)]
        self.holes = [(a, b) for a, b in cut if a < b]
        return before - self.n_missing

    @property
    def n_missing(self) -> int:
        return sum(b - a for a, b in self.holes)


class Hold:
    """Blocks and events of one session from the first hole on, until the holes are closed.

    It is over (`is_over`) when nothing is missing any more, when nothing that was missing came for
    `PATIENCE_S` of the board's time, or when too much waits; then `drain` gives everything back.
    """

    def __init__(self) -> None:
        self.is_open = False
        self._clear()

    def _clear(self) -> None:
        self.is_open = False
        self._lanes: dict[int, _Lane] = {}
        self._events: list[Held] = []
        self._n_bytes = 0
        self._now_s = -math.inf
        self._idle_s = self._open_s = 0.0

    def offer(self, track: StreamTrack, block: Block, t_s: float, arrival_utc: float) -> Offer:
        """Take a block whose first sample is of ``t_s``; open the hold if it shows the first hole."""
        stream, channel = block.stream, track.channel
        n_samples = len(block.data) // channel.sample_bytes
        lane = self._lanes.get(stream) or _lane_of(track, block, t_s)
        pos = lane.position(block.sample_idx)
        ahead = pos - lane.next_pos
        end_s = t_s + n_samples / channel.rate_hz
        held = Held(end_s, block, arrival_utc)
        if ahead < 0:
            return self._offer_old(lane, pos, n_samples, held)
        if ahead:
            if not track.is_plausible(t_s - lane.due_s, ahead):
                return Offer.ODD
            lane.holes.append((lane.next_pos, pos))
            self.is_open = True
            self._idle_s = 0.0
        self._lanes[stream] = lane
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
        self._idle_s = 0.0
        start = lane.position(ack.sample_idx)
        return lane.cut(start, start + ack.gone)

    def pass_time(self, t_s: float) -> None:
        """Something live shows that the board's clock has got to ``t_s``."""
        step_s = min(max(t_s - self._now_s, 0.0), _MAX_STEP_S)
        self._now_s = max(self._now_s, t_s)
        self._idle_s += step_s
        self._open_s += step_s

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to wait for."""
        return (
            self._idle_s > PATIENCE_S
            or self._open_s > MAX_HOLD_S
            or self._n_bytes > MAX_HELD_BYTES
            or not any(lane.holes for lane in self._lanes.values())
        )

    @property
    def holes(self) -> list[Hole]:
        """What is missing, stream by stream."""
        return [
            Hole(stream, (lane.base_idx + a) % _U32, b - a)
            for stream, lane in self._lanes.items()
            for a, b in lane.holes
        ]

    def drain(self) -> list[Held]:
        """Give everything back in the order in which the board made it, and close."""
        ways = [
            [held for _, held in sorted(lane.blocks, key=lambda x: x[0])]
            for lane in self._lanes.values()
        ]
        ordered = list(heapq.merge(*ways, self._events, key=lambda held: held.t_s))
        self._clear()
        return ordered

    def _offer_old(self, lane: _Lane, pos: int, n_samples: int, held: Held) -> Offer:
        end = pos + n_samples
        block = held.message
        assert isinstance(block, Block)
        if any(a <= pos and end <= b for a, b in lane.holes):
            lane.cut(pos, end)
            self._idle_s = 0.0
            self._add(lane, pos, held)
            return Offer.FILLED
        is_new = (block.seq - lane.next_seq + _U16 // 2) % _U16 >= _U16 // 2
        is_across = end > lane.next_pos or any(a < end and pos < b for a, b in lane.holes)
        return Offer.ODD if is_new or is_across else Offer.KNOWN

    def _add(self, lane: _Lane, pos: int, held: Held) -> None:
        block = held.message
        assert isinstance(block, Block)
        lane.blocks.append((pos, held))
        self._n_bytes += len(block.data)


def _lane_of(track: StreamTrack, block: Block, t_s: float) -> _Lane:
    """The stream as it stands before this block."""
    gaps = track.gaps
    if gaps.next_idx < 0:
        return _Lane(block.sample_idx, block.seq, t_s)
    return _Lane(gaps.next_idx, gaps.next_seq, track.due_s(block, t_s))
