"""pymavlink with its count of losses: ``python -m bench.stream.mavlink``, in the peers' environment.

Two messages: GPS_RTCM_DATA carries our payload byte for byte, OBSTACLE_DISTANCE carries the same
samples as 72 numbers. Two ways: `recv_msg`, what its users call, and `parse_buffer` on whole reads
with the same count of losses behind it, which is as fast as it gets.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Any

from bench.stream.probe import Contestant, main
from bench.stream.workload import BLOCK_BYTES, blocks, reads

os.environ["MAVLINK20"] = "1"

from pymavlink import __version__, mavutil
from pymavlink.dialects.v20 import common

mavutil.set_dialect("common")
_RTCM_BYTES = 180
_NUMBERS = struct.Struct("<72H")


class Stream(mavutil.mavfile):  # type: ignore[misc]
    """Bytes in memory as a link."""

    def __init__(self, stream: bytes) -> None:
        super().__init__(None, "memory")
        self.mav.robust_parsing = True
        self._stream, self._at = stream, 0

    def recv(self, n: int | None = None) -> bytes:
        """The next bytes, as many as it asks for."""
        piece = self._stream[self._at : self._at + (n or 1)]
        self._at += len(piece)
        return piece


def rtcm_wire(n: int) -> bytes:
    """Our payload, sample index included, behind two bytes of its own."""

    def message(number: int, data: bytes) -> Any:
        payload = struct.pack("<I", number) + data
        padded = payload.ljust(_RTCM_BYTES, b"\0")
        return common.MAVLink_gps_rtcm_data_message(0, len(payload), list(padded))

    return _wire(n, message)


def numbers_wire(n: int) -> bytes:
    """The samples as numbers."""

    def message(number: int, data: bytes) -> Any:
        numbers = list(_NUMBERS.unpack(data))
        return common.MAVLink_obstacle_distance_message(number, 0, numbers, 1, 2, 3)

    return _wire(n, message)


def _wire(n: int, message: Callable[[int, bytes], Any]) -> bytes:
    sender = common.MAVLink(None, 1, 1)
    parts = []
    for number, data in blocks(n):
        sender.seq = number % 256
        parts.append(message(number, data).pack(sender))
    return b"".join(parts)


def receive(stream: bytes) -> tuple[int, int]:
    """As its users do."""
    link = Stream(stream)
    while link.recv_msg() is not None:
        pass
    return link.mav_count, link.mav_loss


def parse(stream: bytes) -> tuple[int, int]:
    """Whole reads at once, then its own count of losses."""
    link = Stream(b"")
    for piece in reads(stream):
        for message in link.mav.parse_buffer(piece) or ():
            link.post_message(message)
    return link.mav_count, link.mav_loss


if __name__ == "__main__":
    if _NUMBERS.size != BLOCK_BYTES:
        raise RuntimeError("the message has room for 72 numbers")
    version = f"pymavlink {__version__}"
    raise SystemExit(
        main(
            {
                "bytes, parse_buffer": Contestant(rtcm_wire, parse, version),
                "bytes, recv_msg": Contestant(rtcm_wire, receive, version),
                "numbers, parse_buffer": Contestant(numbers_wire, parse, version),
                "numbers, recv_msg": Contestant(numbers_wire, receive, version),
            }
        )
    )
