"""Messages as JSON, and the way back without loss; what the fields are: mcap_schemas.py."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, TypeVar

from firmware_host.protocol.encode import (
    encode_ack,
    encode_command,
    encode_event,
    encode_hello,
    encode_log,
    encode_ping,
    encode_pong,
    encode_status,
)
from firmware_host.protocol.messages import (
    BLOCK_DATA_BYTES,
    MAX_AXES,
    Ack,
    AckResult,
    Block,
    BootCause,
    Channel,
    Command,
    Event,
    EventKind,
    Hello,
    Log,
    Message,
    Mismatch,
    Part,
    PartState,
    Ping,
    PlainMessage,
    Pong,
    Status,
)
from firmware_host.protocol.parser import MessageParser
from firmware_host.recording.labels import Label
from firmware_host.recording.mcap_schemas import HEADER_FIELDS, HELLO, RAW_BLOCK, raw_names

M = TypeVar("M", bound=Message)

LABEL_TOPIC = "/label"
MARKER_TOPIC = "/marker"

# As the wire has it: session, stream, seq, ticks_us, dropped, sample_idx.
_BLOCK_LAYOUT = struct.Struct("<HBHIHI")
# What MCAP's own times can say, 64 bits of ns; whatever reads labels can make a date of it.
_MAX_UTC = 2.0**64 / 1e9
_STRUCT_CODES = {"i8": "b", "u8": "B", "i16": "h", "u16": "H", "i32": "i", "u32": "I"}
_SOME_HAVE = {"ring_bytes", "stream", "sample_idx", "gone", "frames", "key", "text"}
# Type of the message, topic, schema name.
_PLAIN: dict[type, tuple[str, str]] = {
    Hello: ("/board/hello", HELLO),
    Event: ("/board/event", "signet.Event"),
    Pong: ("/board/pong", "signet.Pong"),
    Ack: ("/board/ack", "signet.Ack"),
    Status: ("/board/status", "signet.Status"),
    Log: ("/board/log", "signet.Log"),
    Mismatch: ("/board/mismatch", "signet.Mismatch"),
    Ping: ("/host/ping", "signet.Ping"),
    Command: ("/host/command", "signet.Command"),
}


def topic_and_schema(message: Message) -> tuple[str, str]:
    """Where a message other than a block goes."""
    return _PLAIN[type(message)]


def sample_topic(channel: Channel) -> str:
    """Topic of a channel's blocks."""
    return f"/sensor/{channel.name}"


def raw_topic(block: Block) -> str:
    """Topic of blocks whose layout no HELLO has told."""
    return f"/sensor/stream-{block.stream}"


def channel_metadata(channel: Channel) -> dict[str, str]:
    """Describe a channel for a viewer: how raw counts become units."""
    return {name: str(value) for name, value in asdict(channel).items()}


def is_countable(channel: Channel, block: Block) -> bool:
    """Whether the block can be written as numbers: whole samples of an integer type."""
    return channel.dtype in _STRUCT_CODES and len(block.data) % channel.sample_bytes == 0


def encode_samples(channel: Channel, block: Block) -> bytes:
    """Write a block as JSON with one list of raw counts for each axis."""
    code = _STRUCT_CODES[channel.dtype]
    n_values = len(block.data) // struct.calcsize(code)
    raw = list(struct.unpack(f"<{n_values}{code}", block.data))
    axes = ",".join(
        f'"{name}":{raw[i :: channel.axes]}' for i, name in enumerate(raw_names(channel.axes))
    )
    return f"{{{_header(block)},{axes}}}".encode()


def sample_decoder(metadata: dict[str, str]) -> Callable[[bytes], Block]:
    """Way back from `encode_samples` for one channel, by the metadata the file carries."""
    code, axes = _STRUCT_CODES[metadata["dtype"]], int(metadata["axes"])
    if not 1 <= axes <= MAX_AXES:
        msg = f"expected 1 to {MAX_AXES} axes, got {axes}"
        raise ValueError(msg)
    names = raw_names(axes)

    def decode(payload: bytes) -> Block:
        fields = json.loads(payload)
        values = fields[names[0]]
        if axes > 1:
            values = [0] * (axes * len(values))
            for i, name in enumerate(names):
                # Refuses a column of another length.
                values[i::axes] = fields[name]
        data = struct.pack(f"<{len(values)}{code}", *values)
        return _block(fields, data)

    return decode


def encode_raw(block: Block) -> bytes:
    """Write a block as JSON with its bytes in base64."""
    return f'{{{_header(block)},"data":"{base64.b64encode(block.data).decode()}"}}'.encode()


def encode_plain(message: PlainMessage) -> bytes:
    """Write any message but a block as JSON; what only some of a kind have is left out where it is 0."""
    fields = asdict(message).items()
    return _dump({name: value for name, value in fields if value or name not in _SOME_HAVE})


def encode_label(label: Label) -> bytes:
    """Write a label as JSON."""
    return _dump(asdict(label))


def encode_marker(text: str) -> bytes:
    """Write a note made while recording as JSON."""
    return _dump({"text": text})


def decode_label(payload: bytes) -> Label:
    """Way back from `encode_label`."""
    label = Label(**json.loads(payload))
    texts = label.label, label.source, label.participant or ""
    # Python takes infinities and NaN for JSON.
    times = all(abs(utc) < _MAX_UTC for utc in (label.t_start_utc, label.t_end_utc))
    if not times or not all(text.isprintable() for text in texts):
        msg = f"expected UNIX seconds and words, got {label}"
        raise ValueError(msg)
    return label


def decode_marker(payload: bytes) -> str:
    """Way back from `encode_marker`."""
    return str(json.loads(payload)["text"])


def decode_hello(payload: bytes) -> Hello:
    """Way back for HELLO."""
    fields = json.loads(payload)
    channels = tuple(Channel(**channel) for channel in fields.pop("channels"))
    hello = Hello(channels=channels, **fields)
    heard = _heard(encode_hello(hello, seq=0, ticks_us=hello.ticks_us))
    if isinstance(heard, Hello):
        # A rate has half as many digits on the wire.
        pairs = zip(heard.channels, channels, strict=True)
        heard = replace(heard, channels=tuple(replace(a, rate_hz=b.rate_hz) for a, b in pairs))
    return _same(hello, heard)


def _decode_raw(payload: bytes) -> Block:
    fields = json.loads(payload)
    return _block(fields, base64.b64decode(fields["data"], validate=True))


def _decode_event(payload: bytes) -> Event:
    fields = json.loads(payload)
    event = Event(kind=EventKind(fields.pop("kind")), **fields)
    return _same(event, _heard(encode_event(event)))


def _decode_ack(payload: bytes) -> Ack:
    fields = json.loads(payload)
    ack = Ack(result=AckResult(fields.pop("result")), **fields)
    return _same(ack, _heard(encode_ack(ack, seq=0)))


def _decode_pong(payload: bytes) -> Pong:
    pong = Pong(**json.loads(payload))
    return _same(pong, _heard(encode_pong(pong, seq=0)))


def _decode_ping(payload: bytes) -> Ping:
    ping = Ping(**json.loads(payload))
    return _same(ping, _heard(encode_ping(ping, seq=0)))


def _decode_command(payload: bytes) -> Command:
    command = Command(**json.loads(payload))
    return _same(command, _heard(encode_command(command, seq=0)))


def _decode_mismatch(payload: bytes) -> Mismatch:
    mismatch = Mismatch(**json.loads(payload))
    # One byte on the wire.
    bytes([mismatch.theirs])
    return mismatch


def _decode_status(payload: bytes) -> Status:
    fields = json.loads(payload)
    parts = tuple(
        Part(str(part["name"]), PartState(part["state"]), part["n_errors"])
        for part in fields.pop("parts")
    )
    cause = BootCause(fields.pop("cause"))
    status = Status(cause=cause, parts=parts, **fields)
    return _same(status, _heard(encode_status(status, seq=0)))


def _decode_log(payload: bytes) -> Log:
    log = Log(**json.loads(payload))
    return _same(log, _heard(encode_log(log, seq=0)))


DECODERS: dict[str, Callable[[bytes], Message]] = {
    RAW_BLOCK: _decode_raw,
    HELLO: decode_hello,
    "signet.Event": _decode_event,
    "signet.Pong": _decode_pong,
    "signet.Ack": _decode_ack,
    "signet.Mismatch": _decode_mismatch,
    "signet.Ping": _decode_ping,
    "signet.Command": _decode_command,
    "signet.Status": _decode_status,
    "signet.Log": _decode_log,
}
"""Schema name -> way back, for every message whose layout does not depend on a channel."""


def _block(fields: dict[str, Any], data: bytes) -> Block:
    session, stream, seq, ticks_us, dropped, idx = [fields[name] for name in HEADER_FIELDS]
    # Refuses what no frame can carry: a file may have been written by anyone.
    _BLOCK_LAYOUT.pack(session, stream, seq, ticks_us, dropped, idx)
    if not 1 <= len(data) <= BLOCK_DATA_BYTES:
        msg = f"expected 1 to {BLOCK_DATA_BYTES} bytes of samples, got {len(data)}"
        raise ValueError(msg)
    return Block(session, stream, seq, ticks_us, dropped, idx, data)


def _heard(code: bytes) -> Message | None:
    """What a host makes of wire bytes."""
    return next(iter(MessageParser().feed(code)), None)


def _same(said: M, heard: Message | None) -> M:
    """``said``, if the wire carries all of it: whoever plays the file has to be able to say it."""
    if heard != said:
        msg = f"expected a message that the wire carries, got {said}"
        raise ValueError(msg)
    return said


def _header(block: Block) -> str:
    return (
        f'"session":{block.session},"stream":{block.stream},"seq":{block.seq},'
        f'"ticks_us":{block.ticks_us},"dropped":{block.dropped},"sample_idx":{block.sample_idx}'
    )


def _dump(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":"), allow_nan=False).encode()
