"""Messages to bytes and back. Byte tables: SPEC.md; the values themselves: values.py."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from firmware_host.protocol import frame
from firmware_host.protocol.values import (
    BLOCK_DATA_BYTES,
    DTYPE_BYTES,
    DTYPE_CODES,
    MAX_AXES,
    MAX_STREAMS,
    MAX_STRING_BYTES,
    Ack,
    AckResult,
    Block,
    BootCause,
    Button,
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
    Reset,
    SettingOrder,
    Status,
)

__all__ = [
    "BLOCK_DATA_BYTES",
    "DTYPE_BYTES",
    "DTYPE_CODES",
    "MAX_AXES",
    "MAX_STREAMS",
    "MAX_STRING_BYTES",
    "Ack",
    "AckResult",
    "Block",
    "BootCause",
    "Button",
    "Channel",
    "Command",
    "CommandKind",
    "Event",
    "EventKind",
    "Hello",
    "Log",
    "Message",
    "MessageParser",
    "Mismatch",
    "Part",
    "PartState",
    "Ping",
    "Pong",
    "RawFrame",
    "Reset",
    "SettingOrder",
    "Status",
    "encode_ack",
    "encode_block",
    "encode_command",
    "encode_event",
    "encode_hello",
    "encode_log",
    "encode_ping",
    "encode_pong",
    "encode_status",
    "hello_payloads",
]

_BLOCK = frame.BLOCK
_HOST_KINDS = (frame.PING, frame.CMD)
_SAMPLE_IDX = struct.Struct("<I")
_DTYPE_NAMES = {code: name for name, code in DTYPE_CODES.items()}
# What every command and its answer begin with; the arguments and the answer of BACKFILL.
_COMMAND, _ACK = "<BiI", "<BBI"
_RANGE, _COMING = "<BI", "<BIIH"
_UPTIME, _COUNTER, _PART_FACTS = "<IB", "<BI", "<BI"
# Counters of a STATUS by their number there.
_COUNTERS = {
    1: "free_bytes",
    2: "n_boots",
    3: "n_late",
    4: "n_dropped",
    5: "n_overruns",
    6: "n_bad_frames",
    7: "n_failures",
}

RawFrame = tuple[int, int, int, int, int, int, bytes]


def _pack_string(text: str) -> bytes:
    data = text.encode()
    if len(data) > MAX_STRING_BYTES:
        msg = f"expected at most {MAX_STRING_BYTES} bytes of UTF-8, got {len(data)}: {text!r}"
        raise ValueError(msg)
    _require_printable(text)
    return bytes([len(data)]) + data


def _require_printable(text: str) -> None:
    if not text.isprintable():
        # A terminal or a log would obey it.
        msg = f"expected printable characters, got {text!r}"
        raise ValueError(msg)


def _require_sound(channel: Channel) -> Channel:
    if (misfit := channel.misfit) is not None:
        expected, received = misfit
        msg = f"expected {expected}, got {received}"
        raise ValueError(msg)
    return channel


def _pack_channel(channel: Channel) -> bytes:
    _require_sound(channel)
    return (
        bytes([channel.stream])
        + _pack_string(channel.name)
        + _pack_string(channel.unit)
        + struct.pack(
            "<fddBB",
            channel.rate_hz,
            channel.scale,
            channel.offset,
            DTYPE_CODES[channel.dtype],
            channel.axes,
        )
    )


def _require_different(channels: tuple[Channel, ...]) -> None:
    for said in ([c.stream for c in channels], [c.name for c in channels]):
        if len(set(said)) < len(said):
            msg = f"channels must differ in stream number and name, got {said}"
            raise ValueError(msg)


def hello_payloads(hello: Hello) -> list[bytes]:
    """HELLO payloads, as many parts as the channels need."""
    _require_different(hello.channels)
    ids = _pack_string(hello.board_id) + _pack_string(hello.firmware)
    # An older host reads the channels it was told of and never looks at what follows.
    ring = struct.pack("<I", hello.ring_bytes) if hello.ring_bytes else b""
    room = frame.MAX_PAYLOAD_BYTES - 3 - len(ids) - 1 - len(ring)
    parts: list[list[bytes]] = [[]]
    for packed in map(_pack_channel, hello.channels):
        if sum(map(len, parts[-1])) + len(packed) > room:
            parts.append([])
        parts[-1].append(packed)
    return [
        bytes([hello.protocol_version, i, len(parts)])
        + ids
        + bytes([len(part)])
        + b"".join(part)
        + ring
        for i, part in enumerate(parts)
    ]


def encode_hello(hello: Hello, *, seq: int, ticks_us: int) -> bytes:
    """Frames of one HELLO; its parts take ``seq``, ``seq + 1``, and so on."""
    return b"".join(
        frame.encode(frame.HELLO, 0, hello.session, seq + i, ticks_us, 0, payload)
        for i, payload in enumerate(hello_payloads(hello))
    )


def encode_block(block: Block) -> bytes:
    """One BLOCK frame."""
    payload = struct.pack("<I", block.sample_idx & 0xFFFFFFFF) + block.data
    return frame.encode(
        frame.BLOCK, block.stream, block.session, block.seq, block.ticks_us, block.dropped, payload
    )


def encode_event(event: Event) -> bytes:
    """One EVENT frame."""
    payload = struct.pack("<Bi", event.kind, event.value)
    return frame.encode(frame.EVENT, 0, event.session, event.seq, event.ticks_us, 0, payload)


def encode_ping(ping: Ping, *, seq: int) -> bytes:
    """One PING frame."""
    return frame.encode(frame.PING, 0, 0, seq, 0, 0, struct.pack("<I", ping.token))


def encode_pong(pong: Pong, *, seq: int) -> bytes:
    """One PONG frame."""
    payload = struct.pack("<I", pong.token)
    return frame.encode(frame.PONG, 0, pong.session, seq, pong.ticks_us, 0, payload)


def encode_command(command: Command, *, seq: int) -> bytes:
    """One CMD frame."""
    payload = struct.pack(_COMMAND, command.kind, command.value, command.token)
    if command.kind == CommandKind.RATE:
        payload += bytes([command.stream])
    elif command.kind == CommandKind.BACKFILL:
        payload += struct.pack(_RANGE, command.stream, command.sample_idx)
    elif command.kind == CommandKind.SETTING:
        payload += _pack_string(command.key) + _pack_string(command.text)
    return frame.encode(frame.CMD, 0, 0, seq, 0, 0, payload)


def encode_ack(ack: Ack, *, seq: int) -> bytes:
    """One ACK frame."""
    payload = struct.pack(_ACK, ack.command, ack.result, ack.token)
    if ack.command == CommandKind.BACKFILL:
        payload += struct.pack(_COMING, ack.stream, ack.sample_idx, ack.gone, ack.frames)
    elif ack.command == CommandKind.SETTING:
        payload += _pack_string(ack.key) + _pack_string(ack.text)
    return frame.encode(frame.ACK, 0, ack.session, seq, ack.ticks_us, 0, payload)


def encode_status(status: Status, *, seq: int) -> bytes:
    """One STATUS frame; parts that no longer fit are left out."""
    told = {number: getattr(status, name) for number, name in _COUNTERS.items()}
    counters = [
        struct.pack(_COUNTER, number, min(value, 0xFFFFFFFF))
        for number, value in told.items()
        if value is not None
    ]
    payload = struct.pack(_UPTIME, status.uptime_s & 0xFFFFFFFF, status.cause)
    payload += bytes([len(counters)]) + b"".join(counters)
    parts: list[bytes] = []
    n_left = frame.MAX_PAYLOAD_BYTES - len(payload) - 1
    for part in status.parts:
        packed = _pack_string(part.name) + struct.pack(_PART_FACTS, part.state, part.n_errors)
        n_left -= len(packed)
        if n_left < 0:
            break
        parts.append(packed)
    payload += bytes([len(parts)]) + b"".join(parts)
    return frame.encode(frame.STATUS, 0, status.session, seq, status.ticks_us, 0, payload)


def encode_log(log: Log, *, seq: int) -> bytes:
    """One LOG frame; a text that is too long is cut."""
    text = log.text.encode()[: frame.MAX_PAYLOAD_BYTES - 1].decode(errors="ignore")
    payload = bytes([log.level]) + (text.encode() or b"?")
    return frame.encode(frame.LOG, 0, log.session, seq, log.ticks_us, 0, payload)


class _Reader:
    """Cursor over a payload; running past its end is a struct.error like any other misfit."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, layout: str) -> tuple[float, ...]:
        values = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return values

    @property
    def n_left(self) -> int:
        return len(self._data) - self._at

    def byte(self) -> int:
        return int(self.take("<B")[0])

    def string(self) -> str:
        n = self.byte()
        text = self._data[self._at : self._at + n]
        if len(text) < n or n > MAX_STRING_BYTES:
            msg = "string runs past the payload"
            raise struct.error(msg)
        self._at += n
        said = text.decode()
        _require_printable(said)
        return said


def _parse_channel(reader: _Reader) -> Channel:
    stream = reader.byte()
    name, unit = reader.string(), reader.string()
    rate_hz, scale, offset, dtype, axes = reader.take("<fddBB")
    dtype_name = _DTYPE_NAMES[int(dtype)]
    channel = Channel(stream, name, unit, rate_hz, scale, offset, dtype_name, int(axes))
    return _require_sound(channel)


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
    reader = _Reader(payload)
    _version, part, n_parts = reader.byte(), reader.byte(), reader.byte()
    if not part < n_parts:
        msg = "part beyond the number of parts"
        raise ValueError(msg)
    board_id, firmware = reader.string(), reader.string()
    channels = tuple(_parse_channel(reader) for _ in range(reader.byte()))
    ring_bytes = int(reader.take("<I")[0]) if reader.n_left else 0
    return _HelloPart(part, n_parts, board_id, firmware, channels, ring_bytes)


def _parse_event(raw: RawFrame) -> Event:
    kind, value = struct.unpack("<Bi", raw[6])
    return Event(raw[2], raw[4], EventKind(kind), value, raw[3])


def _parse_ack(raw: RawFrame) -> Ack:
    reader = _Reader(raw[6])
    command, result, token = map(int, reader.take(_ACK))
    if command == CommandKind.SETTING and reader.n_left:
        key, text = reader.string(), reader.string()
        return Ack(raw[2], raw[4], command, AckResult(result), token, key=key, text=text)
    # A board that has no ring answers without them.
    has_more = command == CommandKind.BACKFILL and reader.n_left
    more = map(int, reader.take(_COMING)) if has_more else ()
    return Ack(raw[2], raw[4], command, AckResult(result), token, *more)


def _parse_command(raw: RawFrame) -> Command:
    reader = _Reader(raw[6])
    kind, value, token = map(int, reader.take(_COMMAND))
    if kind == CommandKind.RATE:
        return Command(kind, value, token, reader.byte())
    if kind == CommandKind.BACKFILL:
        stream, sample_idx = map(int, reader.take(_RANGE))
        return Command(kind, value, token, stream, sample_idx)
    if kind == CommandKind.SETTING:
        return Command(kind, value, token, key=reader.string(), text=reader.string())
    return Command(kind, value, token)


def _parse_status(raw: RawFrame) -> Status:
    reader = _Reader(raw[6])
    uptime_s, cause = map(int, reader.take(_UPTIME))
    counters = [map(int, reader.take(_COUNTER)) for _ in range(reader.byte())]
    told = {_COUNTERS[number]: value for number, value in counters if number in _COUNTERS}
    parts = tuple(_parse_part(reader) for _ in range(reader.byte()))
    known = BootCause(cause) if cause in set(BootCause) else BootCause.UNKNOWN
    return Status(raw[2], raw[4], uptime_s, known, **told, parts=parts)


def _parse_part(reader: _Reader) -> Part:
    name = reader.string()
    state, n_errors = map(int, reader.take(_PART_FACTS))
    return Part(name, PartState(state), n_errors)


def _parse_log(raw: RawFrame) -> Log:
    payload = raw[6]
    if len(payload) < 2:
        msg = "a LOG without a text"
        raise ValueError(msg)
    return Log(raw[2], raw[4], payload[0], payload[1:].decode(errors="replace"))


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

    def _parse_other(self, raw: RawFrame) -> Message | None:
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

    def _join_hello(self, raw: RawFrame) -> Hello | Mismatch | None:
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
        _require_different(channels)
        return Hello(
            raw[2], part.board_id, part.firmware, channels, version, raw[4], part.ring_bytes
        )


def _parse_ping(raw: RawFrame) -> Ping:
    return Ping(struct.unpack("<I", raw[6])[0])


def _parse_pong(raw: RawFrame) -> Pong:
    return Pong(raw[2], raw[4], struct.unpack("<I", raw[6])[0])


_PARSERS: dict[int, Callable[[RawFrame], Message]] = {
    frame.EVENT: _parse_event,
    frame.PING: _parse_ping,
    frame.PONG: _parse_pong,
    frame.CMD: _parse_command,
    frame.ACK: _parse_ack,
    frame.STATUS: _parse_status,
    frame.LOG: _parse_log,
}
