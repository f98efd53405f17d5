"""Where an MCAP file goes on after a place that makes no sense.

Records follow each other by their lengths alone, so one wrong bit in a length hides all that comes after. A chunk
can be known by itself: its head says how long it is in two places, how it is packed, and the checksum of
what it unpacks to. No other place in a file does that by chance.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO

# MCAP specification, section Records: opcode and length; of a chunk first and last log time, unpacked size, checksum
# and the name of the packing with its length, then the length of what is packed.
_HEAD = struct.Struct("<BQ")
_CHUNK = struct.Struct("<QQQII")
_LENGTH = struct.Struct("<Q")
_PACKINGS = (b"zstd", b"lz4")
_READ_BYTES = 1 << 20
LONGEST_HEAD = _HEAD.size + _CHUNK.size + max(map(len, _PACKINGS)) + _LENGTH.size
"""Bytes of a record that are enough for `chunk_length`."""


def chunk_length(body: bytes) -> int:
    """How long a record is by what it begins with, if that is the head of a packed chunk; else -1."""
    if len(body) < _CHUNK.size:
        return -1
    *_, n_name = _CHUNK.unpack_from(body)
    at = _CHUNK.size + n_name
    if body[_CHUNK.size : at] not in _PACKINGS or len(body) < at + _LENGTH.size:
        return -1
    return int(at + _LENGTH.size + _LENGTH.unpack_from(body, at)[0])


def chunk_heads(file: IO[bytes], start: int) -> Iterator[int]:
    """Places from ``start`` on where a chunk seems to begin; moves the file."""
    while True:
        file.seek(start)
        part = file.read(_READ_BYTES + LONGEST_HEAD)
        if len(part) < LONGEST_HEAD:
            return
        yield from (start + at for at in _heads(part))
        start += _READ_BYTES


def _heads(part: bytes) -> Iterator[int]:
    before = _HEAD.size + _CHUNK.size
    found: set[int] = set()
    for packing in _PACKINGS:
        mark = struct.pack("<I", len(packing)) + packing
        at = part.find(mark)
        while at >= 0:
            found.add(at + 4 - before)
            at = part.find(mark, at + 1)
    for at in sorted(found):
        body = at + _HEAD.size
        if not 0 <= at < _READ_BYTES:
            continue
        _, length = _HEAD.unpack_from(part, at)
        if chunk_length(part[body : body + LONGEST_HEAD]) == length:
            yield at
