"""The board: takes a body, speaks the wire. Bytes in, bytes out; time is an argument."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.protocol.encode import encode_block
from firmware_host.protocol.messages import (
    STATE_EVENTS,
    BootCause,
    Channel,
    Command,
    Event,
    EventKind,
    Hello,
    Log,
    Part,
    Ping,
    Pong,
    Reset,
    Status,
)
from firmware_host.protocol.parser import MessageParser
from sim.board_line import BoardCounters, Line, take_block
from sim.board_orders import Obedient
from sim.board_words import ERROR, FIRMWARE, SAFE_FIRMWARE, SAFE_WHY, WARNING, Words
from sim.ring import DEFAULT_RING_BYTES, Ring
from sim.schedule import BodyEvent
from sim.sensor_stream import SensorStream
from sim.settings import Settings

if TYPE_CHECKING:
    from sim.body import Body

HELLO_EVERY_S = 5.0
STATUS_EVERY_S = 10.0
_SESSION_STREAM = 9


class VirtualBoard(Obedient):
    """A board on a body, seen from its serial port.

    The body lives by the board's crystal: a drift of ``drift_ppm`` makes both a little fast.
    ``advance`` may be called in any steps; the bytes are the same. It does not imitate the line's
    bit rate: ``room_bytes`` says how much the line takes, and what does not fit is dropped by
    whole frames and counted, as a board does whose transmit buffer is full. The latest
    ``ring_bytes`` of blocks can be asked for again; 0 is a board without a ring. What it is told to keep
    it keeps as long as the object lives.
    """

    def __init__(
        self,
        body: Body,
        *,
        seed: int,
        board_id: str = "sim-board",
        firmware: str = FIRMWARE,
        drift_ppm: float = 0.0,
        first_tick_us: int = 0,
        boot_salt: int = 0,
        ring_bytes: int = DEFAULT_RING_BYTES,
    ) -> None:
        self._body = body
        self._seed = seed
        self._boot_salt = boot_salt
        self._board_id = board_id
        self._firmware = firmware
        self._rate = 1.0 + drift_ppm * 1e-6
        self._first_tick_us = first_tick_us
        self._events = body.events()
        self._event_at = 0
        self._parser = MessageParser()
        self._streams = [SensorStream(body, channel) for channel in body.channels]
        self._ring_bytes = ring_bytes
        self._settings = Settings(channel.name for channel in body.channels)
        self.counters = BoardCounters()
        self._cues = self.counters.cues
        self._line = Line(self.counters)
        self._now_s = 0.0
        self._replies = bytearray()
        self._dark = body.dark()
        self._boot(0.0, None)

    @property
    def session(self) -> int:
        """Session number of the present boot."""
        return self._session

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Channels as HELLO announces them; none in safe mode."""
        return () if self._is_safe else tuple(stream.channel for stream in self._streams)

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
        self._line.open(bytes(self._replies), room_bytes)
        self._replies = bytearray()
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
        return self._line.close()

    def _live_until(self, dark_s: float) -> None:
        """Do what is due before the power goes."""
        while dark_s > 0 and self._do_next(math.nextafter(dark_s, 0.0)):
            pass

    def _sleep(self, start_s: float, end_s: float) -> None:
        """Lose power: an unfinished block is lost, and no sample is taken until the board starts anew."""
        for stream in self._streams:
            stream.sleep(start_s, end_s)
        self.counters.reboots += 1
        self._boot(end_s, None)

    def receive(self, data: bytes) -> None:
        """Bytes from the host, unheard without power; answers go out with the next :meth:`advance`."""
        for message in self._parser.feed(data) if self.dark_until_s is None else ():
            if isinstance(message, Ping):
                pong = Pong(self._session, self._ticks_us(self._now_s), message.token)
                self._replies += self._words.pong(pong)
            elif isinstance(message, Command):
                self._obey(message)

    def reboot(self, *, dark_s: float = 0.0) -> None:
        """Restart now: new session, counters and ticks from zero, ``dark_s`` without samples."""
        self.counters.reboots += 1
        self._boot(self._now_s + dark_s, None)

    def _start_anew(self, how: Reset) -> None:
        self.counters.reboots += 1
        self._boot(self._now_s, how)

    def leap(self, by_s: float) -> None:
        """Let the tick counter leap, until the next boot; the clock behind it goes on as before."""
        self._leapt_us += round(by_s * 1e6)

    def _boot(self, t_s: float, how: Reset | None) -> None:
        """Begin a session; ``how`` the host wanted it, None if nobody did."""
        rng = np.random.default_rng(
            [self._seed, _SESSION_STREAM, self._boot_salt, self.counters.reboots]
        )
        self._session = int(rng.integers(1, 1 << 16))
        self._cause = BootCause.POWER if how is None else BootCause.ASKED
        self._is_safe = how is Reset.SAFE
        self._streaming = not self._is_safe
        self._boot_s = t_s
        self._leapt_us = 0
        self._hello_s = self._status_s = t_s
        self._line.n_dropped = 0
        self._words = Words()
        self._lines: list[str] = []
        # After a boot and after START the next HELLO is followed by what is so.
        self._tells_state = True
        self._said_id = self._settings.text("id") or self._board_id
        self._tells_wear = self._settings.tells_wear
        kept_bytes = self._settings.ring_bytes
        self._ring = Ring(self._ring_bytes if kept_bytes is None else kept_bytes)
        self._numbers: dict[int, SensorStream] = {}
        for stream in self._streams:
            stream.boot(t_s)
            self._set_kept_rate(stream)
            self._numbers[stream.channel.stream] = stream
        while self._event_at < len(self._events) and self._events[self._event_at].t_s < t_s:
            self._event_at += 1

    def _set_kept_rate(self, stream: SensorStream) -> None:
        rate_mhz = self._settings.rate_mhz(stream.channel.name)
        if rate_mhz is None or stream.has_rate(rate_mhz):
            return
        factor = stream.factor_for(rate_mhz)
        if factor is None:
            name = stream.channel.name
            self._lines.append(f"{name} cannot be read at {rate_mhz / 1000:g} Hz")
        else:
            stream.change_rate(factor, stream.channel.stream)

    def _do_next(self, end_s: float) -> bool:
        """Do what is due next, unless that is after ``end_s``."""
        when_s, act = self._hello_s, self._say_hello
        if self._status_s < when_s:
            when_s, act = self._status_s, self._tell_status
        is_event_next = self._event_at < len(self._events) and not self._is_safe
        if is_event_next and self._events[self._event_at].t_s < when_s:
            when_s, act = self._events[self._event_at].t_s, self._tell_event
        best: SensorStream | None = None
        if self._streaming:
            for stream in self._streams:
                if stream.due_s < when_s:
                    when_s, best = stream.due_s, stream
            if self._ring.due_s < when_s:
                when_s, act, best = self._ring.due_s, self._resend, None
        if when_s > end_s or when_s >= self._body.duration_s:
            return False
        if best is None:
            act()
        else:
            self._send_block(best, best.n_block)
        return True

    def _resend(self) -> None:
        encoded = self._ring.send(self._line.room_bytes)
        if encoded:
            self._line.emit(encoded)
            self.counters.resent_frames += 1

    def _say_hello(self) -> None:
        ring = 0 if self._is_safe else self._ring.capacity_bytes
        firmware = SAFE_FIRMWARE if self._is_safe else self._firmware
        ticks_us = self._ticks_us(self._hello_s)
        hello = Hello(
            self._session,
            self._said_id,
            firmware,
            self.channels,
            ticks_us=ticks_us,
            ring_bytes=ring,
        )
        self._line.emit(self._words.hello(hello))
        logs = [(WARNING, line) for line in self._lines] + [(ERROR, SAFE_WHY)] * self._is_safe
        self._lines = []
        for level, text in logs:
            self._line.emit(self._words.log(Log(self._session, ticks_us, level, text)))
        if self._tells_state and not self._is_safe:
            self._tell_state()
        self._tells_state = False
        self._hello_s += HELLO_EVERY_S

    def _tell_status(self) -> None:
        decoder = self._parser.decoder
        status = Status(
            self._session,
            self._ticks_us(self._status_s),
            int(self._status_s - self._boot_s),
            self._cause,
            n_boots=self.counters.reboots + 1,
            n_dropped=self._line.n_dropped,
            n_bad_frames=decoder.bad_frames + decoder.oversize,
            parts=tuple(Part(channel.name) for channel in self.channels),
        )
        self._line.emit(self._words.status(status))
        self._status_s += STATUS_EVERY_S

    def _tell_event(self) -> None:
        event = self._events[self._event_at]
        self._event_at += 1
        self._tell(event, event.t_s)

    def _tell_state(self) -> None:
        """Whether it is worn and its charge, but for what is told now as any change is."""
        n_known = bisect_right(self._events, self._hello_s, key=lambda event: event.t_s)
        latest = {event.kind: i for i, event in enumerate(self._events[:n_known])}
        for kind in STATE_EVENTS:
            if latest.get(kind, self._event_at) < self._event_at:
                self._tell(self._events[latest[kind]], self._hello_s)

    def _tell(self, event: BodyEvent, t_s: float) -> None:
        if event.kind is EventKind.WEAR and not self._tells_wear:
            return
        ticks_us = self._ticks_us(t_s)
        self._line.emit(self._words.event(Event(self._session, ticks_us, event.kind, event.value)))

    def _send_block(self, stream: SensorStream, n: int) -> None:
        encoded = self._next_block(stream, n)
        if not encoded:
            return
        if self._line.emit(encoded):
            stream.seq += 1
        else:
            stream.dropped += 1

    def _next_block(self, stream: SensorStream, n: int) -> bytes:
        taken = take_block(stream, n, session=self._session, ticks_us=self._ticks_us)
        if taken is None:
            return b""
        block, n_samples = taken
        encoded = encode_block(block)
        self._ring.put(block.stream, block.sample_idx, n_samples, encoded)
        return encoded

    def _flush(self) -> None:
        """Send what is left at the body's end in shorter blocks, once."""
        for stream in self._streams if self._streaming else ():
            left = round((self._body.duration_s - stream.next_sample_s) * stream.channel.rate_hz)
            if left > 0:
                self._send_block(stream, min(left, stream.n_block))
                stream.move_to(stream.at + max(left - stream.n_block, 0))

    def _ticks_us(self, t_s: float) -> int:
        ticks_us = self._first_tick_us + self._leapt_us + round((t_s - self._boot_s) * 1e6)
        return ticks_us & 0xFFFFFFFF
