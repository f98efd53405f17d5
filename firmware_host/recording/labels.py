"""Label files: which stretches of a recording were stress and which were rest.

Two layouts, told apart by the header row; both may be gzipped:

- ours, ``start_utc,end_utc,label[,participant]``: UNIX seconds or ISO 8601 (UTC unless it says
  otherwise), label ``stress`` or ``rest``;
- the Stress-Predict study's ``Participant,HR,respr,Time(sec),Label``: one row a second, label 1 for
  stress and 0 for rest. Consecutive seconds with one label become one stretch.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from firmware_host.errors import LabelError

STRESS = "stress"
REST = "rest"
LABELS = (STRESS, REST)
BUTTON = "button"
OURS_HEADER = ("start_utc", "end_utc", "label")
PER_SECOND_HEADER = ("Participant", "HR", "respr", "Time(sec)", "Label")
_PER_SECOND_LABELS = {"0": REST, "1": STRESS}
# Ten years of seconds are 300 MB of rows; a year of one wearer's is far below this.
_MAX_TEXT_BYTES = 100_000_000
_GZIP_MAGIC = b"\x1f\x8b"


# Told by the button and carried by the recording as well, a label is told from the same fit of the clock;
# two labels that somebody meant are further apart.
_SAME_S = 1.0
Span = tuple[float, float, str]
"""Start and end in UNIX seconds, and what it was."""


@dataclass(frozen=True, slots=True)
class Label:
    """A stretch of time and what it was; ``source`` says who said it."""

    t_start_utc: float
    t_end_utc: float
    label: str
    source: str
    participant: str | None = None


def is_said(span: Span, said: Iterable[Span]) -> bool:
    """Whether one of these says the same of the same time, to a second at both ends."""
    start, end, label = span
    return any(
        label == other and abs(start - first) < _SAME_S and abs(end - last) < _SAME_S
        for first, last, other in said
    )


def on_one_clock(
    labels: Sequence[Label],
    pressed: Sequence[tuple[Span, Span]],
    moved: Callable[[float, float], tuple[float, float]],
) -> list[Label]:
    """Labels of a recording on the clock that its samples are put on, each once, in order of time.

    A label of the buttons is in a recording twice: as its presses, and as it was told when they came. The
    presses say when it was, because the clock that puts samples in their place puts them too; the other
    says who told it. Any other label is host time of then, and moves as the arrival times of then do.

    Parameters
    ----------
    pressed
        Of each label of the buttons when it was, and what was told then; where that made no sense, a recording
        may hold nothing of it.
    moved
        Start and end of a stretch of host time of then.
    """
    found = []
    for span, then in pressed:
        same = next((x for x in labels if is_said(then, [_span(x)])), None)
        found.append(Label(*span, BUTTON if same is None else same.source))
    for label in labels:
        if not is_said(_span(label), [then for _, then in pressed]):
            start, end = moved(label.t_start_utc, label.t_end_utc)
            found.append(replace(label, t_start_utc=start, t_end_utc=end))
    return sorted(found, key=lambda x: (x.t_start_utc, x.t_end_utc))


def _span(label: Label) -> Span:
    return (label.t_start_utc, label.t_end_utc, label.label)


def participant_of(recording: str | Path) -> str | None:
    """Participant a recording's file name speaks of: its last digits, so ``S05.zip`` is ``5``."""
    digits = re.findall(r"\d+", Path(recording).stem)
    return (digits[-1].lstrip("0") or "0") if digits else None


def read_labels(
    path: str | Path,
    *,
    participant: str | None,
    start_utc: float,
    end_utc: float,
    words: Sequence[str] = LABELS,
) -> list[Label]:
    """Labels of one person within ``[start_utc, end_utc]``, clipped to it, in order of time.

    Parameters
    ----------
    path
        The label file.
    participant
        Whose labels, as `participant_of` gives it; None if the recording does not say, which only a
        file about a single person can answer.
    words
        Labels that our layout may hold.

    Raises
    ------
    LabelError
        If the file is of another layout, empty, about somebody else, about another time, or says
        two things of one moment. The message names rows, never people.
    """
    where = str(path)
    rows = _read_rows(Path(path))
    header = tuple(cell.strip() for cell in next(rows, (0, []))[1])
    if header[:3] == OURS_HEADER and header[3:] in {(), ("participant",)}:
        labels = [_parse_ours(row, n, where, len(header), words) for n, row in rows]
    elif header == PER_SECOND_HEADER:
        labels = list(_parse_per_second(rows, where))
    else:
        expected = f"{','.join(OURS_HEADER)}[,participant] or {','.join(PER_SECOND_HEADER)}"
        _refuse(where, f"a header row {expected}", f"{','.join(header)[:80]!r}")
    mine = _of_person(labels, participant, where)
    merged = _merge(sorted(mine, key=lambda x: (x.t_start_utc, x.t_end_utc)), where)
    return _within(merged, start_utc, end_utc, where)


def _refuse(where: str, expected: str, received: str) -> NoReturn:
    msg = f"{where}: expected {expected}, got {received}"
    raise LabelError(msg)


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if data[:2] == _GZIP_MAGIC:
            with gzip.open(io.BytesIO(data)) as stream:
                data = stream.read(_MAX_TEXT_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as err:
        reason = err.strerror or "a damaged gzip file"
        raise LabelError(f"{path}: expected a label file, got none ({reason})") from err
    except (EOFError, zlib.error) as err:
        raise LabelError(f"{path}: expected a complete gzip file, got a cut one") from err
    except UnicodeDecodeError as err:
        raise LabelError(f"{path}: expected UTF-8 text, got byte {err.start} of no text") from err
    if len(data) > _MAX_TEXT_BYTES:
        _refuse(str(path), f"at most {_MAX_TEXT_BYTES} bytes of text", "more")
    return text


def _read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(row number, cells) of every row that is not blank."""
    reader = csv.reader(io.StringIO(_read_text(path), newline=""))
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as err:
        raise LabelError(f"{path}: expected CSV, got a broken row {reader.line_num}") from err


def _parse_ours(row: list[str], n: int, where: str, n_cells: int, words: Sequence[str]) -> Label:
    cells = [cell.strip() for cell in row]
    if len(cells) != n_cells:
        _refuse(where, f"{n_cells} cells in row {n}", f"{len(cells)}")
    start, end = _parse_time(cells[0], n, where), _parse_time(cells[1], n, where)
    if not start < end:
        _refuse(where, f"start_utc before end_utc in row {n}", f"{cells[0]!r} and {cells[1]!r}")
    if cells[2] not in words:
        _refuse(where, f"label {' or '.join(words)} in row {n}", repr(cells[2][:20]))
    return Label(start, end, cells[2], "file", _person(cells[3]) if n_cells > 3 else None)


def _parse_time(cell: str, n: int, where: str) -> float:
    try:
        seconds = float(cell)
    except ValueError:
        seconds = _parse_iso(cell)
    if not math.isfinite(seconds):
        _refuse(where, f"UNIX seconds or ISO 8601 in row {n}", repr(cell[:40]))
    return seconds


def _parse_iso(cell: str) -> float:
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        return math.nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _parse_per_second(rows: Iterable[tuple[int, list[str]]], where: str) -> Iterator[Label]:
    """Stretches of rows that follow each other by a second, of one person and with one label."""
    person = label = ""
    start = end = math.nan
    for n, row in rows:
        if len(row) != len(PER_SECOND_HEADER) or row[4].strip() not in _PER_SECOND_LABELS:
            _refuse(where, f"{len(PER_SECOND_HEADER)} cells and label 0 or 1 in row {n}", "another")
        at = _parse_time(row[3], n, where)
        if at == end and row[4] == label and row[0] == person:
            end = at + 1.0
            continue
        if label:
            yield Label(start, end, _PER_SECOND_LABELS[label.strip()], "file", _person(person))
        person, label, start, end = row[0], row[4], at, at + 1.0
    if label:
        yield Label(start, end, _PER_SECOND_LABELS[label.strip()], "file", _person(person))


def _person(cell: str) -> str:
    """`5`, `05` and `S05` are one person."""
    return participant_of(cell) or cell.strip()


def _of_person(labels: Sequence[Label], participant: str | None, where: str) -> list[Label]:
    if not labels:
        _refuse(where, "at least one row of labels", "none")
    people = {label.participant for label in labels}
    if people == {None}:
        return list(labels)
    if participant is None:
        if len(people) > 1:
            _refuse(
                where,
                "labels of one person or a recording named after one",
                f"{len(people)} people",
            )
        return list(labels)
    mine = [label for label in labels if label.participant == _person(participant)]
    if not mine:
        _refuse(where, "labels of the person in this recording", "only other people's")
    return mine


def _merge(labels: Sequence[Label], where: str) -> list[Label]:
    """Touching stretches of one label joined; a moment with two labels is refused."""
    merged: list[Label] = []
    for label in labels:
        last = merged[-1] if merged else None
        if last is None or label.t_start_utc > last.t_end_utc:
            merged.append(label)
        elif label.label == last.label:
            merged[-1] = replace(last, t_end_utc=max(last.t_end_utc, label.t_end_utc))
        elif label.t_start_utc < last.t_end_utc:
            moment = datetime.fromtimestamp(label.t_start_utc, UTC).isoformat()
            both = " and ".join(sorted((last.label, label.label), reverse=True))
            _refuse(where, "one label for each moment", f"{both} at {moment}")
        else:
            merged.append(label)
    return merged


def _within(labels: Sequence[Label], start_utc: float, end_utc: float, where: str) -> list[Label]:
    inside = [
        replace(x, t_start_utc=max(x.t_start_utc, start_utc), t_end_utc=min(x.t_end_utc, end_utc))
        for x in labels
        if x.t_start_utc < end_utc and x.t_end_utc > start_utc
    ]
    if not inside:
        nearest_s = min(max(x.t_start_utc - end_utc, start_utc - x.t_end_utc) for x in labels)
        _refuse(
            where, "labels of the time of this recording", f"none nearer than {nearest_s:.0f} s"
        )
    return inside
