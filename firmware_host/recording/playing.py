"""A recording as a board that speaks: what it sends and when, from where to where, and how often.

No clock and no I/O but the reader's: whoever plays says how fast, and over what.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from firmware_host.errors import ConfigError, RecordingError
from firmware_host.protocol.messages import (
    Ack,
    Block,
    Event,
    Hello,
    Log,
    Message,
    Pong,
    Status,
)
from firmware_host.recording.frames import TimedMessage, pieces
from firmware_host.recording.positions import parse_length_s, position_utc
from firmware_host.units import MICROSECONDS_PER_SECOND, TICKS_WRAP_US

if TYPE_CHECKING:
    from firmware_host.recording.base import RecordingReader

SKIPPED = "skipped"
"""Mark: a silence of ``silent_s`` was not waited for."""
ROUND = "round"
"""Mark: round number ``round`` begins; its times are ``later_s`` later than recorded."""
# What is left of a silence that is skipped.
_SKIPPED_TO_S = 1.0
# A board that is attached to in mid-stream sends blocks that began before it says HELLO.
_LEAD_S = 2.0
# The board starts anew between rounds; longer than the lead, so that time never goes back.
_ROUND_GAP_S = 3.0
_N_SESSIONS = (1 << 16) - 1

Mark = tuple[str, dict[str, float | int | str]]


class Played(NamedTuple):
    """Bytes that a board sends at once.

    ``due_s`` counts from the start of playing, at recorded pace; ``arrival_utc`` is when they arrived, in
    later rounds moved on; ``marks`` say what was done to the recording just before them.
    """

    due_s: float
    arrival_utc: float
    data: bytes
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Playing:
    """What of a recording is played, and how often.

    Parameters
    ----------
    start, end
        Places as `positions.position_utc` reads them; empty for the recording's own.
    rounds
        How often; None for ever.
    skip_gaps_s
        Silences longer than this are not waited for: only the waiting changes, no time in the data.
    """

    start: str = ""
    end: str = ""
    rounds: int | None = 1
    skip_gaps_s: float | None = None

    @classmethod
    def of(cls, *, start: str, end: str, loop: str, skip_gaps: str) -> Playing:
        """From texts, an empty one for what was not said.

        Raises
        ------
        ConfigError
            If the number of rounds or the length of gaps makes no sense.
        """
        skip_s = parse_length_s(skip_gaps, "skip gaps") if skip_gaps else None
        if skip_s is not None and skip_s <= _SKIPPED_TO_S:
            raise ConfigError("skip gaps", f"a length above {_SKIPPED_TO_S:g} s", skip_gaps)
        rounds = None if loop == "forever" else _rounds(loop or "1")
        return cls(start, end, rounds, skip_s)

    def span(self, reader: RecordingReader) -> Span:
        """Where it begins and ends in this recording.

        Raises
        ------
        ConfigError
            If either is outside, or the end is not after the start.
        """
        start_utc, duration_s = reader.start_utc, reader.duration_s
        from_utc, to_utc = start_utc, start_utc + duration_s
        if self.start:
            from_utc = position_utc(
                self.start, "play from", start_utc=start_utc, duration_s=duration_s
            )
        if self.end:
            to_utc = position_utc(self.end, "play to", start_utc=start_utc, duration_s=duration_s)
        if to_utc <= from_utc and (self.start or self.end):
            raise ConfigError("play to", f"a place after {self.start or 'the start'}", self.end)
        return Span(from_utc, to_utc)


class Span(NamedTuple):
    """A stretch of a recording, UNIX seconds."""

    start_utc: float
    end_utc: float

    @property
    def round_s(self) -> float:
        """From the start of one round to the start of the next."""
        return self.end_utc - self.start_utc + _ROUND_GAP_S


def play(
    reader: RecordingReader, playing: Playing | None = None, *, questions: bool = True
) -> Iterator[Played]:
    """What the board sends, one piece an arrival time, lazily.

    A round from the start is what was recorded. One that begins in mid-recording begins with what the board said
    of itself before, with the time it would have said it at. Each later round is a board started anew: another session
    number, and arrival times that go on.

    Parameters
    ----------
    questions
        Give the host's recorded PINGs back too, as frames among the board's: with their answers they are what
        the host's clock fit had. A board does not send them.

    Raises
    ------
    ConfigError
        If it is to be played from or to a place outside the recording.
    RecordingError
        If there is nothing to play.
    """
    playing = playing or Playing()
    span = playing.span(reader)
    pace = _Pace(span.start_utc, playing.skip_gaps_s)
    sessions = _Sessions()
    for number in count() if playing.rounds is None else range(playing.rounds):
        later_s = number * span.round_s
        messages = _bounded(reader, playing, span)
        if number:
            pace.mark(ROUND, {"round": number + 1, "later_s": later_s})
            messages = sessions.anew(messages)
        elif playing.rounds != 1:
            messages = sessions.watched(messages)
        for utc, data in pieces(messages, questions=questions):
            yield pace.place(utc + later_s, data)


class _Pace:
    """When each piece is due, all of them from one start instant."""

    def __init__(self, start_utc: float, skip_gaps_s: float | None) -> None:
        self._start_utc = start_utc
        self._before_utc = start_utc
        self._longest_s = math.inf if skip_gaps_s is None else skip_gaps_s
        self._removed_s = 0.0
        self._marks: list[Mark] = []

    def mark(self, what: str, detail: dict[str, float | int | str]) -> None:
        """Say something before the next piece."""
        self._marks.append((what, detail))

    def place(self, arrival_utc: float, data: bytes) -> Played:
        """Give the next piece its time."""
        gap_s = max(arrival_utc, self._start_utc) - self._before_utc
        self._before_utc = max(arrival_utc, self._start_utc)
        if gap_s < 0:
            # The host's clock was set back meanwhile: neither a wait nor a rush until it is caught up.
            self._removed_s += gap_s
        elif gap_s > self._longest_s:
            self._removed_s += gap_s - _SKIPPED_TO_S
            self.mark(SKIPPED, {"silent_s": round(gap_s, 3)})
        marks, self._marks = tuple(self._marks), []
        due_s = max(arrival_utc - self._start_utc - self._removed_s, 0.0)
        return Played(due_s, arrival_utc, data, marks)


class _Sessions:
    """Session numbers of later rounds: never the one just before."""

    def __init__(self) -> None:
        self._first = self._last = -1
        self._shift = 0

    def watched(self, messages: Iterator[TimedMessage]) -> Iterator[TimedMessage]:
        """Pass the first round on as it is."""
        for timed in messages:
            if isinstance(timed[1], Hello):
                self._last = timed[1].session
                self._first = self._last if self._first < 0 else self._first
            yield timed

    def anew(self, messages: Iterator[TimedMessage]) -> Iterator[TimedMessage]:
        """Renumber one more round."""
        last = self._renumbered(self._last)
        self._shift += 1
        if self._renumbered(self._first) == last:
            self._shift += 1
        for utc, message in messages:
            yield utc, self._of_new_session(message)

    def _of_new_session(self, message: Message) -> Message:
        if isinstance(message, Block):
            return message._replace(session=self._renumbered(message.session))
        if isinstance(message, Hello | Event | Pong | Ack | Status | Log):
            changed: Message = replace(message, session=self._renumbered(message.session))
            return changed
        return message

    def _renumbered(self, session: int) -> int:
        # 0 is the host's.
        return (session - 1 + self._shift) % _N_SESSIONS + 1


def _bounded(reader: RecordingReader, playing: Playing, span: Span) -> Iterator[TimedMessage]:
    """Messages of one round."""
    messages = _from_place(reader, span.start_utc) if playing.start else _from_start(reader)
    for timed in messages:
        if playing.end and timed[0] >= span.end_utc:
            return
        yield timed


def _from_start(reader: RecordingReader) -> Iterator[TimedMessage]:
    messages = reader.messages()
    first = next(messages, None)
    if first is None:
        raise RecordingError(reader.hello.board_id, "at least one message", "none")
    # What came before the first HELLO means nothing to a host, now as then.
    yield first
    yield from messages


def _from_place(reader: RecordingReader, start_utc: float) -> Iterator[TimedMessage]:
    messages = reader.messages(start_utc)
    _, hello = next(messages, (0.0, reader.hello))
    untimed: list[TimedMessage] = []
    for utc, message in messages:
        if isinstance(message, Hello | Block | Event | Pong | Ack | Status | Log):
            break
        untimed.append((utc, message))
    else:
        raise RecordingError(reader.hello.board_id, "something to play from there on", "nothing")
    is_new = isinstance(message, Hello) and message.session != getattr(hello, "session", None)
    if not is_new and isinstance(hello, Hello):
        ticks_us = int(message.ticks_us - _LEAD_S * MICROSECONDS_PER_SECOND) % TICKS_WRAP_US
        yield utc - _LEAD_S, replace(hello, ticks_us=ticks_us)
    yield from untimed
    yield utc, message
    yield from messages


def _rounds(text: str) -> int:
    try:
        rounds = int(text)
    except ValueError:
        rounds = 0
    if rounds < 1:
        raise ConfigError("loop", "a number of rounds, at least 1, or forever", text)
    return rounds
