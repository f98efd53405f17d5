"""What a stretch of wear is taken for: a day of the drift monitor, and whose it was."""

from __future__ import annotations

from firmware_host.events import State, StressScored, Wearer, WearerVerified
from firmware_host.runtime.wear import DayFacts, Wear

HOUR_S = 3600.0


def _window(utc: float, state: State = State.REST) -> StressScored:
    return StressScored(0.0, utc, state, None, None, 0, 1.0, 0.0)


def _walked(utc: float, wearer: Wearer, *, score: float = 2.0, n: int = 11) -> WearerVerified:
    return WearerVerified(0.0, utc, wearer, score, n)


def test_a_day_is_over_with_the_first_window_of_another_wear_six_hours_later() -> None:
    day = DayFacts()
    assert not day.is_over(0.0)
    for hour in (0.0, 1.0):
        day.take(_window(hour * HOUR_S))
    day.take(_window(8 * HOUR_S, State.NOT_WORN))
    assert not day.is_over(1.4 * HOUR_S)
    assert not day.is_over(5.0 * HOUR_S)
    assert day.is_over(7.0 * HOUR_S)
    assert day.begun_utc == 0.0


def test_a_band_that_stays_on_all_day_makes_one_day() -> None:
    day = DayFacts()
    for minute in range(0, 15 * 60, 10):
        assert not day.is_over(minute * 60.0)
        day.take(_window(minute * 60.0))


def test_short_walks_count_neither_for_the_monitor_nor_for_whose_wear_it_was() -> None:
    day, wear = DayFacts(), Wear()
    for _ in range(40):
        event = _walked(10.0, Wearer.OTHER, n=5)
        day.take(event)
        wear.walked(event)
    assert day.told("wrist").n_gait == 0
    assert not wear.is_somebody_elses
    day.take(_walked(20.0, Wearer.WEARER, score=3.0))
    assert (day.told("wrist").gait_sum, day.told("wrist").n_gait) == (3.0, 1)


def test_a_wear_is_somebody_elses_after_half_a_minute_that_says_so_and_little_against_it() -> None:
    wear = Wear()
    for _ in range(10):
        wear.walked(_walked(0.0, Wearer.OTHER))
    assert not wear.is_somebody_elses
    wear.walked(_walked(0.0, Wearer.OTHER))
    assert wear.is_somebody_elses
    for _ in range(3):
        wear.walked(_walked(0.0, Wearer.WEARER))
    assert not wear.is_somebody_elses
