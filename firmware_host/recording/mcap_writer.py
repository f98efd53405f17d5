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
from typing import Self

from firmware_host.errors import StorageError
from firmware_host.protocol.messages import Block, Channel, Hello, Message
from firmware_host.recording import mcap_json, mcap_schemas
from firmware_host.recording.append_file import AppendFile
from firmware_host.recording.labels import Label
from firmware_host.recording.mcap_part import McapPart

# A process that dies loses at most this much; a smaller value costs compression.
FLUSH_S = 2.0
# A power cut loses at most this much; each sync wears an SD card.
SYNC_S = 30.0
# MCAP numbers channels with 16 bits, and every reader holds them all in memory. A board that renames its channels
# with each HELLO gets there; a part of an ordinary one has a few dozen.
_MOST_CHANNELS = 4096


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
        self._part: McapPart | None = None
        self._begin_part(self._path)

    def write(self, message: Message, arrival_utc: float, board_utc: float | None = None) -> None:
        """Append one message.

        Parameters
        ----------
        arrival_utc
            Host time of its arrival (for a message from the host: of sending).
        board_utc
            Host time at which the board sent it, by the clock fit; None or NaN if not known.
        """
        part = self._open_part()
        if isinstance(message, Block):
            self._write_block(message, arrival_utc, board_utc)
            return
        if isinstance(message, Hello):
            self._hello = (message, arrival_utc)
            self._channels = {channel.stream: channel for channel in message.channels}
            part.introduce(message)
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
        self._keep(self._open_part().flush)

    def go_on(self) -> None:
        """After a failure, go on in the next part; the one that failed stays as it is.

        Raises
        ------
        StorageError
            If there is still no room; nothing is left behind of the attempt.
        """
        self._leave_part()
        self._failure = ""
        self._begin_next_part()

    def close(self) -> None:
        """Finish the file with its index; may be called twice, and after a failure."""
        if self._part is None:
            return
        try:
            if not self._failure:
                self._finish(self._part)
        finally:
            self._leave_part()

    def discard(self) -> None:
        """Take the recording away, all parts of it; nothing can be written after this."""
        self._leave_part()
        for path in self.paths:
            path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open_part(self) -> McapPart:
        if self._failure:
            raise StorageError(self._failure)
        if self._part is None:
            msg = f"{self._path}: recording is closed"
            raise ValueError(msg)
        return self._part

    def _begin_part(self, path: Path) -> McapPart:
        part = self._part = McapPart(self._open_file(path), len(self.paths))
        self.paths.append(path)
        self._flush_due_utc = self._flush_from_utc = -math.inf
        self._sync_due_utc = -math.inf
        try:
            self._keep(part.commit)
        except StorageError:
            self._drop_part()
            raise
        return part

    def _next_part(self, part: McapPart) -> McapPart:
        self._finish(part)
        self._leave_part()
        return self._begin_next_part()

    def _begin_next_part(self) -> McapPart:
        n = len(self.paths)
        while (path := self._path.with_suffix(f".part{n}{self._path.suffix}")).exists():
            n += 1
        try:
            part = self._begin_part(path)
            if self._hello is not None:
                self._say_hello_again(part, *self._hello)
        except StorageError as err:
            self._failure = str(err)
            raise
        return part

    def _say_hello_again(self, part: McapPart, hello: Hello, arrival_utc: float) -> None:
        """A part read on its own needs to know the board."""
        # It was counted when it came.
        self.n_messages -= 1
        try:
            self.write(hello, arrival_utc)
        except StorageError:
            self._drop_part()
            raise
        # It came before this part did.
        part.from_utc = math.inf

    def _drop_part(self) -> None:
        """A name without content would be taken for a recording."""
        self._leave_part()
        self.paths.pop().unlink(missing_ok=True)

    def _leave_part(self) -> None:
        if self._part is not None:
            self._part.file.close()
            self._part = None

    def _finish(self, part: McapPart) -> None:
        self._keep(part.finish)
        part.file.sync()

    def _keep(self, hand_over: Callable[[], None]) -> None:
        """Hand messages to the system; what it does not take is not kept, and nothing more is until `go_on`."""
        try:
            hand_over()
        except StorageError as err:
            self._failure = str(err)
            self.n_messages = self.n_kept
            raise
        self.n_kept = self.n_messages

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
        part = self._open_part()
        known = part.channel_ids.get((topic, channel))
        if known is not None:
            return known
        if len(part.channel_ids) >= _MOST_CHANNELS:
            part = self._next_part(part)
        return part.new_channel(topic, schema, channel)

    def _add(
        self,
        mcap_channel: int,
        payload: bytes,
        arrival_utc: float,
        board_utc: float | None,
        seq: int = 0,
    ) -> None:
        part = self._open_part()
        part.add(mcap_channel, payload, arrival_utc, board_utc, seq)
        self.n_messages += 1
        if not self._flush_from_utc <= arrival_utc < self._flush_due_utc:
            self._flush_chunk(part, arrival_utc)

    def _flush_chunk(self, part: McapPart, arrival_utc: float) -> None:
        self._keep(part.flush)
        # From-to, so that a host clock set back does not hold everything in memory.
        self._flush_from_utc = arrival_utc
        self._flush_due_utc = arrival_utc + self._flush_s
        if not self._sync_due_utc - self._sync_s <= arrival_utc < self._sync_due_utc:
            # The flush after next would be too late: between two flushes there is more than the time of one.
            self._sync_due_utc = arrival_utc + self._sync_s - self._flush_s
            part.file.sync()
        # The earliest, so that a part does not last longer when the host's clock is set back.
        part.from_utc = min(part.from_utc, arrival_utc)
        is_old = self._max_s is not None and arrival_utc - part.from_utc >= self._max_s
        is_full = is_old or (
            self._max_bytes is not None and part.file.size_bytes >= self._max_bytes
        )
        # A part holds more than the HELLO it begins with, however small it has to be.
        if is_full and part.n_messages > 1:
            self._next_part(part)
