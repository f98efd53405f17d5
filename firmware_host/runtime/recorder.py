"""Recording what passes through: messages into a file that is never overwritten."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from firmware_host.config import Recording
from firmware_host.devices import open_device
from firmware_host.errors import LinkEnded, LinkError, ProtocolMismatch
from firmware_host.protocol import frame
from firmware_host.protocol.messages import Block, Command, Hello, Message, Mismatch, Ping
from firmware_host.protocol.parser import MessageParser
from firmware_host.recording.labels import Label
from firmware_host.runtime.announced import announced
from firmware_host.runtime.begun import Begun
from firmware_host.runtime.drops import drops
from firmware_host.runtime.link import lasting_link
from firmware_host.runtime.listening import Listening
from firmware_host.runtime.silence import BACK_NOTE, LINK_NOTE, SILENCE_NOTE, SilenceLimits
from firmware_host.runtime.warned import Warned
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.buttons import ButtonLabels
from firmware_host.stream.samples import Note, Samples, StreamEvent

if TYPE_CHECKING:
    from firmware_host.recording.mcap_writer import McapWriter

_LOGGER = logging.getLogger(__name__)

_BYTES_PER_MB = 1_000_000
_SECONDS_PER_MINUTE = 60.0


# What happened to the stream and is in no message of the board, or only between the lines.
MARKED = (
    SILENCE_NOTE,
    LINK_NOTE,
    BACK_NOTE,
    Note.STOPPED,
    Note.RATE,
    Note.CLOCK_STEP,
    Note.CLOCK_JUMP,
)


def note_text(note: StreamEvent) -> str:
    """A note as the text of a marker."""
    what = f"{note.what} {note.channel}" if note.channel else note.what
    return marker_text(what, note.detail)


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
    begun
        Says whether there is anything worth keeping if it ends in an error.
    """

    name: Callable[[str], Path]
    limits: Recording = field(default_factory=Recording)
    parser: MessageParser = field(default_factory=MessageParser)
    assembler: StreamAssembler = field(default_factory=StreamAssembler)
    begun: Begun = field(default_factory=Begun)
    writer: McapWriter | None = None
    n_missing: int = 0
    n_labels: int = 0
    deleted: set[Path] = field(default_factory=set)
    """Files that the quota has taken, own ones and others."""
    _warned: Warned = field(default_factory=Warned)
    _buttons: ButtonLabels = field(default_factory=ButtonLabels)
    _early: list[Callable[[McapWriter], None]] = field(default_factory=list)

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
        """Write a label that was given at ``utc``; it waits until there is a file."""
        self.n_labels += 1
        self.begun.said()
        if self.writer is None:
            self._early.append(lambda writer: writer.write_label(label, utc))
        else:
            self.writer.write_label(label, utc)

    def mark(self, text: str, utc: float) -> None:
        """Write a note that somebody typed; it waits until there is a file."""
        self.begun.said()
        self._mark(text, utc)

    def _mark(self, text: str, utc: float) -> None:
        if self.writer is None:
            self._early.append(lambda writer: writer.write_marker(text, utc))
        else:
            self.writer.write_marker(text, utc)

    def note(self, what: str, detail: Mapping[str, float | int | str], utc: float) -> None:
        """Write what no message says: a silence and its end, what was done to a recording."""
        self._mark(marker_text(what, detail), utc)

    def asked(self, ping: Ping, sent_utc: float) -> None:
        """A clock question was sent to the board; with its answer it gives the two clocks' offset."""
        self._write(ping, sent_utc)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file; one that an error ends before anything that was asked for came does not stay."""
        try:
            self.close()
        finally:
            if self.writer is not None and not self.begun.is_worth_keeping(error):
                self.writer.discard()

    def close(self) -> None:
        """Finish the file."""
        try:
            self._take_items(self.assembler.end())
        finally:
            if self.writer is not None:
                self.writer.close()

    def ordered(self, command: Command, sent_utc: float) -> None:
        """The board was told to do something."""
        if self.writer is not None:
            self.writer.write(command, sent_utc)

    def _write(self, message: Message, arrival_utc: float) -> None:
        items = self.assembler.feed(message, arrival_utc)
        sent_utc = None
        if isinstance(message, Block):
            sent_utc = self.assembler.sent_utc(message, arrival_utc)
        if self.writer is None and isinstance(message, Hello):
            path = self.name(message.board_id)
            self.writer = open_writer(path, self.limits, self.deleted.add)
            for write in self._early:
                write(self.writer)
            self._early.clear()
        self.begun.take(message)
        if self.writer is not None:
            self.writer.write(message, arrival_utc, sent_utc)
        self._take_items(items)

    def _take_items(self, items: list[Samples | StreamEvent]) -> None:
        for item in items:
            if isinstance(item, Samples):
                continue
            if item.what in MARKED:
                _LOGGER.log(self._warned.level(item.what, item.channel), "%s", note_text(item))
                self._mark(note_text(item), item.utc)
            if item.what in (Note.GAP, Note.PAUSE):
                self.n_missing += int(item.detail["missing_samples"])
            elif item.what in (Note.REBOOT, Note.SWAP):
                self._buttons.forget()
            elif item.what == Note.BUTTON:
                value = int(item.detail["value"])
                # A recording has the presses themselves, so the session is of no use in the label.
                told = self._buttons.press(value, item.t_s, item.utc, session=0)
                if told is not None:
                    label = Label(told.start_utc, told.end_utc, told.label, told.source)
                    self.label(label, told.utc)


def record(
    url: str,
    name: Callable[[str], Path],
    *,
    stop: Callable[[], bool],
    silence: SilenceLimits,
    limits: Recording,
    rates: Mapping[str, float] = MappingProxyType({}),
    notes: Callable[[], list[str]] = list,
    labels: Callable[[], list[Label]] = list,
    monotonic: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Record a device until it ends or ``stop`` says so; returns a summary of counts.

    Parameters
    ----------
    rates
        Sample rates to ask of the board, Hz by channel name.
    notes, labels
        Asked between reads for what somebody has said meanwhile.

    Raises
    ------
    ConfigError
        If the board refuses a rate.
    LinkError
        If there is no board, or one that never says what it is.
    StreamSilent
        If it has sent nothing for longer than ``silence`` allows.
    StorageError
        If the disk is full or the quota is used up.

    In any case what was recorded stays, if samples came at the wanted rates; else no file does.
    """
    link = lasting_link(lambda: open_device(url), monotonic=monotonic, stop=stop)
    parser = MessageParser(board_only=not link.is_finite)
    recorder = Recorder(name, limits, parser, begun=Begun(rates))
    listening = Listening(link, recorder, silence, rates, monotonic)
    with closing(link), recorder:
        while not stop():
            try:
                listening.once()
            except LinkEnded:
                break
            for text in notes():
                recorder.mark(text, link.now_utc())
            for label in labels():
                recorder.label(label, link.now_utc())
    return {**_summary(recorder), **listening.counts()}


def _summary(recorder: Recorder) -> dict[str, Any]:
    writer, assembler = recorder.writer, recorder.assembler
    if writer is None:
        msg = "nothing was recorded: no board said what it is"
        raise LinkError(msg)
    return {
        "files": [str(path) for path in writer.paths if path not in recorder.deleted],
        "n_deleted_parts": len(recorder.deleted.intersection(writer.paths)),
        "hello": announced(assembler.hello),
        "measured_hz": assembler.tracks.measured_rates_hz,
        "n_messages": writer.n_messages,
        "n_labels": recorder.n_labels,
        "stream_s": round(assembler.earlier_sessions_s + assembler.t_s, 3),
        "missing_samples": recorder.n_missing,
        **drops(assembler, recorder.parser),
    }
