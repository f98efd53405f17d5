"""The board: takes a body, speaks the wire. Bytes in, bytes out; time is an argument."""

from __future__ import annotations

import math
from bisect import insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.protocol.messages import (
    Ack,
    AckResult,
    Block,
    Channel,
    Command,
    CommandKind,
    Event,
    EventKind,
    Hello,
    MessageParser,
    Ping,
    Pong,
    encode_ack,
    encode_block,
    encode_event,
    encode_hello,
    encode_pong,
)
from sim.schedule import BodyEvent
from sim.sensors import NUMPY_DTYPES

if TYPE_CHECKING:
    from sim.body import Body

HELLO_EVERY_S = 5.0
FIRMWARE = "signet-sim 0.1"
CUE_PATTERNS = (1, 2, 3)
# How long somebody takes to press a button about a tap on the wrist.
ANSWER_S = 6.0
_SESSION_STREAM = 9
# A block spans about half a second, or one second of the slow channels: short enough to see a
# button's moment, long enough that headers stay a small part of the line.
_FAST_BLOCK_S, _SLOW_BLOCK_S = 0.5, 1.0
_SLOW_RATE_HZ = 10.0


def block_samples(channel: Channel) -> int:
    """How many samples the board puts into one BLOCK of this channel."""
    span_s = _SLOW_BLOCK_S if channel.rate_hz < _SLOW_RATE_HZ else _FAST_BLOCK_S
    return max(1, min(int(channel.rate_hz * span_s), channel.max_block_samples))


@dataclass(frozen=True, slots=True)
class Cue:
    """One buzz of the haptic motor."""

    t_s: float
    pattern: int


@dataclass(slots=True)
class _Stream:
    channel: Channel
    n_block: int
    offset_s: float
    # Index of the next sample in the body, and the body's index of this boot's first sample.
    at: int = 0
    origin: int = 0
    seq: int = 0
    dropped: int = 0
    # Board time at which the next block's last sample is taken.
    due_s: float = 0.0

    def move_to(self, at: int) -> None:
        self.at = at
        self.due_s = self.offset_s + (at + self.n_block - 1) / self.channel.rate_hz

    @property
    def next_sample_s(self) -> float:
        return self.offset_s + self.at / self.channel.rate_hz


@dataclass
class BoardCounters:
    """What the board did since power on."""

    frames: int = 0
    bytes: int = 0
    dropped_frames: int = 0
    reboots: int = 0
    cues: list[Cue] = field(default_factory=list)


class VirtualBoard:
    """A board on a body, seen from its serial port.

    The body lives by the board's crystal: a drift of ``drift_ppm`` makes both a little fast.
    ``advance`` may be called in any steps; the bytes are the same. It does not imitate the line's
    bit rate: ``room_bytes`` says how much the line takes, and what does not fit is dropped by
    whole frames and counted, as a board does whose transmit buffer is full.
    """

    def __init__(
        self,
        body: Body,
        *,
        seed: int,
        board_id: str = "sim-board",
        drift_ppm: float = 0.0,
        first_tick_us: int = 0,
        boot_salt: int = 0,
    ) -> None:
        self._body = body
        self._seed = seed
        self._boot_salt = boot_salt
        self._board_id = board_id
        self._rate = 1.0 + drift_ppm * 1e-6
        self._first_tick_us = first_tick_us
        self._events = body.events()
        self._event_at = 0
        self._parser = MessageParser()
        self._streams = [
            _Stream(channel, block_samples(channel), body.offset_s(channel.name))
            for channel in body.channels
        ]
        self.counters = BoardCounters()
        self._now_s = 0.0
        self._replies = bytearray()
        self._out = bytearray()
        self._room = math.inf
        self._dark = body.dark()
        self._boot(0.0)

    @property
    def session(self) -> int:
        """Session number of the present boot."""
        return self._session

    @property
    def finished(self) -> bool:
        """Whether the body has nothing more to give."""
        return self._now_s >= self._body.duration_s

    @property
    def dark_until_s(self) -> float | None:
        """True seconds after power on at which the board starts again; None while it has power."""
        if self._dark and self._dark[0][0] <= self._now_s:
            return self._dark[0][1] / self._rate
        return None

    @property
    def duration_s(self) -> float:
        """True seconds from power on to the body's end."""
        return self._body.duration_s / self._rate

    def advance(self, to_s: float, *, room_bytes: int | None = None) -> bytes:
        """Bytes the board sends until ``to_s`` true seconds after power on.

        Parameters
        ----------
        to_s
            Never smaller than in the call before.
        room_bytes
            Most bytes the line takes now; None for no limit.
        """
        self._out = self._replies
        self._replies = bytearray()
        self._room = math.inf if room_bytes is None else float(room_bytes)
        end_s = min(to_s * self._rate, self._body.duration_s)
        while self._dark and self._dark[0][0] <= end_s:
            self._live_until(self._dark[0][0])
            if self._dark[0][1] > end_s:
                break
            self._sleep(*self._dark.pop(0))
        else:
            while self._do_next(end_s):
                pass
        self._now_s = max(self._now_s, end_s)
        if self.finished:
            self._flush()
        self.counters.bytes += len(self._out)
        return bytes(self._out)

    def _live_until(self, dark_s: float) -> None:
        """Do what is due before the power goes."""
        while dark_s > 0 and self._do_next(math.nextafter(dark_s, 0.0)):
            pass

    def _sleep(self, start_s: float, end_s: float) -> None:
        """Lose power: an unfinished block is lost, and no sample is taken until the board starts anew."""
        for stream in self._streams:
            self._skip_to(stream, start_s)
            stream.offset_s += end_s - start_s
        self.counters.reboots += 1
        self._boot(end_s)

    def receive(self, data: bytes) -> None:
        """Bytes from the host, unheard without power; answers go out with the next :meth:`advance`."""
        for message in self._parser.feed(data) if self.dark_until_s is None else ():
            if isinstance(message, Ping):
                pong = Pong(self._session, self._ticks_us(self._now_s), message.token)
                self._replies += encode_pong(pong, seq=self._next_seq("pong"))
            elif isinstance(message, Command):
                self._obey(message)

    def reboot(self, *, dark_s: float = 0.0) -> None:
        """Restart now: new session, counters and ticks from zero, ``dark_s`` without samples."""
        self.counters.reboots += 1
        self._boot(self._now_s + dark_s)

    def _boot(self, t_s: float) -> None:
        rng = np.random.default_rng(
            [self._seed, _SESSION_STREAM, self._boot_salt, self.counters.reboots]
        )
        self._session = int(rng.integers(1, 1 << 16))
        self._boot_s = t_s
        self._hello_s = t_s
        self._streaming = True
        self._seqs: dict[str, int] = {}
        for stream in self._streams:
            self._skip_to(stream, t_s)
            stream.move_to(stream.at)
            stream.origin, stream.seq, stream.dropped = stream.at, 0, 0
        while self._event_at < len(self._events) and self._events[self._event_at].t_s < t_s:
            self._event_at += 1

    def _skip_to(self, stream: _Stream, t_s: float) -> None:
        first = max(0, math.ceil((t_s - stream.offset_s) * stream.channel.rate_hz - 1e-9))
        if first > stream.at:
            self._body.read(stream.channel.name, first - stream.at)
            stream.move_to(first)

    def _do_next(self, end_s: float) -> bool:
        """Do what is due next, unless that is after ``end_s``."""
        when_s, act = self._hello_s, self._say_hello
        if self._event_at < len(self._events) and self._events[self._event_at].t_s < when_s:
            when_s, act = self._events[self._event_at].t_s, self._tell_event
        best: _Stream | None = None
        if self._streaming:
            for stream in self._streams:
                if stream.due_s < when_s:
                    when_s, best = stream.due_s, stream
        if when_s > end_s or when_s >= self._body.duration_s:
            return False
        if best is None:
            act()
        else:
            self._send_block(best, best.n_block)
        return True

    def _say_hello(self) -> None:
        hello = Hello(self._session, self._board_id, FIRMWARE, self._body.channels)
        seq = self._seqs.get("hello", 0)
        encoded = encode_hello(hello, seq=seq, ticks_us=self._ticks_us(self._hello_s))
        self._seqs["hello"] = seq + encoded.count(0)
        self._emit(encoded)
        self._hello_s += HELLO_EVERY_S

    def _tell_event(self) -> None:
        event: BodyEvent = self._events[self._event_at]
        self._event_at += 1
        self._emit(
            encode_event(
                Event(
                    self._session,
                    self._ticks_us(event.t_s),
                    event.kind,
                    event.value,
                    self._next_seq("event"),
                )
            )
        )

    def _send_block(self, stream: _Stream, n: int) -> None:
        samples = self._body.read(stream.channel.name, n)
        if len(samples) == 0:
            # A channel that ends before the others: nothing more will ever come of it.
            stream.move_to(stream.at + n)
            return
        block = Block(
            self._session,
            stream.channel.stream,
            stream.seq,
            self._ticks_us(stream.next_sample_s),
            stream.dropped,
            stream.at - stream.origin,
            samples.astype(NUMPY_DTYPES[stream.channel.dtype]).tobytes(),
        )
        stream.move_to(stream.at + len(samples))
        if self._emit(encode_block(block)):
            stream.seq += 1
        else:
            stream.dropped += 1

    def _flush(self) -> None:
        """Send what is left at the body's end in shorter blocks, once."""
        for stream in self._streams if self._streaming else ():
            left = round((self._body.duration_s - stream.next_sample_s) * stream.channel.rate_hz)
            if left > 0:
                self._send_block(stream, min(left, stream.n_block))
                stream.move_to(stream.at + max(left - stream.n_block, 0))

    def _emit(self, encoded: bytes) -> bool:
        if len(encoded) > self._room:
            self.counters.dropped_frames += 1
            return False
        self._room -= len(encoded)
        self._out += encoded
        self.counters.frames += encoded.count(0)
        return True

    def _obey(self, command: Command) -> None:
        result = AckResult.DONE
        if command.kind is CommandKind.CUE:
            result = self._buzz(command.value)
        elif command.kind is CommandKind.START:
            self._start()
        else:
            self._streaming = False
        ack = Ack(self._session, self._ticks_us(self._now_s), command.kind, result, command.token)
        self._replies += encode_ack(ack, seq=self._next_seq("ack"))

    def _start(self) -> None:
        if not self._streaming:
            for stream in self._streams:
                self._skip_to(stream, self._now_s)
        self._streaming = True
        self._hello_s = self._now_s

    def _buzz(self, pattern: int) -> AckResult:
        if pattern not in CUE_PATTERNS:
            return AckResult.BAD_VALUE
        self.counters.cues.append(Cue(self._now_s, pattern))
        answer = self._body.answer_to_cue(self._now_s)
        if answer is not None:
            pressed = BodyEvent(self._now_s + ANSWER_S, EventKind.BUTTON, int(answer))
            insort(self._events, pressed, lo=self._event_at, key=lambda event: event.t_s)
        return AckResult.DONE

    def _next_seq(self, kind: str) -> int:
        seq = self._seqs.get(kind, 0)
        self._seqs[kind] = seq + 1
        return seq

    def _ticks_us(self, t_s: float) -> int:
        return (self._first_tick_us + round((t_s - self._boot_s) * 1e6)) & 0xFFFFFFFF
