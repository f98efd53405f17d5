"""Schemas of what a recording holds, so that any viewer can tell what it sees."""

from __future__ import annotations

import json

from firmware_host.protocol.messages import Channel

SAMPLES = "signet.Samples"
RAW_BLOCK = "signet.RawBlock"
HELLO = "signet.Hello"
LABEL = "signet.Label"
MARKER = "signet.Marker"
HEADER_FIELDS = ("session", "stream", "seq", "ticks_us", "dropped", "sample_idx")
_AXIS_NAMES = "xyz"


def raw_names(axes: int) -> list[str]:
    """Names of the lists of raw counts, one an axis."""
    if axes == 1:
        return ["raw"]
    if axes == len(_AXIS_NAMES):
        return [f"raw_{axis}" for axis in _AXIS_NAMES]
    return [f"raw_{i}" for i in range(axes)]


def _schema(title: str, about: str, /, **properties: object) -> bytes:
    body = {"title": title, "description": about, "type": "object", "properties": properties}
    return json.dumps(body, sort_keys=True).encode()


def schema_json(name: str, channel: Channel | None = None) -> bytes:
    """JSON schema of a message type; for samples that of one channel."""
    if name == SAMPLES and channel is not None:
        counts = {"type": "array", "items": {"type": "integer"}}
        text = (
            f"Consecutive samples of {channel.name}. value = raw * {channel.scale!r} + "
            f"{channel.offset!r} in {channel.unit}, {channel.rate_hz:g} Hz. ticks_us: board clock "
            "at the first sample; sample_idx: its running number since boot."
        )
        names = dict.fromkeys(raw_names(channel.axes), counts)
        return _schema(f"{name}.{channel.name}", text, **_HEADER_SCHEMA, **names)
    return _SCHEMAS[name]


_INTEGER = {"type": "integer"}
_NUMBER = {"type": "number"}
_STRING = {"type": "string"}
_HEADER_SCHEMA: dict[str, object] = dict.fromkeys(HEADER_FIELDS, _INTEGER)
_RANGE = ("stream", "sample_idx")
_BOARD = {"session": _INTEGER, "ticks_us": _INTEGER}
_CHANNEL = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("stream", "axes"), _INTEGER),
        **dict.fromkeys(("name", "unit", "dtype"), _STRING),
        **dict.fromkeys(("rate_hz", "scale", "offset"), _NUMBER),
    },
}
_STATUS_COUNTERS = (
    "free_bytes",
    "n_boots",
    "n_late",
    "n_dropped",
    "n_overruns",
    "n_bad_frames",
    "n_failures",
)
_INTEGER_OR_NULL = {"type": ["integer", "null"]}
_PART = {
    "type": "object",
    "properties": {"name": _STRING, "state": _INTEGER, "n_errors": _INTEGER},
}
_SCHEMAS = {
    RAW_BLOCK: _schema(
        RAW_BLOCK,
        "Samples as the bytes that came, where no HELLO told their layout or they are floats.",
        **_HEADER_SCHEMA,
        data={"type": "string", "contentEncoding": "base64"},
    ),
    LABEL: _schema(
        LABEL,
        "What a stretch of time was (stress or rest), in UNIX seconds, and who said so.",
        t_start_utc=_NUMBER,
        t_end_utc=_NUMBER,
        label=_STRING,
        source=_STRING,
        participant={"type": ["string", "null"]},
    ),
    MARKER: _schema(MARKER, "A note made while recording.", text=_STRING),
    HELLO: _schema(
        HELLO,
        "What the board is and which channels it has; value = raw * scale + offset in unit.",
        **_BOARD,
        board_id=_STRING,
        firmware=_STRING,
        protocol_version=_INTEGER,
        ring_bytes=_INTEGER,
        channels={"type": "array", "items": _CHANNEL},
    ),
    "signet.Event": _schema(
        "signet.Event",
        "kind 1 button (0 press, 1/2 stress starts/ends, 3/4 rest starts/ends), 2 wear, 3 battery.",
        **_BOARD,
        **dict.fromkeys(("kind", "value", "seq"), _INTEGER),
    ),
    "signet.Pong": _schema(
        "signet.Pong", "The board's answer to a ping.", **_BOARD, token=_INTEGER
    ),
    "signet.Ack": _schema(
        "signet.Ack",
        "How a command ended: 0 done, 1 unknown, 2 bad value, 3 not now. Of a backfill: of the samples of "
        "stream from sample_idx on, the first gone will not come; for the others frames frames will.",
        **_BOARD,
        **dict.fromkeys(("command", "result", "token", *_RANGE, "gone", "frames"), _INTEGER),
        **dict.fromkeys(("key", "text"), _STRING),
    ),
    "signet.Status": _schema(
        "signet.Status",
        "How the board itself does; cause: 0 not known, 1 power, 2 watchdog, 3 asked, 4 the app failed.",
        **_BOARD,
        **dict.fromkeys(("uptime_s", "cause"), _INTEGER),
        **dict.fromkeys(_STATUS_COUNTERS, _INTEGER_OR_NULL),
        parts={"type": "array", "items": _PART},
    ),
    "signet.Log": _schema(
        "signet.Log", "A line of the board's.", **_BOARD, level=_INTEGER, text=_STRING
    ),
    "signet.Mismatch": _schema("signet.Mismatch", "HELLO of another version.", theirs=_INTEGER),
    "signet.Ping": _schema("signet.Ping", "The host's clock question, when sent.", token=_INTEGER),
    "signet.Command": _schema(
        "signet.Command",
        "The host's order: 1 start, 2 stop, 3 cue, 4 rate (value in mHz), 5 backfill (value samples), "
        "6 status, 7 reset, 8 setting.",
        **dict.fromkeys(("kind", "value", "token", *_RANGE), _INTEGER),
        **dict.fromkeys(("key", "text"), _STRING),
    ),
}
