"""Records of an MCAP file one by one, without its indexes."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from mcap.records import Chunk, McapRecord

# A record that cannot be real: our chunks are a few kilobytes, and foreign ones a few megabytes.
MAX_RECORD_BYTES = 256_000_000
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
