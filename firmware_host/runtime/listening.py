"""What everybody who listens to a board does: read, hand on, watch for silence, ask for the time, give orders."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from firmware_host.protocol.messages import Command, Ping
from firmware_host.runtime.asking import ClockAsker
from firmware_host.runtime.link import Link
from firmware_host.runtime.orders import Orders
from firmware_host.runtime.silence import BACK_NOTE, SilenceLimits, SilenceWatch
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.transport.base import Chunk

_LOGGER = logging.getLogger(__name__)

Detail = dict[str, float | int | str]


class Sink(Protocol):
    """Who takes what is heard; everything in the order in which it happens."""

    @property
    def assembler(self) -> StreamAssembler:
        """What `feed` puts the stream together with."""
        ...

    def feed(self, data: bytes, arrival_utc: float) -> None:
        """Take bytes of the board."""
        ...

    def note(self, what: str, detail: Detail, utc: float) -> None:
        """Take what no message says: a silence and its end, what was done to a recording."""
        ...

    def asked(self, ping: Ping, sent_utc: float) -> None:
        """A clock question is about to be sent; its answer will serve the clock."""
        ...

    def ordered(self, command: Command, sent_utc: float) -> None:
        """The board is about to be told to do something."""
        ...


@dataclass(slots=True)
class Listening:
    """One board on one link, heard by one sink.

    Parameters
    ----------
    rates
        Sample rates to ask of the board, Hz by channel name.
    monotonic
        Real seconds.
    """

    link: Link
    sink: Sink
    silence: SilenceLimits = field(default_factory=SilenceLimits)
    rates: Mapping[str, float] = field(default_factory=dict)
    monotonic: Callable[[], float] = time.monotonic
    first_data_utc: float | None = field(default=None, init=False)
    last_data_utc: float | None = field(default=None, init=False)
    """When samples came last; None before the first."""
    _watch: SilenceWatch = field(init=False)
    _asker: ClockAsker = field(init=False)
    _orders: Orders = field(init=False)

    def __post_init__(self) -> None:
        self._watch = SilenceWatch(self.link, self.silence, self.monotonic)
        self._asker = ClockAsker(self.link)
        self._orders = Orders(self.link, self.rates)

    def once(self) -> None:
        """Read once and do what is due; returns after a moment even if nothing comes.

        Raises
        ------
        LinkEnded
            If a finite source is over.
        StreamSilent
            If a live board has sent no samples for longer than ``silence`` allows.
        ConfigError, LinkTimeout
            If the board refuses a rate, or never takes it.
        """
        chunk = self.link.read()
        for utc, what, detail, text in self.link.line_notes():
            _LOGGER.warning("%s", text)
            self.sink.note(what, detail, utc)
        if chunk is not None:
            self._take(chunk)
        self._look_for_silence()
        assembler = self.sink.assembler
        if assembler.hello is not None:
            self._asker.ask_if_due(assembler.t_s, self.sink.asked)
        self._orders.give_due(assembler, self.sink.ordered)

    def cue(self, pattern: int) -> None:
        """Tap the wearer, if there is a board."""
        self._orders.cue(pattern, self.sink.ordered)

    def doing(self) -> str:
        """How it goes at this moment, in a few words."""
        if not self.link.is_up:
            return "the board is away, waiting for it"
        if self.link.trouble:
            return self.link.trouble
        return "the board is there but sends no samples" if self._watch.is_said else "streaming"

    def counts(self) -> dict[str, float | int | dict[str, int]]:
        """What a summary tells of link, board and silence."""
        return {
            "clock_s": round((self.last_data_utc or 0.0) - (self.first_data_utc or 0.0), 3),
            "links_lost": self.link.n_lost,
            "lines": dict(self.link.line_counters),
            "backfill_asked": self._orders.n_asked,
            "cues_refused": self._orders.n_cues_refused,
            "silent_s": round(self._watch.told_s, 1),
        }

    def _take(self, chunk: Chunk) -> None:
        for what, detail in self.link.marks():
            self.sink.note(what, detail, chunk.arrival_utc)
        n_blocks = self.sink.assembler.n_blocks
        self.sink.feed(chunk.data, chunk.arrival_utc)
        # A board that says who it is and answers, but sends no samples, is silent.
        if self.sink.assembler.n_blocks == n_blocks:
            return
        self.last_data_utc = chunk.arrival_utc
        if self.first_data_utc is None:
            self.first_data_utc = chunk.arrival_utc
        silent_s = self._watch.heard()
        if silent_s is not None:
            self.sink.note(BACK_NOTE, {"silent_s": round(silent_s, 1)}, chunk.arrival_utc)

    def _look_for_silence(self) -> None:
        """Say it once, and wake the board; the end is an error."""
        what = self._watch.look(self.sink.assembler)
        if what is None:
            return
        silent_s = self._watch.silent_s
        trouble = self.link.trouble
        _LOGGER.warning("no data for %.0f s%s", silent_s, f": {trouble}" if trouble else "")
        why = {"why": trouble} if trouble else {}
        self.sink.note(what, {"silent_s": round(silent_s, 1), **why}, self.link.now_utc())
        self._orders.wake(self.sink.ordered)
