"""Writes a recording as one CSV table that any spreadsheet or data frame opens.

The header names every column: ``time_utc`` (UNIX seconds), one ``name[unit]@rate`` an axis, such as
``acc_x[m/s2]@32Hz``, and ``note`` for labels, the board's reports and markers. A cell is empty where its
channel has no sample at that time; where samples are missing, so are their rows.
"""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np

from firmware_host.protocol.messages import Channel
from firmware_host.recording.exchange import Report, Written, create
from firmware_host.recording.notes import Note, notes_of
from firmware_host.recording.take import Take, Track, values_of
from firmware_host.units import MICROSECONDS_PER_SECOND

TIME_COLUMN, NOTE_COLUMN = "time_utc", "note"
# Rows are made in slabs of this much time: a day does not fit into memory as text.
_SLAB_US = 300 * MICROSECONDS_PER_SECOND
_AXES = "xyz"
_MAX_DECIMALS = 9


def axis_names(channel: Channel) -> list[str]:
    """Column names of a channel's axes: ``eda``, or ``acc_x acc_y acc_z``, or ``imu_0`` and so on."""
    if channel.axes == 1:
        return [channel.name]
    axes = _AXES if channel.axes == len(_AXES) else [str(i) for i in range(channel.axes)]
    return [f"{channel.name}_{axis}" for axis in axes]


def write_csv(take: Take, path: Path, report: Report) -> Written:
    """Write the table.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    columns = [_Columns(track) for track in take.tracks]
    notes = notes_of(take.labels, take.events, take.markers)
    start_us = min([int(c.at_us[0]) for c in columns] + [_us(utc) for utc, _ in notes])
    end_us = max([int(c.at_us[-1]) for c in columns] + [_us(utc) for utc, _ in notes]) + 1
    with io.TextIOWrapper(create(path), encoding="utf-8", newline="") as file:
        header = [TIME_COLUMN, *(name for c in columns for name in c.names), NOTE_COLUMN]
        csv.writer(file, lineterminator="\n").writerow(header)
        for from_us in range(start_us, end_us, _SLAB_US):
            file.write(_slab(columns, notes, from_us, min(from_us + _SLAB_US, end_us)))
            report((from_us - start_us) / (end_us - start_us))
    lost = ["the board's own clock, frame numbers and resolution: CSV has times and values only"]
    if take.labels:
        lost.append("who gave a label: CSV says what it was")
    return Written(take, lost)


class _Columns:
    """One channel's cells; ``at_us`` is the time of each sample."""

    def __init__(self, track: Track) -> None:
        channel = track.channel
        self._decimals = _decimals(channel)
        self._channel = channel
        self.names = [
            f"{name}[{channel.unit}]@{channel.rate_hz:.7g}Hz" for name in axis_names(channel)
        ]
        self.at_us = np.concatenate(
            [
                np.rint((p.start_utc + np.arange(len(p.raw)) / p.rate_hz) * MICROSECONDS_PER_SECOND)
                for p in track.pieces
            ]
        ).astype(np.int64)
        self._raw = np.concatenate([piece.raw for piece in track.pieces])

    def cells(self, from_us: int, to_us: int) -> dict[int, str]:
        """Text of this channel's cells by time, for the samples in ``[from_us, to_us)``."""
        first, last = np.searchsorted(self.at_us, [from_us, to_us])
        values = values_of(self._raw[first:last], self._channel)
        layout = ",".join([f"%.{self._decimals}f"] * len(self.names))
        texts = [layout % tuple(row) for row in values.tolist()]
        return dict(zip(self.at_us[first:last].tolist(), texts, strict=True))

    @property
    def nothing(self) -> str:
        """Empty cells of this channel."""
        return "," * (len(self.names) - 1)


def _slab(columns: list[_Columns], notes: list[Note], from_us: int, to_us: int) -> str:
    cells = [c.cells(from_us, to_us) for c in columns]
    empty = [c.nothing for c in columns]
    said: dict[int, list[str]] = {}
    for utc, text in notes:
        if from_us <= _us(utc) < to_us:
            said.setdefault(_us(utc), []).append(text)
    lines = []
    for at_us in sorted(set().union(*cells, said)):
        row = ",".join(c.get(at_us, nothing) for c, nothing in zip(cells, empty, strict=True))
        first, *more = said.get(at_us, [""])
        lines.append(f"{_text(at_us)},{row},{_quoted(first)}\n")
        lines += [f"{_text(at_us)},{','.join(empty)},{_quoted(text)}\n" for text in more]
    return "".join(lines)


def _decimals(channel: Channel) -> int:
    """Places that say every count: exactly where the scale is a power of ten, else to a thousandth of a step."""
    power = -math.log10(channel.scale) if channel.scale > 0 else _MAX_DECIMALS
    is_exact = abs(power - round(power)) < 1e-9 and not channel.offset
    return min(max(round(power) if is_exact else math.ceil(power) + 3, 0), _MAX_DECIMALS)


def _us(utc: float) -> int:
    return round(utc * MICROSECONDS_PER_SECOND)


def _text(at_us: int) -> str:
    seconds, rest = divmod(at_us, MICROSECONDS_PER_SECOND)
    return f"{seconds}.{rest:06d}"


def _quoted(text: str) -> str:
    if not text:
        return ""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([text])
    return line.getvalue()
