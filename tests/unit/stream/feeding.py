"""Short ways to feed an assembler, shared by the tests beside it."""

from __future__ import annotations

from firmware_host.protocol.messages import Block, Message
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.samples import Samples, StreamEvent
from tests.unit.stream.streams import ACC, BVP, EDA, arrival_utc, block

Out = list[Samples | StreamEvent]


def feed(assembler: StreamAssembler, pairs: list[tuple[Message, float]]) -> Out:
    return [item for message, utc in pairs for item in assembler.feed(message, utc)]


def events_of(out: Out, *but: str) -> list[StreamEvent]:
    # Most tests feed one channel of three: that the others have stopped is true, and not their matter.
    but = ("session", "channel_stopped", *but)
    return [e for e in out if isinstance(e, StreamEvent) and e.what not in but]


def bvp_blocks(
    ks: range | list[int], *, late_s: float = 0.0, **options: int
) -> list[tuple[Message, float]]:
    return [(block(BVP, k, **options), arrival_utc(BVP, k) + late_s) for k in ks]


def three_streams(n_s: int) -> list[tuple[Block, float]]:
    pairs: list[tuple[Block, float]] = []
    for channel, n_samples in ((BVP, 32), (EDA, 4), (ACC, 25)):
        n_blocks = int(n_s * channel.rate_hz / n_samples)
        pairs += [
            (block(channel, k, n_samples=n_samples), arrival_utc(channel, k, n_samples=n_samples))
            for k in range(n_blocks)
        ]
    return sorted(pairs, key=lambda pair: pair[1])
