"""UF2 files, read strictly: what a bootloader would pass over in silence is refused here.

References
----------
microsoft/uf2, README.md: file format, flags, MD5 checksum.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from typing import NamedTuple

BLOCK_BYTES = 512
MAGIC = struct.pack("<II", 0x0A324655, 0x9E5D5157)
_MAGIC_END = struct.pack("<I", 0x0AB16F30)
_HEADER = struct.Struct("<8I")
_NOT_MAIN_FLASH, _FILE_CONTAINER, _HAS_FAMILY, _HAS_MD5 = 0x1, 0x1000, 0x2000, 0x4000
_MAX_PAYLOAD = 476
_MD5_BYTES = 24
_DATA_AT, _DATA_END = 32, 508


class Segment(NamedTuple):
    """Bytes for one stretch of the chip's memory."""

    address: int
    data: bytes


class _Block(NamedTuple):
    """One block: where its bytes go, and which of how many of its family it is."""

    number: int
    address: int
    data: bytes
    idx: int
    total: int
    family: int
    md5: bytes | None


def families(blob: bytes) -> set[int]:
    """Family ids in a UF2 file.

    Raises
    ------
    ValueError
        If it is damaged; the text says where.
    """
    return {block.family for block in _blocks(blob)}


def decode(blob: bytes, family: int) -> list[Segment]:
    """What a chip of ``family`` takes from a file, as stretches in the order of their addresses.

    Blocks for other families and for no chip's memory are passed over, as a bootloader does.

    Raises
    ------
    ValueError
        If a block is damaged, missing, double, overlaps another, or none is for ``family``.
    """
    blocks = [block for block in _blocks(blob) if block.family == family]
    if not blocks:
        msg = f"blocks of family 0x{family:08x}, got none"
        raise ValueError(msg)
    for i, block in enumerate(blocks):
        if (block.idx, block.total) != (i, len(blocks)):
            got = f"{block.idx} of {block.total}"
            msg = f"block {i} of {len(blocks)} at block {block.number} of the file, got {got}"
            raise ValueError(msg)
    segments = _joined(blocks)
    _check_md5(blocks, segments)
    return segments


def _blocks(blob: bytes) -> Iterator[_Block]:
    if not blob or len(blob) % BLOCK_BYTES:
        msg = f"blocks of {BLOCK_BYTES} bytes, got {len(blob)} bytes in all"
        raise ValueError(msg)
    for number in range(len(blob) // BLOCK_BYTES):
        raw = blob[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES]
        block = _block(number, raw)
        if block is not None:
            yield block


def _block(number: int, raw: bytes) -> _Block | None:
    if not (raw.startswith(MAGIC) and raw.endswith(_MAGIC_END)):
        msg = f"UF2's magic numbers around block {number}, got others"
        raise ValueError(msg)
    _, _, flags, address, size, idx, total, family = _HEADER.unpack_from(raw)
    if flags & (_NOT_MAIN_FLASH | _FILE_CONTAINER):
        return None
    if not flags & _HAS_FAMILY:
        msg = f"a family id in block {number}, got none"
        raise ValueError(msg)
    has_md5 = bool(flags & _HAS_MD5)
    room = _MAX_PAYLOAD - _MD5_BYTES if has_md5 else _MAX_PAYLOAD
    if not 0 < size <= room or address % 4 or address + size > 1 << 32:
        msg = f"1 to {room} bytes at a multiple of 4 in block {number}, got {size} at 0x{address:x}"
        raise ValueError(msg)
    md5 = raw[_DATA_END - _MD5_BYTES : _DATA_END] if has_md5 else None
    return _Block(number, address, raw[_DATA_AT : _DATA_AT + size], idx, total, family, md5)


def _joined(blocks: list[_Block]) -> list[Segment]:
    stretches: list[tuple[int, bytearray]] = []
    for block in sorted(blocks, key=lambda block: block.address):
        end = stretches[-1][0] + len(stretches[-1][1]) if stretches else -1
        if block.address < end:
            msg = f"each address once, got 0x{block.address:08x} again in block {block.number}"
            raise ValueError(msg)
        if block.address == end:
            stretches[-1][1].extend(block.data)
        else:
            stretches.append((block.address, bytearray(block.data)))
    return [Segment(address, bytes(data)) for address, data in stretches]


def _check_md5(blocks: list[_Block], segments: list[Segment]) -> None:
    for block in blocks:
        if block.md5 is None:
            continue
        start, size = struct.unpack_from("<II", block.md5)
        data = _region(segments, start, size)
        # A region that reaches beyond the file is one of the chip's memory as it already is.
        if data is not None and hashlib.md5(data, usedforsecurity=False).digest() != block.md5[8:]:
            msg = f"bytes at 0x{start:x} with the MD5 that block {block.number} says, got others"
            raise ValueError(msg)


def _region(segments: list[Segment], start: int, size: int) -> bytes | None:
    for segment in segments:
        at = start - segment.address
        if at >= 0 and at + size <= len(segment.data):
            return segment.data[at : at + size]
    return None
