"""Lines of numbers become the wire's own frames: HELLO once rate and columns are known, then BLOCKs."""

from __future__ import annotations

from collections import Counter

from firmware_host.errors import LinkError
from firmware_host.protocol.messages import MAX_RATE_HZ, MIN_RATE_HZ
from firmware_host.transport.base import Chunk, LineNote
from firmware_host.transport.text_change import COLUMNS_NOTE, MOST_WAITING, ColumnsWatch, Shape
from firmware_host.transport.text_clock import pace_of_arrivals, pace_of_times, rounded_rate_hz
from firmware_host.transport.text_layout import Wishes, lay_out
from firmware_host.transport.text_lines import LineCounters, LineReader, Row, Words
from firmware_host.transport.text_stream import Delivery, Known, TextStream

GROUP_S = 0.1
"""Lines that arrive within this of the first are one delivery: no later than the eye would see."""
# From here on the rate is known well enough, or as well as it will be.
_LEAST_S = 3.0
_MOST_S, _MOST_DELIVERIES = 10.0, 6
_END_S = 20.0
_GOOD_UNCERTAINTY = 0.005
_LEAST_DELIVERIES = 3
# All that waits is looked at again when it has grown by one part in so many.
_LOOK_EVERY = 32
# Sets of names that pairs may come in any order of; a board has one or two.
_MOST_NAMINGS = 64


class TextReceiver:
    """Bytes of a printing board in, chunks of wire bytes out; no I/O.

    The chunks depend on the bytes and their arrival times alone, not on the pieces they came in. Lines from
    before rate and columns were known are in the first chunks, each with its own arrival.

    Parameters
    ----------
    board_id
        What HELLO calls the board.
    wishes
        What the device URL says of it.
    """

    def __init__(self, board_id: str, wishes: Wishes) -> None:
        self._board_id = board_id
        self._wishes = wishes
        self.counters = LineCounters()
        self._known: Known | None = None
        self._reader = LineReader(self.counters)
        self._open: Delivery | None = None
        self._waiting: list[Delivery] = []
        self._n_waiting = self._n_heard = 0
        self._look_at = 0
        self._headers: dict[int, tuple[str, ...]] = {}
        self._stream: TextStream | None = None
        self._namings: dict[frozenset[str], tuple[str, ...]] = {}
        self._watch = ColumnsWatch(self.counters)
        self._is_settling = False
        self._refused: Shape | None = None
        self._notes: list[LineNote] = []

    @property
    def stream(self) -> TextStream | None:
        """What makes the frames; None as long as nothing is known of the board."""
        return self._stream

    @property
    def n_rows(self) -> int:
        """Lines of numbers that wait until it is known what they are."""
        return sum(len(delivery.rows) for delivery in self._waiting)

    @property
    def trouble(self) -> str:
        """Why lines that come bring nothing, empty if they do or none come."""
        if not self._is_settling and not self._watch.is_long:
            return ""
        if self._wishes.columns:
            return "lines come but none has the columns that were asked for"
        return "lines come but with other columns than before"

    def take_notes(self) -> list[LineNote]:
        """What happened to the lines since this was last asked."""
        notes, self._notes = self._notes, []
        return notes

    def resume(self, before: TextReceiver) -> None:
        """Go on for an earlier connection: count on, and take its findings if the first lines look the same."""
        self.counters = before.counters
        self._reader = LineReader(self.counters)
        self._watch = ColumnsWatch(self.counters)
        self._namings = before._namings
        self._known = before._known

    def feed(self, data: bytes, arrival_utc: float) -> list[Chunk]:
        """Take bytes; return what they complete."""
        chunks = self.flush(arrival_utc)
        for line in self._reader.feed(data):
            if isinstance(line, Words):
                if line.fields:
                    self._headers[len(line.fields)] = line.fields
                continue
            if self._open is None:
                self._open = Delivery(arrival_utc)
            self._open.rows.append((arrival_utc, self._ordered(line)))
        return chunks

    def flush(self, now_utc: float) -> list[Chunk]:
        """Return the last delivery's lines if they have waited for company long enough."""
        delivery = self._open
        # A host clock that was set back ends the wait too.
        if delivery is None or 0 <= now_utc - delivery.first_utc < GROUP_S:
            return []
        return self.finish()

    def finish(self) -> list[Chunk]:
        """Return the last delivery's lines: nothing more will come."""
        delivery, self._open = self._open, None
        if delivery is None:
            return []
        if self._stream is None or self._is_settling:
            self._keep(delivery)
            return self._settle()
        return self._go_on(self._stream, delivery)

    def _settle(self) -> list[Chunk]:
        """Chunks of all that waited, once enough lines say what it is."""
        try:
            stream = self._begin()
        except LinkError as err:
            if self._stream is None:
                raise
            self._refuse(str(err))
            return []
        if stream is None:
            return []
        self._stream, self._is_settling = stream, False
        self._watch = ColumnsWatch(self.counters)
        return [c for d in self._let_go() if (c := stream.chunk(d)) is not None]

    def _go_on(self, stream: TextStream, delivery: Delivery) -> list[Chunk]:
        assert self._known is not None
        expected = self._known.layout.shape
        fits = self._watch.fitting(delivery, expected)
        is_fixed = bool(self._wishes.columns)
        if (note := self._watch.note(expected, is_fixed=is_fixed)) is not None:
            self._notes.append(note)
        shape = self._watch.shape
        chunk = stream.chunk(fits)
        chunks = [] if chunk is None else [chunk]
        if shape is None or not self._watch.lasts:
            return chunks
        if shape == self._refused or (is_fixed and shape[0] != expected[0]):
            self._watch.drop()
            return chunks
        kept, note = self._watch.taken_up()
        self._notes.append(note)
        self._is_settling = True
        for one in kept:
            self._keep(one)
        return chunks + self._settle()

    def _refuse(self, why: str) -> None:
        """Stay with the columns as they were: those that wait cannot be taken up."""
        waited = self._let_go()
        self._is_settling = False
        self._refused = waited[0].rows[0][1].shape
        self.counters.columns += sum(len(delivery.rows) for delivery in waited)
        text = f"the board's lines are skipped: {why}"
        detail: dict[str, float | int | str] = {"printed": self._refused[0], "is_taken": 0}
        self._notes.append(LineNote(waited[-1].rows[-1][0], COLUMNS_NOTE, detail, text))

    def _let_go(self) -> list[Delivery]:
        """What waited."""
        waited, self._waiting = self._waiting, []
        self._n_waiting = self._n_heard = self._look_at = 0
        return waited

    def _ordered(self, row: Row) -> Row:
        """A line of pairs in the order in which its names came first."""
        names = frozenset(row.names)
        if not names or len(names) < len(row.names):
            return row
        if names not in self._namings and len(self._namings) >= _MOST_NAMINGS:
            return row
        order = self._namings.setdefault(names, row.names)
        return row if order == row.names else row.ordered(order)

    def _keep(self, delivery: Delivery) -> None:
        """Have a delivery wait; the oldest ones go when there are too many, and are counted."""
        self._waiting.append(delivery)
        n_numbers = _n_numbers(delivery)
        self._n_waiting += n_numbers
        self._n_heard += n_numbers
        while self._n_waiting > 2 * MOST_WAITING and len(self._waiting) > 1:
            gone = self._waiting.pop(0)
            self._n_waiting -= _n_numbers(gone)
            self.counters.early += len(gone.rows)

    def _begin(self) -> TextStream | None:
        """The stream, once enough lines say what it is."""
        known = None if self._is_settling else self._known
        if known is not None and self._waiting[0].rows[0][1].shape != known.layout.shape:
            # Another board, or other firmware.
            self._known = known = None
        if known is None:
            known = self._find_out()
        if known is None:
            return None
        self._known = known
        marks = _marks(self._waiting, known.layout.shape)
        return TextStream(self._board_id, known, marks, self.counters)

    def _find_out(self) -> Known | None:
        span_s = self._waiting[-1].first_utc - self._waiting[0].first_utc
        is_full = self._n_waiting >= MOST_WAITING
        if len(self._waiting) < _LEAST_DELIVERIES or not (is_full or span_s >= _LEAST_S):
            return None
        if self._n_heard < self._look_at:
            return None
        self._look_at = self._n_heard + self._n_waiting // _LOOK_EVERY
        shapes = Counter(row.shape for delivery in self._waiting for _, row in delivery.rows)
        shape = shapes.most_common(1)[0][0]
        rows = [row for delivery in self._waiting for _, row in delivery.rows if row.shape == shape]
        layout = lay_out(rows, self._headers.get(shape[0]), self._wishes)
        resolution_s = layout.resolution_s(rows)
        if layout.time_at is None:
            pace = pace_of_arrivals(_marks(self._waiting, shape))
        else:
            pace = pace_of_times([layout.time_s(row) for row in rows], resolution_s)
        is_late = (
            span_s >= (_MOST_S if len(self._waiting) >= _MOST_DELIVERIES else _END_S) or is_full
        )
        if pace is None or not (is_late or pace.uncertainty <= _GOOD_UNCERTAINTY):
            return None
        rate_hz = self._wishes.rate_hz or rounded_rate_hz(pace)
        if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
            clock = layout.clock_name or "their arrival"
            msg = f"expected lines at {MIN_RATE_HZ:g} Hz to 1 MHz by {clock}, got {rate_hz:g} Hz"
            raise LinkError(msg)
        return Known(layout.at_rate(rate_hz), pace, resolution_s)


def _n_numbers(delivery: Delivery) -> int:
    return sum(len(row.values) for _, row in delivery.rows)


def _marks(waiting: list[Delivery], shape: Shape) -> list[tuple[float, int]]:
    """(arrival, lines so far) at the end of each delivery."""
    marks: list[tuple[float, int]] = []
    n_lines = 0
    for delivery in waiting:
        arrivals = [arrival for arrival, row in delivery.rows if row.shape == shape]
        if arrivals:
            n_lines += len(arrivals)
            marks.append((arrivals[-1], n_lines))
    return marks
