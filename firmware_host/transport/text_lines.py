"""Printed text becomes readings: bytes in, lines of numbers out; the rest is counted and skipped."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Thirty-two columns of twenty digits take 700: whatever is longer has lost its line ends.
MAX_LINE_BYTES = 1024
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f]")
_LINE_END = re.compile(rb"[\r\n]")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?([0-9]*)|\.([0-9]+))(?:[eE]([+-]?[0-9]{1,3}))?")
_NOT_FINITE = re.compile(r"[+-]?(?:nan(?:\(\w*\))?|inf(?:inity)?|ovf)", re.IGNORECASE)
_PAIR = re.compile(r"([A-Za-z_][\w.\-/()\[\]%]*):([^:\s]+)")
_AFTER_NAME = re.compile(r"(?<=[\w\])%]):[ \t]+")
_NAME = re.compile(r"[A-Za-z_][^,;\t:]*")
# Strongest first: what is left in a field of a stronger one is a decimal comma, or a space beside it.
_SEPARATORS = (";", "\t", ",")
# A number beyond is no sensor's, and its counts would not fit anywhere.
_MAX_VALUE = 1e15


@dataclass(slots=True)
class LineCounters:
    """Lines by what they were.

    ``readings`` were handed on; ``headers`` may name columns. The others were skipped: ``words`` held
    something else than numbers (boot messages); ``columns`` had another number of columns, or other
    names; ``not_finite`` said NaN or infinity; ``overlong`` did not end; ``binary`` were no text;
    ``out_of_range`` did not fit the scale that the first lines asked for; ``bad_time`` had a time that
    neither the line before nor the one after confirms; ``early`` came before it was known what they are,
    and were too many to wait.
    """

    readings: int = 0
    headers: int = 0
    words: int = 0
    columns: int = 0
    not_finite: int = 0
    overlong: int = 0
    binary: int = 0
    out_of_range: int = 0
    bad_time: int = 0
    early: int = 0

    @property
    def skipped(self) -> int:
        """Lines that should have been a reading, and were none."""
        damaged = self.columns + self.not_finite + self.overlong + self.binary
        return self.words + damaged + self.out_of_range + self.bad_time + self.early


@dataclass(frozen=True, slots=True)
class Row:
    """One line of numbers.

    ``names`` are those of ``name:value`` pairs, else empty; ``decimals`` are the digits printed after each point.
    """

    names: tuple[str, ...]
    values: tuple[float, ...]
    decimals: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, tuple[str, ...]]:
        """What lines of one board have in common."""
        return len(self.values), self.names

    def ordered(self, names: tuple[str, ...]) -> Row:
        """The same with its pairs in the order of ``names``."""
        at = [self.names.index(name) for name in names]
        values, decimals = self.values, self.decimals
        return Row(names, tuple(values[i] for i in at), tuple(decimals[i] for i in at))


@dataclass(frozen=True, slots=True)
class Words:
    """A line that may name the columns; ``fields`` are empty where it cannot."""

    fields: tuple[str, ...]


class LineReader:
    """Cuts bytes into lines and tells what each is; the same whatever pieces the bytes come in.

    The first line is never a reading: the port may have been opened in the middle of it.
    """

    def __init__(self, counters: LineCounters) -> None:
        self._counters = counters
        self._tail = b""
        self._is_first = True
        self._is_flooded = False

    def feed(self, data: bytes) -> list[Row | Words]:
        """Lines that ``data`` completes, without those that are counted and skipped."""
        pieces = _LINE_END.split(self._tail + data)
        self._tail = pieces[-1]
        taken = [line for piece in pieces[:-1] if (line := self._take(piece)) is not None]
        if len(self._tail) > MAX_LINE_BYTES:
            self._flood()
        return taken

    def _take(self, piece: bytes) -> Row | Words | None:
        is_first, self._is_first = self._is_first, False
        if self._is_flooded:
            # The end of a line that was given up before.
            self._is_flooded = False
            return None
        if len(piece) > MAX_LINE_BYTES:
            self._counters.overlong += 1
            return None
        if not piece.strip():
            return None
        line = self._parse(piece, is_first=is_first)
        return None if is_first and isinstance(line, Row) else line

    def _parse(self, piece: bytes, *, is_first: bool) -> Row | Words | None:
        try:
            text = piece.decode().strip()
        except UnicodeDecodeError:
            text = "\0"
        counters = self._counters
        if _CONTROL.search(text):
            # A program before us may have left half a character.
            counters.binary += not is_first
            return None
        line = parse_line(text)
        if line is None:
            counters.not_finite += not is_first
        elif isinstance(line, Words):
            counters.headers += bool(line.fields)
            counters.words += not line.fields
        return line

    def _flood(self) -> None:
        """Forget a line that never ends, so that it costs no memory."""
        if not self._is_flooded:
            self._counters.overlong += 1
        self._is_flooded = True
        self._is_first = False
        self._tail = b""


def parse_line(text: str) -> Row | Words | None:
    """What a printed line is; None for one whose numbers are not all finite."""
    has_names = ":" in text
    if has_names:
        text = _AFTER_NAME.sub(":", text)
    separator = next((mark for mark in _SEPARATORS if mark in text), None)
    # Many boards end a line with a separator.
    fields = [field.strip() for field in text.strip(f" \t{separator or ''}").split(separator)]
    pairs = [_PAIR.fullmatch(field) for field in fields] if has_names else []
    names: tuple[str, ...] = ()
    if has_names and all(pairs):
        names = tuple(pair[1] for pair in pairs if pair)
        fields = [pair[2] for pair in pairs if pair]
    if separator != ",":
        fields = [field.replace(",", ".") for field in fields]
    numbers = [_NUMBER.fullmatch(field) for field in fields]
    if all(numbers):
        return _row(names, fields, [number for number in numbers if number])
    if all(n or _NOT_FINITE.fullmatch(field) for n, field in zip(numbers, fields, strict=True)):
        return None
    is_header = separator is not None and all(map(_NAME.fullmatch, fields))
    return Words(tuple(fields) if is_header else ())


def _row(names: tuple[str, ...], fields: list[str], numbers: list[re.Match[str]]) -> Row | None:
    values = tuple(map(float, fields))
    if not all(abs(value) < _MAX_VALUE for value in values):
        return None
    return Row(names, values, tuple(map(_decimals, numbers)))


def _decimals(number: re.Match[str]) -> int:
    return max(0, len(number[1] or number[2] or "") - int(number[3] or 0))
