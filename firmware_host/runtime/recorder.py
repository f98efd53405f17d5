"""Recording what passes through: messages into a file that is never overwritten."""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware_host.config import Recording
from firmware_host.devices import open_device
from firmware_host.errors import LinkEnded, LinkError, ProtocolMismatch
from firmware_host.protocol import frame
from firmware_host.protocol.messages import Hello, Message, MessageParser, Mismatch
from firmware_host.reconnect import Reconnect
from firmware_host.recording.labels import Label
from firmware_host.runtime.link import Link
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.buttons import ButtonLabels
from firmware_host.stream.samples import Note, Samples, StreamEvent

if TYPE_CHECKING:
    from firmware_host.recording.mcap_writer import McapWriter

_LOGGER = logging.getLogger(__name__)

_BYTES_PER_MB = 1_000_000
_SECONDS_PER_MINUTE = 60.0


def marker_text(what: str, detail: Mapping[str, float | int | str]) -> str:
    """What happened to the stream, as the text of a marker."""
    return " ".join([what, *(f"{key} {value}" for key, value in detail.items())])


def open_writer(
    path: Path, limits: Recording, deleted: Callable[[Path], None] = lambda _: None
) -> McapWriter:
    """Make a recording that goes on in further files and keeps to the quota as the settings say.

    Raises
    ------
    RecordingError
        If the file exists already.
    StorageError
        If it cannot be made, or the quota is used up.
    """
    from firmware_host.recording.append_file import AppendFile
    from firmware_host.recording.mcap_writer import McapWriter
    from firmware_host.recording.quota import Quota

    open_file: Callable[[Path], AppendFile] = AppendFile
    if limits.quota_mb:
        deletes = limits.quota_deletes_oldest
        open_file = Quota(limits.quota_mb, deletes_oldest=deletes, deleted=deleted).open_file
    return McapWriter(
        path,
        max_bytes=math.ceil(limits.max_file_mb * _BYTES_PER_MB) or None,
        max_s=limits.max_file_minutes * _SECONDS_PER_MINUTE or None,
        open_file=open_file,
    )


@dataclass(slots=True)
class Recorder:
    """Writes a board's messages; the file is named and made once the board has said what it is.

    Parameters
    ----------
    name
        File for a board id.
    limits
        When a next file begins, and the quota.
    """

    name: Callable[[str], Path]
    limits: Recording = field(default_factory=Recording)
    parser: MessageParser = field(default_factory=MessageParser)
    assembler: StreamAssembler = field(default_factory=StreamAssembler)
    writer: McapWriter | None = None
    n_missing: int = 0
    n_labels: int = 0
    _buttons: ButtonLabels = field(default_factory=ButtonLabels)

    def feed(self, data: bytes, arrival_utc: float) -> None:
        """Write what these bytes bring.

        Raises
        ------
        ProtocolMismatch
            If the board speaks another version of the wire protocol.
        """
        for message in self.parser.feed(data):
            if isinstance(message, Mismatch):
                raise ProtocolMismatch(ours=frame.VERSION, theirs=message.theirs)
            self._write(message, arrival_utc)

    def label(self, label: Label, utc: float) -> None:
        """Write a label that was given at ``utc``; before the file is made there is nothing to label."""
        if self.writer is not None:
            self.writer.write_label(label, utc)
            self.n_labels += 1

    def mark(self, text: str, utc: float) -> None:
        """Write a note."""
        if self.writer is not None:
            self.writer.write_marker(text, utc)

    def close(self) -> None:
        """Finish the file."""
        if self.writer is not None:
            self.writer.close()

    def _write(self, message: Message, arrival_utc: float) -> None:
        items = self.assembler.feed(message, arrival_utc)
        sent_utc = None
        for item in items:
            if isinstance(item, Samples):
                sent_utc = self.assembler.utc(item.t0_s)
            elif item.what in (Note.GAP, Note.PAUSE):
                self.n_missing += int(item.detail["missing_samples"])
        if self.writer is None and isinstance(message, Hello):
            self.writer = open_writer(self.name(message.board_id), self.limits)
        if self.writer is not None:
            self.writer.write(message, arrival_utc, sent_utc)
        self._take_presses(items)

    def _take_presses(self, items: list[Samples | StreamEvent]) -> None:
        for item in items:
            if isinstance(item, Samples):
                continue
            if item.what in (Note.REBOOT, Note.SWAP):
                self._buttons.forget()
            elif item.what == Note.BUTTON:
                told = self._buttons.press(int(item.detail["value"]), item.t_s, item.utc)
                if told is not None:
                    label = Label(told.start_utc, told.end_utc, told.label, told.source)
                    self.label(label, told.utc)


def record(
    url: str,
    name: Callable[[str], Path],
    *,
    stop: Callable[[], bool],
    silence_s: float,
    limits: Recording,
    notes: Callable[[], list[str]] = list,
    labels: Callable[[], list[Label]] = list,
    monotonic: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Record a device until it ends or ``stop`` says so; returns a summary of counts.

    Parameters
    ----------
    notes, labels
        Asked between reads for what somebody has said meanwhile.

    Raises
    ------
    LinkError
        If there is no board, or one that never says what it is.
    StorageError
        If the disk is full or the quota is used up; what was recorded stays.
    """
    link = Link(
        lambda: open_device(url),
        Reconnect(clock=monotonic, rng=random.Random()),
        sleep=time.sleep,
    )
    recorder = Recorder(name, limits)
    last_s = monotonic()
    try:
        while not stop():
            try:
                chunk = link.read()
            except LinkEnded:
                break
            if chunk is not None:
                last_s = monotonic()
                for what, detail in link.marks():
                    recorder.mark(marker_text(what, detail), chunk.arrival_utc)
                recorder.feed(chunk.data, chunk.arrival_utc)
            elif link.is_up and not link.is_finite and monotonic() - last_s > 60 * silence_s:
                msg = f"the board has sent nothing for {monotonic() - last_s:.0f} s"
                raise LinkError(msg)
            for text in notes():
                recorder.mark(text, link.now_utc())
            for label in labels():
                recorder.label(label, link.now_utc())
    finally:
        link.close()
        recorder.close()
    return _summary(recorder, link)


def _summary(recorder: Recorder, link: Link) -> dict[str, Any]:
    writer, decoder = recorder.writer, recorder.parser.decoder
    if writer is None:
        msg = "nothing was recorded: no board said what it is"
        raise LinkError(msg)
    return {
        "files": [str(path) for path in writer.paths],
        "n_messages": writer.n_messages,
        "n_labels": recorder.n_labels,
        "stream_s": round(recorder.assembler.t_s, 3),
        "missing_samples": recorder.n_missing,
        "bad_frames": decoder.bad_frames,
        "skipped_bytes": decoder.skipped_bytes,
        "links_lost": link.n_lost,
        "lines": dict(link.line_counters),
    }
