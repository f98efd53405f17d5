"""Small builders of messages, shared by the tests beside it."""

from __future__ import annotations

import numpy as np

from firmware_host.protocol.messages import Block, Channel, Hello

UTC0 = 1_767_600_000.0
BVP = Channel(0, "bvp", "au", 64.0, 0.01, 0.0, "i32", 1)
EDA = Channel(1, "eda", "uS", 4.0, 1e-6, 0.0, "i32", 1)
ACC = Channel(3, "acc", "m/s2", 50.0, 0.01, 0.5, "i8", 3)
HELLO = Hello(7, "board-1", "fw 1", (BVP, EDA, ACC))


def block(
    channel: Channel,
    k: int,
    *,
    n_samples: int = 32,
    session: int = 7,
    first_us: int = 0,
    dropped: int = 0,
) -> Block:
    """The k-th block of a stream whose raw samples are their own index."""
    idx = k * n_samples
    raw = np.repeat(np.arange(idx, idx + n_samples), channel.axes)
    code = {"i8": "<i1", "i16": "<i2", "i32": "<i4"}[channel.dtype]
    ticks_us = first_us + round(idx / channel.rate_hz * 1e6)
    data = raw.astype(code).tobytes()
    return Block(session, channel.stream, k & 0xFFFF, ticks_us & 0xFFFFFFFF, dropped, idx, data)


def arrival_utc(channel: Channel, k: int, *, n_samples: int = 32) -> float:
    """When that block can arrive at the earliest: its last sample was just taken."""
    return UTC0 + ((k + 1) * n_samples - 1) / channel.rate_hz
