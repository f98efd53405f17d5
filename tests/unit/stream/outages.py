"""A minute of a board that can send blocks again, shared by the tests beside it."""

from __future__ import annotations

from dataclasses import replace

from firmware_host.protocol.messages import Block, Channel, Message
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.samples import Samples, StreamEvent
from tests.unit.stream.streams import ACC, BVP, EDA, HELLO, UTC0, arrival_utc, block

RING = replace(HELLO, ring_bytes=65_536)
Out = list[Samples | StreamEvent]
Timed = list[tuple[Message, float]]
N_SAMPLES = {"bvp": 32, "eda": 4, "acc": 25}


def made_block(channel: Channel, k: int) -> Block:
    return block(channel, k, n_samples=N_SAMPLES[channel.name])


def live_blocks(channel: Channel, ks: range | list[int]) -> Timed:
    n = N_SAMPLES[channel.name]
    return [(made_block(channel, k), arrival_utc(channel, k, n_samples=n)) for k in ks]


def minute() -> Timed:
    """All three streams for a minute, in the order in which a board sends them."""
    pairs = [
        *live_blocks(BVP, range(120)),
        *live_blocks(EDA, range(60)),
        *live_blocks(ACC, range(120)),
    ]
    return sorted(pairs, key=lambda pair: pair[1])


def play(pairs: Timed) -> tuple[Out, StreamAssembler]:
    assembler = StreamAssembler()
    out: Out = assembler.feed(RING, UTC0)
    for message, utc in pairs:
        out += assembler.feed(message, utc)
    return [*out, *assembler.end()], assembler


def plain(out: Out) -> list[object]:
    """What can be compared; host time may differ, deliveries being others."""
    return [
        (x.channel.name, x.t0_s, x.values.tobytes(), x.gap_before_samples)
        if isinstance(x, Samples)
        else (x.what, x.channel, x.t_s, tuple(x.detail.items()))
        for x in out
    ]


def notes_of(out: Out, what: str) -> list[StreamEvent]:
    return [x for x in out if isinstance(x, StreamEvent) and x.what == what]


def with_outage(first_s: float, last_s: float, again_s: float) -> Timed:
    """A minute of which a part is lost, and comes again stream by stream when asked."""
    pairs = minute()
    lost = [p for p in pairs if first_s <= p[1] - UTC0 < last_s]
    kept = [p for p in pairs if p not in lost]
    order = sorted(lost, key=lambda p: (p[0].stream, p[1]))  # type: ignore[union-attr]
    again = [(m, UTC0 + again_s + 0.02 * n) for n, (m, _) in enumerate(order)]
    return sorted([*kept, *again], key=lambda pair: pair[1])
