"""One session of a board: its messages in, samples on one clock and events out."""

from __future__ import annotations

from firmware_host.protocol.messages import (
    STATE_EVENTS,
    Ack,
    Block,
    CommandKind,
    Event,
    EventKind,
    Hello,
    Ping,
    Pong,
)
from firmware_host.stream.clock import StreamClock
from firmware_host.stream.hold import Hold, Offer
from firmware_host.stream.lane import Held
from firmware_host.stream.round_trips import OpenQuestions
from firmware_host.stream.samples import Detail, Note, Samples, StreamEvent, noted
from firmware_host.stream.track import StreamTrack
from firmware_host.stream.tracks import Tracks

_EVENT_NOTES = {
    EventKind.BUTTON: Note.BUTTON,
    EventKind.WEAR: Note.WEAR,
    EventKind.BATTERY: Note.BATTERY,
}
# The clock is the board's, not a channel's.
_CLOCK_NOTES = (Note.CLOCK_WRAP, Note.CLOCK_JUMP, Note.CLOCK_STEP)


class StreamSession:
    """What a board says between two of its boots; stream time is zero at the HELLO it begins with.

    Where a board can send blocks again, what comes after a gap waits in a `Hold` until the gap is
    filled, or nothing more is to be expected; `end` hands on what waits at the end of the session.

    Parameters
    ----------
    tracks
        The streams that ``hello`` describes.
    """

    def __init__(self, hello: Hello, arrival_utc: float, tracks: Tracks) -> None:
        self.number = hello.session
        self.hello = hello
        self.clock = StreamClock(hello.ticks_us, arrival_utc)
        self.hold = Hold()
        self.t_s = 0.0
        """Newest stream time handed on."""
        self._tracks = tracks
        self._has_ring = hello.ring_bytes > 0
        self._questions = OpenQuestions()
        self._in_force: dict[EventKind, int] = {}

    def take_block(
        self,
        track: StreamTrack,
        block: Block,
        arrival_utc: float,
        *,
        may_wait: bool = True,
        is_live: bool = True,
    ) -> list[Samples | StreamEvent]:
        """Samples of a block and what else it tells, or nothing while it waits.

        Parameters
        ----------
        may_wait
            Whether blocks before it may still come.
        is_live
            Whether it comes right from the board, so that its arrival tells the time.
        """
        if self._has_ring and may_wait:
            idx, gaps = block.sample_idx, track.gaps
            if self.hold.is_open or (idx != gaps.next_idx and gaps.is_ahead(idx)):
                return self._wait(track, block, arrival_utc)
        clock = self.clock
        placed = track.place(block, clock, arrival_utc)
        if placed is None:
            return []
        t0_s, missing, skip = placed
        values = track.decode(block.data, skip)
        n_new, rate_hz = len(values), track.channel.rate_hz
        self.t_s = max(self.t_s, t0_s + n_new / rate_hz)
        # A block may leave the board as soon as its last sample is taken, not a period later.
        step_s = clock.observe(t0_s + (n_new - 1) / rate_hz, arrival_utc) if is_live else None
        if track.rate.add(t0_s, missing, n_new):
            track.findings.append((Note.RATE, track.rate.verdict))
        if step_s is not None:
            track.findings.append((Note.CLOCK_STEP, {"step_s": step_s}))
        if clock.wrapped():
            track.findings.append((Note.CLOCK_WRAP, {"n_wraps": clock.n_wraps}))
        samples = Samples(track.channel, t0_s, values, missing)
        if self.t_s < self._tracks.look_s and not track.findings:
            return [samples]
        return [*self._drain(track, t0_s), *self._stopped(), samples]

    def ask(self, ping: Ping, sent_utc: float) -> None:
        """A clock question was sent."""
        self._questions.ask(ping.token, sent_utc)

    def take_other(
        self, message: Event | Pong | Ack, arrival_utc: float
    ) -> list[Samples | StreamEvent]:
        """Take a message with a time of its own; return what it tells, and what it lets go on."""
        t_s = self.clock.unwrap(message.ticks_us, arrival_utc)
        sent_utc = self._questions.take(message.token) if isinstance(message, Pong) else None
        if sent_utc is not None and sent_utc <= arrival_utc:
            step_s = self.clock.observe_round_trip(t_s, sent_utc, arrival_utc)
            return [] if step_s is None else [self.note(Note.CLOCK_STEP, {"step_s": step_s}, t_s)]
        self.clock.observe(t_s, arrival_utc, may_step=False)
        if isinstance(message, Ack):
            self._take_answer(message)
        elif isinstance(message, Event):
            if not self.hold.is_open:
                return [*self._event(message, t_s)]
            self.hold.take_event(message, t_s, arrival_utc)
        return self._pass_time(t_s)

    def take_hello(self, hello: Hello, arrival_utc: float) -> list[Samples | StreamEvent]:
        """Take a further HELLO; another layout than before ends what waits."""
        t_s = self.clock.unwrap(hello.ticks_us, arrival_utc)
        self.clock.observe(t_s, arrival_utc, may_step=False)
        if hello.channels == self.hello.channels:
            return self._pass_time(t_s)
        waited = self.end()
        changed = [c for c in hello.channels if c not in self.hello.channels]
        self.hello = hello
        self._tracks.change(hello.channels, self.t_s)
        told = ", ".join(f"{c.name} at {c.rate_hz:g} Hz" for c in changed)
        detail: Detail = {"n_channels": len(hello.channels), "changed": told}
        return [*waited, self.note(Note.LAYOUT, detail, t_s)]

    def end(self) -> list[Samples | StreamEvent]:
        """Hand on the samples and events that still wait."""
        return self._hand_on(self.hold.drain())

    def note(self, what: Note, detail: Detail, t_s: float, *, channel: str = "") -> StreamEvent:
        """Make an event of stream time ``t_s``."""
        return noted(what, detail, t_s, self.clock.utc(t_s), channel=channel)

    def _wait(
        self, track: StreamTrack, block: Block, arrival_utc: float
    ) -> list[Samples | StreamEvent]:
        """Let a block wait for what is missing before it, or fill what others wait for."""
        channel = track.channel
        n_samples, rest = divmod(len(block.data), channel.sample_bytes)
        if rest or not n_samples:
            track.counters.bad_blocks += 1
            return []
        t_s = self.clock.unwrap(block.ticks_us, arrival_utc)
        offer = self.hold.offer(track, block, t_s, arrival_utc)
        if offer is Offer.ODD:
            return [*self.end(), *self.take_block(track, block, arrival_utc, may_wait=False)]
        if offer is Offer.HELD:
            # Without samples a leap of the board's count looks like a step of the host's clock.
            end_s = t_s + (n_samples - 1) / channel.rate_hz
            self.clock.observe(end_s, arrival_utc, may_step=False)
        elif offer is Offer.FILLED:
            track.counters.filled_blocks += 1
            track.counters.filled_samples += n_samples
        else:
            track.gaps.count_old(block.sample_idx, n_samples)
        return self._hand_on(self.hold.take_ready())

    def _pass_time(self, t_s: float) -> list[Samples | StreamEvent]:
        """The board was alive at ``t_s``: nothing waits for ever."""
        if not self.hold.is_open:
            return []
        self.hold.pass_time(t_s)
        return self._hand_on(self.hold.take_ready())

    def _hand_on(self, ready: list[Held]) -> list[Samples | StreamEvent]:
        """What waited goes on its way; what is missing from it shows as gaps."""
        items: list[Samples | StreamEvent] = []
        for held in ready:
            if isinstance(held.message, Block):
                block, utc = held.message, held.arrival_utc
                track = self._tracks.by_stream[block.stream]
                items += self.take_block(track, block, utc, may_wait=False, is_live=False)
            else:
                items += self._event(held.message, held.t_s)
        return items

    def _take_answer(self, answer: Ack) -> None:
        track = self._tracks.by_stream.get(answer.stream)
        if answer.command == CommandKind.BACKFILL and self.hold.is_open and track is not None:
            track.counters.gone_samples += self.hold.take_answer(answer)

    def _drain(self, track: StreamTrack, t0_s: float) -> list[StreamEvent]:
        """Turn a block's findings into events, stamped with its first sample's time."""
        findings, track.findings = track.findings, []
        return [
            self.note(
                what, detail, t0_s, channel="" if what in _CLOCK_NOTES else track.channel.name
            )
            for what, detail in findings
        ]

    def _stopped(self) -> list[StreamEvent]:
        return [
            self.note(Note.STOPPED, {"silent_s": silent_s}, self.t_s, channel=name)
            for name, silent_s in self._tracks.stopped(self.t_s)
        ]

    def _event(self, event: Event, t_s: float) -> list[StreamEvent]:
        """What happened; nothing if it is only said again that all is as it was."""
        if event.kind in STATE_EVENTS:
            if self._in_force.get(event.kind) == event.value:
                return []
            self._in_force[event.kind] = event.value
        return [self.note(_EVENT_NOTES[event.kind], {"value": event.value}, t_s)]
