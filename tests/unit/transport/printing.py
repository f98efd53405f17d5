"""A board that prints, its deliveries, and what a host makes of them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from firmware_host.protocol.messages import Block, Hello
from firmware_host.protocol.parser import MessageParser
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.samples import Samples, StreamEvent
from firmware_host.transport.base import Chunk
from firmware_host.transport.text_layout import Wishes
from firmware_host.transport.text_receiver import TextReceiver

START_UTC = 1_760_000_000.0
Delivery = tuple[float, bytes]


def plain(_t_s: float, n: int) -> str:
    return f"{math.sin(n):.3f},{n}"


def stamped(unit_s: float, decimals: int = 0) -> Callable[[float, int], str]:
    return lambda t_s, n: f"{t_s / unit_s:.{decimals}f},{n}"


def printed(
    rate_hz: float,
    for_s: float,
    line: Callable[[float, int], str] = plain,
    *,
    burst_s: float = 0.0,
    jitter_s: float = 0.002,
    start_s: float = 0.0,
    first: int = 0,
    seed: int = 1,
) -> list[Delivery]:
    """Deliveries of a board that prints line ``n`` at ``n / rate_hz``, at once or in bursts, never early."""
    rng = random.Random(seed)
    deliveries: list[Delivery] = []
    for i in range(round(rate_hz * for_s)):
        t_s = i / rate_hz
        due_s = math.ceil(t_s / burst_s) * burst_s if burst_s else t_s
        text = f"{line(t_s, first + i)}\r\n".encode()
        if burst_s and deliveries and due_s + START_UTC + start_s - deliveries[-1][0] < burst_s / 2:
            deliveries[-1] = (deliveries[-1][0], deliveries[-1][1] + text)
            continue
        arrival_utc = START_UTC + start_s + due_s + abs(rng.gauss(0, jitter_s))
        deliveries.append((max(arrival_utc, deliveries[-1][0] if deliveries else 0.0), text))
    return deliveries


@dataclass
class Heard:
    """What came of deliveries."""

    receiver: TextReceiver
    chunks: list[Chunk]
    hellos: list[Hello] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    notes: list[StreamEvent] = field(default_factory=list)
    samples: list[Samples] = field(default_factory=list)
    assembler: StreamAssembler = field(default_factory=StreamAssembler)

    def values(self, channel: str) -> list[float]:
        """Every value of a channel's first axis."""
        return [v for s in self.samples if s.channel.name == channel for v in s.values[:, 0]]

    def times_s(self, channel: str) -> list[float]:
        """Stream time of every sample of a channel."""
        found = [s for s in self.samples if s.channel.name == channel]
        return [s.t0_s + i / s.channel.rate_hz for s in found for i in range(len(s.values))]

    def told(self, what: str) -> list[StreamEvent]:
        """Events of one kind, once for all channels."""
        return [n for n in self.notes if n.what == what and n.channel in ("", self.last_channel)]

    @property
    def last_channel(self) -> str:
        return self.hellos[-1].channels[-1].name


def hear(
    deliveries: Iterable[Delivery],
    wishes: Wishes | None = None,
    *,
    before: TextReceiver | None = None,
) -> Heard:
    """Feed deliveries to a receiver, and its frames to a parser and an assembler."""
    receiver = TextReceiver("text-test", wishes or Wishes())
    if before is not None:
        receiver.resume(before)
    chunks = [c for arrival_utc, data in deliveries for c in receiver.feed(data, arrival_utc)]
    chunks += receiver.finish()
    heard = Heard(receiver, chunks)
    parser = MessageParser()
    for chunk in chunks:
        for message in parser.feed(chunk.data):
            if isinstance(message, Hello):
                heard.hellos.append(message)
            elif isinstance(message, Block):
                heard.blocks.append(message)
            for item in heard.assembler.feed(message, chunk.arrival_utc):
                (heard.samples if isinstance(item, Samples) else heard.notes).append(item)
    assert parser.decoder.bad_frames == parser.bad_payloads == 0
    return heard
