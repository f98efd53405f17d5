from __future__ import annotations

import pytest

from firmware_host.runtime.loss import LossMeter


def _meter(*totals: tuple[float, int, int]) -> LossMeter:
    meter = LossMeter()
    for t_s, n_arrived, n_missing in totals:
        meter.take(t_s, n_arrived, n_missing)
    return meter


def test_share_is_that_of_the_last_minute_only() -> None:
    early = [(float(t), 100 * t, 50 * t) for t in range(0, 60)]
    late = [(60.0 + t, 6000 + 100 * t, 3000) for t in range(0, 62)]
    assert _meter(*early).percent == pytest.approx(100 / 3)
    assert _meter(*early, *late).percent == 0.0


def test_too_little_says_nothing() -> None:
    assert LossMeter().percent is None
    assert _meter((0.0, 0, 0), (9.9, 0, 99)).percent is None
    assert _meter((0.0, 0, 0), (10.0, 0, 0)).percent is None
    assert _meter((0.0, 0, 0), (10.0, 30, 10)).percent == 25.0


def test_another_session_begins_anew() -> None:
    meter = _meter((0.0, 0, 0), (50.0, 10, 90), (1.0, 10, 90))
    assert meter.percent is None
    meter.take(21.0, 110, 90)
    assert meter.percent == 0.0
