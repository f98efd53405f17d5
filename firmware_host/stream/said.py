"""When somebody said something, on the clock that the samples of a recording end up on.

A recording that is taken whole has its samples on one even grid for each session: board ticks, placed by that
session's last clock fit. What was said while it was made follows by two rules:

- A label of the board's buttons is a pair of board ticks. Its times come from that same fit, whatever the
  host's clock did between the presses.
- What a person said at the host is a time on the host's clock of then, as the arrival times of then are. It
  moves by as much as they do: by nothing since the last time that the clock was set, and before that by what
  it was set by.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from firmware_host.events import Labelled, OnBoard
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.buttons import ButtonLabels
from firmware_host.stream.clock import StreamClock
from firmware_host.stream.samples import Note, Samples, StreamEvent

Span = tuple[float, float, str]
"""Start and end in UNIX seconds, and what it was."""

_NEW_SESSION = (Note.SESSION, Note.REBOOT, Note.SWAP)
# A step forwards shows half a minute late at most; a board sends some ten messages a second.
_ARRIVALS_KEPT = 1024


@dataclass(slots=True)
class _Stretch:
    """Arrivals of one session between two steps of the host's clock."""

    clock: StreamClock
    from_utc: float
    to_utc: float
    # Where the host's clock of then saw a stream time, just before it was seen to be set.
    seen: tuple[float, float] | None = None
    follows_step: bool = False

    @property
    def shift_s(self) -> float:
        """What times of then move by, exactly 0 if the clock was not set since."""
        if self.seen is None:
            return 0.0
        t_s, utc = self.seen
        return self.clock.utc(t_s) - utc


@dataclass(frozen=True, slots=True)
class Pressed:
    """A label of the buttons: by the final clock, and as it was told then."""

    span: Span
    told: Span


class SaidTimes:
    """Collects what `pressed` and `moved` rest on; they are to be asked when the recording is over.

    `arrived` is to be called before the assembler is fed with a message, `take` with what that brought.
    """

    def __init__(self) -> None:
        self._clock: StreamClock | None = None
        self._stretches: list[_Stretch] = []
        self._arrivals: deque[float] = deque(maxlen=_ARRIVALS_KEPT)
        self._seen = (0.0, 0.0)
        self._buttons = ButtonLabels()
        self._pressed: list[tuple[StreamClock, Labelled, OnBoard]] = []

    def arrived(self, utc: float, assembler: StreamAssembler) -> None:
        """Take note of an arrival, and of the clock as it is before it."""
        self._arrivals.append(utc)
        if self._stretches:
            self._seen = (assembler.t_s, assembler.utc(assembler.t_s))
            self._stretches[-1].to_utc = utc

    def take(self, items: Iterable[Samples | StreamEvent], clock: StreamClock | None) -> None:
        """Take note of steps, sessions and presses."""
        for item in items:
            if isinstance(item, Samples) or clock is None:
                continue
            if item.what in _NEW_SESSION:
                self._begin(clock)
            # What waited for the end of a session comes before the note of the next one.
            elif self._clock is not None and item.what == Note.CLOCK_STEP:
                self._step(float(item.detail["step_s"]), self._clock)
            elif self._clock is not None and item.what == Note.BUTTON:
                self._press(int(item.detail["value"]), item, self._clock)

    def pressed(self) -> list[Pressed]:
        """Labels of the buttons."""
        return [
            # The board counts microseconds; digits beyond are of the arithmetic.
            Pressed(
                (round(clock.utc(board.start_s), 6), round(clock.utc(board.end_s), 6), told.label),
                (told.start_utc, told.end_utc, told.label),
            )
            for clock, told, board in self._pressed
        ]

    def moved(self, start_utc: float, end_utc: float) -> tuple[float, float]:
        """A stretch of host time of then.

        The clock that is set back shows some times twice. A stretch is taken as of one clock if any had both its
        ends, the latest such; otherwise each end is taken by itself. Its end stays after its start.
        """
        for stretch in reversed(self._stretches):
            if stretch.from_utc <= start_utc and end_utc <= stretch.to_utc:
                return start_utc + stretch.shift_s, end_utc + stretch.shift_s
        start, end = self.moved_utc(start_utc), self.moved_utc(end_utc)
        return (start, end) if start < end else (end - (end_utc - start_utc), end)

    def moved_utc(self, utc: float) -> float:
        """A host time of then; one that the clock never showed is when it was set."""
        if not self._stretches:
            return utc
        distances = [max(x.from_utc - utc, utc - x.to_utc, 0.0) for x in self._stretches]
        nearest = min(distances)
        number = max(i for i, distance in enumerate(distances) if distance == nearest)
        stretch = self._stretches[number]
        if stretch.follows_step and utc < stretch.from_utc:
            utc = stretch.from_utc
        elif stretch.seen is not None and utc > stretch.to_utc:
            utc = stretch.to_utc
        return utc + stretch.shift_s

    def _begin(self, clock: StreamClock) -> None:
        self._clock = clock
        self._buttons.forget()
        utc = self._arrivals[-1]
        self._arrivals.clear()
        self._arrivals.append(utc)
        self._stretches.append(_Stretch(clock, utc, utc))

    def _step(self, step_s: float, clock: StreamClock) -> None:
        before = self._stretches[-1]
        if len(self._arrivals) < 2:
            return
        # It is told when it is certain: it was at the leap of the arrivals that is most like it.
        leaps = list(pairwise(self._arrivals))
        last_utc, first_utc = min(leaps, key=lambda x: abs(x[1] - x[0] - step_s))
        now_utc = self._arrivals[-1]
        before.to_utc, before.seen = last_utc, self._seen
        self._arrivals.clear()
        self._arrivals.append(now_utc)
        self._stretches.append(_Stretch(clock, first_utc, now_utc, follows_step=True))

    def _press(self, value: int, item: StreamEvent, clock: StreamClock) -> None:
        # Which session it is shows in the clock.
        told = self._buttons.press(value, item.t_s, item.utc, session=0)
        if told is not None and told.on_board is not None:
            self._pressed.append((clock, told, told.on_board))
