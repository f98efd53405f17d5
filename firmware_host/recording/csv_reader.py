"""Reads CSV tables with a header that names channels, units and rates; the layout: csv_writer.py.

Tables of others are read too if their columns say what they are: the first one is a time (``time_utc``,
``time`` or ``timestamp``; UNIX seconds or ISO 8601), the others are ``name[unit]``, with or without a rate.
"""

from __future__ import annotations

import csv
import logging
import math
import os
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import RecordingError
from firmware_host.protocol.messages import Channel
from firmware_host.recording.csv_writer import NOTE_COLUMN, TIME_COLUMN
from firmware_host.recording.exchange import MAX_FILE_BYTES
from firmware_host.recording.notes import Note, sorted_notes
from firmware_host.recording.take import Take, Track, checked_take, pieces_of, quantised, short_text
from firmware_host.recording.take_reader import TakeReader

_LOGGER = logging.getLogger(__name__)

BOARD_ID, FIRMWARE = "csv", "csv file"
_TIME_NAMES = (TIME_COLUMN, "time", "timestamp")
_COLUMN = re.compile(r"\s*([^\[\]@]+?)\s*\[\s*([^\[\]]*?)\s*\]\s*(?:@\s*([0-9.]+)\s*Hz)?\s*")
_AXIS = re.compile(r"(.+)_([xyz]|\d+)")
# A rate taken from times is that whole number it is this close to.
_WHOLE = 1e-3
# A cell longer than this is no number, and a note longer than this no note.
_MAX_CELL = 4096
# A column's name longer than this is none.
_MAX_NAME = 200


@dataclass(slots=True)
class _Column:
    """One axis: samples and their times as they are read."""

    name: str
    unit: str
    rate_hz: float | None
    decimals: int = 0
    times: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("d"))


class CsvReader(TakeReader):
    """One CSV table.

    Raises
    ------
    RecordingError
        If the header does not say what the columns are, a cell is no number, or times go back.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, read_csv)


def read_csv(path: Path) -> Take:
    """Samples and notes of one table.

    Raises
    ------
    RecordingError
        See `CsvReader`.
    """
    rows = _rows(path)
    _, header = next(rows, (0, []))
    columns, note_at = _columns(header, path)
    notes: list[Note] = []
    before = -math.inf
    for n, row in rows:
        utc = _time(row[0], n, path)
        if utc < before:
            raise RecordingError(path, f"times that go forward in row {n}", repr(row[0][:40]))
        before = utc
        _take_row(row, n, utc, columns, path)
        if note_at is not None and row[note_at]:
            notes.append((utc, _text(row[note_at], path)))
    labels, events, markers = sorted_notes(notes)
    tracks = tuple(_track(group, path) for group in _groups(list(columns.values())))
    return checked_take(Take(BOARD_ID, FIRMWARE, tracks, labels, events, markers), path)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(row number, cells) of every row that is not blank, all as long as the header.

    A last line that was cut is left out, and that is said.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise RecordingError(path, f"at most {MAX_FILE_BYTES} bytes", "more")
        # What is no text is found out where text is: in the header and in notes.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = csv.reader(file)
            rows = ((reader.line_num, row) for row in reader if row)
            first = next(rows, None)
            if first is None:
                return
            yield first
            yield from _whole(rows, first[1], path)
    except OSError as err:
        raise RecordingError(path, "a readable CSV file", err.strerror or "none") from err
    except csv.Error as err:
        raise RecordingError(path, "CSV", f"a broken row ({err})") from err


def _whole(
    rows: Iterator[tuple[int, list[str]]], header: list[str], path: Path
) -> Iterator[tuple[int, list[str]]]:
    """Rows as long as the header, without a last one that was cut."""
    row = next(rows, None)
    while row is not None:
        following = next(rows, None)
        if following is None and _is_cut(row[1], header, path):
            _LOGGER.warning("%s: cut in its last line, row %d: that row is left out", path, row[0])
            return
        if len(row[1]) != len(header):
            received = f"{len(row[1])}; is the file cut?"
            raise RecordingError(path, f"{len(header)} cells in row {row[0]}", received)
        yield row
        row = following


def _is_cut(last: list[str], header: list[str], path: Path) -> bool:
    """Whether the last line has no end, and a cell too few or words that may go on.

    Other programs leave the end of the last line out, so that alone says nothing.
    """
    is_whole = len(last) >= len(header) and not (header[-1].strip() == NOTE_COLUMN and last[-1])
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return not is_whole and file.read(1) not in b"\r\n"


def _text(text: str, path: Path) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as err:
        raise RecordingError(path, "UTF-8 text", f"bytes of no text in {text[:40]!r}") from err
    return text


def _columns(header: list[str], path: Path) -> tuple[dict[int, _Column], int | None]:
    """Columns by position, and where the notes are."""
    names = [_text(name, path).strip() for name in header]
    if not names or names[0].lower() not in _TIME_NAMES:
        got = repr(names[0][:40]) if names else "an empty file"
        raise RecordingError(
            path, f"a header whose first column is {' or '.join(_TIME_NAMES)}", got
        )
    columns: dict[int, _Column] = {}
    note_at = None
    for i, name in enumerate(names[1:], 1):
        match = _COLUMN.fullmatch(name) if len(name) <= _MAX_NAME else None
        if name == NOTE_COLUMN:
            note_at = i
        elif match is None:
            raise RecordingError(
                path, "columns such as acc_x[m/s2]@32Hz or eda[uS]", repr(name[:40])
            )
        else:
            columns[i] = _Column(match[1], match[2], _rate(match[3], name, path))
    said = [column.name for column in columns.values()]
    if len(set(said)) < len(said):
        raise RecordingError(path, "columns of different names", "one name twice")
    return columns, note_at


def _rate(text: str | None, name: str, path: Path) -> float | None:
    if text is None:
        return None
    try:
        rate_hz = float(text)
    except ValueError:
        rate_hz = 0.0
    if not 0 < rate_hz < math.inf:
        raise RecordingError(path, "a rate above 0 Hz", repr(name[:40]))
    return rate_hz


def _time(cell: str, n: int, path: Path) -> float:
    try:
        utc = float(cell)
    except ValueError:
        utc = _iso(cell.strip())
    if not math.isfinite(utc):
        raise RecordingError(path, f"UNIX seconds or ISO 8601 in row {n}", repr(cell[:40]))
    return utc


def _iso(cell: str) -> float:
    try:
        moment = datetime.fromisoformat(cell)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan


def _take_row(row: list[str], n: int, utc: float, columns: dict[int, _Column], path: Path) -> None:
    for i, column in columns.items():
        cell = row[i].strip()
        if not cell:
            continue
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or len(cell) > _MAX_CELL:
            expected = f"a number or nothing in row {n} of {column.name}"
            raise RecordingError(path, expected, repr(cell[:40]))
        column.times.append(utc)
        column.values.append(value)
        column.decimals = max(column.decimals, _places(cell))


def _places(cell: str) -> int:
    """Digits after the point."""
    mantissa, _, exponent = cell.lower().partition("e")
    return max(0, len(mantissa.partition(".")[2]) - (int(exponent) if exponent else 0))


def _groups(columns: list[_Column]) -> list[list[_Column]]:
    """Axes of one channel together: same name before the axis, same unit, rate and times."""
    groups: dict[tuple[object, ...], list[_Column]] = {}
    for column in columns:
        if not column.values:
            continue
        match = _AXIS.fullmatch(column.name)
        key: tuple[object, ...] = (column.name, "alone")
        if match:
            key = (match[1], column.unit, column.rate_hz, column.times.tobytes())
        groups.setdefault(key, []).append(column)
    return list(groups.values())


def _track(group: list[_Column], path: Path) -> Track:
    first = group[0]
    times = np.frombuffer(first.times, dtype=np.float64)
    if len(times) < 2 or np.any(np.diff(times) <= 0):
        expected = f"at least two samples of {first.name}, each at a time of its own"
        raise RecordingError(path, expected, "one" if len(times) < 2 else "two at one time")
    values = np.column_stack([np.frombuffer(c.values, dtype=np.float64) for c in group])
    try:
        raw, scale = quantised(values, max(column.decimals for column in group))
    except ValueError as err:
        raise RecordingError(path, f"numbers in {first.name}", str(err)) from err
    name = first.name if len(group) == 1 else first.name.rpartition("_")[0]
    rate_hz = first.rate_hz or _rate_of(times)
    channel = Channel(
        0, short_text(name), short_text(first.unit), rate_hz, scale, 0.0, "i32", len(group)
    )
    return Track(channel, pieces_of(times, raw, rate_hz))


def _rate_of(times: NDArray[np.float64]) -> float:
    """Rate of samples where none are missing."""
    steps = np.diff(times)
    steps = steps[steps <= 1.5 * np.median(steps)]
    rate_hz = len(steps) / float(steps.sum())
    whole = round(rate_hz)
    return float(whole) if whole and abs(rate_hz - whole) < _WHOLE * whole else rate_hz
