from __future__ import annotations

import pytest

from firmware_host.runtime.battery import Battery, is_low


@pytest.mark.parametrize(
    ("reports", "said"),
    [
        ([98, 60, 21, 20, 19, 11, 10, 6, 5, 4, 0], [20, 10, 5]),
        ([15, 14], [15]),
        ([50, 3], [3]),
        ([19, 100, 20], [19, 20]),
        ([100, 99], []),
    ],
)
def test_each_limit_is_said_once_on_the_way_down(reports: list[int], said: list[int]) -> None:
    battery = Battery()
    assert battery.percent is None
    assert [percent for percent in reports if battery.take(percent)] == said
    assert battery.percent == reports[-1]


def test_low_is_when_to_charge() -> None:
    assert [is_low(percent) for percent in (0, 20, 21, 100)] == [True, True, False, False]
