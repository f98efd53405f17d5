"""The blocks as our frames; needs no numpy, so that a peer's environment can make them too."""

from __future__ import annotations

from bench.stream.workload import N_AXES, N_SAMPLES, RATE_HZ, SESSION, STREAM, blocks
from firmware_host.protocol.encode import encode_block, encode_hello
from firmware_host.protocol.messages import Block, Channel, Hello

ACC = Channel(STREAM, "acc", "m/s2", RATE_HZ, 0.001, 0.0, "i16", N_AXES)
_HELLO = Hello(SESSION, "bench", "bench", (ACC,))
PERIOD_US = round(N_SAMPLES / RATE_HZ * 1e6)


def wire(n: int) -> bytes:
    """HELLO, then the blocks."""
    return encode_hello(_HELLO, seq=0, ticks_us=0) + b"".join(
        encode_block(
            Block(
                *(SESSION, STREAM, number % (1 << 16)),
                *(number * PERIOD_US % (1 << 32), 0, number * N_SAMPLES, data),
            )
        )
        for number, data in blocks(n)
    )
