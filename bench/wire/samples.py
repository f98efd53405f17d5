"""Real frames of every kind, as boards and hosts of ours send them; the same at every run."""

from __future__ import annotations

import numpy as np

from firmware_host.protocol import frame
from firmware_host.protocol.encode import (
    encode_ack,
    encode_block,
    encode_command,
    encode_event,
    encode_hello,
    encode_ping,
    encode_pong,
)
from firmware_host.protocol.messages import (
    BLOCK_DATA_BYTES,
    Ack,
    AckResult,
    Block,
    Channel,
    Command,
    CommandKind,
    Event,
    EventKind,
    Hello,
    Ping,
    Pong,
)

_SESSION, _TICKS_US = 0xB0A7, 1_234_567_890
_CHANNELS = (
    Channel(0, "bvp", "au", 64.0, 0.01, 0.0, "i16", 1),
    Channel(1, "eda", "uS", 4.0, 1e-6, 0.0, "i32", 1),
    Channel(3, "acc", "m/s2", 50.0, 9.80665 / 4096, 0.0, "i16", 3),
)


def frames() -> dict[str, bytes]:
    """Every kind, without the zero that ends it; the four last have the greatest length there is.

    COBS makes no two of those alike: a pulse wave has few zeros, skin conductance in 32 bits one in four bytes, a
    sensor without a signal nothing else, and a saturated one none at all.
    """
    wave = 3000 * np.sin(np.arange(BLOCK_DATA_BYTES // 2) / 10) + np.arange(BLOCK_DATA_BYTES // 2)
    skin = 2_150_000 + 300 * np.arange(BLOCK_DATA_BYTES // 4)
    blocks = {
        "BLOCK, short": wave.astype("<i2").tobytes()[:16],
        "BLOCK, pulse wave": wave.astype("<i2").tobytes(),
        "BLOCK, skin conductance": skin.astype("<i4").tobytes() + b"\x7f\0",
        "BLOCK, all zeros": bytes(BLOCK_DATA_BYTES),
        "BLOCK, no zero": b"\x7f" * BLOCK_DATA_BYTES,
    }
    hello = Hello(_SESSION, "wrist-1", "signet 0.5.0", _CHANNELS)
    coded = {
        "PING": encode_ping(Ping(0x5EED), seq=7),
        "PONG": encode_pong(Pong(_SESSION, _TICKS_US, 0x5EED), seq=7),
        "EVENT": encode_event(Event(_SESSION, _TICKS_US, EventKind.BUTTON, 1, seq=3)),
        "CMD": encode_command(Command(CommandKind.CUE, 2, 0xCAFE), seq=8),
        "ACK": encode_ack(Ack(_SESSION, _TICKS_US, 3, AckResult.DONE, 0xCAFE), seq=8),
        "HELLO": encode_hello(hello, seq=0, ticks_us=_TICKS_US),
        **{
            name: encode_block(Block(_SESSION, i, 41, _TICKS_US, 0, 64_000, data))
            for i, (name, data) in enumerate(blocks.items())
        },
    }
    return {name: code[:-1] for name, code in coded.items()}


def simulated_frames(seconds: float) -> list[bytes]:
    """All frames of a simulated wearer's first seconds, as the virtual board sends them."""
    from sim.board import VirtualBoard
    from sim.body import SyntheticBody
    from sim.person import Wearer
    from sim.schedule import load_scenario

    board = VirtualBoard(SyntheticBody(Wearer(load_scenario("short"), seed=1)), seed=1)
    return [code for code in board.advance(seconds).split(b"\0") if code]


def is_longest(code: bytes) -> bool:
    """Whether a frame is as long as any can be."""
    return len(code) == frame.MAX_BODY_BYTES + 1
