"""The way out of a virtual board: blocks of samples, and a line that may have no room for them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from firmware_host.protocol.messages import Block
from sim.sensors import NUMPY_DTYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.board_orders import Cue
    from sim.sensor_stream import SensorStream


@dataclass
class BoardCounters:
    """What the board did since power on."""

    frames: int = 0
    bytes: int = 0
    dropped_frames: int = 0
    resent_frames: int = 0
    reboots: int = 0
    cues: list[Cue] = field(default_factory=list)


class Line:
    """Takes whole frames while there is room."""

    def __init__(self, counters: BoardCounters) -> None:
        self._counters = counters
        self._out = bytearray()
        self.room_bytes = math.inf
        self.n_dropped = 0
        """Frames that it did not take since boot."""

    def open(self, said: bytes, room_bytes: int | None) -> None:
        """Let go out what was said already, and as much more as there is room for; None for no limit."""
        self._out = bytearray(said)
        self.room_bytes = math.inf if room_bytes is None else float(room_bytes)

    def emit(self, encoded: bytes) -> bool:
        """Whether there was room for these frames."""
        if len(encoded) > self.room_bytes:
            self._counters.dropped_frames += 1
            self.n_dropped += 1
            return False
        self.room_bytes -= len(encoded)
        self._out += encoded
        self._counters.frames += encoded.lstrip(b"\0").count(0)
        return True

    def close(self) -> bytes:
        """All that went out since it was opened."""
        self._counters.bytes += len(self._out)
        return bytes(self._out)


def take_block(
    stream: SensorStream, n: int, *, session: int, ticks_us: Callable[[float], int]
) -> tuple[Block, int] | None:
    """The next up to n samples of a stream, and how many they are; None if the body has none left."""
    samples = stream.read(n)
    if len(samples) == 0:
        # A channel that ends before the others: nothing more will ever come of it.
        stream.move_to(stream.at + n)
        return None
    block = Block(
        session,
        stream.channel.stream,
        stream.seq,
        ticks_us(stream.next_sample_s),
        stream.dropped,
        stream.at - stream.origin,
        samples.astype(NUMPY_DTYPES[stream.channel.dtype]).tobytes(),
    )
    stream.move_to(stream.at + len(samples))
    return block, len(samples)
