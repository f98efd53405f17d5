"""From stored events to the story of each day."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from firmware_host.runtime.gather_days import day_stories

# A midnight in UTC.
T0 = 1_789_948_800.0
DAY_S = 86_400.0


def _note(utc: float, what: str, **detail: Any) -> dict[str, Any]:
    return {"kind": "stream", "utc": utc, "what": what, "detail": detail, "channel": ""}


def _seen(**facts: Any) -> Any:
    empty = {"stress": [], "notes": [], "wearer": [], "labels": []}
    bundle = SimpleNamespace(gait=SimpleNamespace(hop_s=2.5))
    return SimpleNamespace(bundle=bundle, **{**empty, **facts})


def _walked(utc: float, wearer: str, n: int = 11) -> dict[str, Any]:
    return {"utc": utc, "wearer": wearer, "n_windows": n, "score": 1.0}


def test_what_happened_is_told_on_its_local_day_in_order() -> None:
    notes = [
        _note(T0 + 3600, "learning_waits", cause="hot", why="the host to cool down"),
        _note(T0 + 3700, "learning_paused", why="paused: ..."),
        _note(T0 + DAY_S - 1800, "learned", kept=1, reason="better"),
        _note(T0 + DAY_S + 60, "drift", part="gait", why="walks fit less", to_do="enrol"),
        _note(T0 + DAY_S + 70, "battery", value=50),
    ]
    first, second = day_stories(_seen(notes=notes), lambda _: 0.0)
    assert [row[1] for row in first.happened] == ["waits", "paused", "kept"]
    assert first.happened[0][2] == "learning waits for the host to cool down"
    assert [row[1:] for row in second.happened] == [("warning", "walks fit less; enrol")]
    assert (first.name, second.name) == ("Mon 21 Sep", "Tue 22 Sep")
    # Two hours east the job ended on the next day.
    east = day_stories(_seen(notes=notes), lambda _: 7200.0)
    assert [len(day.happened) for day in east] == [2, 2]
    assert east[0].midnight_utc == T0 - 7200.0


def test_decisions_of_one_walk_are_one_span_and_short_ones_none() -> None:
    wearer = [_walked(T0 + t, "wearer") for t in (100.0, 102.5, 115.0, 200.0)]
    wearer += [_walked(T0 + 300.0, "other", n=4), _walked(T0 + 310.0, "other")]
    stress = [{"utc": T0 + 50.0, "state": "rest"}]
    (day,) = day_stories(_seen(stress=stress, wearer=wearer), lambda _: 0.0)
    assert [(a - T0, b - T0, who) for a, b, who in day.walks] == [
        (97.5, 115.0, "wearer"),
        (197.5, 200.0, "wearer"),
        (307.5, 310.0, "other"),
    ]


def test_labels_and_taps_take_a_line_each() -> None:
    labels = [
        (T0 + 10, T0 + 200, "rest"),
        (T0 + 300, T0 + 500, "stress"),
        (T0 + 510, T0 + 700, "rest"),
    ]
    notes = [_note(T0 + 400, "cue"), _note(T0 + 1200, "cue")]
    (day,) = day_stories(_seen(notes=notes, labels=labels), lambda _: 0.0)
    assert day.happened == [
        (T0 + 200, "label", "the first of 3 labels: 2 of rest, 1 of stress"),
        (T0 + 400, "tap", "the first of 2 taps for lasting stress"),
    ]
