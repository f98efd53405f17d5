"""Messages of a small recording, shared by the tests beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from firmware_host.protocol.messages import (
    Ack,
    AckResult,
    Block,
    Button,
    Channel,
    Command,
    CommandKind,
    Event,
    EventKind,
    Hello,
    Message,
    Mismatch,
    Ping,
    Pong,
)
from firmware_host.recording.mcap_file import McapWriter

UTC0 = 1_767_600_000.123456
BVP = Channel(0, "bvp", "au", 64.0, 0.01, 0.0, "i32", 1)
ACC = Channel(3, "acc", "m/s2", 50.0, 9.80665 / 64, 0.25, "i8", 3)
PH = Channel(4, "ph", "", 1.0, 1.0, 0.0, "f32", 1)
ODD = Channel(5, "quat", "", 10.0, 1.0, 0.0, "u16", 4)
HELLO = Hello(7, "board-1", "fw 1", (BVP, ACC, PH, ODD))
Pair = tuple[float, Message]


def day(n_s: int = 12) -> list[Pair]:
    """Some seconds of everything a link carries, in order of arrival."""
    pairs: list[Pair] = [(UTC0, HELLO), (UTC0 + 0.1, Command(CommandKind.START, 0, 9))]
    pairs.append((UTC0 + 0.2, Ack(7, 100, 1, AckResult.DONE, 9)))
    for k in range(n_s):
        at = UTC0 + 1 + k
        raw = bytes((k * 31 + i * 7) & 0xFF for i in range(128))
        pairs += [
            (at, Block(7, 0, k, k * 500_000, 0, k * 32, raw)),
            (at + 0.01, Block(7, 3, k, k * 500_000, 3, k * 25, raw[:75])),
            (at + 0.02, Block(7, 4, k, k * 500_000, 0, k, b"\0\0\xc0\x7f")),
            (at + 0.03, Block(7, 5, k, k * 500_000, 0, k, raw[:16])),
            (at + 0.04, Ping(k)),
            (at + 0.05, Pong(7, k * 500_000, k)),
        ]
    pairs += [
        (UTC0 + n_s + 1, Event(7, 5, EventKind.BUTTON, Button.STRESS_STARTS, 2)),
        (UTC0 + n_s + 2, Block(7, 9, 0, 0, 0, 0, b"who?")),
        (UTC0 + n_s + 2, Block(7, 0, 0, 0, 0, 0, b"odd")),
        (UTC0 + n_s + 2, Block(8, 0, 0, 0, 0, 0, b"\1\0\0\0")),
        (UTC0 + n_s + 3, replace(HELLO, session=8, channels=(replace(BVP, scale=0.5),))),
        (UTC0 + n_s + 4, Block(8, 0, 0, 0, 0, 0, b"\1\0\0\0")),
        (UTC0 + n_s + 5, Mismatch(2)),
    ]
    return pairs


def write_file(path: Path, pairs: list[Pair], **options: float) -> list[Path]:
    with McapWriter(path, **options) as writer:  # type: ignore[arg-type]
        for utc, message in pairs:
            writer.write(message, utc, utc - 0.25)
    return writer.paths
