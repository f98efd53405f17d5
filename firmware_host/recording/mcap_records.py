"""Records of an MCAP file one by one, without its indexes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from mcap.records import Chunk, McapRecord

# A record that cannot be real: our chunks are a few kilobytes, and foreign ones a few megabytes.
MAX_RECORD_BYTES = 16_000_000
# Nor can a chunk that unpacks to more than this many times its size: blocks of nothing but zeros take 30.
_MAX_RATIO = 500
# What is too short for that to say anything.
_SHORT_BYTES = 65_536
# What a zstd frame may ask for beside what it holds.
_MAX_WINDOW_BYTES = 1 << 24
# MCAP specification, section Records: opcode and length.
RECORD_HEAD = struct.Struct("<BQ")


def read_records(file: IO[bytes]) -> Iterator[McapRecord]:
    """Read records up to the footer; what no reader of ours uses is passed over.

    The library's own reader parses each entry of each index, which takes longer than the messages.

    Raises
    ------
    McapError
        If the file does not begin or end as MCAP does, or a record makes no sense.
    struct.error
        If it is cut between two records.
    """
    from mcap.data_stream import ReadDataStream
    from mcap.exceptions import EndOfFile, RecordLengthLimitExceeded
    from mcap.opcode import Opcode
    from mcap.records import Channel, Chunk, Footer, Message, Schema
    from mcap.stream_reader import read_magic

    parsers = {
        Opcode.CHUNK.value: Chunk.read,
        Opcode.CHANNEL.value: Channel.read,
        Opcode.SCHEMA.value: Schema.read,
        Opcode.FOOTER.value: Footer.read,
    }
    read_magic(ReadDataStream(file))
    while True:
        opcode, length = RECORD_HEAD.unpack(file.read(RECORD_HEAD.size))
        if length > MAX_RECORD_BYTES:
            raise RecordLengthLimitExceeded(opcode, length, MAX_RECORD_BYTES)
        body = file.read(length)
        if len(body) < length:
            raise EndOfFile
        if opcode == Opcode.MESSAGE:
            yield Message.read(ReadDataStream(io.BytesIO(body)), length)
        elif opcode in parsers:
            yield parsers[opcode](ReadDataStream(io.BytesIO(body)))
        if opcode == Opcode.FOOTER:
            read_magic(ReadDataStream(file))
            return


def read_chunk(file: IO[bytes], place: int) -> Chunk | None:
    """Read the chunk that begins at ``place``, None if there is no whole one."""
    from mcap.data_stream import ReadDataStream
    from mcap.exceptions import McapError
    from mcap.opcode import Opcode
    from mcap.records import Chunk

    file.seek(place)
    try:
        opcode, length = RECORD_HEAD.unpack(file.read(RECORD_HEAD.size))
        if opcode != Opcode.CHUNK or length > MAX_RECORD_BYTES:
            return None
        return Chunk.read(ReadDataStream(io.BytesIO(file.read(length))))
    except (McapError, struct.error, UnicodeDecodeError, OverflowError):
        return None


def open_chunk(chunk: Chunk) -> bytes:
    """Return what a chunk holds, nothing if it is damaged: of another length, another checksum, or implausible."""
    n_bytes = chunk.uncompressed_size
    if n_bytes > max(_SHORT_BYTES, min(MAX_RECORD_BYTES, len(chunk.data) * _MAX_RATIO)):
        return b""
    try:
        inside = _unpacked(chunk.compression, chunk.data, n_bytes)
    except (EOFError, RuntimeError, ValueError):
        return b""
    is_whole = len(inside) == n_bytes and chunk.uncompressed_crc in (0, zlib.crc32(inside))
    return inside if is_whole else b""


def _unpacked(compression: str, packed: bytes, n_bytes: int) -> bytes:
    """Unpack; one byte more than there should be is where it ends, whatever the packed part says of itself."""
    if compression == "zstd":
        import zstandard

        unpacker = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
        try:
            return unpacker.stream_reader(packed).read(n_bytes + 1)
        except zstandard.ZstdError as err:
            raise ValueError(str(err)) from err
    if compression == "lz4":
        from lz4.frame import LZ4FrameDecompressor

        inside: bytes = LZ4FrameDecompressor().decompress(packed, max_length=n_bytes + 1)
        return inside
    if compression:
        msg = f"expected zstd, lz4 or none, got {compression}"
        raise ValueError(msg)
    return packed
