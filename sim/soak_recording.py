"""How many of the board's messages are in a recording, its unfinished parts included."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mcap.exceptions import EndOfFile, McapError
from mcap.records import Channel, Chunk, Message
from mcap.stream_reader import StreamReader, breakup_chunk

# What the host adds: labels, markers, its own questions.
_OF_THE_HOST = ("/label", "/marker", "/host")
_HELLO = "/board/hello"


def n_recorded(files: Iterable[Path]) -> int:
    """Messages of the board in these parts of one recording; HELLO repeated for a part is none."""
    return sum(_in_part(path, is_first=n == 0) for n, path in enumerate(files))


def _in_part(path: Path, *, is_first: bool) -> int:
    topics: dict[int, str] = {}
    n = 0
    for record in _records(path):
        if isinstance(record, Channel):
            topics[record.id] = record.topic
        elif isinstance(record, Message):
            n += not topics[record.channel_id].startswith(_OF_THE_HOST)
    return n - (not is_first)


def _records(path: Path) -> Iterable[object]:
    with path.open("rb") as file:
        reader = StreamReader(file, emit_chunks=True)
        try:
            for record in reader.records:
                if isinstance(record, Chunk):
                    yield from breakup_chunk(record)
                else:
                    yield record
        except (EndOfFile, McapError):
            # Cut where the disk was full.
            return
