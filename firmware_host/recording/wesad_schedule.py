"""What happened when in WESAD (Schmidt et al. 2018, ICMI, doi 10.1145/3242969.3242985), by its schedule.

`SX_quest.csv` gives starts and ends in minutes.seconds after the RespiBAN was switched on, which is not
when the E4 was: in one person the E4 had run for 24 minutes by then. The second line of `SX_respiban.txt`
says when, in local time of the study. "50.3" is 50 min 30 s: a spreadsheet ate the zero. Ten seconds at
both ends of a stage are left out: clocks of two devices may be off by seconds, and the publisher's own
condition numbers are as much shorter.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from firmware_host.errors import LabelError, RecordingError
from firmware_host.recording.labels import REST, STRESS

# Names in the schedule, in small letters and without a number. Amusement is rest too: stress against
# everything calm or merry, as the study's own two-class task has it. Meditation is guided breathing,
# which moves heart rate variability by itself: it has no label.
CONDITIONS = {
    "base": ("baseline", REST),
    "tsst": ("tsst", STRESS),
    "fun": ("amusement", REST),
    "medi": ("meditation", None),
}
"""Reading (sRead, bRead, fRead) is no condition of the study."""
EDGE_S = 10.0
HEADER_BYTES = 4096
"""As much of `SX_respiban.txt` holds its header; the rest are gigabytes of another device."""
# The study's local time: summer or winter time of Germany.
_UTC_OFFSETS_H = (2, 1)
# A schedule may run this far over the end of the E4's recording.
_SLACK_S = 30.0

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Condition:
    """One stage of the protocol on the E4's clock; ``label`` is None where it is neither rest nor stress."""

    name: str
    label: str | None
    start_utc: float
    end_utc: float


@dataclass(frozen=True, slots=True)
class Text:
    """What a file says, and where it lies, for messages."""

    place: Path
    content: bytes

    @property
    def lines(self) -> list[str]:
        """Lines, with a mark for bytes that are no text."""
        return self.content.decode("utf-8", "replace").splitlines()


def read_schedule(quest: Text, respiban: Text, span: Span) -> tuple[Condition, ...]:
    """Stages of the protocol within an E4 recording from ``span[0]`` to ``span[1]`` (UNIX seconds).

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
                Condition(name, label, zero_utc + start_s + EDGE_S, zero_utc + end_s - EDGE_S)
                for name, label, start_s, end_s in conditions
            )
    e4 = " to ".join(f"{datetime.fromtimestamp(t, UTC):%Y-%m-%d %H:%M}" for t in span)
    received = f"{began:%Y-%m-%d %H:%M} local time, which does not fit the E4's {e4} UTC"
    raise RecordingError(respiban.place, "a start within the E4's recording", received)


def _conditions(quest: Text) -> list[tuple[str, str | None, float, float]]:
    """(name, label, start, end) in seconds after the RespiBAN's start, in order of time."""
    rows: dict[str, list[str]] = {}
    for line in quest.lines:
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


def _seconds(cell: str, quest: Text) -> float:
    """Seconds of minutes.seconds; "50.3" are 30 seconds, for a spreadsheet ate the zero."""
    match = re.fullmatch(r"(\d{1,6})(?:[.,](\d{1,2}))?", cell)
    seconds = int((match[2] or "0").ljust(2, "0")) if match else 60
    if match is None or seconds >= 60:
        raise LabelError(f"{quest.place}: expected minutes.seconds, got {cell[:20]!r}")
    return 60.0 * int(match[1]) + seconds


def _began(respiban: Text) -> datetime:
    """When the RespiBAN was switched on, local time, by the OpenSignals header."""
    expected = "a second line with the date and time it began, as OpenSignals writes"
    try:
        (device,) = json.loads(respiban.lines[1].lstrip("# ")).values()
        year, month, day = (int(part) for part in device["date"].split("-"))
        hour, minute, second = device["time"].split(":")
        moment = datetime(year, month, day, int(hour), int(minute))
        return moment + timedelta(seconds=float(second))
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as err:
        raise RecordingError(respiban.place, expected, f"another ({err})") from err
