"""Walks, steps and cadence of a day out of stored activity windows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from firmware_host.runtime.gather_walking import cadence_signal, walking_days, walks

T0 = 1_790_000_000.0
HOP_S = 2.5


def _windows(
    start_utc: float, n: int, activity: str = "walk", spm: float | None = 120.0
) -> list[dict[str, Any]]:
    rows = range(1, n + 1)
    return [{"utc": start_utc + HOP_S * i, "activity": activity, "cadence_spm": spm} for i in rows]


def test_steps_are_cadence_over_time() -> None:
    (walk,) = walks(_windows(T0, 24), HOP_S)
    assert walk.steps == pytest.approx(120.0)
    assert walk.seconds == pytest.approx(60.0)
    assert (walk.start_utc, walk.end_utc) == (T0, T0 + 60.0)


def test_a_window_without_a_cadence_is_walked_like_the_others() -> None:
    events = [*_windows(T0, 4), *_windows(T0 + 10, 4, spm=None), *_windows(T0 + 20, 4)]
    (walk,) = walks(events, HOP_S)
    assert walk.steps == pytest.approx(60.0)


def test_a_walk_without_any_cadence_has_time_and_no_steps() -> None:
    (walk,) = walks(_windows(T0, 8, spm=None), HOP_S)
    assert (walk.seconds, walk.steps) == (20.0, 0.0)
    (day,) = walking_days(_windows(T0, 8, spm=None), HOP_S, lambda _: 0.0)
    assert np.isnan(day.cadence_spm)


def test_a_short_pause_belongs_to_the_walk_and_a_long_one_ends_it() -> None:
    short = [*_windows(T0, 8), *_windows(T0 + 20, 3, "still", None), *_windows(T0 + 27.5, 8)]
    assert [walk.seconds for walk in walks(short, HOP_S)] == [40.0]
    long = [*_windows(T0, 8), *_windows(T0 + 35, 8)]
    assert [walk.seconds for walk in walks(long, HOP_S)] == [20.0, 20.0]


def test_running_counts_steps_and_leaves_the_walking_cadence_alone() -> None:
    events = [*_windows(T0, 8, spm=110.0), *_windows(T0 + 20, 8, "run", 165.0)]
    (day,) = walking_days(events, HOP_S, lambda _: 0.0)
    assert day.steps == round((110 + 165) / 3)
    assert (day.cadence_spm, day.low_spm, day.high_spm) == (110.0, 110.0, 110.0)


def test_stairs_and_the_rest_are_no_walk() -> None:
    events = [*_windows(T0, 8, "stairs", None), *_windows(T0 + 20, 8, "other", None)]
    assert walks(events, HOP_S) == []
    assert walking_days(events, HOP_S, lambda _: 0.0) == []
    assert cadence_signal(events) == []


def test_days_are_the_wearers_own() -> None:
    midnight_utc = 1_789_948_800.0
    events = [*_windows(midnight_utc - 1800, 8), *_windows(midnight_utc + 1800, 8)]
    by_utc = [day.day for day in walking_days(events, HOP_S, lambda _: 0.0)]
    assert by_utc == ["2026-09-20", "2026-09-21"]
    (day,) = walking_days(events, HOP_S, lambda _: 7200.0)
    assert (day.day, day.n_walks, day.steps) == ("2026-09-21", 2, 80)


def test_the_curve_has_the_known_cadences_only() -> None:
    (curve,) = cadence_signal([*_windows(T0, 2), *_windows(T0 + 5, 2, spm=None)])
    assert np.asarray(curve.values).tolist() == [120.0, 120.0]
    assert curve.unit == "steps/min"
