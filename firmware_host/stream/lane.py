"""One stream of which something is missing: its holes, and the blocks that wait behind them."""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import NamedTuple

from firmware_host.protocol.messages import Block, Event
from firmware_host.stream.track import StreamTrack

U32 = 1 << 32
U16 = 1 << 16
# What Python keeps around the bytes of a block (tracemalloc, CPython 3.11).
_ITEM_BYTES = 500
_position = itemgetter(0)
_end = attrgetter("end")


class Held(NamedTuple):
    """A message that waits, and the stream time at which the board could send it first."""

    t_s: float
    message: Block | Event
    arrival_utc: float

    @property
    def cost_bytes(self) -> int:
        """Memory of a block, roughly; events are few."""
        return len(self.message.data) + _ITEM_BYTES if isinstance(self.message, Block) else 0


@dataclass(slots=True)
class Missing:
    """Positions ``start`` to ``end`` of a lane, the first of them due at ``start_s``."""

    start: int
    end: int
    start_s: float
    born_s: float
    fresh_s: float


@dataclass(slots=True)
class Lane:
    """One stream while it is held; positions count samples from ``base_idx``."""

    base_idx: int
    next_seq: int
    due_s: float
    rate_hz: float
    next_pos: int = 0
    # In order, like the blocks by their position.
    missing: list[Missing] = field(default_factory=list)
    blocks: list[tuple[int, Held]] = field(default_factory=list)

    def position(self, sample_idx: int) -> int:
        """Position of a sample; negative if it is before the lane's first."""
        return (sample_idx - self.base_idx + U32 // 2) % U32 - U32 // 2

    def first_after(self, pos: int) -> int:
        """Number of the first hole that does not end at or before a position."""
        return bisect_right(self.missing, pos, key=_end)

    def add(self, pos: int, held: Held) -> int:
        """Let a block wait at its position; the memory that it takes."""
        insort(self.blocks, (pos, held), key=_position)
        return held.cost_bytes

    def take_ready(self, until_s: float) -> list[Held]:
        """Blocks before the first hole that were over at ``until_s``."""
        end = self.missing[0].start if self.missing else math.inf
        n = 0
        while n < len(self.blocks) and self.blocks[n][0] < end and self.blocks[n][1].t_s <= until_s:
            n += 1
        ready = [held for _, held in self.blocks[:n]]
        del self.blocks[:n]
        return ready


def lane_of(track: StreamTrack, block: Block, t_s: float) -> Lane:
    """The stream as it stands before this block."""
    gaps, rate_hz = track.gaps, track.channel.rate_hz
    if gaps.next_idx < 0:
        return Lane(block.sample_idx, block.seq, t_s, rate_hz)
    return Lane(gaps.next_idx, gaps.next_seq, track.due_s(block, t_s), rate_hz)
