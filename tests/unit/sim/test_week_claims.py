"""A claim that is not true is found out: each is broken once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from sim.schedule import build_schedule
from sim.sensors import CHANNELS
from sim.truth import BodyClock, truth_rows
from sim.week_claims import Claim, HostRow, Week, claims

START = datetime(2026, 5, 4, 8, tzinfo=UTC)
T0 = START.timestamp()
BOUTS = (
    ("rest", 10),
    ("stress", 5),
    ("walk", 5),
    ("charging", 1420),
    ("other_person", 10),
    ("walk", 5),
)
THIEF = T0 + 86_400.0
EVENING = THIEF + 900.0


def _note(utc: float, what: str, **detail: Any) -> dict[str, Any]:
    return {"kind": "stream", "utc": utc, "what": what, "detail": detail}


def _walked(utc: float, wearer: str) -> dict[str, Any]:
    return {"kind": "wearer", "utc": utc, "wearer": wearer}


def _summary(seconds: float) -> dict[str, Any]:
    channels = {
        c.name: {"n_samples": int(seconds * c.rate_hz), "missing_samples": 0} for c in CHANNELS
    }
    jobs = [{"kept": True, "reason": "better"}, {"kept": False, "reason": "paused"}]
    return {
        "kind": "summary",
        "utc": EVENING,
        "channels": channels,
        "learned": jobs,
        "sockets_opened": 0,
    }


@pytest.fixture
def week() -> Week:
    rows = [{"label": label, "minutes": minutes} for label, minutes in BOUTS]
    drift = [{"channel": "bvp", "minutes": 1440, "gain": 0.2}]
    schedule = build_schedule({"start_utc": START, "bout": rows, "drift": drift}, name="two")
    awake = [*range(0, 1200, 10), *range(86_400, 87_300, 10)]
    said = [{"kind": "activity", "utc": T0 + t} for t in awake]
    said += [
        _note(T0, "session"),
        _note(THIEF, "reboot"),
        _note(T0 + 600, "baseline", source="quiet"),
    ]
    said += [_walked(T0 + 900 + t, "wearer") for t in range(40, 300, 10)]
    said += [_walked(THIEF + t, "other") for t in range(100, 600, 50)]
    said += [
        _note(T0 + 901, "learning_waits", cause="on_battery"),
        _note(T0 + 950, "learning_waits", cause="hot"),
    ]
    said += [_note(T0 + 951, "learning_paused"), _note(T0 + 990, "learning_resumed")]
    said += [_note(EVENING, "drift", part="pulse_sensor"), _summary(1200 + 900)]
    said += [{"kind": "label", "utc": T0 + 900, "label": "stress"}]
    host = [
        HostRow(T0, 60.0, 50.0, mains=False, throttled=False, busy_cores=0.0),
        HostRow(T0 + 940, 75.2, 49.0, mains=True, throttled=False, busy_cores=1.0),
    ]
    score = {"balanced_accuracy": 0.8}
    later = {
        "generic": score,
        "personal": score,
        "gain_interval": [-0.1, 0.1],
        "n_windows": 9,
        "n_episodes": 2,
    }
    given = [{"answer": "accepted", "cue_utc": T0 + 700.0}]
    return Week(
        schedule, list(truth_rows(schedule, BodyClock(T0))), host, said, {"later": later}, given
    )


def _wrong(week: Week) -> list[str]:
    return [claim.name for claim in claims(week) if not claim.holds]


def test_what_is_true_holds(week: Week) -> None:
    assert _wrong(week) == []
    assert all(isinstance(claim, Claim) and "true:" in claim.line() for claim in claims(week))


def _drop_a_minute(week: Week) -> None:
    week.said = [
        e for e in week.said if not (e["kind"] == "activity" and 300 < e["utc"] - T0 < 400)
    ]


def _lose_samples(week: Week) -> None:
    week.kind("summary")[0]["channels"]["eda"]["n_samples"] -= 40


def _no_restart(week: Week) -> None:
    week.said = [e for e in week.said if e.get("what") != "reboot"]


def _mistake_the_wearer(week: Week) -> None:
    week.said += [_walked(T0 + 1000 + t, "other") for t in range(20)]


def _mistake_the_thief(week: Week) -> None:
    week.said.append(_walked(THIEF + 300, "wearer"))


def _follow_the_thief(week: Week) -> None:
    week.said.append(_note(THIEF + 601, "gait_updated"))


def _keep_the_thiefs_rest(week: Week) -> None:
    week.said.append(_note(THIEF + 550, "baseline", source="quiet"))


def _set_own_rest_aside(week: Week) -> None:
    week.said.append(_note(T0 + 1100, "rest_set_aside", why="x"))


def _believe_the_thief(week: Week) -> None:
    week.given.append({"answer": "dismissed", "cue_utc": THIEF + 200})


def _cry_early(week: Week) -> None:
    week.said.append(_note(T0 + 1100, "drift", part="pulse_sensor"))


def _miss_the_drift(week: Week) -> None:
    week.said = [e for e in week.said if e.get("what") != "drift"]


def _make_excuses(week: Week) -> None:
    week.said.append(_note(T0 + 1000, "learning_waits", cause="on_battery"))


def _work_throttled(week: Week) -> None:
    week.host.append(HostRow(T0 + 960, 81.0, 49.0, mains=True, throttled=True, busy_cores=1.0))


def _fail_a_job(week: Week) -> None:
    week.kind("summary")[0]["learned"].append({"kept": False, "reason": "failed"})


def _get_worse(week: Week) -> None:
    week.told["later"]["gain_interval"] = [-0.2, -0.01]


def _open_a_socket(week: Week) -> None:
    week.kind("summary")[0]["sockets_opened"] = 1


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (_drop_a_minute, "gaps are nights"),
        (_lose_samples, "gaps are nights"),
        (_no_restart, "the board restarts"),
        (_mistake_the_wearer, "the wearer's walks"),
        (_mistake_the_thief, "somebody else"),
        (_follow_the_thief, "the gait reference follows"),
        (_keep_the_thiefs_rest, "rest is the wearer's"),
        (_set_own_rest_aside, "rest is the wearer's"),
        (_believe_the_thief, "what the wearer says"),
        (_cry_early, "a sensor drifts"),
        (_miss_the_drift, "a sensor drifts"),
        (_make_excuses, "learning waits"),
        (_work_throttled, "and does no harm"),
        (_fail_a_job, "jobs"),
        (_get_worse, "personal, later part"),
        (_open_a_socket, "nothing leaves"),
    ],
)
def test_each_claim_can_fail(week: Week, spoil: Callable[[Week], None], name: str) -> None:
    spoil(week)
    assert _wrong(week) == [name]
