"""Messages to bytes. Byte tables: SPEC.md."""

from __future__ import annotations

import struct

from firmware_host.protocol import frame, layouts
from firmware_host.protocol.messages import (
    DTYPE_CODES,
    Ack,
    Block,
    Channel,
    Command,
    CommandKind,
    Event,
    Hello,
    Log,
    Ping,
    Pong,
    Status,
)
from firmware_host.protocol.payload import pack_string, require_different, require_sound


def _pack_channel(channel: Channel) -> bytes:
    require_sound(channel)
    return (
        bytes([channel.stream])
        + pack_string(channel.name)
        + pack_string(channel.unit)
        + struct.pack(
            layouts.CHANNEL,
            channel.rate_hz,
            channel.scale,
            channel.offset,
            DTYPE_CODES[channel.dtype],
            channel.axes,
        )
    )


def hello_payloads(hello: Hello) -> list[bytes]:
    """HELLO payloads, as many parts as the channels need."""
    require_different(hello.channels)
    ids = pack_string(hello.board_id) + pack_string(hello.firmware)
    # An older host reads the channels it was told of and never looks at what follows.
    ring = struct.pack(layouts.RING, hello.ring_bytes) if hello.ring_bytes else b""
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
    payload = struct.pack(layouts.EVENT, event.kind, event.value)
    return frame.encode(frame.EVENT, 0, event.session, event.seq, event.ticks_us, 0, payload)


def encode_ping(ping: Ping, *, seq: int) -> bytes:
    """One PING frame."""
    return frame.encode(frame.PING, 0, 0, seq, 0, 0, struct.pack(layouts.TOKEN, ping.token))


def encode_pong(pong: Pong, *, seq: int) -> bytes:
    """One PONG frame."""
    payload = struct.pack(layouts.TOKEN, pong.token)
    return frame.encode(frame.PONG, 0, pong.session, seq, pong.ticks_us, 0, payload)


def encode_command(command: Command, *, seq: int) -> bytes:
    """One CMD frame."""
    payload = struct.pack(layouts.COMMAND, command.kind, command.value, command.token)
    if command.kind == CommandKind.RATE:
        payload += bytes([command.stream])
    elif command.kind == CommandKind.BACKFILL:
        payload += struct.pack(layouts.RANGE, command.stream, command.sample_idx)
    elif command.kind == CommandKind.SETTING:
        payload += pack_string(command.key) + pack_string(command.text)
    return frame.encode(frame.CMD, 0, 0, seq, 0, 0, payload)


def encode_ack(ack: Ack, *, seq: int) -> bytes:
    """One ACK frame."""
    payload = struct.pack(layouts.ACK, ack.command, ack.result, ack.token)
    if ack.command == CommandKind.BACKFILL:
        payload += struct.pack(layouts.COMING, ack.stream, ack.sample_idx, ack.gone, ack.frames)
    elif ack.command == CommandKind.SETTING:
        payload += pack_string(ack.key) + pack_string(ack.text)
    return frame.encode(frame.ACK, 0, ack.session, seq, ack.ticks_us, 0, payload)


def encode_status(status: Status, *, seq: int) -> bytes:
    """One STATUS frame; parts that no longer fit are left out."""
    told = {number: getattr(status, name) for number, name in layouts.COUNTERS.items()}
    counters = [
        struct.pack(layouts.COUNTER, number, min(value, 0xFFFFFFFF))
        for number, value in told.items()
        if value is not None
    ]
    payload = struct.pack(layouts.UPTIME, status.uptime_s & 0xFFFFFFFF, status.cause)
    payload += bytes([len(counters)]) + b"".join(counters)
    parts: list[bytes] = []
    n_left = frame.MAX_PAYLOAD_BYTES - len(payload) - 1
    for part in status.parts:
        packed = pack_string(part.name) + struct.pack(layouts.PART_FACTS, part.state, part.n_errors)
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
