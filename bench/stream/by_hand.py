"""COBS, zlib.crc32 and struct by hand, and with the package `cobs`: ``python -m bench.stream.by_hand``.

Our own frames, checked and taken apart as a script would, losses counted by the sequence number.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from importlib import metadata

from bench.stream.probe import Contestant, Decode, main
from bench.stream.wire import wire
from bench.stream.workload import reads
from firmware_host.protocol import frame

_HEADER = struct.Struct(frame.HEADER)
_CRC = struct.Struct("<I")


def uncobs(code: bytes) -> bytes:
    """As the textbook says, byte by byte."""
    out = bytearray()
    left = code[0] - 1
    for byte in code[1:]:
        if left:
            out.append(byte)
            left -= 1
        else:
            out.append(0)
            left = byte - 1
    return bytes(out)


def decoder(unstuff: Callable[[bytes], bytes]) -> Decode:
    """The same script around either way to undo COBS."""

    def decode(stream: bytes) -> tuple[int, int]:
        n_blocks = n_lost = 0
        due, tail = None, b""
        for piece in reads(stream):
            *codes, tail = (tail + piece).split(b"\0")
            for code in codes:
                body = unstuff(code)
                if zlib.crc32(body[:-4]) != _CRC.unpack(body[-4:])[0]:
                    continue
                kind, _stream, _session, seq, _ticks, _dropped = _HEADER.unpack_from(body)
                if kind != frame.BLOCK:
                    continue
                _idx, _samples = _CRC.unpack_from(body, 12)[0], body[16:-4]
                if due is not None:
                    n_lost += (seq - due) % 65536
                due = (seq + 1) % 65536
                n_blocks += 1
        return n_blocks, n_lost

    return decode


if __name__ == "__main__":
    ways = {"by hand": Contestant(wire, decoder(uncobs), "standard library")}
    try:
        from cobs import cobs
    except ImportError:
        pass
    else:
        version = f"cobs {metadata.version('cobs')}"
        ways["cobs package"] = Contestant(wire, decoder(cobs.decode), version)
    raise SystemExit(main(ways))
