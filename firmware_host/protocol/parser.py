"""Bytes to messages. Byte tables: SPEC.md."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from firmware_host.protocol import frame, layouts
from firmware_host.protocol.messages import (
    DTYPE_CODES,
    Ack,
    AckResult,
    Block,
    BootCause,
    Channel,
    Command,
    CommandKind,
    Event,
    EventKind,
    Hello,
    Log,
    Message,
    Mismatch,
    Part,
    PartState,
    Ping,
    Pong,
    Status,
)
from firmware_host.protocol.payload import Reader, require_different, require_sound

_BLOCK = frame.BLOCK
_HOST_KINDS = (frame.PING, frame.CMD)
_SAMPLE_IDX = struct.Struct("<I")
_DTYPE_NAMES = {code: name for name, code in DTYPE_CODES.items()}

_RawFrame = tuple[int, int, int, int, int, int, bytes]


@dataclass(slots=True)
class MessageParser:
    """Bytes in, messages out, both ways of the wire.

    Counters: those of ``decoder``; ``bad_payloads``, frames with a right CRC whose payload does not fit
    its kind; ``unknown_kinds``, frames of a kind we do not know; ``host_frames``, PINGs and commands
    where ``board_only`` says that none can come: an echo, or somebody who plays the host.
    """

    board_only: bool = False
    decoder: frame.FrameDecoder = field(default_factory=frame.FrameDecoder)
    bad_payloads: int = 0
    unknown_kinds: int = 0
    host_frames: int = 0
    _parts: list[_HelloPart] = field(default_factory=list)

    def feed(self, data: bytes) -> list[Message]:
        """Messages that ``data`` completes, in order."""
        messages: list[Message] = []
        for raw in self.decoder.feed(data):
            kind, stream, session, seq, ticks_us, dropped, payload = raw
            if kind == _BLOCK and len(payload) > 4:
                # The hot path: nine frames in ten are blocks.
                (idx,) = _SAMPLE_IDX.unpack_from(payload)
                messages.append(Block(session, stream, seq, ticks_us, dropped, idx, payload[4:]))
                continue
            message = self._parse_other(raw)
            if message is not None:
                messages.append(message)
        return messages

    def _parse_other(self, raw: _RawFrame) -> Message | None:
        try:
            if raw[0] == frame.HELLO:
                return self._join_hello(raw)
            if self.board_only and raw[0] in _HOST_KINDS:
                self.host_frames += 1
                return None
            parse = _PARSERS.get(raw[0])
            if parse is None:
                self.unknown_kinds += raw[0] != frame.BLOCK
                self.bad_payloads += raw[0] == frame.BLOCK
                return None
            return parse(raw)
        except (struct.error, ValueError, KeyError):
            # UnicodeDecodeError is a ValueError. The CRC was right: a faulty sender, not noise.
            self.bad_payloads += 1
            return None

    def _join_hello(self, raw: _RawFrame) -> Hello | Mismatch | None:
        version = raw[6][0]
        if version != frame.VERSION:
            return Mismatch(version)
        part = _parse_hello_part(raw[6])
        if part.part == 0:
            self._parts = []
        if part.part != len(self._parts):
            self._parts = []
            return None
        self._parts.append(part)
        if len(self._parts) < part.n_parts:
            return None
        channels = tuple(c for p in self._parts for c in p.channels)
        self._parts = []
        require_different(channels)
        return Hello(
            raw[2], part.board_id, part.firmware, channels, version, raw[4], part.ring_bytes
        )


@dataclass(frozen=True, slots=True)
class _HelloPart:
    part: int
    n_parts: int
    board_id: str
    firmware: str
    channels: tuple[Channel, ...]
    ring_bytes: int


# A board says the same every few seconds, in a few parts.
@lru_cache(maxsize=16)
def _parse_hello_part(payload: bytes) -> _HelloPart:
    reader = Reader(payload)
    _version, part, n_parts = reader.byte(), reader.byte(), reader.byte()
    if not part < n_parts:
        msg = "part beyond the number of parts"
        raise ValueError(msg)
    board_id, firmware = reader.string(), reader.string()
    channels = tuple(_parse_channel(reader) for _ in range(reader.byte()))
    ring_bytes = int(reader.take(layouts.RING)[0]) if reader.n_left else 0
    return _HelloPart(part, n_parts, board_id, firmware, channels, ring_bytes)


def _parse_channel(reader: Reader) -> Channel:
    stream = reader.byte()
    name, unit = reader.string(), reader.string()
    rate_hz, scale, offset, dtype, axes = reader.take(layouts.CHANNEL)
    dtype_name = _DTYPE_NAMES[int(dtype)]
    channel = Channel(stream, name, unit, rate_hz, scale, offset, dtype_name, int(axes))
    return require_sound(channel)


def _parse_event(raw: _RawFrame) -> Event:
    kind, value = struct.unpack(layouts.EVENT, raw[6])
    return Event(raw[2], raw[4], EventKind(kind), value, raw[3])


def _parse_ack(raw: _RawFrame) -> Ack:
    reader = Reader(raw[6])
    command, result, token = map(int, reader.take(layouts.ACK))
    if command == CommandKind.SETTING and reader.n_left:
        key, text = reader.string(), reader.string()
        return Ack(raw[2], raw[4], command, AckResult(result), token, key=key, text=text)
    # A board that has no ring answers without them.
    has_more = command == CommandKind.BACKFILL and reader.n_left
    more = map(int, reader.take(layouts.COMING)) if has_more else ()
    return Ack(raw[2], raw[4], command, AckResult(result), token, *more)


def _parse_command(raw: _RawFrame) -> Command:
    reader = Reader(raw[6])
    kind, value, token = map(int, reader.take(layouts.COMMAND))
    if kind == CommandKind.RATE:
        return Command(kind, value, token, reader.byte())
    if kind == CommandKind.BACKFILL:
        stream, sample_idx = map(int, reader.take(layouts.RANGE))
        return Command(kind, value, token, stream, sample_idx)
    if kind == CommandKind.SETTING:
        return Command(kind, value, token, key=reader.string(), text=reader.string())
    return Command(kind, value, token)


def _parse_status(raw: _RawFrame) -> Status:
    reader = Reader(raw[6])
    uptime_s, cause = map(int, reader.take(layouts.UPTIME))
    counters = [map(int, reader.take(layouts.COUNTER)) for _ in range(reader.byte())]
    names = layouts.COUNTERS
    told = {names[number]: value for number, value in counters if number in names}
    parts = tuple(_parse_part(reader) for _ in range(reader.byte()))
    known = BootCause(cause) if cause in set(BootCause) else BootCause.UNKNOWN
    return Status(raw[2], raw[4], uptime_s, known, **told, parts=parts)


def _parse_part(reader: Reader) -> Part:
    name = reader.string()
    state, n_errors = map(int, reader.take(layouts.PART_FACTS))
    return Part(name, PartState(state), n_errors)


def _parse_log(raw: _RawFrame) -> Log:
    payload = raw[6]
    if len(payload) < 2:
        msg = "a LOG without a text"
        raise ValueError(msg)
    return Log(raw[2], raw[4], payload[0], payload[1:].decode(errors="replace"))


def _parse_ping(raw: _RawFrame) -> Ping:
    return Ping(struct.unpack(layouts.TOKEN, raw[6])[0])


def _parse_pong(raw: _RawFrame) -> Pong:
    return Pong(raw[2], raw[4], struct.unpack(layouts.TOKEN, raw[6])[0])


_PARSERS: dict[int, Callable[[_RawFrame], Message]] = {
    frame.EVENT: _parse_event,
    frame.PING: _parse_ping,
    frame.PONG: _parse_pong,
    frame.CMD: _parse_command,
    frame.ACK: _parse_ack,
    frame.STATUS: _parse_status,
    frame.LOG: _parse_log,
}
