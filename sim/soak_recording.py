"""What is in the recording that a run made: how many messages, and whether the samples are those sent."""

from __future__ import annotations

import struct
from binascii import crc32
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mcap.exceptions import EndOfFile, McapError
from mcap.records import Channel, Chunk, Message
from mcap.stream_reader import StreamReader, breakup_chunk

from firmware_host.protocol.messages import Block
from firmware_host.recording.mcap_json import sample_decoder

# What the host adds: labels, markers, its own questions.
_OF_THE_HOST = ("/label", "/marker", "/host")
_SAMPLES, _UNKNOWN = "/sensor/", "/sensor/stream-"
_IDX = struct.Struct("<I")
_NS = 1e-9


class Span(NamedTuple):
    """True seconds after power on, and what the host's clock calls power on meanwhile."""

    start_s: float
    end_s: float
    zero_utc: float


@dataclass(slots=True)
class Recorded:
    """Messages of the board in all parts, and by minute [blocks, sum of the CRCs of their payloads]."""

    n_messages: int = 0
    content: dict[int, list[int]] = field(default_factory=dict)


def read_recorded(files: Iterable[Path], spans: Sequence[Span]) -> Recorded:
    """Read every part of one recording; what is in the samples only within some spans.

    Parameters
    ----------
    spans
        Those whose samples count; the host's clock is not set in any of them.
    """
    recorded = Recorded()
    for n, path in enumerate(files):
        # A part begins with a HELLO that came before it.
        recorded.n_messages -= n > 0
        decoders: dict[int, Callable[[bytes], Block] | None] = {}
        topics: dict[int, str] = {}
        for record in _records(path):
            if isinstance(record, Channel):
                topics[record.id] = record.topic
                decoders[record.id] = _decoder(record)
            elif isinstance(record, Message):
                recorded.n_messages += not topics[record.channel_id].startswith(_OF_THE_HOST)
                decode = decoders[record.channel_id]
                if decode is None:
                    continue
                for span in spans:
                    at_s = record.log_time * _NS - span.zero_utc
                    if span.start_s <= at_s < span.end_s:
                        _add(recorded, int(at_s // 60), decode(record.data))
    return recorded


def _decoder(channel: Channel) -> Callable[[bytes], Block] | None:
    if not channel.topic.startswith(_SAMPLES) or channel.topic.startswith(_UNKNOWN):
        return None
    return sample_decoder(channel.metadata)


def _add(recorded: Recorded, minute: int, block: Block) -> None:
    sums = recorded.content.setdefault(minute, [0, 0])
    sums[0] += 1
    sums[1] += crc32(_IDX.pack(block.sample_idx) + block.data)


def _records(path: Path) -> Iterator[object]:
    with path.open("rb") as file:
        try:
            for record in StreamReader(file, emit_chunks=True).records:
                if isinstance(record, Chunk):
                    yield from breakup_chunk(record)
                else:
                    yield record
        except (EndOfFile, McapError):
            # Cut where the disk was full.
            return
