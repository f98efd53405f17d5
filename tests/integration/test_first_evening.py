"""What docs/first-signature.md says a newcomer has after each step, on its own scenario in virtual time."""

from __future__ import annotations

from typing import Any

import pytest
from command import Wearer

EVENING = "synthetic:?scenario=first-evening&seed=181"
# Before the first rest that is labelled; after the first task; after the rest that follows it; all.
WALKED, STRESSED, RESTED, ALL = "0.18", "0.33", "0.42", "0.65"


def _enrolled(wearer: Wearer) -> Wearer:
    for what in ("baseline", "gait"):
        assert f"{what} enrolled" in wearer.signet("enrol", what, "--device", EVENING).check().err
    return wearer


def _run(wearer: Wearer, hours: str) -> list[dict[str, Any]]:
    url = f"{EVENING}&hours={hours}"
    return wearer.signet("run", "--device", url, "--json").check().events


def _tried(wearer: Wearer) -> int:
    """How many of the latest job's ways to learn did not have to wait for another stress."""
    told = wearer.signet("learn", "--history").check().out.rpartition("on held-back windows")[2]
    return sum(", log loss" in line for line in told.splitlines())


def _needed(wearer: Wearer) -> str:
    return wearer.signet("learn", "--why").check().out.splitlines()[1]


def test_what_learning_waits_for_is_named_step_by_step(wearer: Wearer) -> None:
    _enrolled(wearer)
    assert "no minute was seen yet (signet run)" in _needed(wearer)
    _run(wearer, WALKED)
    assert "a label of stress" in _needed(wearer)


def test_stress_without_the_rest_after_it_begins_nothing(wearer: Wearer) -> None:
    *_, summary = _run(_enrolled(wearer), STRESSED)
    assert summary["learned"] == []
    assert "labels of rest: 1 of 2" in _needed(wearer)


def test_one_stress_between_two_rests_begins_a_job_on_the_threshold_alone(wearer: Wearer) -> None:
    *_, summary = _run(_enrolled(wearer), RESTED)
    assert len(summary["learned"]) == 1
    # The threshold twice (after one stress and after two), the last layer, and the layers below.
    assert _tried(wearer) == 1


def test_whole_evening_gives_what_the_page_says(wearer: Wearer) -> None:
    *events, summary = _run(_enrolled(wearer), ALL)
    first = next(e for e in events if e["kind"] == "stress")
    assert (first["state"], first["t_s"]) == ("rest", pytest.approx(60, abs=10))
    walk = next(e["t_s"] for e in events if e.get("activity") == "walk")
    known = next(e["t_s"] for e in events if e.get("wearer") == "wearer")
    assert known - walk <= 10
    said = [e["label"] for e in events if e["kind"] == "label"]
    assert said == ["rest", "stress", "rest", "stress", "rest"]
    assert len(summary["learned"]) == 2
    assert _tried(wearer) == 4
