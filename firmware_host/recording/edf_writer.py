"""Writes a recording as EDF+ (Kemp & Olivan 2003, Clin Neurophysiol 114, 1755), EDF+D where whole records are missing.

Written here because the field's libraries write continuous files only. What identifies a person or a
place is ``X`` (edfplus.info, specification, section 2.1.3). Times are UTC: EDF has no time zone.

A record is kept if any channel has samples in it. Samples of the others that are missing there are written
as the lowest count, and an annotation ``gap <channel>`` says from when and for how long.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import RecordingError
from firmware_host.recording.csv_writer import axis_names
from firmware_host.recording.edf_notes import Annotation, annotation_lists
from firmware_host.recording.edf_scale import EdfScale, scale_of
from firmware_host.recording.exchange import Report, Written, create, off_rate
from firmware_host.recording.notes import event_text
from firmware_host.recording.take import Take, Track

GAP = "gap "
# The specification's limit for a data record.
_MAX_RECORD_BYTES = 61_440
_MAX_RECORD_S = 60
_FALLBACK_RECORD_S = 10
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_SLAB_RECORDS = 600
# A day of floats does not fit into a small host's memory.
_SLAB_SAMPLES = 1 << 16


@dataclass(frozen=True, slots=True)
class _Signal:
    """One channel on the grid of records: position of each piece, and samples a record."""

    track: Track
    scale: EdfScale
    per_record: int
    starts: list[int]


def write_edf(take: Take, path: Path, report: Report) -> Written:
    """Write the file.

    Raises
    ------
    RecordingError
        If channels or values do not fit EDF.
    OSError
        If it cannot be written.
    """
    record_s = _record_s(take)
    signals = [_placed(track, take.start_utc, record_s, path) for track in take.tracks]
    n_bytes = sum(2 * s.per_record * s.track.channel.axes for s in signals)
    _check_size(n_bytes, record_s, path)
    present = _present(signals)
    grids, notes = [], _annotations(take)
    for signal in signals:
        grid, filled = _on_grid(signal, present)
        grids.append(grid)
        name = GAP + signal.track.channel.name
        holes = _holes(filled, present, record_s)
        notes += [(take.start_utc + onset_s, hole_s, name) for onset_s, hole_s in holes]
    tals = annotation_lists(notes, take.start_utc, present, record_s)
    _check_size(n_bytes + len(tals[0]), record_s, path)
    is_whole = len(present) == int(present[-1]) + 1
    with create(path) as file:
        file.write(_header(take, signals, record_s, len(present), len(tals[0]), is_whole=is_whole))
        for i in range(len(present)):
            file.write(b"".join([*(grid[i].tobytes() for grid in grids), tals[i]]))
            if i % _SLAB_RECORDS == 0:
                report(i / len(present))
    return Written(take, _lost(take, signals, record_s))


def _check_size(n_bytes: int, record_s: int, path: Path) -> None:
    if n_bytes > _MAX_RECORD_BYTES:
        expected = f"at most {_MAX_RECORD_BYTES} bytes of samples and notes in {record_s} s"
        raise RecordingError(path, expected, f"{n_bytes}")


def _record_s(take: Take) -> int:
    """Whole seconds in which every channel has a whole number of samples."""
    rates = [Fraction(track.channel.rate_hz).limit_denominator(50) for track in take.tracks]
    record_s = math.lcm(*(rate.denominator for rate in rates))
    return record_s if record_s <= _MAX_RECORD_S else _FALLBACK_RECORD_S


def _placed(track: Track, start_utc: float, record_s: int, path: Path) -> _Signal:
    try:
        scale = scale_of(track)
    except ValueError as err:
        raise RecordingError(
            path, f"values of {track.channel.name} that fit EDF", str(err)
        ) from err
    per_record = max(1, round(track.channel.rate_hz * record_s))
    starts, free = [], 0
    for piece in track.pieces:
        # Never before the one before: a sensor faster than declared runs into the next piece.
        at = max(round((piece.start_utc - start_utc) * per_record / record_s), free)
        starts.append(at)
        free = at + len(piece.raw)
    return _Signal(track, scale, per_record, starts)


def _present(signals: list[_Signal]) -> NDArray[np.int64]:
    """Numbers of the records in which any channel has samples."""
    found = [
        np.arange(at // s.per_record, (at + len(piece.raw) - 1) // s.per_record + 1)
        for s in signals
        for at, piece in zip(s.starts, s.track.pieces, strict=True)
    ]
    present: NDArray[np.int64] = np.unique(np.concatenate(found))
    return present


def _holes(
    filled: NDArray[np.bool_], present: NDArray[np.int64], record_s: int
) -> list[tuple[float, float]]:
    """(onset, duration) in seconds since the start of what is missing within the records that are kept."""
    per_record = len(filled) // len(present)
    where = np.flatnonzero(~filled)
    if not len(where):
        return []
    holes = present[where // per_record] * per_record + where % per_record
    cuts = np.flatnonzero(np.diff(holes) > 1) + 1
    period_s = record_s / per_record
    return [(float(part[0]) * period_s, len(part) * period_s) for part in np.split(holes, cuts)]


def _on_grid(
    signal: _Signal, present: NDArray[np.int64]
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """(n_records, axes * per_record) counts, each axis for itself, and which samples are there."""
    per_record, axes = signal.per_record, signal.track.channel.axes
    scale = signal.scale
    flat = np.full((len(present) * per_record, axes), scale.digital_min, dtype="<i2")
    filled = np.zeros(len(flat), dtype=np.bool_)
    for at, piece in zip(signal.starts, signal.track.pieces, strict=True):
        # Its records follow each other, so its samples do as well.
        row = int(np.searchsorted(present, at // per_record))
        where = row * per_record + at % per_record
        for first in range(0, len(piece.raw), _SLAB_SAMPLES):
            part = replace(piece, raw=piece.raw[first : first + _SLAB_SAMPLES])
            to = slice(where + first, where + first + len(part.raw))
            flat[to] = scale.counts(signal.track.values(part))
            filled[to] = True
    grid = flat.reshape(len(present), per_record, axes).swapaxes(1, 2)
    return np.ascontiguousarray(grid).reshape(len(present), -1), filled


def _annotations(take: Take) -> list[Annotation]:
    notes: list[Annotation] = [
        (x.t_start_utc, x.t_end_utc - x.t_start_utc, x.label) for x in take.labels
    ]
    notes += [(utc, None, event_text(kind, value)) for utc, kind, value in take.events]
    return notes + [(utc, None, text) for utc, text in take.markers]


def _header(
    take: Take,
    signals: list[_Signal],
    record_s: int,
    n_records: int,
    tal_bytes: int,
    *,
    is_whole: bool,
) -> bytes:
    begins = datetime.fromtimestamp(math.floor(take.start_utc), UTC)
    date = f"{begins.day:02d}-{_MONTHS[begins.month - 1]}-{begins.year:04d}"
    rows = [
        (name, s.track.channel.unit, s.scale, s.per_record)
        for s in signals
        for name in axis_names(s.track.channel)
    ]
    notes_scale = EdfScale("-1", "1", -32768, 32767)
    rows.append(("EDF Annotations", "", notes_scale, tal_bytes // 2))
    main = [
        ("0", 8),
        ("X X X X", 80),
        (f"Startdate {date} X X X", 80),
        (f"{begins:%d.%m.%y}", 8),
        (f"{begins:%H.%M.%S}", 8),
        (str(256 * (len(rows) + 1)), 8),
        ("EDF+C" if is_whole else "EDF+D", 44),
        (str(n_records), 8),
        (str(record_s), 8),
        (str(len(rows)), 4),
    ]
    columns = [
        [(name, 16) for name, *_ in rows],
        [("", 80) for _ in rows],
        [(unit, 8) for _, unit, *_ in rows],
        [(scale.physical_min, 8) for _, _, scale, _ in rows],
        [(scale.physical_max, 8) for _, _, scale, _ in rows],
        [(str(scale.digital_min), 8) for _, _, scale, _ in rows],
        [(str(scale.digital_max), 8) for _, _, scale, _ in rows],
        [("", 80) for _ in rows],
        [(str(per_record), 8) for *_, per_record in rows],
        [("", 32) for _ in rows],
    ]
    fields = main + [field for column in columns for field in column]
    return b"".join(_ascii(text, n_chars) for text, n_chars in fields)


def _ascii(text: str, n_chars: int) -> bytes:
    """A header field: printable ASCII only, cut and padded."""
    plain = text.replace("µ", "u").replace("°", "deg").replace("²", "2")
    return "".join(c if " " <= c <= "~" else "?" for c in plain)[:n_chars].ljust(n_chars).encode()


def _lost(take: Take, signals: list[_Signal], record_s: int) -> list[str]:
    lost = ["the board's own clock, frame numbers and name: EDF has none of them"]
    for signal in signals:
        channel = signal.track.channel
        if signal.scale.step > abs(channel.scale) * 1.001:
            lost.append(
                f"{channel.name}: 16 bits hold steps of {signal.scale.step:.3g} {channel.unit}, "
                f"the recording has {abs(channel.scale):.3g}"
            )
        written_hz = signal.per_record / record_s
        if not math.isclose(written_hz, channel.rate_hz, rel_tol=1e-7):
            lost.append(f"{channel.name}: {channel.rate_hz:.6g} Hz is written as {written_hz:g} Hz")
        moved_s = max(
            abs(piece.start_utc - take.start_utc - at / written_hz)
            for at, piece in zip(signal.starts, signal.track.pieces, strict=True)
        )
        if moved_s > 1e-3:
            lost.append(
                f"{channel.name}: moved by up to {moved_s * 1e3:.0f} ms onto the grid of records"
            )
    if take.labels:
        lost.append("who gave a label: EDF says what it was")
    return lost + off_rate(take)
