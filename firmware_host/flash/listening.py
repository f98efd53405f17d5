"""The first words of a board that was just started: its HELLO, and blocks of each channel."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from firmware_host.devices import is_safe_mode, open_device, probe
from firmware_host.errors import FlashError, LinkError, ProtocolMismatch
from firmware_host.protocol.messages import Block, Hello, Log
from firmware_host.protocol.parser import MessageParser
from firmware_host.transport.base import Transport

# A board boots in some seconds; a first boot also formats its flash.
_BOOT_S = 30.0
_AGAIN_S = 0.5
# A block of the slowest channel comes each second.
_BLOCKS_S = 6.0


@dataclass(frozen=True, slots=True)
class FirstWords:
    """What a board said: its HELLO, samples by channel, seconds until each had some, and lines of its log."""

    hello: Hello
    n_samples: dict[str, int]
    waited_s: float
    log: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        """For a person."""
        hello = self.hello
        channels = [
            f"  {channel.name}: {channel.rate_hz:g} Hz, {channel.axes} x {channel.unit}, "
            f"{self.n_samples.get(channel.name, 0)} samples"
            for channel in hello.channels
        ]
        return [
            f"{hello.board_id} says HELLO: {hello.firmware}, {len(channels)} channels",
            *channels,
        ]


def listen(
    url: str,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> FirstWords:
    """Wait for the board behind ``url`` to boot, to say what it is and to send of every channel.

    Raises
    ------
    FlashError
        If it does not, sends nothing, or is in safe mode; the text says what it said instead.
    """
    began_s = monotonic()
    transport, hello = _first_hello(url, began_s + _BOOT_S, monotonic, sleep)
    try:
        n_samples, log = _first_blocks(transport, hello, monotonic)
    finally:
        transport.close()
    if is_safe_mode(hello):
        why = "; ".join(log) or "safe mode, and it does not say why"
        raise FlashError(
            f"{url}: the files are on the board, but its app cannot run: {why}; signet board logs tells more"
        )
    silent = [c.name for c in hello.channels if not n_samples.get(c.name)]
    if silent or not hello.channels:
        what = f"no samples of {', '.join(silent)}" if silent else "no channels: no sensor answers"
        raise FlashError(
            f"{url}: {hello.board_id} runs {hello.firmware}, but {what}; check the wires"
        )
    return FirstWords(hello, n_samples, monotonic() - began_s, log)


def _first_hello(
    url: str, deadline_s: float, monotonic: Callable[[], float], sleep: Callable[[float], None]
) -> tuple[Transport, Hello]:
    while True:
        transport = None
        try:
            transport = open_device(url)
            return transport, probe(transport)
        except ProtocolMismatch:
            if transport is not None:
                transport.close()
            raise
        except LinkError as err:
            # Away while it restarts, or there and not yet through its boot.
            if transport is not None:
                transport.close()
            if monotonic() > deadline_s:
                raise FlashError(f"the board was restarted and does not answer: {err}") from err
            sleep(_AGAIN_S)


def _first_blocks(
    transport: Transport, hello: Hello, monotonic: Callable[[], float]
) -> tuple[dict[str, int], tuple[str, ...]]:
    parser = MessageParser()
    channels = {channel.stream: channel for channel in hello.channels}
    counts: Counter[str] = Counter()
    log: list[str] = []
    end_s = monotonic() + _BLOCKS_S
    while monotonic() < end_s and (not channels or len(counts) < len(channels)):
        chunk = transport.read(0.25)
        for message in parser.feed(chunk.data) if chunk else ():
            if isinstance(message, Block) and message.stream in channels:
                channel = channels[message.stream]
                counts[channel.name] += len(message.data) // channel.sample_bytes
            elif isinstance(message, Log):
                log.append(message.text)
                if is_safe_mode(hello):
                    return {}, tuple(log)
    return dict(counts), tuple(log)
