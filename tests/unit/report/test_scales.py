"""Scales, ticks and printed values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from firmware_host.report.scales import (
    Linear,
    nice_ticks,
    print_duration,
    print_signed,
    print_value,
    robust_range,
    time_ticks,
    zone_name,
)

NOON_UTC = 1_790_078_400.0  # 2026-09-22 12:00:00 UTC


def test_linear_keeps_values_inside_the_drawing() -> None:
    scale = Linear(0.0, 10.0, 100.0, 0.0)
    assert [scale(v) for v in (-5.0, 0.0, 5.0, 99.0)] == [100.0, 100.0, 50.0, 0.0]


def test_linear_of_an_empty_range_is_the_middle() -> None:
    assert Linear(3.0, 3.0, 0.0, 10.0)(3.0) == 5.0


def test_nice_ticks_are_round_and_inside() -> None:
    assert nice_ticks(0.13, 0.91, 4) == pytest.approx([0.2, 0.4, 0.6, 0.8])


def test_robust_range_is_not_flattened_by_one_spike() -> None:
    values = np.append(np.linspace(0.0, 1.0, 1000), 1e9)
    low, high = robust_range(values, values)
    assert low == 0.0
    assert 1.0 < high < 2.0


def test_robust_range_keeps_ordinary_extremes() -> None:
    values = np.array([1.0, 2.0, 3.0])
    assert robust_range(values, values) == (1.0, 3.0)


def test_time_ticks_fall_on_local_half_hours_in_a_half_hour_zone() -> None:
    ticks = time_ticks(NOON_UTC, NOON_UTC + 7200, 19_800.0, 6)
    assert [label for _, label, _ in ticks] == ["17:30", "18:00", "18:30", "19:00", "19:30"]
    assert ticks[1][0] == NOON_UTC + 1800


def test_time_ticks_name_the_day_at_midnight() -> None:
    ticks = time_ticks(NOON_UTC, NOON_UTC + 86_400, 0.0, 6)
    assert [label for _, label, is_midnight in ticks if is_midnight] == ["23 Sep"]


@pytest.mark.parametrize("span_s", [1.0, 37.0, 600.0, 9e3, 9e4, 1e6, 1e8])
def test_time_ticks_are_few_at_every_length(span_s: float) -> None:
    ticks = time_ticks(NOON_UTC, NOON_UTC + span_s, 3600.0, 8)
    assert 1 <= len(ticks) <= 9 or span_s < 2
    assert all(NOON_UTC <= t <= NOON_UTC + span_s for t, _, _ in ticks)


def test_zone_name_of_a_western_half_hour() -> None:
    assert zone_name(-12_600.0) == "UTC-03:30"


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0.0, "0"),
        (0.6412, "0.641"),
        (64.0, "64"),
        (-40.5, "−40.5"),
        (152_340.0, "152\u202f340"),
        (1.2e-9, "1.2e−9"),
        (-2e18, "under −1e15"),
        (3.2e9, "3.2e9"),
        (math.nan, "–"),
        (math.inf, "–"),
    ],
)
def test_print_value(value: float, printed: str) -> None:
    assert print_value(value) == printed


@pytest.mark.parametrize(
    ("seconds", "printed"),
    [
        (4.25, "4.2 s"),
        (45.0, "45 s"),
        (720.0, "12 min"),
        (25_500.0, "7 h 05 min"),
        (86_400.0, "24 h"),
        (183_600.0, "2 d 3 h"),
    ],
)
def test_print_duration(seconds: float, printed: str) -> None:
    assert print_duration(seconds) == printed


def test_print_signed_of_small_and_large() -> None:
    assert [print_signed(v) for v in (0.5, -1.234, 1e6, math.nan)] == [
        "+0.50",
        "−1.23",
        "1\u202f000\u202f000",
        "–",
    ]
