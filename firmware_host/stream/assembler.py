"""From messages to samples on one clock, and to events about the stream."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping

from firmware_host.protocol.messages import (
    Ack,
    Block,
    Channel,
    CommandKind,
    Event,
    EventKind,
    Hello,
    Log,
    Message,
    Mismatch,
    Ping,
    Pong,
    Status,
)
from firmware_host.stream.clock import StreamClock
from firmware_host.stream.gaps import StreamCounters
from firmware_host.stream.hold import Held, Hold, Hole, Offer
from firmware_host.stream.rate import MIN_SPAN_S, TOLERANCE, RateMonitor
from firmware_host.stream.round_trips import OpenQuestions
from firmware_host.stream.samples import Note, Samples, StreamEvent
from firmware_host.stream.totals import ChannelTotals
from firmware_host.stream.track import Detail, StreamTrack

_EVENT_NOTES = {
    EventKind.BUTTON: Note.BUTTON,
    EventKind.WEAR: Note.WEAR,
    EventKind.BATTERY: Note.BATTERY,
}
# The clock is the board's, not a channel's.
_CLOCK_NOTES = (Note.CLOCK_WRAP, Note.CLOCK_JUMP, Note.CLOCK_STEP)
# Nearly free this seldom, and soon enough to notice a channel that has stopped. If it was longer, all
# were silent: then each has time anew.
_LOOK_EVERY_S = 1.0
_ALL_SILENT_S = 4.0
_MAX_ANSWERS = 64


class StreamAssembler:
    """Puts the messages of one board together.

    Stream time is zero at a session's first HELLO and starts anew with every session; a session
    shows as an event before its first samples, so whoever keeps windows starts over there. What
    arrives before the first HELLO of its session is counted and dropped: its units are not known
    yet, and a board repeats HELLO every 5 s.

    Where a board can send blocks again, what comes after a gap waits in a `Hold` until the gap is
    filled, or nothing more is to be expected; `end` hands on what waits at the end of the stream.

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
        self._totals = ChannelTotals()
        # Every stream number of this session so far.
        self._numbers: set[int] = set()
        self._hold = Hold()
        self._has_ring = False
        self._session = -1
        self._t_s = 0.0
        self._look_s = 0.0
        self._under_way_s = 0.0
        self._questions = OpenQuestions()
        self.hello: Hello | None = None
        self.clock: StreamClock | None = None
        self.n_foreign = 0
        """Messages of a session whose HELLO has not come (or is over)."""
        self.n_unknown_stream = 0
        """Blocks of a stream the board did not describe."""
        self.n_blocks = 0
        """Blocks of announced streams that arrived, whatever became of them."""
        self.n_sessions = 0
        self.earlier_sessions_s = 0.0
        """Stream time of the sessions before this one, added up."""
        self.answers: deque[Ack] = deque(maxlen=_MAX_ANSWERS)
        """What the board answered to commands, for whoever gave them to take away."""

    @property
    def t_s(self) -> float:
        """Newest stream time handed on in this session."""
        return self._t_s

    @property
    def holes(self) -> list[Hole]:
        """What is missing and may yet be filled: worth asking the board for."""
        return self._hold.holes if self._hold.is_open else []

    @property
    def waiting_at_s(self) -> float:
        """Newest stream time at which the board was alive while something waits."""
        return self._hold.now_s

    @property
    def counters(self) -> dict[str, StreamCounters]:
        """Counters of this session by channel name."""
        return {track.channel.name: track.counters for track in self._tracks.values()}

    @property
    def totals(self) -> dict[str, Counter[str]]:
        """Counters of all sessions so far, by channel name."""
        return self._totals.with_present(self.counters)

    @property
    def channels(self) -> Mapping[str, Channel]:
        """Every channel of all sessions so far by name, as it was last described; bounded as `totals` is."""
        return self._totals.channels

    @property
    def block_s(self) -> float:
        """Seconds from block to block of the stream that sends most often, 0 before the first."""
        spans = (track.block_s for track in self._tracks.values())
        return min((span_s for span_s in spans if span_s), default=0.0)

    @property
    def measured_rates_hz(self) -> dict[str, float | None]:
        """Measured sample rate by channel name, None before the first 30 s."""
        return {track.channel.name: track.rate.measured_hz for track in self._tracks.values()}

    def utc(self, t_s: float) -> float:
        """Host time of a stream time; NaN before the first HELLO."""
        return self.clock.utc(t_s) if self.clock else math.nan

    def is_announced(self, session: int) -> bool:
        """Whether this is the session of the last HELLO."""
        return self.clock is not None and session == self._session

    def sent_utc(self, block: Block, arrival_utc: float) -> float:
        """Host time at which the first sample of a block that was just fed was taken; NaN if unknown.

        A pure read: who asks hears the same stream as who does not.
        """
        clock = self.clock
        if clock is None or block.session != self._session:
            return math.nan
        return clock.utc(clock.unwrap(block.ticks_us, arrival_utc, keep=False))

    def feed(self, message: Message, arrival_utc: float) -> list[Samples | StreamEvent]:
        """Take one message; return the samples and events it brings, in order.

        A `Ping` is fed when it is sent, with the time of sending; its `Pong` then serves the clock. Who
        looks at `utc` or `t_s` asks `end_before` first.

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
            self._questions.ask(message.token, arrival_utc)
        elif isinstance(message, Event | Pong | Ack):
            return self._take_other(message, arrival_utc)
        elif isinstance(message, Status | Log):
            self.n_foreign += message.session != self._session
        return []

    def end_before(self, message: Message) -> list[Samples | StreamEvent]:
        """Hand on what waits of the session that this message is the end of; nothing for most messages.

        `feed` would hand it on too, but with `utc` and `t_s` of the new session already.
        """
        is_end = isinstance(message, Hello) and message.session != self._session
        return self.end() if is_end else []

    def end(self) -> list[Samples | StreamEvent]:
        """Hand on the samples and events that still wait: the stream, or its session, is over."""
        return self._hand_on(self._hold.drain())

    def _take_block(
        self, block: Block, arrival_utc: float, *, may_wait: bool = True, is_live: bool = True
    ) -> list[Samples | StreamEvent]:
        clock = self.clock
        if clock is None or block.session != self._session:
            self.n_foreign += 1
            return []
        track = self._tracks.get(block.stream)
        if track is None:
            self.n_unknown_stream += 1
            return []
        if may_wait:
            self.n_blocks += 1
        if self._has_ring and may_wait:
            idx, gaps = block.sample_idx, track.gaps
            if self._hold.is_open or (idx != gaps.next_idx and gaps.is_ahead(idx)):
                return self._wait(track, block, clock, arrival_utc)
        placed = track.place(block, clock, arrival_utc)
        if placed is None:
            return []
        t0_s, missing, skip = placed
        values = track.decode(block.data, skip)
        n_new, rate_hz = len(values), track.channel.rate_hz
        self._t_s = max(self._t_s, t0_s + n_new / rate_hz)
        # A block may leave the board as soon as its last sample is taken, not a period later.
        step_s = clock.observe(t0_s + (n_new - 1) / rate_hz, arrival_utc) if is_live else None
        if track.rate.add(t0_s, missing, n_new):
            track.findings.append((Note.RATE, _rate_detail(track)))
        if step_s is not None:
            track.findings.append((Note.CLOCK_STEP, {"step_s": step_s}))
        if clock.wrapped():
            track.findings.append((Note.CLOCK_WRAP, {"n_wraps": clock.n_wraps}))
        samples = Samples(track.channel, t0_s, values, missing)
        if self._t_s < self._look_s and not track.findings:
            return [samples]
        return [*self._drain(track, t0_s), *self._stopped(), samples]

    def _stopped(self) -> list[StreamEvent]:
        """Channels that send nothing more while others do, each once."""
        if self._t_s - self._look_s > _ALL_SILENT_S:
            self._under_way_s = self._t_s
        self._look_s = self._t_s + _LOOK_EVERY_S
        told = [
            (track, track.stopped_s(self._t_s, self._under_way_s))
            for track in self._tracks.values()
        ]
        return [
            self._note(Note.STOPPED, {"silent_s": silent_s}, channel=track.channel.name)
            for track, silent_s in told
            if silent_s
        ]

    def _wait(
        self, track: StreamTrack, block: Block, clock: StreamClock, arrival_utc: float
    ) -> list[Samples | StreamEvent]:
        """Let a block wait for what is missing before it, or fill what others wait for."""
        channel = track.channel
        n_samples, rest = divmod(len(block.data), channel.sample_bytes)
        if rest or not n_samples:
            track.counters.bad_blocks += 1
            return []
        t_s = clock.unwrap(block.ticks_us, arrival_utc)
        offer = self._hold.offer(track, block, t_s, arrival_utc)
        if offer is Offer.ODD:
            return [*self.end(), *self._take_block(block, arrival_utc, may_wait=False)]
        if offer is Offer.HELD:
            # Without samples a leap of the board's count looks like a step of the host's clock.
            clock.observe(t_s + (n_samples - 1) / channel.rate_hz, arrival_utc, may_step=False)
        elif offer is Offer.FILLED:
            track.counters.filled_blocks += 1
            track.counters.filled_samples += n_samples
        else:
            track.gaps.count_old(block.sample_idx, n_samples)
        return self._hand_on(self._hold.take_ready())

    def _hand_on(self, ready: list[Held]) -> list[Samples | StreamEvent]:
        """What waited goes on its way; what is missing from it shows as gaps."""
        items: list[Samples | StreamEvent] = []
        for held in ready:
            if isinstance(held.message, Block):
                block, utc = held.message, held.arrival_utc
                items += self._take_block(block, utc, may_wait=False, is_live=False)
            else:
                items.append(self._event(held.message, held.t_s))
        return items

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
            return [*self.end(), self._begin_session(hello, arrival_utc)]
        t_s = self.clock.unwrap(hello.ticks_us, arrival_utc)
        self.clock.observe(t_s, arrival_utc, may_step=False)
        if self.hello is None or hello.channels == self.hello.channels:
            return self._pass_time(t_s)
        waited = self.end()
        changed = [c for c in hello.channels if c not in self.hello.channels]
        self.hello = hello
        self._retrack(hello, is_under_way=True)
        told = ", ".join(f"{c.name} at {c.rate_hz:g} Hz" for c in changed)
        detail: Detail = {"n_channels": len(hello.channels), "changed": told}
        return [*waited, self._note(Note.LAYOUT, detail, t_s)]

    def _pass_time(self, t_s: float) -> list[Samples | StreamEvent]:
        """The board was alive at ``t_s``: nothing waits for ever."""
        if not self._hold.is_open:
            return []
        self._hold.pass_time(t_s)
        return self._hand_on(self._hold.take_ready())

    def _begin_session(self, hello: Hello, arrival_utc: float) -> StreamEvent:
        before = self.hello
        self.hello = hello
        self._session = hello.session
        self._has_ring = hello.ring_bytes > 0
        self.earlier_sessions_s += self._t_s
        self._t_s = self._look_s = self._under_way_s = 0.0
        self.n_sessions += 1
        self._questions.clear()
        for track in self._tracks.values():
            self._totals.close(track.channel, track.counters)
        self.clock = StreamClock(hello.ticks_us, arrival_utc)
        self._tracks, self._numbers = {}, set()
        self._retrack(hello, is_under_way=False)
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

    def _retrack(self, hello: Hello, *, is_under_way: bool) -> None:
        """Follow the streams the board describes; unchanged ones go on where they are."""
        kept = {t.channel: t for t in self._tracks.values()}
        for channel in kept.keys() - set(hello.channels):
            self._totals.close(channel, kept[channel].counters)
        self._tracks = {
            c.stream: kept.get(c)
            or self._new_track(c, is_new=is_under_way and c.stream not in self._numbers)
            for c in hello.channels
        }
        self._numbers |= set(self._tracks)
        self._totals.describe(hello.channels)

    def _new_track(self, channel: Channel, *, is_new: bool) -> StreamTrack:
        rate = RateMonitor(
            declared_hz=channel.rate_hz,
            tolerance=self._rate_tolerance,
            span_s=self._rate_span_s,
        )
        return StreamTrack(channel, rate, is_new=is_new, since_s=self._t_s)

    def _take_other(
        self, message: Event | Pong | Ack, arrival_utc: float
    ) -> list[Samples | StreamEvent]:
        clock = self.clock
        if clock is None or message.session != self._session:
            self.n_foreign += 1
            return []
        t_s = clock.unwrap(message.ticks_us, arrival_utc)
        sent_utc = self._questions.take(message.token) if isinstance(message, Pong) else None
        if sent_utc is not None and sent_utc <= arrival_utc:
            step_s = clock.observe_round_trip(t_s, sent_utc, arrival_utc)
            return [] if step_s is None else [self._note(Note.CLOCK_STEP, {"step_s": step_s}, t_s)]
        clock.observe(t_s, arrival_utc, may_step=False)
        if isinstance(message, Ack):
            self._take_answer(message)
        elif isinstance(message, Event):
            if not self._hold.is_open:
                return [self._event(message, t_s)]
            self._hold.take_event(message, t_s, arrival_utc)
        return self._pass_time(t_s)

    def _take_answer(self, answer: Ack) -> None:
        self.answers.append(answer)
        track = self._tracks.get(answer.stream)
        if answer.command == CommandKind.BACKFILL and self._hold.is_open and track is not None:
            track.counters.gone_samples += self._hold.take_answer(answer)

    def _event(self, event: Event, t_s: float) -> StreamEvent:
        return self._note(_EVENT_NOTES[event.kind], {"value": event.value}, t_s)

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
