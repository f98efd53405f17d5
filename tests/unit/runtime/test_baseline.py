from __future__ import annotations

import numpy as np

from firmware_host.runtime.baseline import Source, TimedWindow, WearerBaseline
from firmware_host.signals.stress import FEATURE_NAMES, StressWindow

WINDOW_S, HOP_S = 60.0, 10.0
N = len(FEATURE_NAMES)


def _window(t_s: float, *, value: float = 1.0, motion: float = 0.05, worn: bool = True):
    features = np.full(N, value, np.float32)
    quality = dict.fromkeys(("bvp", "eda", "temp", "acc"), 0.9)
    return TimedWindow(StressWindow(t_s, features, quality, motion, worn, 0.0), 1e9 + t_s, 7)


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
    assert baseline.rest_labelled(1e9 + 700, 1e9 + 1200, 1e9 + 1200)
    assert baseline.source is Source.GUIDED
    assert np.allclose(baseline.current.center, 3.0)
    assert not baseline.rest_labelled(1e9 + 0, 1e9 + 600, 1e9 + 1200)


def test_short_rest_is_no_guided_baseline() -> None:
    baseline = WearerBaseline(window_s=WINDOW_S)
    for t_s in _times(5):
        baseline.watch(_window(t_s))
    assert not baseline.rest_labelled(1e9, 1e9 + 110, 1e9 + 300)
    assert baseline.current is None


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
    assert not baseline.rest_labelled(1e9, 1e9 + 300, 1e9 + 300)
