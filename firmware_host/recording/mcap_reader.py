"""Reads our MCAP recordings, whole, cut or damaged in places."""

from __future__ import annotations

import io
import logging
import math
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

from firmware_host.errors import RecordingError
from firmware_host.protocol.messages import Hello, Message
from firmware_host.recording import mcap_json, mcap_schemas
from firmware_host.recording.labels import Label
from firmware_host.recording.mcap_index import McapIndex, read_index
from firmware_host.recording.mcap_records import open_chunk, read_chunk, read_records
from firmware_host.recording.mcap_topics import Decoder, Payload, Topics

if TYPE_CHECKING:
    from mcap.records import Chunk, McapRecord

_LOGGER = logging.getLogger(__name__)

_NS = 1_000_000_000
# No chunk of ours is of so long a time; one that says so is asked what it holds.
_LONG_NS = 60 * _NS
# Every whole MCAP file begins and ends with it.
_MAGIC = b"\x89MCAP0\r\n"

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
    chunks up to the next whole one. ``is_complete`` and ``n_damaged_chunks`` say so, and a line in the log does,
    when it is opened or when it is read. Memory is that of one chunk.

    Raises
    ------
    RecordingError
        If there is no file, it is not MCAP, or holds no board's HELLO.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.is_complete = False
        self.n_damaged_chunks = 0
        self._is_closed = False
        # Nothing can be told before it is known how much there is.
        self._is_told = True
        self._index = self._find_index()
        self.hello, self.start_utc, self.duration_s = self._by_index() or self._survey()
        self._is_told = False
        self._warn_of_loss()

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
        self._is_closed = True

    def _find_index(self) -> McapIndex | None:
        try:
            with self.path.open("rb") as file:
                return read_index(file)
        except OSError as err:
            reason = err.strerror or "nothing"
            raise RecordingError(self.path, "a readable MCAP file", reason) from err

    def _by_index(self) -> tuple[Hello, float, float] | None:
        """First HELLO, first arrival and duration, if there is an index and a HELLO."""
        if self._index is None:
            return None
        topics = Topics(self._known())
        for record, inside in self._records():
            hello = self._find_hello(record, inside, topics)
            if hello is not None:
                self.is_complete = True
                start_ns = self._index.first_ns[0]
                return hello, start_ns / _NS, (max(self._index.last_ns) - start_ns) / _NS
        self._index = None
        return None

    def _known(self) -> list[McapRecord]:
        return [] if self._index is None else [*self._index.schemas, *self._index.channels]

    def _chunk_before(self, since_utc: float) -> int:
        """Number of the chunk to begin at: the last one with a HELLO before that time, 0 without an index."""
        if self._index is None:
            return 0
        number = self._index.first_at(int(max(since_utc, 0.0) * _NS))
        for at in range(min(number, len(self._index) - 1), 0, -1):
            messages = self._messages(at, stop=at + 1)
            if any(utc < since_utc and isinstance(message, Hello) for utc, message in messages):
                return at
        return 0

    def _messages(self, first: int = 0, stop: int | None = None) -> Iterator[tuple[float, Message]]:
        decoders: dict[int, Decoder | None] = {}
        topics = Topics(self._known())
        numbers = None if self._index is None else range(len(self._index))[first:stop]
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
        for record, inside in self._records():
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
            is_whole = self.is_complete and not self.n_damaged_chunks
            received = "an MCAP file without one" if is_whole else self._loss_before_hello()
            raise RecordingError(self.path, "a Signet recording with a board's HELLO", received)
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

    def _loss_before_hello(self) -> str:
        if self.path.stat().st_size == 0:
            return "an empty file"
        if not self.is_complete:
            return "a file without one, cut or damaged before the first readable part"
        return f"a file with none left, {self.n_damaged_chunks} damaged parts"

    def _warn_of_loss(self) -> None:
        """Say once what is damaged or missing, as soon as it is known."""
        if self._is_told or (self.is_complete and not self.n_damaged_chunks):
            return
        self._is_told = True
        if n := self.n_damaged_chunks:
            parts = "1 damaged part" if n == 1 else f"{n} damaged parts"
            _LOGGER.warning("%s: %s left out", self.path, parts)
        if not self.is_complete:
            what = "damaged inside" if self._ends_whole() else "cut at the end"
            minutes, seconds = divmod(int(self.duration_s), 60)
            read = f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
            _LOGGER.warning("%s: %s; read up to %s from its start", self.path, what, read)

    def _ends_whole(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(max(0, file.seek(0, io.SEEK_END) - len(_MAGIC)))
            return file.read() == _MAGIC

    def _find_hello(self, record: McapRecord, inside: bytes, topics: Topics) -> Hello | None:
        for channel_id, _, payload in self._messages_of(topics, record, inside):
            if topics.schema(channel_id) == mcap_schemas.HELLO:
                return self._decoded(mcap_json.decode_hello, payload)
        return None

    def _of_schema(self, name: str) -> Iterator[tuple[float, bytes]]:
        topics = Topics(self._known())
        numbers = None
        if self._index is not None:
            with self.path.open("rb") as file:
                numbers = self._index.holding(file, [name])
        for channel_id, log_ns, payload in self._payloads(topics, numbers):
            if topics.schema(channel_id) == name:
                yield log_ns / _NS, payload

    def _payloads(self, topics: Topics, numbers: Iterable[int] | None) -> Iterator[Payload]:
        for record, inside in self._records(numbers):
            yield from self._messages_of(topics, record, inside)

    def _messages_of(self, topics: Topics, record: McapRecord, inside: bytes) -> Iterator[Payload]:
        from mcap.exceptions import McapError

        try:
            yield from topics.messages_of(record, inside)
        except (McapError, *_MISFITS) as err:
            raise self._foreign() from err

    def _records(self, numbers: Iterable[int] | None = None) -> Iterator[tuple[McapRecord, bytes]]:
        """Read records up to the end or the cut, or the chunks of these numbers; with a chunk comes what it holds."""
        if self._is_closed:
            msg = f"{self.path}: recording is closed"
            raise ValueError(msg)
        try:
            # Each pass has its own handle, so that two may run at once.
            with self.path.open("rb") as file:
                if self._index is None:
                    yield from self._in_order(file)
                else:
                    some = range(len(self._index)) if numbers is None else numbers
                    yield from self._by_number(file, self._index, some)
        except OSError as err:
            reason = err.strerror or "nothing"
            raise RecordingError(self.path, "a readable MCAP file", reason) from err

    def _by_number(
        self, file: IO[bytes], index: McapIndex, numbers: Iterable[int]
    ) -> Iterator[tuple[McapRecord, bytes]]:
        damaged = 0
        try:
            for number in numbers:
                chunk = read_chunk(file, index.places[number])
                inside = b"" if chunk is None else open_chunk(chunk)
                if chunk is None or not inside:
                    damaged += 1
                else:
                    yield chunk, inside
        finally:
            self.n_damaged_chunks = max(self.n_damaged_chunks, damaged)
            if damaged:
                self._warn_of_loss()

    def _in_order(self, file: IO[bytes]) -> Iterator[tuple[McapRecord, bytes]]:
        from mcap.exceptions import InvalidMagic, McapError
        from mcap.records import Chunk, Footer

        n_damaged = 0
        try:
            for record in read_records(file):
                if record is None:
                    n_damaged += 1
                    continue
                inside = open_chunk(record) if isinstance(record, Chunk) else b""
                n_damaged += isinstance(record, Chunk) and not inside
                yield record, inside
                self.is_complete |= isinstance(record, Footer)
        except InvalidMagic as err:
            if not self.is_complete:
                raise RecordingError(self.path, "an MCAP file", "another kind of file") from err
        except (McapError, struct.error, UnicodeDecodeError, OverflowError):
            # Cut or damaged in the middle of a record: what came before is whole.
            pass
        self.n_damaged_chunks = n_damaged

    def _decoded(self, decode: Callable[[A], T], payload: A) -> T:
        try:
            return decode(payload)
        except _MISFITS as err:
            # The checksum was right: another program wrote this under our names.
            raise self._foreign() from err

    def _foreign(self) -> RecordingError:
        return RecordingError(self.path, "messages as Signet writes them", "another layout")
