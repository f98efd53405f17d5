"""What happened when in WESAD, on the E4's clock: the study's schedule, or a label file of ours."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone

from firmware_host.errors import LabelError, RecordingError
from firmware_host.recording.labels import read_labels
from training.datasets.base import REST, STRESS, UNSCORED, Stage
from training.datasets.members import Member

# Names in the schedule, in small letters and without a number.
CONDITIONS = {
    "base": ("baseline", REST),
    "tsst": ("tsst", STRESS),
    "fun": ("amusement", REST),
    "medi": ("meditation", UNSCORED),
}
"""Reading (sRead, bRead, fRead) is no condition of the study."""
EDGE_S = 10.0
# The study's local time: summer or winter time of Germany.
_UTC_OFFSETS_H = (2, 1)
_HEADER_BYTES = 4096
# A schedule may run this far over the end of the E4's recording.
_SLACK_S = 30.0

Span = tuple[float, float]


def stages_of_quest(quest: Member, respiban: Member, span: Span) -> tuple[Stage, ...]:
    """Stages of `SX_quest.csv` within an E4 recording from `span[0]` to `span[1]` (UNIX seconds).

    Raises
    ------
    LabelError
        If the schedule is not complete or not readable.
    RecordingError
        If the RespiBAN's header does not say when it began, or that does not fit the E4's time.
    """
    conditions = _conditions(quest)
    began = _began(respiban)
    for offset_h in _UTC_OFFSETS_H:
        zone = timezone(timedelta(hours=offset_h))
        zero_utc = began.replace(tzinfo=zone).timestamp()
        first, last = zero_utc + conditions[0][2], zero_utc + conditions[-1][3]
        if span[0] <= first and last <= span[1] + _SLACK_S:
            return tuple(
                Stage(name, label, zero_utc + start_s + EDGE_S, zero_utc + end_s - EDGE_S)
                for name, label, start_s, end_s in conditions
            )
    e4 = " to ".join(f"{datetime.fromtimestamp(t, UTC):%Y-%m-%d %H:%M}" for t in span)
    received = f"{began:%Y-%m-%d %H:%M} local time, which does not fit the E4's {e4} UTC"
    raise RecordingError(respiban.place, "a start within the E4's recording", received)


def stages_of_labels(file: Member, span: Span) -> tuple[Stage, ...]:
    """Stages of a label file in our layout, which lies there plainly.

    Raises
    ------
    LabelError
        If it cannot be used.
    """
    labels = read_labels(file.place, participant=None, start_utc=span[0], end_utc=span[1])
    return tuple(
        Stage(f"{x.label}-{i}", STRESS if x.label == STRESS else REST, x.t_start_utc, x.t_end_utc)
        for i, x in enumerate(labels)
    )


def _conditions(quest: Member) -> list[tuple[str, str, float, float]]:
    """(name, label, start, end) in seconds after the RespiBAN's start, in order of time."""
    rows: dict[str, list[str]] = {}
    for line in quest.read().decode("utf-8", "replace").splitlines():
        key, *cells = (cell.strip() for cell in line.split(";"))
        word = key.lstrip("# ").rstrip(":").upper()
        if word in ("ORDER", "START", "END"):
            rows[word] = [cell for cell in cells if cell]
    lengths = {len(rows.get(word, ())) for word in ("ORDER", "START", "END")}
    if len(lengths) != 1 or 0 in lengths:
        received = ", ".join(
            f"{word} {len(rows.get(word, ()))}" for word in ("ORDER", "START", "END")
        )
        expected = "rows # ORDER, # START and # END of one length"
        raise LabelError(f"{quest.place}: expected {expected}, got {received}")
    found = []
    for name, start, end in zip(rows["ORDER"], rows["START"], rows["END"], strict=True):
        known = CONDITIONS.get(re.sub(r"[\s\d]+$", "", name).lower())
        if known is not None:
            found.append((*known, _seconds(start, quest), _seconds(end, quest)))
    if not found:
        raise LabelError(f"{quest.place}: expected Base, TSST, Fun or Medi in # ORDER, got none")
    return sorted(found, key=lambda condition: condition[2])


def _seconds(cell: str, quest: Member) -> float:
    """Seconds of minutes.seconds; "50.3" are 30 seconds, for a spreadsheet ate the zero."""
    match = re.fullmatch(r"(\d+)(?:[.,](\d{1,2}))?", cell)
    seconds = int((match[2] or "0").ljust(2, "0")) if match else 60
    if match is None or seconds >= 60:
        raise LabelError(f"{quest.place}: expected minutes.seconds, got {cell[:20]!r}")
    return 60.0 * int(match[1]) + seconds


def _began(respiban: Member) -> datetime:
    """When the RespiBAN was switched on, local time, by the OpenSignals header."""
    lines = respiban.read(_HEADER_BYTES).decode("utf-8", "replace").splitlines()
    expected = "a second line with the date and time it began, as OpenSignals writes"
    try:
        (device,) = json.loads(lines[1].lstrip("# ")).values()
        year, month, day = (int(part) for part in device["date"].split("-"))
        hour, minute, second = device["time"].split(":")
        moment = datetime(year, month, day, int(hour), int(minute))
    except (IndexError, ValueError, KeyError, TypeError, AttributeError) as err:
        raise RecordingError(respiban.place, expected, f"another ({err})") from err
    return moment + timedelta(seconds=float(second))
