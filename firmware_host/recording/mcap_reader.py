"""Reads our MCAP recordings, whole, cut or damaged in places."""

from __future__ import annotations

import io
import logging
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from firmware_host.errors import RecordingError
from firmware_host.protocol.messages import Hello, Message
from firmware_host.recording import mcap_json, mcap_schemas
from firmware_host.recording.labels import Label
from firmware_host.recording.mcap_records import MAX_RECORD_BYTES, RECORD_HEAD, read_records

if TYPE_CHECKING:
    from mcap.records import Chunk, McapRecord

_LOGGER = logging.getLogger(__name__)

_NS = 1_000_000_000
# Every whole MCAP file begins and ends with it.
_MAGIC = b"\x89MCAP0\r\n"

# MCAP specification, section Records: channel, sequence, log and publish time.
_MESSAGE = 0x05
_MESSAGE_HEAD = struct.Struct("<H4xQ")
_MESSAGE_HEAD_BYTES = 22

T = TypeVar("T")
Payload = tuple[int, int, bytes]
Decoder = Callable[[bytes], Message]


class McapReader:
    """One recording written by `McapWriter`.

    A file that was cut is read up to its last whole chunk; a chunk whose checksum is wrong is left
    out. ``is_complete`` and ``n_damaged_chunks`` say so, and a line in the log does when it is opened.
    Memory is that of one chunk.

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
        self.hello, self.start_utc, self.duration_s = self._survey()
        self._warn_of_loss()

    def messages(self) -> Iterator[tuple[float, Message]]:
        """(arrival_utc, message) as they were written, bit for bit."""
        decoders: dict[int, Decoder | None] = {}
        topics = _Topics()
        for channel_id, log_ns, payload in self._payloads(topics):
            if channel_id not in decoders:
                decoders[channel_id] = topics.decoder(channel_id)
            decode = decoders[channel_id]
            if decode is not None:
                yield log_ns / _NS, self._decoded(decode, payload)

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

    def _survey(self) -> tuple[Hello, float, float]:
        """First HELLO, first arrival and duration; opens every chunk, but few messages."""
        from mcap.records import Message

        topics = _Topics()
        hello: Hello | None = None
        first_ns, last_ns = -1, 0
        for record, inside in self._records():
            if isinstance(record, Message):
                start_ns = end_ns = record.log_time
            elif inside:
                start_ns, end_ns = record.message_start_time, record.message_end_time
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

    def _loss_before_hello(self) -> str:
        if self.path.stat().st_size == 0:
            return "an empty file"
        if not self.is_complete:
            return "a file without one, cut or damaged before the first readable part"
        return f"a file with none left, {self.n_damaged_chunks} damaged parts"

    def _warn_of_loss(self) -> None:
        if self.n_damaged_chunks:
            parts = (
                "1 damaged part"
                if self.n_damaged_chunks == 1
                else (f"{self.n_damaged_chunks} damaged parts")
            )
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

    def _find_hello(self, record: McapRecord, inside: bytes, topics: _Topics) -> Hello | None:
        for channel_id, _, payload in topics.messages_of(record, inside):
            if topics.schema(channel_id) == mcap_schemas.HELLO:
                return self._decoded(mcap_json.decode_hello, payload)
        return None

    def _of_schema(self, name: str) -> Iterator[tuple[float, bytes]]:
        topics = _Topics()
        for channel_id, log_ns, payload in self._payloads(topics):
            if topics.schema(channel_id) == name:
                yield log_ns / _NS, payload

    def _payloads(self, topics: _Topics) -> Iterator[Payload]:
        try:
            for record, inside in self._records():
                yield from topics.messages_of(record, inside)
        except struct.error as err:
            raise self._foreign() from err

    def _records(self) -> Iterator[tuple[McapRecord, bytes]]:
        """Read records up to the end or the cut; with a chunk comes what it holds."""
        from mcap.exceptions import InvalidMagic, McapError
        from mcap.records import Chunk, Footer

        if self._is_closed:
            msg = f"{self.path}: recording is closed"
            raise ValueError(msg)
        n_damaged = 0
        try:
            # Each pass has its own handle, so that two may run at once.
            with self.path.open("rb") as file:
                for record in read_records(file):
                    inside = _open_chunk(record) if isinstance(record, Chunk) else b""
                    n_damaged += isinstance(record, Chunk) and not inside
                    yield record, inside
                    self.is_complete |= isinstance(record, Footer)
        except OSError as err:
            reason = err.strerror or "nothing"
            raise RecordingError(self.path, "a readable MCAP file", reason) from err
        except InvalidMagic as err:
            if not self.is_complete:
                raise RecordingError(self.path, "an MCAP file", "another kind of file") from err
        except (McapError, struct.error, UnicodeDecodeError, OverflowError):
            # Cut or damaged in the middle of a record: what came before is whole.
            pass
        self.n_damaged_chunks = n_damaged

    def _decoded(self, decode: Callable[[bytes], T], payload: bytes) -> T:
        try:
            return decode(payload)
        except (KeyError, TypeError, ValueError, struct.error) as err:
            # The checksum was right: another program wrote this under our names.
            raise self._foreign() from err

    def _foreign(self) -> RecordingError:
        return RecordingError(self.path, "messages as Signet writes them", "another layout")


def _open_chunk(chunk: Chunk) -> bytes:
    """Return what a chunk holds, nothing if it is damaged."""
    from mcap.exceptions import McapError
    from mcap.stream_reader import get_chunk_data_stream
    from zstandard import ZstdError, frame_content_size

    if chunk.uncompressed_size > MAX_RECORD_BYTES:
        return b""
    try:
        # The compressed part has a length of its own, for which the library makes room unseen.
        if chunk.compression == "zstd" and frame_content_size(chunk.data) > MAX_RECORD_BYTES:
            return b""
        stream, n_bytes = get_chunk_data_stream(chunk, validate_crc=True)
        inside: bytes = stream.read(n_bytes)
    except (McapError, ZstdError, struct.error, RuntimeError, ValueError):
        return b""
    return inside


class _Topics:
    """Schemas and channels seen so far in one pass over a file."""

    def __init__(self) -> None:
        self._schemas: dict[int, str] = {}
        self._channels: dict[int, tuple[int, dict[str, str]]] = {}

    def schema(self, channel_id: int) -> str:
        """Name of the schema of a channel, empty if it has none."""
        return self._schemas.get(self._channels[channel_id][0], "")

    def decoder(self, channel_id: int) -> Decoder | None:
        """Way back to a message, None for what is not a message of ours."""
        name = self.schema(channel_id)
        if name.startswith(f"{mcap_schemas.SAMPLES}."):
            return mcap_json.sample_decoder(self._channels[channel_id][1])
        return mcap_json.DECODERS.get(name)

    def learn(self, record: McapRecord) -> None:
        """Take note of a schema or a channel; anything else is ignored."""
        from mcap.records import Channel, Schema

        if isinstance(record, Channel):
            self._channels[record.id] = (record.schema_id, record.metadata)
        elif isinstance(record, Schema):
            self._schemas[record.id] = record.name

    def messages_of(self, record: McapRecord, inside: bytes) -> Iterator[Payload]:
        """(channel id, log time in ns, payload) of the messages of one record."""
        from mcap.records import Message

        if isinstance(record, Message):
            if record.channel_id in self._channels:
                yield record.channel_id, record.log_time, record.data
            return
        self.learn(record)
        at = 0
        while at + RECORD_HEAD.size <= len(inside):
            opcode, length = RECORD_HEAD.unpack_from(inside, at)
            at += RECORD_HEAD.size
            if opcode == _MESSAGE:
                # By hand: a hundred records a chunk are too many for the library's reader.
                channel_id, log_ns = _MESSAGE_HEAD.unpack_from(inside, at)
                if channel_id in self._channels:
                    yield channel_id, log_ns, inside[at + _MESSAGE_HEAD_BYTES : at + length]
            else:
                self._learn_packed(opcode, inside[at : at + length])
            at += length

    def _learn_packed(self, opcode: int, body: bytes) -> None:
        from mcap.data_stream import ReadDataStream
        from mcap.opcode import Opcode
        from mcap.records import Channel, Schema

        if opcode == Opcode.CHANNEL:
            self.learn(Channel.read(ReadDataStream(io.BytesIO(body))))
        elif opcode == Opcode.SCHEMA:
            self.learn(Schema.read(ReadDataStream(io.BytesIO(body))))
