"""An assembler under watch: what it hands on and what it counts have to balance after every message."""

from __future__ import annotations

import math
from dataclasses import dataclass

from firmware_host.protocol.messages import Block, Message
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.gaps import StreamCounters
from firmware_host.stream.samples import Note, Samples, StreamEvent

_U32 = 1 << 32
# What comes before one of these in a list was counted by the counters of before.
_ANEW = (Note.SESSION, Note.REBOOT, Note.SWAP, Note.LAYOUT)

Items = list[Samples | StreamEvent]


@dataclass(slots=True)
class _Book:
    """What one channel gave since its counters began."""

    counters: StreamCounters
    n_samples: int = 0
    n_missing: int = 0
    newest_s: float = -math.inf
    first_idx: int | None = None


class Accounts:
    """Feeds an assembler and checks its books.

    By channel: samples handed on are those counted; gaps written into the data are the samples lost and paused; time
    never runs backwards; and where no index began anew and nothing is sent again, samples and losses together are
    exactly as far as the board's own sample index went.
    """

    def __init__(self) -> None:
        self.assembler = StreamAssembler()
        self._books: dict[int, _Book] = {}

    def feed(self, message: Message, utc: float) -> Items:
        """Pass a message on and check what comes of it."""
        before = self.assembler.tracks.counters
        out = self.assembler.feed(message, utc)
        self._enter_all(out, before)
        hello = self.assembler.hello
        if isinstance(message, Block) and hello is not None and not hello.ring_bytes:
            self._compare_index(message, out)
        return out

    def end(self) -> Items:
        """End the stream and check what had waited."""
        out = self.assembler.end()
        self._enter_all(out, self.assembler.tracks.counters)
        return out

    def _enter_all(self, out: Items, before: dict[str, StreamCounters]) -> None:
        notes = [isinstance(item, StreamEvent) and item.what in _ANEW for item in out]
        since = len(notes) - notes[::-1].index(True) if any(notes) else 0
        for k, item in enumerate(out):
            if isinstance(item, StreamEvent):
                assert math.isfinite(item.t_s)
                assert all(isinstance(v, int | float | str) for v in item.detail.values())
            else:
                counters = before if k < since else self.assembler.tracks.counters
                self._enter(item, self._book(counters[item.channel.name]))
        for name, counters in self.assembler.tracks.counters.items():
            book = self._book(counters)
            assert counters.samples == book.n_samples, f"{name}: counted is not handed on"
            missing = counters.lost_samples + counters.paused_samples
            assert missing == book.n_missing, f"{name}: gaps written are not the losses"

    def _book(self, counters: StreamCounters) -> _Book:
        # A book keeps its counters alive, so that their id is nobody else's.
        return self._books.setdefault(id(counters), _Book(counters))

    def _enter(self, item: Samples, book: _Book) -> None:
        assert len(item.values) > 0
        assert item.gap_before_samples >= 0
        assert math.isfinite(item.t0_s)
        assert item.t0_s >= book.newest_s, "time ran backwards"
        book.newest_s = item.t0_s
        book.n_samples += len(item.values)
        book.n_missing += item.gap_before_samples

    def _compare_index(self, block: Block, out: Items) -> None:
        made = [item for item in out if isinstance(item, Samples)]
        if not made:
            return
        (item,) = made
        book = self._book(self.assembler.tracks.counters[item.channel.name])
        if book.first_idx is None:
            book.first_idx = block.sample_idx - item.gap_before_samples
        if book.counters.index_restarts:
            return
        end_idx = block.sample_idx + len(block.data) // item.channel.sample_bytes
        span = book.counters.samples + book.counters.lost_samples
        assert (end_idx - book.first_idx - span) % _U32 == 0, "index went another way"
