"""A recording that a run makes on the side: it may stop and go on, and the run goes on in any case."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from firmware_host.config import Recording
from firmware_host.errors import QuotaReached, StorageError
from firmware_host.events import AnyEvent, Labelled, StreamNoted
from firmware_host.protocol.messages import Message
from firmware_host.recording.labels import Label
from firmware_host.recording.playing import ROUND, SKIPPED
from firmware_host.runtime.begun import Begun
from firmware_host.runtime.recorder import MARKED, marker_text, note_text, open_writer

if TYPE_CHECKING:
    from firmware_host.recording.mcap_writer import McapWriter

_LOGGER = logging.getLogger(__name__)

STOPPED_NOTE = "recording_stopped"
RESUMED_NOTE = "recording_resumed"
DELETED_NOTE = "recording_deleted"
# What is written into the recording: what happened to the stream, and what was done to a replayed one.
_MARKED = (*MARKED, SKIPPED, ROUND)
# While there is no room, look again this often.
_RETRY_S = 10.0
# Messages that wait for room: about a minute of a board with every channel.
_MOST_WAITING = 600

_Act = Callable[["McapWriter"], None]


class Tap:
    """Writes what a run hears: messages, labels whoever gave them, and silences as markers.

    When the quota is used up it stops by itself and says so with an event; the run goes on. When the
    disk is full it stops, says so, and goes on in a next part as soon as there is room: the latest
    messages wait for that, older ones are counted.

    Parameters
    ----------
    emit
        Is given events of the recording itself, with the stream time and UTC of the latest event.
    rates
        Sample rates that the board was to have, Hz by channel name.
    """

    def __init__(
        self,
        path: Path,
        limits: Recording,
        emit: Callable[[AnyEvent], None],
        rates: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        self._emit = emit
        self._begun = Begun(rates)
        self._t_s = 0.0
        self._writer: McapWriter | None = open_writer(path, limits, self._deleted)
        # What the system has not got yet, and for the first of these, which the writer was given, the number
        # of messages at which it has.
        self._waiting: deque[_Act] = deque()
        self._given: deque[int] = deque()
        self._failure: StorageError | None = None
        self._tried_utc = 0.0
        # Since the disk was full; and how many of them a marker in the recording speaks of.
        self._n_lost = 0
        self._n_marked = 0

    def message(self, message: Message, arrival_utc: float, board_utc: float | None) -> None:
        """Write one message."""
        self._begun.take(message)
        self._write(lambda writer: writer.write(message, arrival_utc, board_utc), arrival_utc)

    def event(self, event: AnyEvent) -> None:
        """Write what an event says and no message does."""
        self._t_s = event.t_s
        if isinstance(event, Labelled):
            self._begun.said()
            label = Label(event.start_utc, event.end_utc, event.label, event.source)
            self._write(lambda writer: writer.write_label(label, event.utc), event.utc)
        elif isinstance(event, StreamNoted) and event.what in _MARKED:
            text = note_text(event)
            self._write(lambda writer: writer.write_marker(text, event.utc), event.utc)

    def close(self) -> None:
        """Finish the file, with what waits if there is room by now; one that nothing came for does not stay."""
        if self._writer is not None and self._failure is not None:
            self._go_on(self._writer, self._tried_utc)
        if self._writer is not None:
            self._writer.close()
            if not self._writer.n_messages:
                self._writer.discard()

    def broke_off(self, error: BaseException) -> None:
        """Take away a recording that an error ended before anything of use came."""
        if self._writer is not None and not self._begun.is_worth_keeping(error):
            self._writer.discard()
            self._writer = None

    def complain(self) -> None:
        """See that everything was written in the end.

        Raises
        ------
        StorageError
            If the recording ends because there was no room.
        """
        if self._failure is not None:
            raise self._failure

    def _write(self, act: _Act, utc: float) -> None:
        writer = self._writer
        if writer is None:
            return
        self._waiting.append(act)
        try:
            if self._failure is None:
                self._give(writer)
            else:
                self._wait_for_room(writer, utc)
        except QuotaReached as err:
            self._stop_for_good(writer, err, utc)
        except StorageError as err:
            self._pause(writer, err, utc)

    def _give(self, writer: McapWriter) -> None:
        """Hand the writer what it has not been given yet."""
        while len(self._given) < len(self._waiting):
            act = self._waiting[len(self._given)]
            self._given.append(writer.n_messages + 1)
            act(writer)
            self._forget_kept(writer)

    def _forget_kept(self, writer: McapWriter) -> None:
        """What the system has need not wait any longer."""
        while self._given and self._given[0] <= writer.n_kept:
            self._given.popleft()
            self._waiting.popleft()

    def _take_back(self, writer: McapWriter) -> None:
        """After a failure the writer has lost what it was given and could not keep."""
        self._forget_kept(writer)
        self._given.clear()

    def _stop_for_good(self, writer: McapWriter, err: QuotaReached, utc: float) -> None:
        self._writer = self._failure = None
        self._waiting.clear()
        self._given.clear()
        writer.close()
        _LOGGER.warning("%s", err)
        self._emit(StreamNoted(self._t_s, utc, STOPPED_NOTE, "", {"why": "quota"}))

    def _pause(self, writer: McapWriter, err: StorageError, utc: float) -> None:
        self._take_back(writer)
        self._failure = err
        self._tried_utc = utc
        _LOGGER.warning("%s; the run goes on", err)
        self._emit(StreamNoted(self._t_s, utc, STOPPED_NOTE, "", {"why": "disk"}))

    def _wait_for_room(self, writer: McapWriter, utc: float) -> None:
        while len(self._waiting) > _MOST_WAITING:
            self._waiting.popleft()
            self._n_lost += 1
        # From-to, so that a host clock set back does not stop it.
        if not 0 <= utc - self._tried_utc < _RETRY_S:
            self._tried_utc = utc
            self._go_on(writer, utc)

    def _go_on(self, writer: McapWriter, utc: float) -> None:
        try:
            writer.go_on()
            self._mark_lost(writer, utc)
            self._give(writer)
            writer.flush()
        except QuotaReached as err:
            self._stop_for_good(writer, err, utc)
            return
        except StorageError as err:
            self._take_back(writer)
            self._failure = err
            return
        self._forget_kept(writer)
        self._failure = None
        n_lost, self._n_lost, self._n_marked = self._n_lost, 0, 0
        _LOGGER.warning("%s: recording goes on, %d messages lost", writer.paths[-1], n_lost)
        detail: dict[str, float | int | str] = {
            "lost_messages": n_lost,
            "file": writer.paths[-1].name,
        }
        self._emit(StreamNoted(self._t_s, utc, RESUMED_NOTE, "", detail))

    def _mark_lost(self, writer: McapWriter, utc: float) -> None:
        """Write how many messages are missing before what comes next, if no marker says so yet."""
        if n_lost := self._n_lost - self._n_marked:
            number = writer.n_messages + 1
            try:
                writer.write_marker(marker_text(RESUMED_NOTE, {"lost_messages": n_lost}), utc)
                writer.flush()
            finally:
                if writer.n_kept >= number:
                    self._n_marked = self._n_lost

    def _deleted(self, path: Path) -> None:
        utc = time.time()
        self._emit(StreamNoted(self._t_s, utc, DELETED_NOTE, "", {"file": path.name}))


@contextmanager
def recording_tap(
    path: Path | None,
    limits: Recording,
    emit: Callable[[AnyEvent], None],
    rates: Mapping[str, float] = MappingProxyType({}),
) -> Iterator[Tap | None]:
    """A tap into ``path``; with None there is none.

    An error that comes before samples do, at ``rates`` (Hz by channel name), leaves no file.

    Raises
    ------
    RecordingError
        If the file exists already.
    StorageError
        If there is no room from the start.
    """
    if path is None:
        yield None
        return
    tap = Tap(path, limits, emit, rates)
    try:
        yield tap
    except BaseException as err:
        tap.broke_off(err)
        raise
    finally:
        tap.close()
