"""Reads our MCAP recordings, whole, cut or damaged in places."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from firmware_host.errors import RecordingError
from firmware_host.protocol.messages import Hello, Message
from firmware_host.recording import mcap_json, mcap_schemas
from firmware_host.recording.labels import Label
from firmware_host.recording.mcap_chunks import McapChunks
from firmware_host.recording.mcap_topics import Decoder, Payload, Topics

if TYPE_CHECKING:
    from mcap.records import Chunk, McapRecord

_NS = 1_000_000_000
# No chunk of ours is of so long a time; one that says so is asked what it holds.
_LONG_NS = 60 * _NS

# What JSON of another shape, or nested without end, makes the ways back raise.
_MISFITS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)

A = TypeVar("A")
T = TypeVar("T")


class McapReader:
    """One recording written by `McapWriter`.

    A whole file is opened by the index at its end, whatever its length. One that was cut is looked through
    first, and read up to its last whole chunk. A chunk whose checksum is wrong is left out, and what is damaged between
    chunks up to the next whole one. ``chunks`` knows what was lost, and a line in the log says so, when it is opened
    or when it is read. Memory is that of one chunk.

    Raises
    ------
    RecordingError
        If there is no file, it is not MCAP, or holds no board's HELLO.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.chunks = McapChunks(self.path)
        self.hello, self.start_utc, self.duration_s = self._by_index() or self._survey()
        self.chunks.warn_of_loss(self.duration_s)

    def messages(self, since_utc: float = -math.inf) -> Iterator[tuple[float, Message]]:
        """(arrival_utc, message) as they were written, bit for bit.

        With ``since_utc`` from the first one that arrived then or later, after the last HELLO before it.
        """
        if since_utc == -math.inf:
            yield from self._messages()
            return
        hello: tuple[float, Message] = (self.start_utc, self.hello)
        messages = self._messages(self._chunk_before(since_utc))
        for utc, message in messages:
            if utc >= since_utc:
                yield hello
                yield utc, message
                break
            if isinstance(message, Hello):
                hello = utc, message
        yield from messages

    def labels(self) -> list[Label]:
        """Labels given while recording, in order of the time they speak of."""
        found = [
            self._decoded(mcap_json.decode_label, payload)
            for _, payload in self._of_schema(mcap_schemas.LABEL)
        ]
        return sorted(found, key=lambda label: (label.t_start_utc, label.t_end_utc))

    def markers(self) -> list[tuple[float, str]]:
        """(utc, text) of the notes made while recording."""
        return [
            (utc, self._decoded(mcap_json.decode_marker, payload))
            for utc, payload in self._of_schema(mcap_schemas.MARKER)
        ]

    def close(self) -> None:
        """Refuse further reads; may be called twice. The file itself is open only while read."""
        self.chunks.is_closed = True

    def _by_index(self) -> tuple[Hello, float, float] | None:
        """First HELLO, first arrival and duration, if there is an index and a HELLO."""
        index = self.chunks.index
        if index is None:
            return None
        topics = Topics(self.chunks.known())
        for record, inside in self.chunks.records():
            hello = self._find_hello(record, inside, topics)
            if hello is not None:
                self.chunks.is_complete = True
                start_ns = index.first_ns[0]
                return hello, start_ns / _NS, (max(index.last_ns) - start_ns) / _NS
        self.chunks.index = None
        return None

    def _chunk_before(self, since_utc: float) -> int:
        """Number of the chunk to begin at: the last one with a HELLO before that time, 0 without an index."""
        index = self.chunks.index
        if index is None:
            return 0
        number = index.first_at(int(max(since_utc, 0.0) * _NS))
        for at in range(min(number, len(index) - 1), 0, -1):
            messages = self._messages(at, stop=at + 1)
            if any(utc < since_utc and isinstance(message, Hello) for utc, message in messages):
                return at
        return 0

    def _messages(self, first: int = 0, stop: int | None = None) -> Iterator[tuple[float, Message]]:
        decoders: dict[int, Decoder | None] = {}
        topics = Topics(self.chunks.known())
        index = self.chunks.index
        numbers = None if index is None else range(len(index))[first:stop]
        for channel_id, log_ns, payload in self._payloads(topics, numbers):
            if channel_id not in decoders:
                decoders[channel_id] = self._decoded(topics.decoder, channel_id)
            decode = decoders[channel_id]
            if decode is not None:
                yield log_ns / _NS, self._decoded(decode, payload)

    def _survey(self) -> tuple[Hello, float, float]:
        """First HELLO, first arrival and duration; opens every chunk, but few messages."""
        from mcap.records import Message

        topics = Topics()
        hello: Hello | None = None
        first_ns, last_ns = -1, 0
        for record, inside in self.chunks.records():
            if isinstance(record, Message):
                start_ns = end_ns = record.log_time
            elif inside:
                start_ns, end_ns = self._times_of(record, inside)
            else:
                topics.learn(record)
                continue
            first_ns = start_ns if first_ns < 0 else first_ns
            last_ns = max(last_ns, end_ns)
            if hello is None:
                hello = self._find_hello(record, inside, topics)
        if hello is None:
            wanted = "a Signet recording with a board's HELLO"
            raise RecordingError(self.path, wanted, self.chunks.kind())
        return hello, first_ns / _NS, (last_ns - first_ns) / _NS

    @staticmethod
    def _times_of(chunk: Chunk, inside: bytes) -> tuple[int, int]:
        """First and last log time of a whole chunk; what its head says of them has no checksum."""
        start_ns, end_ns = chunk.message_start_time, chunk.message_end_time
        first_ns = next(Topics.log_times_ns(inside), start_ns)
        if start_ns <= first_ns <= end_ns <= start_ns + _LONG_NS:
            return start_ns, end_ns
        times_ns = list(Topics.log_times_ns(inside)) or [first_ns]
        return min(times_ns), max(times_ns)

    def _find_hello(self, record: McapRecord, inside: bytes, topics: Topics) -> Hello | None:
        for channel_id, _, payload in self._messages_of(topics, record, inside):
            if topics.schema(channel_id) == mcap_schemas.HELLO:
                return self._decoded(mcap_json.decode_hello, payload)
        return None

    def _of_schema(self, name: str) -> Iterator[tuple[float, bytes]]:
        topics = Topics(self.chunks.known())
        for channel_id, log_ns, payload in self._payloads(topics, self.chunks.holding(name)):
            if topics.schema(channel_id) == name:
                yield log_ns / _NS, payload

    def _payloads(self, topics: Topics, numbers: Iterable[int] | None) -> Iterator[Payload]:
        for record, inside in self.chunks.records(numbers):
            yield from self._messages_of(topics, record, inside)

    def _messages_of(self, topics: Topics, record: McapRecord, inside: bytes) -> Iterator[Payload]:
        from mcap.exceptions import McapError

        try:
            yield from topics.messages_of(record, inside)
        except (McapError, *_MISFITS) as err:
            raise self._foreign() from err

    def _decoded(self, decode: Callable[[A], T], payload: A) -> T:
        try:
            return decode(payload)
        except _MISFITS as err:
            # The checksum was right: another program wrote this under our names.
            raise self._foreign() from err

    def _foreign(self) -> RecordingError:
        return RecordingError(self.path, "messages as Signet writes them", "another layout")
