"""Records of an MCAP file one by one, without its indexes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from firmware_host.recording.mcap_damage import LONGEST_HEAD, chunk_heads, chunk_length

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
_LAST_OPCODE = 0x0F
_FOOTER_BYTES = 20
# From here on opcodes are of whoever wrote the file.
_PRIVATE_OPCODE = 0x80
# Places looked at after damage: in a file that was not made to be tedious it is one or two for each.
_MOST_TRIES = 1000


def read_records(file: IO[bytes]) -> Iterator[McapRecord | None]:
    """Read records up to the footer; what no reader of ours uses is passed over.

    None stands for a damaged stretch: reading goes on at the next chunk whose checksum is right. Records are
    told by their lengths, so that anything after a wrong one would be a guess; a chunk is none.

    The library's own reader parses each entry of each index, which takes longer than the messages.

    Raises
    ------
    McapError
        If the file does not begin as MCAP does.
    EndOfFile
        If it does not end as MCAP does, and no whole chunk follows.
    """
    from mcap.data_stream import ReadDataStream
    from mcap.exceptions import EndOfFile, McapError
    from mcap.records import Footer
    from mcap.stream_reader import read_magic

    read_magic(ReadDataStream(file))
    place = file.tell()
    n_tries = 0
    while True:
        try:
            record, place = _record(file, place)
        except (McapError, struct.error, UnicodeDecodeError, OverflowError):
            place, n_tries = _next_whole(file, place + 1, n_tries)
            if place < 0:
                raise EndOfFile from None
            file.seek(place)
            yield None
            continue
        if record is not None:
            yield record
        if isinstance(record, Footer):
            return


def _record(file: IO[bytes], place: int) -> tuple[McapRecord | None, int]:
    """The record at a place, where the file is, None if nobody needs it; and where the next one begins."""
    from mcap.data_stream import ReadDataStream
    from mcap.exceptions import EndOfFile, InvalidMagic, RecordLengthLimitExceeded
    from mcap.opcode import Opcode
    from mcap.records import Channel, Chunk, Footer, Message, Schema
    from mcap.stream_reader import read_magic

    opcode, length = RECORD_HEAD.unpack(file.read(RECORD_HEAD.size))
    if opcode == Opcode.CHUNK or length > MAX_RECORD_BYTES:
        length = _length_of_chunk(file, length)
    if length > MAX_RECORD_BYTES:
        raise RecordLengthLimitExceeded(opcode, length, MAX_RECORD_BYTES)
    body = file.read(length)
    if len(body) < length:
        raise EndOfFile
    after = place + RECORD_HEAD.size + length
    stream = ReadDataStream(io.BytesIO(body))
    if opcode == Opcode.FOOTER and length == _FOOTER_BYTES:
        read_magic(ReadDataStream(file))
        return Footer.read(stream), after
    goes_on = _is_record(file.read(RECORD_HEAD.size))
    file.seek(after)
    # Whatever its opcode says: nothing else begins like that.
    if opcode == Opcode.CHUNK or chunk_length(body[:LONGEST_HEAD]) == length:
        chunk = Chunk.read(stream)
        if not goes_on and not open_chunk(chunk):
            raise InvalidMagic(body[:1])
        return chunk, after
    if not goes_on:
        raise InvalidMagic(body[:1])
    if opcode == Opcode.MESSAGE:
        return Message.read(stream, length), after
    parsers = {Opcode.CHANNEL.value: Channel.read, Opcode.SCHEMA.value: Schema.read}
    return (parsers[opcode](stream) if opcode in parsers else None), after


def _length_of_chunk(file: IO[bytes], length: int) -> int:
    """Length of the chunk that begins here: it says so twice, and where it ends another record begins."""
    begin = file.tell()
    own_length = chunk_length(file.read(LONGEST_HEAD))
    if own_length != length and 0 <= own_length <= MAX_RECORD_BYTES:
        file.seek(begin + own_length)
        if _is_record(file.read(RECORD_HEAD.size)):
            length = own_length
    file.seek(begin)
    return length


def _is_record(head: bytes) -> bool:
    """Whether these bytes are like the head of a record, or the file was cut right there."""
    if len(head) < RECORD_HEAD.size:
        return not head
    opcode, length = RECORD_HEAD.unpack(head)
    is_known = 0 < opcode <= _LAST_OPCODE or opcode >= _PRIVATE_OPCODE
    return is_known and bool(length <= MAX_RECORD_BYTES)


def _next_whole(file: IO[bytes], start: int, n_tries: int) -> tuple[int, int]:
    """Place of the next chunk that is whole, -1 if there is none, and how many were tried by now."""
    for place in chunk_heads(file, start):
        n_tries += 1
        if n_tries > _MOST_TRIES:
            break
        chunk = read_chunk(file, place)
        if chunk is not None and chunk.uncompressed_crc and open_chunk(chunk):
            return place, n_tries
    return -1, n_tries


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
