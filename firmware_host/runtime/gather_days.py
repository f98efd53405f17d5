"""The days of a report: who walked, and what happened to learning, rest and fit, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from firmware_host.identity.verification import N_WINDOWS
from firmware_host.report import DayStory
from firmware_host.runtime.gather_lanes import say_learned, spans
from firmware_host.runtime.gather_seen import Event, Seen
from firmware_host.runtime.learning import PAUSED_NOTE, RESUMED_NOTE, WAITS_NOTE
from firmware_host.runtime.memory import CUE_NOTE
from firmware_host.runtime.pipeline import BASELINE_NOTE
from firmware_host.runtime.session import (
    DRIFT_NOTE,
    GAIT_UPDATED_NOTE,
    LEARNED_NOTE,
    REST_SET_ASIDE_NOTE,
)

_DAY_S = 86_400.0
_SAME_WALK_S = 20.0
_REST_WORDS = {"quiet": "found in calm minutes", "guided": "sat for or labelled"}

Detail = Mapping[str, Any]
Happened = tuple[float, str, str]
Span = tuple[float, float, str]


def _learned(detail: Detail) -> tuple[str, str]:
    return "kept" if detail["kept"] else "not_kept", say_learned(detail)


# Note -> its kind and its words.
_KINDS: Mapping[str, Callable[[Detail], tuple[str, str]]] = {
    WAITS_NOTE: lambda detail: ("waits", f"learning waits for {detail['why']}"),
    PAUSED_NOTE: lambda _: ("paused", "learning paused"),
    RESUMED_NOTE: lambda _: ("resumed", "learning goes on"),
    LEARNED_NOTE: _learned,
    BASELINE_NOTE: lambda detail: (
        "rest",
        f"rest learned, {_REST_WORDS.get(detail['source'], detail['source'])}",
    ),
    REST_SET_ASIDE_NOTE: lambda detail: ("warning", f"rest set aside: {detail['why']}"),
    DRIFT_NOTE: lambda detail: ("warning", f"{detail['why']}; {detail['to_do']}"),
    GAIT_UPDATED_NOTE: lambda _: ("gait", "gait reference follows a sure walk"),
}


def day_stories(seen: Seen, local_offset_s: Callable[[float], float]) -> list[DayStory]:
    """One story a local day with anything in it, oldest first."""
    sure = [event for event in seen.wearer if event["n_windows"] >= N_WINDOWS]
    walks = _joined(spans(sure, "wearer", seen.bundle.gait.hop_s))
    happened = list(_happened(seen.notes))
    midnights = {_midnight(float(e["utc"]), local_offset_s) for e in (*seen.stress, *seen.notes)}
    return [
        DayStory(
            _name(midnight, local_offset_s),
            midnight,
            [span for span in walks if 0 <= span[0] - midnight < _DAY_S],
            sorted(
                [
                    *_given(seen, midnight),
                    *(row for row in happened if 0 <= row[0] - midnight < _DAY_S),
                ],
                key=_when,
            ),
        )
        for midnight in sorted(midnights)
    ]


def _when(row: Happened) -> float:
    # What was told at the same moment keeps its order.
    return row[0]


def _joined(walks: Iterable[Span]) -> list[Span]:
    """Decisions come for steady windows only: those of one walk are one span."""
    joined: list[Span] = []
    for a, b, who in walks:
        goes_on = bool(joined) and joined[-1][2] == who and a - joined[-1][1] <= _SAME_WALK_S
        joined.append((joined.pop()[0] if goes_on else a, b, who))
    return joined


def _midnight(utc: float, local_offset_s: Callable[[float], float]) -> float:
    offset_s = local_offset_s(utc)
    return (utc + offset_s) // _DAY_S * _DAY_S - offset_s


def _name(midnight_utc: float, local_offset_s: Callable[[float], float]) -> str:
    noon_utc = midnight_utc + _DAY_S / 2
    day = datetime.fromtimestamp(noon_utc + local_offset_s(noon_utc), UTC)
    return f"{day:%a} {day.day} {day:%b}"


def _happened(notes: Iterable[Event]) -> Iterator[Happened]:
    for note in notes:
        if note["what"] in _KINDS:
            yield float(note["utc"]), *_KINDS[note["what"]](note["detail"])


def _given(seen: Seen, midnight_utc: float) -> Iterator[Happened]:
    """What the wearer said that day, and how often the board tapped, in a line each."""
    said = [(end, name) for _, end, name in seen.labels if 0 <= end - midnight_utc < _DAY_S]
    if said:
        counts = Counter(name for _, name in said)
        words = ", ".join(f"{n} of {name}" for name, n in sorted(counts.items()))
        yield min(said)[0], "label", f"the first of {len(said)} labels: {words}"
    taps = [float(note["utc"]) for note in seen.notes if note["what"] == CUE_NOTE]
    taps = [utc for utc in taps if 0 <= utc - midnight_utc < _DAY_S]
    if taps:
        words = "a tap" if len(taps) == 1 else f"the first of {len(taps)} taps"
        yield min(taps), "tap", f"{words} for lasting stress"
