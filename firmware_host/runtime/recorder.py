"""Recording what passes through: messages into a file that is never overwritten."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware_host.devices import open_device
from firmware_host.errors import LinkEnded, LinkError, ProtocolMismatch
from firmware_host.protocol import frame
from firmware_host.protocol.messages import Hello, Message, MessageParser, Mismatch
from firmware_host.reconnect import Reconnect
from firmware_host.runtime.link import Link
from firmware_host.runtime.pipeline import Listeners
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.samples import Note, Samples

if TYPE_CHECKING:
    from firmware_host.recording.mcap_writer import McapWriter


@contextmanager
def recording_listeners(path: Path | None) -> Iterator[Listeners]:
    """Listeners that write every message to ``path``; with None they do nothing.

    Raises
    ------
    RecordingError
        If the file exists already.
    StorageError
        If the disk is full; what was written stays readable.
    """
    if path is None:
        yield Listeners()
        return
    from firmware_host.recording.mcap_writer import McapWriter

    with McapWriter(path) as writer:
        yield Listeners(message=writer.write)


@dataclass(slots=True)
class Recorder:
    """Writes a board's messages; the file is named and made once the board has said what it is.

    Parameters
    ----------
    name
        File for a board id.
    """

    name: Callable[[str], Path]
    parser: MessageParser = field(default_factory=MessageParser)
    assembler: StreamAssembler = field(default_factory=StreamAssembler)
    writer: McapWriter | None = None
    n_missing: int = 0

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
            from firmware_host.recording.mcap_writer import McapWriter

            self.writer = McapWriter(self.name(message.board_id))
        if self.writer is not None:
            self.writer.write(message, arrival_utc, sent_utc)


def record(
    url: str,
    name: Callable[[str], Path],
    *,
    stop: Callable[[], bool],
    silence_s: float,
    monotonic: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Record a device until it ends or ``stop`` says so; returns a summary of counts.

    Raises
    ------
    LinkError
        If there is no board, or one that never says what it is.
    """
    link = Link(
        lambda: open_device(url),
        Reconnect(clock=monotonic, rng=random.Random()),
        sleep=time.sleep,
    )
    recorder = Recorder(name)
    last_s = monotonic()
    try:
        while not stop():
            try:
                chunk = link.read()
            except LinkEnded:
                break
            if chunk is not None:
                last_s = monotonic()
                recorder.feed(chunk.data, chunk.arrival_utc)
            elif link.is_up and not link.is_finite and monotonic() - last_s > 60 * silence_s:
                msg = f"the board has sent nothing for {monotonic() - last_s:.0f} s"
                raise LinkError(msg)
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
        "stream_s": round(recorder.assembler.t_s, 3),
        "missing_samples": recorder.n_missing,
        "bad_frames": decoder.bad_frames,
        "skipped_bytes": decoder.skipped_bytes,
        "links_lost": link.n_lost,
    }
