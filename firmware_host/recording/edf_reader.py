"""Reads EDF and EDF+ files, continuous or not; 24-bit BDF is another format."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import ConfigError, RecordingError
from firmware_host.protocol.messages import Channel
from firmware_host.recording.edf_notes import joined
from firmware_host.recording.edf_writer import GAP
from firmware_host.recording.exchange import MAX_FILE_BYTES, PARSER_FAULTS
from firmware_host.recording.labels import LABELS, Label
from firmware_host.recording.notes import event_of
from firmware_host.recording.take import Piece, Take, Track, checked_take, short_text
from firmware_host.recording.take_reader import TakeReader

if TYPE_CHECKING:
    from edfio import Edf, EdfSignal

_LOGGER = logging.getLogger(__name__)

BOARD_ID, FIRMWARE = "edf", "edf file"
_AXIS = re.compile(r"(.+)_([xyz]|\d+)")
_ONSET = re.compile(rb"([+-]\d{1,12}(?:\.\d{1,12})?)\x14")
_ANNOTATIONS = "EDF Annotations"
# EDF specification: the main header, one signal's header, where labels and record lengths begin in it.
_HEADER_BYTES, _LABEL_BYTES, _NUMBER_BYTES, _LENGTHS_AT = 256, 16, 8, 216


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Records that follow each other: the first one's row, how many, and when they begin."""

    row: int
    n_rows: int
    start_utc: float


class EdfReader(TakeReader):
    """One EDF or EDF+ file; who was recorded is not read.

    Raises
    ------
    RecordingError
        If it is not EDF, or has no signals.
    ConfigError
        If the library that reads EDF is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, read_edf)


def read_edf(path: Path) -> Take:
    """Samples and annotations of one file; a cut last record is left out.

    Raises
    ------
    RecordingError, ConfigError
        See `EdfReader`.
    """
    try:
        from edfio import read_edf as open_edf
    except ImportError as err:
        raise ConfigError(
            "EDF", "the library edfio: pip install 'signet-wearable[formats]'", "none"
        ) from err
    try:
        n_bytes = path.stat().st_size
        if n_bytes > MAX_FILE_BYTES:
            raise RecordingError(path, f"at most {MAX_FILE_BYTES} bytes", f"{n_bytes}")
        with warnings.catch_warnings(record=True) as warned, np.errstate(all="ignore"):
            warnings.simplefilter("always")
            edf = open_edf(path)
            take = _take(edf, path)
    except PARSER_FAULTS as err:
        # What the library says on purpose; where it trips, its words are a programmer's.
        why = f" ({err})" if isinstance(err, ValueError) else ""
        reason = f"another kind of file or a damaged one{why}"
        raise RecordingError(path, "an EDF or EDF+ file", reason) from err
    if warned:
        _LOGGER.warning("%s: %s", path, " ".join(str(warned[0].message).split()))
    return checked_take(take, path)


def _take(edf: Edf, path: Path) -> Take:
    # The first record may begin within a second, which the library counts to the start.
    begins_utc = _begins(edf).replace(tzinfo=UTC).timestamp()
    stretches = _stretches(edf, path, begins_utc)
    notes = joined((begins_utc + a.onset, a.duration, a.text) for a in edf.annotations)
    groups = _groups(edf.signals)
    gaps: dict[str, list[tuple[float, float]]] = {GAP + _name(group): [] for group in groups}
    rest = []
    for utc, duration_s, text in notes:
        if text in gaps and duration_s is not None:
            gaps[text].append((utc, utc + duration_s))
        else:
            rest.append((utc, duration_s, text))
    labels = [Label(t, t + d, text, "file") for t, d, text in rest if text in LABELS and d]
    texts = [(t, text) for t, d, text in rest if text and not (text in LABELS and d)]
    events = [(t, *known) for t, text in texts if (known := event_of(text)) is not None]
    return Take(
        BOARD_ID,
        FIRMWARE,
        tuple(_track(group, stretches, gaps[GAP + _name(group)], path) for group in groups),
        tuple(labels),
        tuple(events),
        tuple((t, text) for t, text in texts if event_of(text) is None),
    )


def _begins(edf: Edf) -> datetime:
    try:
        begins: datetime = edf.startdatetime
    except ValueError:
        # Taken away with the person's name, as anonymised files have it: the first day of EDF.
        begins = datetime.combine(date(1985, 1, 1), edf.starttime)
        _LOGGER.warning("no start date: times count from 1985-01-01")
    return begins


def _stretches(edf: Edf, path: Path, begins_utc: float) -> list[_Stretch]:
    """Records that follow each other without a gap, by the time each one begins at."""
    record_s, n_records = edf.data_record_duration, edf.num_data_records
    onsets_s = np.arange(n_records) * record_s
    if edf.reserved.startswith("EDF+D"):
        onsets_s = _onsets(path, n_records)
        onsets_s -= onsets_s[0]
    cuts = np.flatnonzero(np.abs(np.diff(onsets_s) - record_s) > 1e-6) + 1
    rows = [0, *cuts.tolist(), n_records]
    return [_Stretch(a, b - a, begins_utc + float(onsets_s[a])) for a, b in pairwise(rows)]


def _onsets(path: Path, n_records: int) -> NDArray[np.float64]:
    """When each record begins, in seconds; the library keeps this to itself."""
    data = path.read_bytes()
    n_signals = int(data[_HEADER_BYTES - 4 : _HEADER_BYTES])
    labels = _fields(data, n_signals, 0, _LABEL_BYTES)
    lengths = [int(x) for x in _fields(data, n_signals, _LENGTHS_AT, _NUMBER_BYTES)]
    which = labels.index(_ANNOTATIONS)
    offset = 2 * sum(lengths[:which])
    at = _HEADER_BYTES * (n_signals + 1) + offset
    onsets = []
    for i in range(n_records):
        match = _ONSET.match(data, at + i * 2 * sum(lengths))
        if match is None:
            raise RecordingError(path, f"a time in record {i + 1} of EDF+D", "none")
        onsets.append(float(match[1]))
    found = np.array(onsets)
    if np.any(np.diff(found) <= 0):
        raise RecordingError(path, "records in order of time", "others")
    return found


def _fields(data: bytes, n_signals: int, at: int, n_bytes: int) -> list[str]:
    start = _HEADER_BYTES + at * n_signals
    return [
        data[start + i * n_bytes : start + (i + 1) * n_bytes].decode("ascii", "replace").strip()
        for i in range(n_signals)
    ]


def _groups(signals: Sequence[EdfSignal]) -> list[list[EdfSignal]]:
    """Axes of one channel together: same name before the axis, same unit, rate and scale."""
    groups: dict[tuple[object, ...], list[EdfSignal]] = {}
    for i, s in enumerate(signals):
        match = _AXIS.fullmatch(s.label)
        key: tuple[object, ...] = (i,)
        if match:
            scale = (s.physical_range, s.digital_range)
            key = (match[1], s.physical_dimension, s.samples_per_data_record, scale)
        groups.setdefault(key, []).append(s)
    return list(groups.values())


def _name(group: list[EdfSignal]) -> str:
    label: str = group[0].label
    return label if len(group) == 1 else label.rpartition("_")[0]


def _track(
    group: list[EdfSignal],
    stretches: list[_Stretch],
    gaps: list[tuple[float, float]],
    path: Path,
) -> Track:
    first = group[0]
    name = _name(group)
    span = first.physical_max - first.physical_min
    # Header texts have eight characters: digits beyond are of the arithmetic.
    scale = float(f"{span / (first.digital_max - first.digital_min):.12g}")
    offset = float(f"{first.physical_min - scale * first.digital_min:.9g}")
    if not scale or not np.isfinite([scale, offset]).all():
        raise RecordingError(path, f"a scale of {name}", "none")
    # A thousandth of a count is what rounding leaves of no offset.
    offset = 0.0 if abs(offset) < 1e-3 * abs(scale) else offset
    rate_hz, per_record = first.sampling_frequency, first.samples_per_data_record
    channel = Channel(
        0,
        short_text(name) or "signal",
        short_text(first.physical_dimension),
        rate_hz,
        scale,
        offset,
        "i16",
        len(group),
    )
    raw = np.column_stack([signal.digital for signal in group])
    pieces: list[Piece] = []
    for part in stretches:
        rows = raw[part.row * per_record : (part.row + part.n_rows) * per_record]
        is_there = np.ones(len(rows), dtype=np.bool_)
        for from_utc, to_utc in gaps:
            a, b = (round((utc - part.start_utc) * rate_hz) for utc in (from_utc, to_utc))
            is_there[max(a, 0) : max(b, 0)] = False
        pieces += _pieces(rows, is_there, part.start_utc, rate_hz)
    return Track(channel, tuple(pieces))


def _pieces(
    rows: NDArray[np.int16], is_there: NDArray[np.bool_], start_utc: float, rate_hz: float
) -> list[Piece]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_there.astype(np.int8), [0]])))
    return [
        Piece(start_utc + int(a) / rate_hz, rows[a:b], rate_hz)
        for a, b in zip(edges[::2], edges[1::2], strict=True)
    ]
