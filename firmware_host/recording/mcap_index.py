"""Where the chunks of a finished MCAP file are, from the summary at its end, without reading what they hold."""

from __future__ import annotations

import io
import struct
import zlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from firmware_host.recording.mcap_records import MAX_RECORD_BYTES, RECORD_HEAD

if TYPE_CHECKING:
    from mcap.records import Channel, Schema

# MCAP specification, sections File Structure and Records.
_MAGIC = b"\x89MCAP0\r\n"
_FOOTER = struct.Struct("<BQQQI")
_FOOTER_OPCODE, _FOOTER_LENGTH = 0x02, 20
_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _CHUNK_INDEX = 0x03, 0x04, 0x05, 0x06, 0x08
# Of a chunk index: first and last log time, place, length, bytes of the map that follows: (channel, place) each.
_ENTRY = struct.Struct("<QQQQI")
_MAP_ENTRY_BYTES = 10
_U64 = struct.Struct("<Q")
_READ_BYTES = 1 << 20


@dataclass(slots=True)
class McapIndex:
    """Place, first and last log time (ns) of each chunk that holds messages, in the order of the file."""

    schemas: list[Schema] = field(default_factory=list)
    channels: list[Channel] = field(default_factory=list)
    places: array[int] = field(default_factory=lambda: array("Q"))
    first_ns: array[int] = field(default_factory=lambda: array("Q"))
    last_ns: array[int] = field(default_factory=lambda: array("Q"))
    # Where each chunk's list of channels is in the file, and how long: lists of a day take megabytes.
    _maps: array[int] = field(default_factory=lambda: array("Q"))
    _map_bytes: array[int] = field(default_factory=lambda: array("L"))

    def __len__(self) -> int:
        return len(self.places)

    def first_at(self, log_ns: int) -> int:
        """Number of the first chunk with a message from then on; their count if there is none."""
        return next((i for i, last_ns in enumerate(self.last_ns) if last_ns >= log_ns), len(self))

    def holding(self, file: IO[bytes], schema_names: Iterable[str]) -> list[int]:
        """Numbers of the chunks with messages of these schemas."""
        wanted = set(schema_names)
        schema_ids = {schema.id for schema in self.schemas if schema.name in wanted}
        ids = {c.id for c in self.channels if c.schema_id in schema_ids}
        return [i for i in range(len(self)) if ids and not ids.isdisjoint(self._ids_in(file, i))]

    def _ids_in(self, file: IO[bytes], number: int) -> tuple[int, ...]:
        file.seek(self._maps[number])
        packed = file.read(self._map_bytes[number])
        return struct.unpack("<" + "H8x" * (len(packed) // _MAP_ENTRY_BYTES), packed)


def read_index(file: IO[bytes]) -> McapIndex | None:
    """The index of a whole file; None if there is none, or none to rely on: then read from the start.

    To rely on means: its checksum is right, and what lies between the chunks it names are no messages.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    try:
        summary = _find_summary(file)
        if summary is None:
            return None
        index = McapIndex()
        # Of a day's tens of thousands of chunks, plain numbers: as tuples they would take megabytes.
        edges = array("Q", [len(_MAGIC)])
        for record in _records(file, *summary):
            edges.extend(_take(index, *record))
        edges.append(summary[0])
        is_whole = bool(len(index)) and _is_all(file, edges)
    except (struct.error, UnicodeDecodeError, ValueError, OverflowError):
        return None
    return index if is_whole else None


def _find_summary(file: IO[bytes]) -> tuple[int, int] | None:
    """(from, to) of the summary, if its checksum is right."""
    file.seek(0)
    if file.read(len(_MAGIC)) != _MAGIC:
        return None
    at = file.seek(0, io.SEEK_END) - len(_MAGIC) - _FOOTER.size
    if at < len(_MAGIC):
        return None
    file.seek(at)
    packed = file.read(_FOOTER.size)
    opcode, length, start, _, crc = _FOOTER.unpack(packed)
    is_footer = (opcode, length) == (_FOOTER_OPCODE, _FOOTER_LENGTH)
    if file.read() != _MAGIC or not is_footer or not len(_MAGIC) < start < at:
        return None
    file.seek(start)
    found, left = 0, at - start
    while left and (part := file.read(min(left, _READ_BYTES))):
        found, left = zlib.crc32(part, found), left - len(part)
    # The checksum is of the footer's beginning too.
    return (start, at) if crc == zlib.crc32(packed[:-4], found) else None


def _records(file: IO[bytes], start: int, end: int) -> Iterator[tuple[int, int, bytes]]:
    """(opcode, place of the body, body) of the records in a part of the file."""
    file.seek(start)
    while start < end:
        opcode, length = RECORD_HEAD.unpack(file.read(RECORD_HEAD.size))
        start += RECORD_HEAD.size
        if length > MAX_RECORD_BYTES or start + length > end:
            msg = f"record of {length} bytes"
            raise ValueError(msg)
        yield opcode, start, file.read(length)
        start += length


def _take(index: McapIndex, opcode: int, at: int, body: bytes) -> tuple[int, ...]:
    """Take note of a record of the summary; from where to where in the file it speaks of, if it does."""
    from mcap.data_stream import ReadDataStream
    from mcap.records import Channel, Schema

    if opcode == _SCHEMA:
        index.schemas.append(Schema.read(ReadDataStream(io.BytesIO(body))))
    elif opcode == _CHANNEL:
        index.channels.append(Channel.read(ReadDataStream(io.BytesIO(body))))
    if opcode != _CHUNK_INDEX:
        return ()
    first_ns, last_ns, place, length, map_bytes = _ENTRY.unpack_from(body)
    (indexes_bytes,) = _U64.unpack_from(body, _ENTRY.size + map_bytes)
    if map_bytes:
        index.places.append(place)
        index.first_ns.append(first_ns)
        index.last_ns.append(last_ns)
        index._maps.append(at + _ENTRY.size)
        index._map_bytes.append(map_bytes)
    return place, place + length + indexes_bytes


def _is_all(file: IO[bytes], edges: array[int]) -> bool:
    """Whether no message and no further chunk lies outside the chunks: edges are begin, from, to, ..., end."""
    for at, start in zip(edges[::2], edges[1::2], strict=True):
        if start < at or any(op in (_MESSAGE, _CHUNK) for op, _, _ in _records(file, at, start)):
            return False
    return True
