"""Long pauses are drawn short, and every time can be told again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from firmware_host.report import ReportData, Signal, render
from firmware_host.report.pauses import Pauses, pauses_of

MakeData = Callable[..., ReportData]
T0 = 1_789_948_800.0
DAY_S = 86_400.0


def _days(make_data: MakeData, n: int, **changes: object) -> ReportData:
    starts = [T0 + 8 * 3600 + i * DAY_S for i in range(n)]
    states = [(a + k * 600, a + (k + 1) * 600, "rest") for a in starts for k in range(6)]
    t_utc = np.concatenate([a + np.arange(0.0, 3600.0, 10.0) for a in starts])
    signal = Signal("Heart rate", "bpm", t_utc, np.full(t_utc.size, 60.0))
    return make_data(
        start_utc=starts[0], end_utc=starts[-1] + 3600, tz_offset_s=0.0, states=states,
        activities=[], signals=[signal], labels=[(starts[1], starts[1] + 60, "stress")], truth=[],
        events=[(starts[1] + 30, "button")], not_worn=[], probability=None, **changes,
    )  # fmt: skip


def test_a_week_of_hours_is_drawn_as_long_as_its_hours(make_data: MakeData) -> None:
    data = _days(make_data, 7)
    pauses = pauses_of(data)
    drawn = pauses.shorten(data)
    assert len(pauses.stretches) == 7
    assert 7 * 3600 < drawn.end_utc - drawn.start_utc < 7.6 * 3600
    assert [b - a for a, b, _ in drawn.states] == pytest.approx([600.0] * 42, abs=1e-5)
    (a, b, _) = drawn.labels[0]
    assert pauses.true(a) == pytest.approx(T0 + 8 * 3600 + DAY_S, abs=1e-4)
    assert b - a == pytest.approx(60.0, abs=1e-4)
    assert drawn.events[0][0] == pytest.approx(a + 30.0, abs=1e-4)


def test_beyond_both_ends_time_goes_on(make_data: MakeData) -> None:
    pauses = pauses_of(_days(make_data, 2))
    early = pauses.true_utc[0] - 100.0
    assert pauses.drawn(np.array([early]))[0] == pytest.approx(pauses.drawn_utc[0] - 100.0)
    assert pauses.true(pauses.drawn_utc[-1] + 50.0) == pytest.approx(pauses.true_utc[-1] + 50.0)


def test_one_stretch_stays_as_it_is(make_data: MakeData) -> None:
    data = _days(make_data, 2)
    one = make_data()
    assert pauses_of(one).stretches == []
    assert Pauses().shorten(one) is one
    assert "cut short" not in render(one)
    assert "cut short" in render(data)


def test_each_day_is_named_under_the_time_line(make_data: MakeData) -> None:
    page = render(_days(make_data, 7))
    for day in range(21, 28):
        assert f">{day} Sep<" in page
