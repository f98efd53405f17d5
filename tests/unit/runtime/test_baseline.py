from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_host.events import Labelled, OnBoard
from firmware_host.runtime.baseline import Source, TimedWindow, WearerBaseline
from firmware_host.signals.normalise import BaselineEstimator
from firmware_host.signals.stress import FEATURE_NAMES, StressWindow

WINDOW_S, HOP_S = 60.0, 10.0
N = len(FEATURE_NAMES)


def _window(t_s: float, *, value: float = 1.0, motion: float = 0.05, worn: bool = True):
    features = np.full(N, value, np.float32)
    quality = dict.fromkeys(("bvp", "eda", "temp", "acc"), 0.9)
    return TimedWindow(StressWindow(t_s, features, quality, motion, worn, 0.0), 1e9 + t_s, 7)


def _rest(start_utc: float, end_utc: float, now_utc: float, on_board: OnBoard | None = None):
    return Labelled(now_utc - 1e9, now_utc, "rest", start_utc, end_utc, "button", on_board)


def _times(minutes: float) -> np.ndarray:
    return np.arange(WINDOW_S, minutes * 60 + 1, HOP_S)


def test_ten_minutes_of_wear_make_a_quiet_baseline_from_the_calmest_half() -> None:
    seen = []
    baseline = WearerBaseline(window_s=WINDOW_S, changed=lambda *args: seen.append(args))
    for i, t_s in enumerate(_times(10)):
        moving = i % 2 == 0
        baseline.watch(_window(t_s, value=9.0 if moving else 1.0, motion=0.5 if moving else 0.05))
    assert baseline.source is Source.QUIET
    assert np.all(baseline.current.center < 1.5)
    assert len(seen) == 1


def test_time_off_the_wrist_does_not_count() -> None:
    baseline = WearerBaseline(window_s=WINDOW_S)
    for t_s in _times(30):
        baseline.watch(_window(t_s, worn=False))
    assert baseline.current is None
    assert baseline.progress == 0.0


def test_guided_rest_replaces_a_quiet_baseline_once() -> None:
    baseline = WearerBaseline(window_s=WINDOW_S)
    for t_s in _times(20):
        baseline.watch(_window(t_s, value=1.0 if t_s <= 600 else 3.0))
    assert baseline.source is Source.QUIET
    assert baseline.rest_labelled(_rest(1e9 + 700, 1e9 + 1200, 1e9 + 1200))
    assert baseline.source is Source.GUIDED
    assert np.allclose(baseline.current.center, 3.0)
    assert not baseline.rest_labelled(_rest(1e9 + 0, 1e9 + 600, 1e9 + 1200))


def test_short_rest_is_no_guided_baseline() -> None:
    baseline = WearerBaseline(window_s=WINDOW_S)
    for t_s in _times(5):
        baseline.watch(_window(t_s))
    assert not baseline.rest_labelled(_rest(1e9, 1e9 + 110, 1e9 + 300))
    assert baseline.current is None


def test_rest_is_that_of_the_presses_when_the_clock_was_set_back_meanwhile() -> None:
    baseline = WearerBaseline(window_s=WINDOW_S)
    for t_s in _times(50):
        # Half an hour in, the host's clock is set back by half an hour.
        timed = _window(t_s, value=1.0 if t_s <= 1800 else 3.0)
        back_s = 1800.0 if t_s > 1800 else 0.0
        baseline.watch(replace(timed, utc=timed.utc - back_s))
    start_utc, end_utc = 1e9 + 600, 1e9 + 1000
    on_board = OnBoard(7, 2400.0, 2800.0, start_utc)
    assert baseline.rest_labelled(_rest(start_utc, end_utc, 1e9 + 1200, on_board))
    assert np.allclose(baseline.current.center, 3.0)
    by_host = WearerBaseline(window_s=WINDOW_S)
    by_host._recent.extend(baseline._recent)
    assert by_host.rest_labelled(_rest(start_utc, end_utc, 1e9 + 1200))
    assert not np.allclose(by_host.current.center, 3.0)


def test_a_stored_baseline_is_kept() -> None:
    first = WearerBaseline(window_s=WINDOW_S)
    for t_s in _times(10):
        first.watch(_window(t_s, value=2.0))
    again = WearerBaseline(window_s=WINDOW_S, current=first.current, source=first.source)
    for t_s in _times(12):
        again.watch(_window(t_s, value=8.0))
    assert np.allclose(again.current.center, 2.0)


def test_walking_under_a_rest_label_is_no_rest() -> None:
    baseline = WearerBaseline(window_s=WINDOW_S, max_motion_ms2=0.25)
    for t_s in _times(5):
        baseline.watch(_window(t_s, motion=2.0))
    assert not baseline.rest_labelled(_rest(1e9, 1e9 + 300, 1e9 + 300))


def _at(day: float, t_s: float, **facts) -> TimedWindow:
    timed = _window(t_s, **facts)
    return TimedWindow(timed.window, 1e9 + day * 86_400.0 + t_s, 7)


def test_rest_is_learned_anew_on_another_day() -> None:
    seen = []
    again = WearerBaseline(
        window_s=WINDOW_S,
        current=BaselineEstimator().baseline(),
        source=Source.GUIDED,
        taken_utc=1e9,
        changed=lambda *args: seen.append(args),
    )
    again.watch(_at(1, 60.0, value=8.0))
    assert again.current is None
    for t_s in _times(10)[1:]:
        again.watch(_at(1, t_s, value=8.0))
    assert again.source is Source.QUIET
    assert np.allclose(again.current.center, 8.0)
    assert len(seen) == 1


def test_rest_of_this_morning_is_kept_after_lunch() -> None:
    morning = BaselineEstimator().baseline()
    again = WearerBaseline(
        window_s=WINDOW_S, current=morning, source=Source.QUIET, taken_utc=1e9 - 4 * 3600.0
    )
    for t_s in _times(12):
        again.watch(_window(t_s, value=8.0))
    assert again.current is morning


def test_rest_never_moves_while_the_band_stays_on() -> None:
    baseline = WearerBaseline(window_s=WINDOW_S)
    for t_s in _times(12 * 60):
        baseline.watch(_window(t_s, value=1.0 if t_s <= 600 else 5.0))
    assert np.allclose(baseline.current.center, 1.0)
    assert baseline.n_learned == 1


def test_a_band_put_on_the_next_morning_learns_again_in_the_same_run() -> None:
    baseline = WearerBaseline(window_s=WINDOW_S)
    for t_s in _times(12):
        baseline.watch(_window(t_s, value=1.0))
    for t_s in _times(12):
        baseline.watch(_at(1, t_s, value=4.0))
    assert np.allclose(baseline.current.center, 4.0)
    assert baseline.n_learned == 2


def test_minutes_of_a_too_short_wear_do_not_count_into_the_next_days_ten() -> None:
    baseline = WearerBaseline(window_s=WINDOW_S)
    for t_s in _times(4):
        baseline.watch(_window(t_s, value=1.0))
    for t_s in _times(9):
        baseline.watch(_at(1, t_s, value=4.0))
    assert baseline.current is None
    baseline.watch(_at(1, 600.0, value=4.0))
    assert np.allclose(baseline.current.center, 4.0)


def test_forgotten_rest_is_learned_anew_in_the_same_run() -> None:
    baseline = WearerBaseline(window_s=WINDOW_S)
    for t_s in _times(10):
        baseline.watch(_window(t_s, value=1.0))
    baseline.forget()
    for t_s in _times(10):
        baseline.watch(_at(0.1, t_s, value=4.0))
    assert np.allclose(baseline.current.center, 4.0)
