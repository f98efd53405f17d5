"""Writes recordings as MCAP files: self-describing, appended to, readable wherever they were cut.

``log_time`` is when a message arrived at the host, ``publish_time`` when the board sent it, mapped
to host time; both in ns, UTC. The board's own ticks are in the messages. Blocks are JSON with raw
counts, so that standard viewers show them and nothing is lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from firmware_host.errors import StorageError
from firmware_host.protocol.messages import Block, Channel, Hello, Message
from firmware_host.recording import mcap_json, mcap_schemas
from firmware_host.recording.append_file import AppendFile
from firmware_host.recording.labels import Label

if TYPE_CHECKING:
    from mcap.writer import Writer

PROFILE = "signet"
FORMAT_VERSION = "1"
HELLO_METADATA = "signet.hello"
RECORDING_METADATA = "signet.recording"
# A process that dies loses at most this much; a smaller value costs compression.
FLUSH_S = 2.0
# A power cut loses at most this much; each sync wears an SD card.
SYNC_S = 30.0
_NS = 1_000_000_000
# MCAP numbers channels with 16 bits, and every reader holds them all in memory. A board that renames its channels
# with each HELLO gets there; a part of an ordinary one has a few dozen.
_MOST_CHANNELS = 4096


def to_ns(utc: float) -> int:
    """UNIX seconds as whole ns; exact the way back for every time since 1971."""
    if not 0 <= utc < math.inf:
        msg = f"expected UNIX seconds from 1970 on, got {utc}"
        raise ValueError(msg)
    whole = math.floor(utc)
    # Splitting first: utc * 1e9 as a float would be off by up to 128 ns.
    return whole * _NS + round((utc - whole) * _NS)


class McapWriter:
    """Writes one recording, crash-safe, never over an existing file.

    Messages go to the file in chunks of ``flush_s`` of arrival time; a chunk is written whole or
    not at all. What a crash leaves behind is readable up to the last chunk.

    Parameters
    ----------
    path
        The new file; with ``max_bytes`` the further parts are ``<stem>.part1.mcap`` and so on.
    max_bytes, max_s
        Size, and seconds from the first to the latest arrival, after which the next part begins.
        Every part can be read on its own.
    open_file
        How to make the file.

    Raises
    ------
    RecordingError
        If the file exists.
    StorageError
        If it cannot be made; from `write` and `flush` also if the disk is full. What was flushed
        before stays readable, `close` still works, and `go_on` goes on when there is room.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        flush_s: float = FLUSH_S,
        sync_s: float = SYNC_S,
        max_bytes: int | None = None,
        max_s: float | None = None,
        open_file: Callable[[Path], AppendFile] = AppendFile,
    ) -> None:
        limits = [flush_s, sync_s, *(x for x in (max_bytes, max_s) if x is not None)]
        if not all(limit > 0 for limit in limits):
            msg = f"expected positive limits, got {limits}"
            raise ValueError(msg)
        self._path = Path(path)
        self._flush_s = flush_s
        self._sync_s = sync_s
        self._max_bytes = max_bytes
        self._max_s = max_s
        self._open_file = open_file
        self.paths: list[Path] = []
        self.n_messages = 0
        """Messages, labels and notes written; those that a failure lost are taken off again."""
        self.n_kept = 0
        """How many of them the system has; a failure loses those since."""
        self._hello: tuple[Hello, float] | None = None
        self._channels: dict[int, Channel] = {}
        self._failure = ""
        self._file: AppendFile | None = None
        self._open_part(self._path)

    def write(self, message: Message, arrival_utc: float, board_utc: float | None = None) -> None:
        """Append one message.

        Parameters
        ----------
        arrival_utc
            Host time of its arrival (for a message from the host: of sending).
        board_utc
            Host time at which the board sent it, by the clock fit; None or NaN if not known.
        """
        self._refuse_if_failed()
        if isinstance(message, Block):
            self._write_block(message, arrival_utc, board_utc)
            return
        if isinstance(message, Hello):
            self._take_hello(message, arrival_utc)
        topic, schema = mcap_json.topic_and_schema(message)
        mcap_channel = self._channel_id(topic, schema)
        self._add(mcap_channel, mcap_json.encode_plain(message), arrival_utc, board_utc)

    def write_label(self, label: Label, arrival_utc: float) -> None:
        """Append a label given at ``arrival_utc``; the time it speaks of is its own."""
        mcap_channel = self._channel_id(mcap_json.LABEL_TOPIC, mcap_schemas.LABEL)
        self._add(mcap_channel, mcap_json.encode_label(label), arrival_utc, None)

    def write_marker(self, text: str, arrival_utc: float) -> None:
        """Append a note."""
        mcap_channel = self._channel_id(mcap_json.MARKER_TOPIC, mcap_schemas.MARKER)
        self._add(mcap_channel, mcap_json.encode_marker(text), arrival_utc, None)

    def flush(self) -> None:
        """Hand everything so far to the system; a dying process loses nothing of it."""
        self._refuse_if_failed()
        self._writer.flush()
        self._commit()

    def go_on(self) -> None:
        """After a failure, go on in the next part; the one that failed stays as it is.

        Raises
        ------
        StorageError
            If there is still no room; nothing is left behind of the attempt.
        """
        if self._file is not None:
            self._file.close()
            self._file = None
        self._failure = ""
        self._begin_next_part()

    def close(self) -> None:
        """Finish the file with its index; may be called twice, and after a failure."""
        if self._file is None:
            return
        try:
            if not self._failure:
                self._finish_part()
        finally:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open_part(self, path: Path) -> None:
        from mcap.writer import Writer

        self._file = self._open_file(path)
        self.paths.append(path)
        self._buffer = _Buffer()
        self._writer: Writer = Writer(self._buffer)
        self._writer.start(profile=PROFILE, library="signet")
        part = str(len(self.paths) - 1)
        self._writer.add_metadata(RECORDING_METADATA, {"format": FORMAT_VERSION, "part": part})
        self._schema_ids: dict[tuple[str, Channel | None], int] = {}
        self._channel_ids: dict[tuple[str, Channel | None], int] = {}
        self._flush_due_utc = self._flush_from_utc = -math.inf
        self._sync_due_utc = -math.inf
        self._n_in_part = 0
        self._part_from_utc = math.inf
        try:
            self._commit()
        except StorageError:
            self._drop_part()
            raise

    def _next_part(self) -> None:
        self._finish_part()
        if self._file is not None:
            self._file.close()
            self._file = None
        self._begin_next_part()

    def _begin_next_part(self) -> None:
        n = len(self.paths)
        while (path := self._path.with_suffix(f".part{n}{self._path.suffix}")).exists():
            n += 1
        try:
            self._open_part(path)
            if self._hello is not None:
                self._say_hello_again(*self._hello)
        except StorageError as err:
            self._failure = str(err)
            raise

    def _say_hello_again(self, hello: Hello, arrival_utc: float) -> None:
        """A part read on its own needs to know the board."""
        # It was counted when it came.
        self.n_messages -= 1
        try:
            self.write(hello, arrival_utc)
        except StorageError:
            self._drop_part()
            raise
        # It came before this part did.
        self._part_from_utc = math.inf

    def _drop_part(self) -> None:
        """A name without content would be taken for a recording."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self.paths.pop().unlink(missing_ok=True)

    def _finish_part(self) -> None:
        self._writer.finish()
        self._commit()
        if self._file is not None:
            self._file.sync()

    def _take_hello(self, hello: Hello, arrival_utc: float) -> None:
        is_first_of_part = not any(topic == "/board/hello" for topic, _ in self._channel_ids)
        self._hello = (hello, arrival_utc)
        self._channels = {channel.stream: channel for channel in hello.channels}
        if is_first_of_part:
            text = mcap_json.encode_plain(hello).decode()
            self._writer.add_metadata(HELLO_METADATA, {"board_id": hello.board_id, "json": text})

    def _write_block(self, block: Block, arrival_utc: float, board_utc: float | None) -> None:
        channel = self._channels.get(block.stream)
        is_told = self._hello is not None and block.session == self._hello[0].session
        if channel is not None and is_told and mcap_json.is_countable(channel, block):
            topic = mcap_json.sample_topic(channel)
            mcap_channel = self._channel_id(topic, mcap_schemas.SAMPLES, channel)
            payload = mcap_json.encode_samples(channel, block)
        else:
            mcap_channel = self._channel_id(mcap_json.raw_topic(block), mcap_schemas.RAW_BLOCK)
            payload = mcap_json.encode_raw(block)
        self._add(mcap_channel, payload, arrival_utc, board_utc, block.seq)

    def _channel_id(self, topic: str, schema: str, channel: Channel | None = None) -> int:
        known = self._channel_ids.get((topic, channel))
        if known is not None:
            return known
        if len(self._channel_ids) >= _MOST_CHANNELS:
            self._next_part()
        if (schema, channel) not in self._schema_ids:
            text = mcap_schemas.schema_json(schema, channel)
            name = schema if channel is None else f"{schema}.{channel.name}"
            self._schema_ids[schema, channel] = self._writer.register_schema(
                name=name, encoding="jsonschema", data=text
            )
        new: int = self._writer.register_channel(
            topic=topic,
            message_encoding="json",
            schema_id=self._schema_ids[schema, channel],
            metadata=mcap_json.channel_metadata(channel) if channel else {},
        )
        self._channel_ids[topic, channel] = new
        return new

    def _add(
        self,
        mcap_channel: int,
        payload: bytes,
        arrival_utc: float,
        board_utc: float | None,
        seq: int = 0,
    ) -> None:
        self._refuse_if_failed()
        log_ns = to_ns(arrival_utc)
        publish_ns = log_ns
        if board_utc is not None and math.isfinite(board_utc):
            publish_ns = to_ns(board_utc)
        self._writer.add_message(mcap_channel, log_ns, payload, publish_ns, seq)
        self.n_messages += 1
        self._n_in_part += 1
        if not self._flush_from_utc <= arrival_utc < self._flush_due_utc:
            self._flush_chunk(arrival_utc)

    def _flush_chunk(self, arrival_utc: float) -> None:
        self.flush()
        # From-to, so that a host clock set back does not hold everything in memory.
        self._flush_from_utc = arrival_utc
        self._flush_due_utc = arrival_utc + self._flush_s
        if not self._sync_due_utc - self._sync_s <= arrival_utc < self._sync_due_utc:
            self._sync_due_utc = arrival_utc + self._sync_s
            if self._file is not None:
                self._file.sync()
        # The earliest, so that a part does not last longer when the host's clock is set back.
        self._part_from_utc = min(self._part_from_utc, arrival_utc)
        is_old = self._max_s is not None and arrival_utc - self._part_from_utc >= self._max_s
        size_bytes = self._file.size_bytes if self._file else 0
        is_full = is_old or (self._max_bytes is not None and size_bytes >= self._max_bytes)
        # A part holds more than the HELLO it begins with, however small it has to be.
        if is_full and self._n_in_part > 1:
            self._next_part()

    def _commit(self) -> None:
        if self._file is None:
            return
        try:
            self._file.append(self._buffer.take())
        except StorageError as err:
            self._failure = str(err)
            self.n_messages = self.n_kept
            raise
        self.n_kept = self.n_messages

    def _refuse_if_failed(self) -> None:
        if self._failure:
            raise StorageError(self._failure)
        if self._file is None:
            msg = f"{self._path}: recording is closed"
            raise ValueError(msg)


class _Buffer:
    """Where the library writes to, until a piece is whole."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._at = 0

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        self._at += len(data)
        return len(data)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        """Nothing: the writer commits when it wants to."""

    def take(self) -> bytes:
        """Everything written since the last call."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
