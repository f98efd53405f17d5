"""A life of several days: no two alike, a board without power in between, sensors that change."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from firmware_host.errors import ConfigError
from firmware_host.protocol.messages import Block, Event, EventKind, Hello
from firmware_host.protocol.parser import MessageParser
from sim.board import VirtualBoard
from sim.body import SyntheticBody
from sim.days import gait_of_day, only_days, parse_days, traits_of_day
from sim.fault_plan import parse_fault_spec
from sim.faults import FaultyBoard
from sim.gait_style import draw_style
from sim.links import Loopback
from sim.person import Wearer
from sim.schedule import Schedule, build_schedule, load_scenario
from sim.sensors import CHANNELS
from sim.traits import draw_traits

START = datetime(2026, 5, 4, 8, tzinfo=UTC)
NIGHT_MIN = 1438.0
DAYS = (("rest", 2), ("charging", NIGHT_MIN), ("walk", 1), ("charging", 1439.0), ("rest", 1))


def _life(*bouts: tuple[str, float], **more: object) -> Schedule:
    rows = [{"label": label, "minutes": minutes} for label, minutes in bouts]
    return build_schedule({"start_utc": START, "bout": rows, **more}, name="test")


def _board(schedule: Schedule) -> VirtualBoard:
    return VirtualBoard(SyntheticBody(Wearer(schedule, seed=7)), seed=7)


def _heard(schedule: Schedule) -> list[tuple[float, object]]:
    """Every message with its arrival."""
    device = FaultyBoard(_board(schedule), parse_fault_spec(""), seed=7)
    link, parser, heard = Loopback(device, start_utc=0.0), MessageParser(), []
    while True:
        try:
            piece = link.read()
        except EOFError:
            return heard
        if piece is not None:
            heard += [(piece.arrival_utc, message) for message in parser.feed(piece.data)]


def test_a_day_begins_where_the_board_charged_over_midnight() -> None:
    life = _life(("rest", 60), ("charging", 120), ("rest", 5), ("charging", 1300), ("rest", 5))
    assert [bout.day for bout in life.bouts] == [1, 1, 1, 1, 2]
    assert life.dark() == [(3600.0, 10_800.0), (11_100.0, 89_100.0)]


def test_nothing_comes_without_power_and_the_board_reboots_in_one_step() -> None:
    heard = _heard(_life(*DAYS))
    sessions = list(dict.fromkeys(m.session for _, m in heard if isinstance(m, Hello)))
    assert len(sessions) == 3
    blocks = [(t, m) for t, m in heard if isinstance(m, Block)]
    worn = [(0, 121.5), (86_400, 86_461.5), (172_800, 172_862)]
    assert all(any(a <= t <= b for a, b in worn) for t, _ in blocks)
    for session in sessions:
        own = [m for _, m in blocks if m.session == session and m.stream == 0]
        assert own[0].ticks_us == own[0].seq == 0
    contact = [m.value for _, m in heard if isinstance(m, Event) and m.kind is EventKind.WEAR]
    assert contact == [1, 1, 1]


def test_a_board_without_power_hears_nothing() -> None:
    board = _board(_life(*DAYS))
    board.advance(121.0)
    assert board.dark_until_s == 86_400.0
    board.receive(b"\x00")
    assert board.advance(80_000.0) == b""
    assert not board.finished


def test_a_run_may_begin_with_any_day_and_sees_the_same_life() -> None:
    life = _life(*DAYS)
    whole = [(round(t), m.data) for t, m in _heard(life) if isinstance(m, Block)]
    later = [(round(t), m.data) for t, m in _heard(only_days(life, 2, 3)) if isinstance(m, Block)]
    cut = [row for row in whole if row[0] > 80_000]
    assert [data for _, data in later] == [data for _, data in cut]
    assert only_days(life, 1, 1).duration_s == 120


def test_days_of_one_person_differ_and_the_first_is_as_drawn() -> None:
    traits = draw_traits(7)
    days = [traits_of_day(traits, seed=7, day=day) for day in (1, 2, 3)]
    assert days[0] == traits
    assert len({day.rest_hr_bpm for day in days}) == 3
    assert all(abs(day.rest_hr_bpm - traits.rest_hr_bpm) <= 12.0 for day in days)


def _apart(day: int) -> tuple[float, float]:
    """How far 40 people are on that day from their first one: heart rate, and gait."""
    hr_bpm, gait = [], []
    for seed in range(40):
        traits = draw_traits(seed)
        hr_bpm.append(traits_of_day(traits, seed=seed, day=day).rest_hr_bpm - traits.rest_hr_bpm)
        first, later = (
            draw_style("walk", seed=seed, ageing=gait_of_day(seed=seed, day=d)) for d in (1, day)
        )
        gait.append(np.abs(np.log(np.abs(later.harmonics / first.harmonics))).mean())
    return float(np.std(hr_bpm)), float(np.mean(gait))


def test_months_change_people_more_than_days_do() -> None:
    week, half_a_year = _apart(8), _apart(180)
    assert half_a_year[0] > 1.05 * week[0]
    assert half_a_year[1] > 2.0 * week[1]
    # Somebody else would be further away.
    own, other = (draw_style("walk", seed=seed).harmonics for seed in (0, 1))
    assert half_a_year[1] < 0.8 * np.abs(np.log(np.abs(own / other))).mean()


def test_months_go_by_without_a_jump() -> None:
    later = [draw_style("walk", seed=3, ageing=gait_of_day(seed=3, day=d)) for d in range(2, 60)]
    cadence = np.array([style.cadence_spm for style in later])
    assert np.abs(np.diff(cadence)).max() < 4.0


def test_a_sensor_wears_out_over_weeks() -> None:
    drift = [{"channel": "eda", "minutes": 0, "gain": 0.5, "offset": 0.2, "over_days": 2}]
    plain, worn = _life(*DAYS), _life(*DAYS, drift=drift)
    pairs = list(zip(*(_eda_by_minute(life) for life in (plain, worn)), strict=True))
    for day, (before, after) in zip((0.0, 0.0, 1.0, 2.0), pairs, strict=True):
        share = day / 2
        expected = (1.0 - 0.5 * share) * before + 0.2 * share
        np.testing.assert_allclose(after, expected, atol=2.5e-3)


def _eda_by_minute(life: Schedule) -> list[np.ndarray]:
    eda = SyntheticBody(Wearer(life, seed=7)).read("eda", 4 * 60 * 10)
    return list(CHANNELS[1].scale * eda.reshape(-1, 240))


def test_a_sensor_changes_from_its_minute_on() -> None:
    drift = [{"channel": "bvp", "minutes": 1, "gain": 0.25}]
    plain, drifted = _life(("rest", 2)), _life(("rest", 2), drift=drift)
    middle = CHANNELS[0].offset / -CHANNELS[0].scale
    before, after = (
        SyntheticBody(Wearer(life, seed=7)).read("bvp", 128 * 60) - middle
        for life in (plain, drifted)
    )
    minute = 64 * 60
    np.testing.assert_array_equal(before[:minute], after[:minute])
    np.testing.assert_allclose(after[minute:], 0.25 * before[minute:], atol=1)


@pytest.mark.parametrize("text", ["0", "2-1", "a", "1-", "-3", ""])
def test_days_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="day"):
        parse_days(text)


def test_a_day_that_the_scenario_has_not_is_refused() -> None:
    with pytest.raises(ConfigError, match="days from 1 to 3"):
        only_days(_life(*DAYS), 4, 5)


@pytest.mark.parametrize(
    "row",
    [
        {"channel": "acc", "minutes": 1},
        {"channel": "bvp"},
        {"channel": "bvp", "minutes": 1, "x": 1},
    ],
)
def test_a_drift_that_makes_no_sense_is_refused(row: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="drift"):
        _life(("rest", 2), drift=[row])


def test_the_week_has_seven_days_and_somebody_else_on_one_afternoon() -> None:
    week = load_scenario("week")
    assert week.bouts[-1].day == 7
    assert {bout.day for bout in week.bouts if bout.label == "other_person"} == {3}
    worn_s = sum(bout.end_s - bout.start_s for bout in week.bouts if bout.powered)
    assert worn_s < 7.5 * 3600
