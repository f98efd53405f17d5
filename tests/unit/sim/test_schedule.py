from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from firmware_host.errors import ConfigError, StorageError
from firmware_host.protocol.messages import Button, EventKind
from sim.schedule import LABELS, Schedule, build_schedule, load_scenario
from sim.truth import BodyClock, truth_rows, write_truth

START = datetime(2026, 5, 4, 8, tzinfo=UTC)


def _schedule(*rows: dict[str, object]) -> Schedule:
    return build_schedule({"start_utc": START, "bout": list(rows)}, name="test")


@pytest.mark.parametrize("name", ["day", "short"])
def test_shipped_scenario_has_bouts_without_gaps(name: str) -> None:
    schedule = load_scenario(name)
    edges = [(b.start_s, b.end_s) for b in schedule.bouts]
    assert edges[0][0] == 0
    assert all(before[1] == after[0] for before, after in pairwise(edges))
    assert {b.label for b in schedule.bouts} <= set(LABELS)


def test_day_holds_what_its_users_count_on() -> None:
    schedule = load_scenario("day")
    labels = [b.label for b in schedule.bouts]
    stress = [b for b in schedule.bouts if b.label == "stress"]
    assert 7.5 * 3600 <= schedule.duration_s <= 8.5 * 3600
    first = schedule.bouts[0]
    assert (first.label, first.activity, first.end_s, first.buttons) == (
        "rest",
        "still",
        300,
        "on_time",
    )
    assert 6 <= len(stress) <= 7
    assert all(240 <= b.end_s - b.start_s <= 480 for b in stress)
    assert [b.buttons for b in stress].count("late") == 1
    assert all(b.buttons == "none" for b in stress[-3:])
    early_walk = schedule.bouts[labels.index("walk")]
    assert early_walk.end_s - early_walk.start_s == 180
    assert {"run", "off", "other_person"} <= set(labels)


def test_pieces_cover_every_second_once() -> None:
    schedule = load_scenario("short")
    at_s = 0
    for piece in schedule.pieces():
        assert piece.start_s == at_s
        assert 1 <= piece.n_s <= 60
        at_s += piece.n_s
    assert at_s == schedule.duration_s


def test_lasting_cuts_in_the_middle_of_a_bout() -> None:
    schedule = load_scenario("short").lasting(0.1)
    assert schedule.duration_s == 360
    assert [b.label for b in schedule.bouts] == ["rest", "walk"]


def test_lasting_longer_lives_the_day_again() -> None:
    once = load_scenario("short")
    schedule = once.lasting(1.0)
    assert schedule.duration_s == 3600
    assert schedule.bouts[len(once.bouts)].label == once.bouts[0].label
    assert [b.idx for b in schedule.bouts] == list(range(len(schedule.bouts)))


@pytest.mark.parametrize("hours", [0.0, -1.0, float("nan"), float("inf")])
def test_lasting_refuses_a_length_that_is_none(hours: float) -> None:
    with pytest.raises(ConfigError, match="hours"):
        load_scenario("short").lasting(hours)


def test_presses_frame_the_bout_when_on_time() -> None:
    schedule = _schedule({"label": "stress", "minutes": 5, "buttons": "on_time"})
    presses = [e for e in schedule.events(seed=1) if e.kind is EventKind.BUTTON]
    assert [e.value for e in presses] == [Button.STRESS_STARTS, Button.STRESS_ENDS]
    assert 0 < presses[0].t_s < 6
    assert 290 < presses[1].t_s < 300


def test_press_comes_late_when_the_wearer_forgets() -> None:
    row = {"label": "stress", "minutes": 5, "buttons": "late", "late_s": 90}
    presses = [e for e in _schedule(row).events(seed=1) if e.kind is EventKind.BUTTON]
    assert 90 < presses[0].t_s < 96


def test_contact_is_reported_when_the_band_comes_off_and_on() -> None:
    schedule = _schedule(
        {"label": "rest", "minutes": 1},
        {"label": "walk", "minutes": 1},
        {"label": "off", "minutes": 1},
        {"label": "rest", "minutes": 1},
    )
    contact = [(e.t_s, e.value) for e in schedule.events(seed=1) if e.kind is EventKind.WEAR]
    assert contact == [(0.0, 1), (120.0, 0), (180.0, 1)]


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"label": "nap", "minutes": 1}, "label"),
        ({"label": "rest", "minutes": 0}, "minutes"),
        ({"label": "rest", "minutes": "5"}, "minutes"),
        ({"label": "rest"}, "minutes"),
        ({"label": "rest", "minutes": 1, "activity": "fly"}, "activity"),
        ({"label": "walk", "minutes": 1, "buttons": "on_time"}, "buttons"),
        ({"label": "stress", "minutes": 1, "task": "exam"}, "task"),
        ({"label": "stress", "minutes": 1, "late_s": 60}, "late_s"),
        ({"label": "rest", "minutes": 1, "lable": "x"}, "bout 1"),
        ("rest", "bout 1"),
    ],
)
def test_build_names_the_key_when_a_bout_is_wrong(row: object, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_schedule({"start_utc": START, "bout": [row]}, name="test")
    assert key in caught.value.key


@pytest.mark.parametrize("text", ["start_utc = 5\n[[bout]]\nlabel='rest'\nminutes=1", "x = [", ""])
def test_load_refuses_a_file_that_is_no_scenario(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        load_scenario(path)


def test_load_lists_the_known_names_when_the_name_is_unknown() -> None:
    with pytest.raises(ConfigError, match="one of day, everything"):
        load_scenario("holiday")


def test_truth_joins_neighbours_of_one_label_and_covers_the_day() -> None:
    schedule = _schedule(
        {"label": "rest", "minutes": 1},
        {"label": "rest", "minutes": 2},
        {"label": "stress", "minutes": 1},
    )
    rows = [(r.start_utc, r.end_utc, r.label) for r in truth_rows(schedule, BodyClock(100.0))]
    assert rows == [(100.0, 280.0, "rest"), (280.0, 340.0, "stress")]


def test_truth_shrinks_with_a_fast_crystal_and_with_speed() -> None:
    schedule = _schedule({"label": "rest", "minutes": 100})
    (drifted,) = truth_rows(schedule, BodyClock(0.0, drift_ppm=100.0))
    (hurried,) = truth_rows(schedule, BodyClock(0.0, speed=60.0))
    assert drifted.end_utc == pytest.approx(6000 / 1.0001)
    assert hurried.end_utc == pytest.approx(100.0)


def test_truth_file_has_the_agreed_header(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    write_truth(path, load_scenario("short"), BodyClock(1000.0))
    lines = path.read_text().splitlines()
    assert lines[0] == "start_utc,end_utc,label"
    assert lines[1] == "1000.000,1180.000,rest"


def test_truth_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="truth"):
        write_truth(tmp_path / "no" / "truth.csv", load_scenario("short"), BodyClock(0.0))
