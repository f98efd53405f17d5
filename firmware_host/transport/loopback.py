"""A link inside the process: both ends in your hands, your own time, a line that can misbehave.

Not imitated: a line rate (bytes arrive whole when they are due) and a full kernel buffer.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass

from firmware_host.errors import LinkClosed
from firmware_host.transport.base import Chunk, DeviceUrl

# 2025-01-01T00:00:00Z: a plausible date, so that nothing trips over 1970.
DEFAULT_START_UTC = 1_735_689_600.0


class FakeClock:
    """UNIX seconds that move only when told."""

    def __init__(self, start_utc: float = DEFAULT_START_UTC) -> None:
        self._now_utc = start_utc

    def __call__(self) -> float:
        """The present."""
        return self._now_utc

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass.

        Raises
        ------
        ValueError
            If time would run backwards.
        """
        if seconds < 0:
            msg = f"time moves forward only, got {seconds} s"
            raise ValueError(msg)
        self._now_utc += seconds


@dataclass(slots=True)
class Misbehaviour:
    """How the line treats what the board sends; may be changed at any time.

    ``short_read_bytes`` caps each chunk. ``flip_every_bytes`` is the mean distance between bytes
    with one flipped bit, 0 for none; ``rng`` draws which. ``silent`` swallows everything.
    """

    rng: random.Random
    short_read_bytes: int = 0
    flip_every_bytes: int = 0
    silent: bool = False

    def garble(self, data: bytes) -> bytes:
        """``data`` as it comes out of the line, before it is cut."""
        if self.silent:
            return b""
        if not self.flip_every_bytes:
            return data
        return bytes(self._flip(byte) for byte in data)

    def _flip(self, byte: int) -> int:
        if self.rng.random() * self.flip_every_bytes >= 1:
            return byte
        return byte ^ (1 << self.rng.randrange(8))


class LoopbackBoard:
    """The board's end: what it sends, what it got, and its plug."""

    def __init__(self, clock: FakeClock, misbehaviour: Misbehaviour) -> None:
        self.clock = clock
        self.misbehaviour = misbehaviour
        self.plugged = True
        self._on_the_way: list[tuple[float, int, bytes]] = []
        self._n_sent = 0
        self._received = bytearray()

    def send(self, data: bytes, *, after_s: float = 0.0) -> None:
        """Put ``data`` on the line, to arrive in ``after_s``; equal times keep their order."""
        data = self.misbehaviour.garble(data)
        if self.plugged and data:
            self._n_sent += 1
            heapq.heappush(self._on_the_way, (self.clock() + after_s, self._n_sent, data))

    def received(self) -> bytes:
        """What the host wrote since the last call."""
        data = bytes(self._received)
        self._received.clear()
        return data

    def unplug(self) -> None:
        """Pull the cable: what is on the way still arrives, nothing follows."""
        self.plugged = False

    def next_due_utc(self) -> float | None:
        """When the next bytes arrive, None if none are on the way."""
        return self._on_the_way[0][0] if self._on_the_way else None

    def take_due(self) -> bytes:
        """Everything that has arrived by now, cut as the line cuts."""
        out = bytearray()
        while self._on_the_way and self._on_the_way[0][0] <= self.clock():
            out += heapq.heappop(self._on_the_way)[2]
        cap = self.misbehaviour.short_read_bytes
        if cap and len(out) > cap:
            # Number 0 sorts before everything sent, so the rest comes first next time.
            heapq.heappush(self._on_the_way, (self.clock(), 0, bytes(out[cap:])))
            del out[cap:]
        return bytes(out)

    def take_from_host(self, data: bytes) -> None:
        """Bytes the host wrote."""
        self._received += data


class LoopbackTransport:
    """The host's end. Waiting for bytes moves the fake clock, so a timeout costs no real time."""

    virtual_time = True

    def __init__(self, board: LoopbackBoard, *, url: str = "loop:") -> None:
        self.url = url
        self.board = board
        self._closed = False

    def read(self, timeout_s: float) -> Chunk | None:
        """See :class:`~firmware_host.transport.base.Transport`."""
        self._require_open()
        clock = self.board.clock
        due_utc = self.board.next_due_utc()
        if due_utc is None and not self.board.plugged:
            raise LinkClosed(f"{self.url}: board went away")
        wait_s = max(0.0, timeout_s)
        if due_utc is not None:
            wait_s = min(wait_s, max(0.0, due_utc - clock()))
        clock.advance(wait_s)
        data = self.board.take_due()
        return Chunk(clock(), data) if data else None

    def write(self, data: bytes) -> None:
        """See :class:`~firmware_host.transport.base.Transport`."""
        self._require_open()
        if not self.board.plugged:
            raise LinkClosed(f"{self.url}: board went away")
        self.board.take_from_host(data)

    def now_utc(self) -> float:
        """The fake clock."""
        return self.board.clock()

    def close(self) -> None:
        """Close the host's end; again is fine."""
        self._closed = True

    def _require_open(self) -> None:
        if self._closed:
            raise LinkClosed(f"{self.url}: this link was closed")


def open_loopback(url: DeviceUrl) -> LoopbackTransport:
    """Factory for ``loop:?short_reads=7&flip_every=1000&silent=1``; the board is at ``.board``."""
    url.check_options(["short_reads", "flip_every", "silent", "seed"])
    misbehaviour = Misbehaviour(
        rng=random.Random(url.option("seed") or "0"),
        short_read_bytes=int(url.number("short_reads", default=0)),
        flip_every_bytes=int(url.number("flip_every", default=0)),
        silent=url.option("silent") == "1",
    )
    return LoopbackTransport(LoopbackBoard(FakeClock(), misbehaviour), url=url.text)
