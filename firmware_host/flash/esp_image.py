"""Espressif's images: whether every byte is there, and is the one that was built.

References
----------
Espressif, esptool documentation, "Firmware Image Format": header, extended header, footer.
Espressif, ESP-IDF programming guide, "Partition Tables": entries and where the table is.
"""

from __future__ import annotations

import hashlib
import struct
from functools import reduce
from operator import xor

MAGIC = 0xE9
HEADER_BYTES = 24
_MAX_SEGMENTS = 16
_CHIP_AT, _HAS_HASH_AT = 12, 23
_SEGMENT = struct.Struct("<II")
_SEED = 0xEF
_ALIGN = 16
# Where ESP-IDF puts the table unless told otherwise.
_PARTITIONS_AT, _PARTITIONS_BYTES = 0x8000, 0xC00
_PARTITION = struct.Struct("<HBBII16sI")
_PARTITION_MAGIC, _APP = 0x50AA, 0


def chip_id(data: bytes) -> int:
    """The chip that it was built for, as its header says."""
    return int.from_bytes(data[_CHIP_AT : _CHIP_AT + 2], "little")


def check(data: bytes) -> None:
    """Pass a whole image for a bare chip: bootloader, partition table, app.

    Raises
    ------
    ValueError
        If a part is missing, cut or altered; the text says what was expected and what came.
    """
    _check_part(data, 0, "a bootloader")
    # An update over the air begins in the same way, but at address 0 no board starts with it.
    _check_part(data, _first_app(data), "an app")


def check_app(data: bytes, esp_id: int) -> None:
    """Pass an app alone, as bootloaders with a UF2 drive take it; what follows it may be anything.

    Raises
    ------
    ValueError
        If it is none, cut, altered or for another chip than ``esp_id``.
    """
    _check_part(data, 0, "an app")
    if chip_id(data) != esp_id:
        msg = f"an app for the chip with id {esp_id}, got one for id {chip_id(data)}"
        raise ValueError(msg)


def _first_app(data: bytes) -> int:
    """Where the first app is, by the partition table."""
    table = data[_PARTITIONS_AT : _PARTITIONS_AT + _PARTITIONS_BYTES]
    table = table[: len(table) // _PARTITION.size * _PARTITION.size]
    apps: list[int] = []
    for magic, kind, _subtype, at, _size, _name, _flags in _PARTITION.iter_unpack(table):
        if magic != _PARTITION_MAGIC:
            break
        if kind == _APP:
            apps.append(at)
    if not apps:
        got = f"none ({len(data)} bytes; is it an app or update image?)"
        msg = f"a whole image, with a partition table at 0x{_PARTITIONS_AT:x} that has an app, got {got}"
        raise ValueError(msg)
    return min(apps)


def _check_part(data: bytes, at: int, what: str) -> None:
    header = data[at : at + HEADER_BYTES]
    if len(header) < HEADER_BYTES or header[0] != MAGIC:
        got = "the end of the file" if len(header) < HEADER_BYTES else "something else"
        msg = f"{what} at 0x{at:x}, got {got}"
        raise ValueError(msg)
    if not 1 <= header[1] <= _MAX_SEGMENTS:
        msg = f"{what} of 1 to {_MAX_SEGMENTS} segments, got {header[1]}"
        raise ValueError(msg)
    end = at + HEADER_BYTES
    segments = []
    for _ in range(header[1]):
        begin = end + _SEGMENT.size
        end = begin + _SEGMENT.unpack(_taken(data, end, _SEGMENT.size, what))[1]
        segments.append(_taken(data, begin, end - begin, what))
    # Zeros, and a last byte that is the checksum, up to a multiple of 16.
    footer = at + (end - at) // _ALIGN * _ALIGN + _ALIGN
    last = _taken(data, footer - 1, 1, what)[0]
    if header[_HAS_HASH_AT]:
        is_same = hashlib.sha256(data[at:footer]).digest() == _taken(data, footer, 32, what)
    else:
        is_same = last == reduce(xor, b"".join(segments), _SEED)
    if not is_same:
        msg = f"{what} with the bytes that were built, got others (its own checksum does not fit)"
        raise ValueError(msg)


def _taken(data: bytes, at: int, size: int, what: str) -> bytes:
    found = data[at : at + size]
    if len(found) < size:
        msg = f"{what} of at least {at + size} bytes, got a file cut at {len(data)}"
        raise ValueError(msg)
    return found
