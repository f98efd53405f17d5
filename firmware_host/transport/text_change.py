"""A board that prints other columns than it did: told soon, taken up when it lasts."""

from __future__ import annotations

from firmware_host.transport.base import LineNote
from firmware_host.transport.text_lines import LineCounters, Row
from firmware_host.transport.text_stream import Delivery

COLUMNS_NOTE = "columns"
# A line or two may be damaged, and a table of a few lines is a message.
_TOLD_S, _TOLD_LINES = 1.0, 3
_TAKEN_S, _TAKEN_LINES = 2.0, 20
# A board that goes back and forth is not told of at each turn.
_AGAIN_S = 60.0
# Numbers that wait until it is known what they are: five columns at 4 kHz for ten seconds, 15 MB.
MOST_WAITING = 200_000
_MOST_NAMES = 100

Shape = tuple[int, tuple[str, ...]]


class ColumnsWatch:
    """Parts lines of the columns that are known from others, and looks whether those are here to stay.

    Parameters
    ----------
    counters
        Where skipped lines are counted.
    """

    def __init__(self, counters: LineCounters) -> None:
        self._counters = counters
        self._shape: Shape | None = None
        self._run: list[Delivery] = []
        self._n_lines = self._n_numbers = 0
        self._span_s = self._last_utc = 0.0
        self._told_utc: float | None = None

    @property
    def is_long(self) -> bool:
        """Whether other columns have come for so long that it is worth a word."""
        return self._n_lines >= _TOLD_LINES and self._span_s >= _TOLD_S

    @property
    def lasts(self) -> bool:
        """Whether they are what the board prints from now on."""
        is_full = self._n_numbers >= MOST_WAITING
        return is_full or (self._n_lines >= _TAKEN_LINES and self._span_s >= _TAKEN_S)

    @property
    def shape(self) -> Shape | None:
        """The other columns; None as long as lines are as they were."""
        return self._shape

    def fitting(self, delivery: Delivery, expected: Shape) -> Delivery:
        """The delivery without lines of other columns, which are counted as skipped and kept for now."""
        fits = Delivery(delivery.first_utc)
        for arrival_utc, row in delivery.rows:
            if row.shape == expected:
                self.forget()
                fits.rows.append((arrival_utc, row))
            else:
                self._keep(delivery.first_utc, arrival_utc, row)
        return fits

    def note(self, expected: Shape, *, is_fixed: bool) -> LineNote | None:
        """What is to be said of them, the first time that it is; ``is_fixed`` if they were asked for."""
        if self._shape is None or not self.is_long:
            return None
        if self._told_utc is not None and 0 <= self._last_utc - self._told_utc < _AGAIN_S:
            return None
        self._told_utc = self._last_utc
        why = "asked for" if is_fixed else "expected"
        here, there = _words(self._shape, expected)
        text = f"the board prints {here} now, {there} were {why}: its lines are skipped"
        return self._note(self._shape, text, expected=expected[0], is_taken=0)

    def taken_up(self) -> tuple[list[Delivery], LineNote]:
        """The lines that were kept, skipped no longer, and what is to be said."""
        assert self._shape is not None
        self._counters.columns -= sum(len(delivery.rows) for delivery in self._run)
        text = f"the board's {self._shape[0]} columns are taken up as a new session"
        note = self._note(self._shape, text, is_taken=1)
        run, self._run = self._run, []
        self.forget()
        return run, note

    def drop(self) -> None:
        """Let go of the lines that were kept: they are not taken up."""
        self._run.clear()
        self._n_numbers = 0

    def forget(self) -> None:
        """Lines are as they were."""
        self._shape = None
        self.drop()
        self._n_lines = 0
        self._span_s = 0.0

    def _keep(self, first_utc: float, arrival_utc: float, row: Row) -> None:
        if row.shape != self._shape:
            self.forget()
            self._shape, self._last_utc = row.shape, arrival_utc
        self._counters.columns += 1
        if not self._run or self._run[-1].first_utc != first_utc:
            self._run.append(Delivery(first_utc))
        self._run[-1].rows.append((arrival_utc, row))
        self._n_lines += 1
        self._n_numbers += len(row.values)
        # Without what a host's clock was set back by.
        self._span_s += max(0.0, arrival_utc - self._last_utc)
        self._last_utc = arrival_utc

    def _note(self, shape: Shape, text: str, **more: int) -> LineNote:
        names = {"names": ",".join(shape[1])[:_MOST_NAMES]} if shape[1] else {}
        return LineNote(self._last_utc, COLUMNS_NOTE, {"printed": shape[0], **more, **names}, text)


def _words(here: Shape, there: Shape) -> tuple[str, str]:
    if here[0] != there[0] or not (here[1] or there[1]):
        return f"{here[0]} columns", str(there[0])
    told = (
        ",".join(shape[1])[:_MOST_NAMES] or f"{shape[0]} without names" for shape in (here, there)
    )
    first, second = told
    return first, second
