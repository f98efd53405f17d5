"""The section of several days: rows, a clock without empty hours, signs and words."""

from __future__ import annotations

from collections.abc import Callable

from firmware_host.report import DayStory, ReportData, render
from firmware_host.report.days import Clock, days_section

MakeData = Callable[..., ReportData]
MIDNIGHT = 1_789_941_600.0
HOUR_S = 3600.0


def _days(n: int, **story: object) -> list[DayStory]:
    return [DayStory(f"Day {i}", MIDNIGHT + i * 24 * HOUR_S, **story) for i in range(n)]


def _states(*hours: tuple[float, float, str]) -> list[tuple[float, float, str]]:
    return [(MIDNIGHT + a * HOUR_S, MIDNIGHT + b * HOUR_S, name) for a, b, name in hours]


def test_hours_that_nobody_wore_it_are_left_out_of_the_clock(make_data: MakeData) -> None:
    states = _states((8.0, 9.0, "rest"), (32.0, 33.2, "stress"), (42.0, 42.25, "rest"))
    page = days_section(make_data(days=_days(2), states=states))
    for told in ("08:00", "09:00", "18:00"):
        assert f">{told}<" in page
    for untold in ("07:00", "12:00", "17:00", "19:00"):
        assert f">{untold}<" not in page
    assert "⋯" in page


def test_a_day_says_how_long_and_what(make_data: MakeData) -> None:
    states = _states((8.0, 9.0, "rest"), (9.0, 9.5, "stress"), (9.5, 10.0, "not_worn"))
    happened = [
        (MIDNIGHT + 9 * HOUR_S, "waits", "learning waits for mains power"),
        (MIDNIGHT + 9 * HOUR_S + 1, "warning", "rest set aside"),
    ]
    walks = [(MIDNIGHT + 9.1 * HOUR_S, MIDNIGHT + 9.2 * HOUR_S, "other")]
    page = days_section(
        make_data(days=_days(2, happened=happened, walks=walks), states=states, tz_offset_s=7200.0)
    )
    for told in (
        "1 h 30 min",
        "not worn",
        "<small>09:00</small>",
        "learning waits for mains power",
        "somebody else 6 min",
    ):
        assert told in page
    assert page.count('class="sign"') >= 2
    assert page.count('class="sign bad"') >= 2


def test_long_lists_are_cut_and_say_so(make_data: MakeData) -> None:
    happened = [(MIDNIGHT + i, "waits", f"because {i}") for i in range(30)]
    page = days_section(make_data(days=_days(2, happened=happened), states=_states((0, 1, "rest"))))
    assert "because 11" in page
    assert "and 18 more" in page
    assert page.count("Day 0") >= 1
    many = days_section(make_data(days=_days(40), states=_states((0, 1, "rest"))))
    assert "The last 21 of 40 days" in many
    assert "Day 18<" not in many


def test_one_day_is_left_to_the_time_line(make_data: MakeData) -> None:
    assert days_section(make_data(days=_days(1))) is None
    assert "There is one day only" in render(make_data(days=_days(1)))


def test_the_clock_knows_only_its_hours() -> None:
    clock = Clock(((0.0, 900.0), (1800.0, 2700.0)), 100.0, 216.0)
    assert clock.x(0.0) == 100.0
    assert clock.x(1800.0) == 166.0
    assert clock.x(2700.0) == 216.0
    assert clock.x(1000.0) is None
