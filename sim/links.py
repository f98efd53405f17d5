"""How the simulated board reaches a host: in virtual time, or as a device in real time.

Virtual time: :class:`Loopback` inside one process, :func:`serve_stdio` in lock-step with a parent.
Real time: :func:`serve` on one of the ports, paced from one start instant so that lateness never
adds up.
"""

from __future__ import annotations

import math
import random
import struct
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, NamedTuple

from firmware_host.errors import LinkError
from sim.bad_line import short_pieces

if TYPE_CHECKING:
    from sim.faults import FaultyBoard
    from sim.host import HostTree
    from sim.ports import Port

STDIO_STEP_S = 1.0
# Deliveries come unevenly, as over USB: on an exact grid, in phase with the blocks, the drift between the
# two clocks could not be seen. Always the same unevenness, so that a day repeats itself.
_UNEVEN = 0.4
_DELIVERY_SEED = 20260504
CHUNK_HEADER = struct.Struct("<dI")
REPLY_HEADER = struct.Struct("<If")
END_OF_DAY = 0xFFFFFFFF
# A host sends commands of some twenty bytes; a longer answer is not one.
_MAX_REPLY_BYTES = 1 << 20
# Fine enough that blocks arrive when they are due, coarse enough to cost no CPU.
TICK_S = 0.02
# Transmit buffer of a small board with USB, plus what a faster clock makes in a few ticks.
_BUFFER_BYTES = 4096
_BYTES_PER_BODY_S = 2048
_DRAIN_S = 2.0


class Piece(NamedTuple):
    """Bytes and when they arrived."""

    arrival_utc: float
    data: bytes


class Loopback:
    """A link inside the process, in virtual time: every read lets about ``step_s`` pass.

    Raises
    ------
    EOFError
        From :meth:`read`, when the day is over and everything was read.
    """

    virtual_time = True

    def __init__(
        self, device: FaultyBoard, *, start_utc: float, step_s: float = STDIO_STEP_S
    ) -> None:
        self.device = device
        self._start_utc = start_utc
        self._step_s = step_s
        self.elapsed_s = 0.0
        self._rng = random.Random(_DELIVERY_SEED)
        self._waiting: list[bytes] = []

    def now_utc(self) -> float:
        """Tell the virtual time, as the host's clock shows it."""
        return self._start_utc + self.elapsed_s + self.device.host_step_s

    def read(self, timeout_s: float = 0.0) -> Piece | None:  # noqa: ARG002 - time is virtual
        """Next bytes, None for a step without any."""
        if not self._waiting:
            if self.device.finished:
                msg = "the simulated day is over"
                raise EOFError(msg)
            # A board without power sends nothing: one step, however long the night is.
            self.elapsed_s = max(self.elapsed_s, self.device.dark_until_s or 0.0)
            self.elapsed_s += self._step_s * self._rng.uniform(1 - _UNEVEN, 1 + _UNEVEN)
            data = self.device.advance(self.elapsed_s)
            self._waiting = short_pieces(data, self.device.short_bytes)
        return Piece(self.now_utc(), self._waiting.pop(0)) if self._waiting else None

    def write(self, data: bytes) -> None:
        """Bytes to the board."""
        self.device.receive(data)


def serve_stdio(
    device: FaultyBoard,
    *,
    start_utc: float,
    source: IO[bytes],
    sink: IO[bytes],
    host: HostTree | None = None,
) -> None:
    """Lock-step with a parent process: ``<dI`` and bytes out, ``<If`` and bytes in, in turn.

    The number beside the length is how many seconds of one CPU the parent's host has worked since
    its last reply, besides the stream; that is what warms up a simulated ``host``.

    Returns at the end of the day (announced by a length of 0xFFFFFFFF) or when the parent closes
    its end.
    """
    link = Loopback(device, start_utc=start_utc)
    while True:
        try:
            piece = link.read() or Piece(link.now_utc(), b"")
        except EOFError:
            sink.write(CHUNK_HEADER.pack(link.now_utc(), END_OF_DAY))
            sink.flush()
            return
        if host is not None:
            host.live_until(link.elapsed_s, disk_is_full=device.disk_is_full)
        sink.write(CHUNK_HEADER.pack(piece.arrival_utc, len(piece.data)) + piece.data)
        sink.flush()
        reply = read_reply(source)
        if reply is None:
            return
        data, worked_s = reply
        link.write(data)
        if host is not None:
            host.work(worked_s)


def read_reply(source: IO[bytes]) -> tuple[bytes, float] | None:
    """Commands of the parent and what its host worked; None when it has closed its end."""
    head = source.read(REPLY_HEADER.size)
    if len(head) < REPLY_HEADER.size:
        return None
    n_bytes, worked_s = REPLY_HEADER.unpack(head)
    if n_bytes > _MAX_REPLY_BYTES:
        msg = f"stdin: expected '<If' and that many bytes of commands, got a length of {n_bytes}"
        raise LinkError(msg)
    if not 0 <= worked_s < math.inf:
        msg = f"stdin: expected seconds of work, got {worked_s}"
        raise LinkError(msg)
    data = source.read(n_bytes)
    return (data, worked_s) if len(data) == n_bytes else None


def serve(
    device: FaultyBoard,
    port: Port,
    *,
    speed: float,
    host: HostTree | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Stream in real time, ``speed`` body seconds per second, until the day is over.

    A simulated ``host`` lives along; what the real one does is not known here and does not warm it.
    """
    buffer_bytes = _BUFFER_BYTES + int(speed * _BYTES_PER_BODY_S)
    pending = bytearray()
    start_s = clock()
    while not device.finished:
        heard = port.read()
        now_s = (clock() - start_s) * speed
        if host is not None:
            host.live_until(now_s, disk_is_full=device.disk_is_full)
        pending += device.advance(now_s, room_bytes=max(buffer_bytes - len(pending), 0))
        if heard:
            # A board answers when it hears: an older time than its question's would be a clock that was set.
            device.receive(heard)
            pending += device.advance(now_s, room_bytes=max(buffer_bytes - len(pending), 0))
        if device.unplugged:
            pending.clear()
        port.plug(plugged=not device.unplugged)
        _hand_over(port, pending, device.short_bytes)
        port.wait(TICK_S)
    deadline_s = clock() + _DRAIN_S
    while pending and clock() < deadline_s:
        _hand_over(port, pending, device.short_bytes)
        port.wait(TICK_S)


def _hand_over(port: Port, pending: bytearray, short_bytes: int) -> None:
    for piece in short_pieces(bytes(pending), short_bytes):
        n = port.write(piece)
        # Slice assignment by position: what the line did not take waits for the next tick.
        pending[:n] = b""
        if n < len(piece):
            return
