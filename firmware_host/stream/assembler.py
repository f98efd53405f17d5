"""From messages to samples on one clock, and to events about the stream."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict

from firmware_host.protocol.messages import (
    Ack,
    Block,
    Channel,
    Event,
    EventKind,
    Hello,
    Message,
    Mismatch,
    Ping,
    Pong,
)
from firmware_host.stream.clock import StreamClock
from firmware_host.stream.gaps import StreamCounters
from firmware_host.stream.rate import MIN_SPAN_S, TOLERANCE, RateMonitor
from firmware_host.stream.samples import Note, Samples, StreamEvent
from firmware_host.stream.track import Detail, StreamTrack

_EVENT_NOTES = {
    EventKind.BUTTON: Note.BUTTON,
    EventKind.WEAR: Note.WEAR,
    EventKind.BATTERY: Note.BATTERY,
}
# The clock is the board's, not a channel's.
_CLOCK_NOTES = (Note.CLOCK_WRAP, Note.CLOCK_JUMP, Note.CLOCK_STEP)
# Questions to the board that may be open at once; older ones are taken as lost.
_MAX_OPEN_PINGS = 16


class StreamAssembler:
    """Puts the messages of one board together.

    Stream time is zero at a session's first HELLO and starts anew with every session; a session
    shows as an event before its first samples, so whoever keeps windows starts over there. What
    arrives before the first HELLO of its session is counted and dropped: its units are not known
    yet, and a board repeats HELLO every 5 s.

    Parameters
    ----------
    rate_tolerance
        Share by which the measured sample rate may differ from the declared one.
    rate_span_s
        Stretch over which a rate is measured.
    """

    def __init__(
        self, *, rate_tolerance: float = TOLERANCE, rate_span_s: float = MIN_SPAN_S
    ) -> None:
        if not rate_tolerance > 0 or not rate_span_s > 0:
            msg = f"rates' tolerance and span must be positive, got {rate_tolerance}, {rate_span_s}"
            raise ValueError(msg)
        self._rate_tolerance = rate_tolerance
        self._rate_span_s = rate_span_s
        self._tracks: dict[int, StreamTrack] = {}
        self._earlier: dict[str, Counter[str]] = {}
        self._session = -1
        self._t_s = 0.0
        self._open_pings: dict[int, float] = {}
        self.hello: Hello | None = None
        self.clock: StreamClock | None = None
        self.n_foreign = 0
        """Messages of a session whose HELLO has not come (or is over)."""
        self.n_unknown_stream = 0
        """Blocks of a stream the board did not describe."""
        self.n_sessions = 0

    @property
    def t_s(self) -> float:
        """Newest stream time seen in this session."""
        return self._t_s

    @property
    def counters(self) -> dict[str, StreamCounters]:
        """Counters of this session by channel name."""
        return {track.channel.name: track.counters for track in self._tracks.values()}

    @property
    def totals(self) -> dict[str, Counter[str]]:
        """Counters of all sessions so far, by channel name."""
        totals = {name: Counter(counts) for name, counts in self._earlier.items()}
        for name, counters in self.counters.items():
            totals.setdefault(name, Counter()).update(asdict(counters))
        return totals

    @property
    def measured_rates_hz(self) -> dict[str, float | None]:
        """Measured sample rate by channel name, None before the first 30 s."""
        return {track.channel.name: track.rate.measured_hz for track in self._tracks.values()}

    def utc(self, t_s: float) -> float:
        """Host time of a stream time; NaN before the first HELLO."""
        return self.clock.utc(t_s) if self.clock else math.nan

    def feed(self, message: Message, arrival_utc: float) -> list[Samples | StreamEvent]:
        """Take one message; return the samples and events it brings, in order.

        A `Ping` is fed when it is sent, with the time of sending; its `Pong` then serves the clock.

        Raises
        ------
        ValueError
            If ``arrival_utc`` is not finite.
        """
        if not math.isfinite(arrival_utc):
            msg = f"arrival_utc must be finite UNIX seconds, got {arrival_utc}"
            raise ValueError(msg)
        if isinstance(message, Block):
            return self._take_block(message, arrival_utc)
        if isinstance(message, Hello):
            return self._take_hello(message, arrival_utc)
        if isinstance(message, Mismatch):
            return [self._note(Note.MISMATCH, {"theirs": message.theirs})]
        if isinstance(message, Ping):
            self._remember_ping(message, arrival_utc)
        elif isinstance(message, Event | Pong | Ack):
            return self._take_other(message, arrival_utc)
        return []

    def _take_block(self, block: Block, arrival_utc: float) -> list[Samples | StreamEvent]:
        clock = self.clock
        if clock is None or block.session != self._session:
            self.n_foreign += 1
            return []
        track = self._tracks.get(block.stream)
        if track is None:
            self.n_unknown_stream += 1
            return []
        placed = track.place(block, clock, arrival_utc)
        if placed is None:
            return []
        t0_s, missing, skip = placed
        values = track.decode(block.data, skip)
        self._t_s = max(self._t_s, t0_s + len(values) / track.channel.rate_hz)
        # A block may leave the board as soon as its last sample is taken, not a period later.
        step_s = clock.observe(t0_s + (len(values) - 1) / track.channel.rate_hz, arrival_utc)
        if track.rate.add(t0_s, missing, len(values)):
            track.findings.append((Note.RATE, _rate_detail(track)))
        if step_s is not None:
            track.findings.append((Note.CLOCK_STEP, {"step_s": step_s}))
        if clock.wrapped():
            track.findings.append((Note.CLOCK_WRAP, {"n_wraps": clock.n_wraps}))
        samples = Samples(track.channel, t0_s, values, missing)
        if not track.findings:
            return [samples]
        return [*self._drain(track, t0_s), samples]

    def _drain(self, track: StreamTrack, t0_s: float) -> list[StreamEvent]:
        """Turn a block's findings into events, stamped with its first sample's time."""
        findings, track.findings = track.findings, []
        return [
            self._note(
                what, detail, t0_s, channel="" if what in _CLOCK_NOTES else track.channel.name
            )
            for what, detail in findings
        ]

    def _take_hello(self, hello: Hello, arrival_utc: float) -> list[Samples | StreamEvent]:
        if self.clock is None or hello.session != self._session:
            return [self._begin_session(hello, arrival_utc)]
        t_s = self.clock.unwrap(hello.ticks_us, arrival_utc)
        self.clock.observe(t_s, arrival_utc, may_step=False)
        if self.hello is None or hello.channels == self.hello.channels:
            return []
        self.hello = hello
        self._retrack(hello)
        return [self._note(Note.LAYOUT, {"n_channels": len(hello.channels)}, t_s)]

    def _begin_session(self, hello: Hello, arrival_utc: float) -> StreamEvent:
        before = self.hello
        self.hello = hello
        self._session = hello.session
        self._t_s = 0.0
        self.n_sessions += 1
        self._open_pings.clear()
        self._earlier = self.totals
        self.clock = StreamClock(hello.ticks_us, arrival_utc)
        self._tracks = {}
        self._retrack(hello)
        what = Note.SESSION
        if before is not None:
            what = Note.REBOOT if before.board_id == hello.board_id else Note.SWAP
        detail: Detail = {
            "session": hello.session,
            "board": hello.board_id,
            "firmware": hello.firmware,
            "n_channels": len(hello.channels),
        }
        return self._note(what, detail, 0.0)

    def _retrack(self, hello: Hello) -> None:
        """Follow the streams the board describes; unchanged ones go on where they are."""
        kept = {t.channel: t for t in self._tracks.values()}
        for channel in kept.keys() - set(hello.channels):
            counts = self._earlier.setdefault(channel.name, Counter())
            counts.update(asdict(kept[channel].counters))
        self._tracks = {c.stream: kept.get(c) or self._new_track(c) for c in hello.channels}

    def _new_track(self, channel: Channel) -> StreamTrack:
        rate = RateMonitor(
            declared_hz=channel.rate_hz,
            tolerance=self._rate_tolerance,
            span_s=self._rate_span_s,
        )
        return StreamTrack(channel, rate)

    def _remember_ping(self, ping: Ping, sent_utc: float) -> None:
        self._open_pings[ping.token] = sent_utc
        while len(self._open_pings) > _MAX_OPEN_PINGS:
            del self._open_pings[next(iter(self._open_pings))]

    def _take_other(
        self, message: Event | Pong | Ack, arrival_utc: float
    ) -> list[Samples | StreamEvent]:
        clock = self.clock
        if clock is None or message.session != self._session:
            self.n_foreign += 1
            return []
        t_s = clock.unwrap(message.ticks_us, arrival_utc)
        sent_utc = self._open_pings.pop(message.token, None) if isinstance(message, Pong) else None
        if sent_utc is not None and sent_utc <= arrival_utc:
            step_s = clock.observe_round_trip(t_s, sent_utc, arrival_utc)
            return [] if step_s is None else [self._note(Note.CLOCK_STEP, {"step_s": step_s}, t_s)]
        clock.observe(t_s, arrival_utc, may_step=False)
        if isinstance(message, Event):
            return [self._note(_EVENT_NOTES[message.kind], {"value": message.value}, t_s)]
        return []

    def _note(
        self, what: Note, detail: Detail, t_s: float | None = None, *, channel: str = ""
    ) -> StreamEvent:
        at_s = self._t_s if t_s is None else t_s
        # The board counts microseconds; the digits beyond are of the arithmetic.
        rounded = {k: round(v, 6) if isinstance(v, float) else v for k, v in detail.items()}
        return StreamEvent(at_s, self.utc(at_s), what.value, channel, rounded)


def _rate_detail(track: StreamTrack) -> Detail:
    return {
        "declared_hz": track.channel.rate_hz,
        "measured_hz": track.rate.measured_hz or 0.0,
        "is_off": int(track.rate.is_off),
    }
