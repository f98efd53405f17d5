"""A row of the soak test fails when the host says something else than what was done."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from sim.soak_checks import Row, growth_mb, rows
from sim.soak_day import QUIET, soak_faults, soak_stretches
from sim.soak_run import Soak, Told


def _account(**more: Any) -> dict[str, Any]:
    told = {"samples": 90, "missing_samples": 10, "late_blocks": 0, "late_samples": 0}
    told |= {"duplicate_blocks": 0, "board_dropped": 3}
    return told | {"holes": [_hole(0, 6), _hole(1, 4)]} | more


def _hole(session: int, n_samples: int) -> dict[str, Any]:
    at_s = _start("fault-drop") + 30 + 200 * session
    return {"t_s": at_s, "session": 7 + session, "sample_idx": 50, "n_samples": n_samples}


def _start(name: str) -> float:
    return next(s.start_s for s in soak_stretches(24.0) if s.title == name)


def _soak() -> Soak:
    """Two sessions within the stretch of lost bytes, a gap in each."""
    soak = Soak(soak_stretches(24.0), 1e9)
    begun = [[_start("fault-drop"), 7], [_start("fault-drop") + 200, 8]]
    line = {"bytes": 1000, "frames": 20, "bad_frames": 2, "oversize": 0, "skipped_bytes": 40}
    soak.truth = {
        "line": {**line, "foreign_messages": 1, "sessions": 2, "events": 3},
        "channels": {"eda": _account()},
        "sessions": begun,
        "messages": 0,
        "content": {},
        "host_steps": [[100.0, 50.0], [200.0, -50.0]],
        "struck": [["drop", _start("fault-drop") + 5, None]],
        "changed_samples": {},
    }
    said = {"n_samples": 90, "missing_samples": 10, "board_dropped": 3}
    said |= {"late_blocks": 0, "duplicate_blocks": 0}
    soak.summary = {
        **{"n_bytes": 1000, "n_frames": 20, "bad_frames": 2, "oversize": 0, "skipped_bytes": 40},
        **{"foreign_messages": 1, "n_sessions": 2, "notes": {"battery": 2, "wear": 1}},
        "channels": {"eda": said},
    }
    soak.told = [_gap(0, 6), _gap(1, 4)]
    soak.memory = [(float(t_s), 60.0) for t_s in range(0, 86_400, 600)]
    return soak


def _gap(session: int, n_samples: int, t_s: float = 30.0) -> Told:
    return Told(session, "gap", t_s, 1e9, "eda", {"missing_samples": n_samples})


def _row(soak: Soak, name: str) -> Row:
    return next(row for row in rows(soak) if row.name == name)


def test_what_agrees_holds() -> None:
    about = ("bytes", "frames", "sessions", "samples of eda", "fault-drop", "memory", QUIET)
    assert all(_row(_soak(), name).holds for name in about)
    drop = _row(_soak(), "fault-drop")
    assert (drop.injected, drop.seen) == ("10 samples in holes", "10 samples in gaps")


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("bytes", "n_bytes", 999),
        ("frames", "n_frames", 21),
        ("bad frames", "bad_frames", 1),
        ("skipped bytes", "skipped_bytes", 0),
        ("foreign messages", "foreign_messages", 0),
        ("sessions", "n_sessions", 3),
        ("events of the board", "notes", {"battery": 2}),
    ],
)
def test_counter_that_differs_by_one_fails(name: str, key: str, value: Any) -> None:
    soak = _soak()
    soak.summary[key] = value
    assert not _row(soak, name).holds


@pytest.mark.parametrize(
    ("key", "value"), [("n_samples", 89), ("missing_samples", 11), ("n_samples", 91)]
)
def test_sample_that_is_nowhere_fails(key: str, value: int) -> None:
    soak = _soak()
    soak.summary["channels"]["eda"][key] = value
    assert not _row(soak, "samples of eda").holds


def test_samples_that_came_late_may_be_used_but_no_more_than_came() -> None:
    soak = _soak()
    soak.truth["channels"]["eda"]["late_samples"] = 4
    soak.summary["channels"]["eda"] |= {"n_samples": 94, "missing_samples": 6}
    assert _row(soak, "samples of eda").holds
    soak.summary["channels"]["eda"] |= {"n_samples": 95, "missing_samples": 5}
    assert not _row(soak, "samples of eda").holds


@pytest.mark.parametrize(
    "told",
    [
        [_gap(0, 6), _gap(0, 4)],
        [_gap(0, 7), _gap(1, 3)],
        [_gap(0, 6), _gap(1, 4), _gap(1, 1)],
        [_gap(0, 6), Told(1, "pause", 30.0, 1e9, "eda", {"missing_samples": 5})],
    ],
)
def test_gap_that_no_hole_explains_fails(told: list[Told]) -> None:
    soak = _soak()
    soak.told = told
    assert "without a reason" in _row(soak, "fault-drop").seen
    assert not _row(soak, "fault-drop").holds


def test_restart_that_nobody_made_fails() -> None:
    soak = _soak()
    at_s = _start("fault-reboot") - _start("fault-drop") + 10
    soak.told.append(Told(0, "reboot", at_s, 1e9, "", {}))
    assert not _row(soak, "fault-reboot").holds


def test_memory_that_grows_fails_and_what_is_taken_at_the_start_does_not() -> None:
    soak = _soak()
    soak.memory = [(t_s, 60.0 + (t_s > 5000) * 9) for t_s, _ in soak.memory]
    assert _row(soak, "memory").holds
    soak.memory = [(t_s, 60.0 + t_s / 86_400 * 2) for t_s, _ in soak.memory]
    assert growth_mb(soak.memory, 86_400) == pytest.approx(1.5, abs=0.05)
    assert not _row(soak, "memory").holds


def test_run_that_ends_with_an_error_is_one_row() -> None:
    soak = Soak(soak_stretches(24.0), 1e9, failure="exit code 8: full")
    (row,) = rows(soak)
    assert (row.holds, row.seen) == (False, "exit code 8: full")


def test_power_on_is_where_the_hosts_clock_puts_it() -> None:
    soak = _soak()
    assert [soak.zero_utc(at_s) - 1e9 for at_s in (99.0, 150.0, 250.0)] == [0.0, 50.0, 0.0]


def test_stretches_cover_the_day_and_no_fault_leaves_its_own() -> None:
    stretches = soak_stretches(24.0)
    assert stretches[0].start_s == 0.0
    assert stretches[-1].end_s == 86_400.0
    assert all(a.end_s == b.start_s for a, b in pairwise(stretches))
    plan = soak_faults(stretches)
    assert not [fault for fault in plan.faults if fault.at_s < stretches[1].start_s]
    assert [s.name for s in stretches if s.is_warm_up] == [s.name for s in soak_stretches(1.0)]
    assert all(
        any(fault.at_s in s and fault.until_s < s.end_s for s in stretches) for fault in plan.faults
    )
