"""Sample numbers, holes, drift; and the history that remembers by number."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.errors import SignalError
from firmware_host.signals.timeline import MAX_HOLES, History, Timeline, is_finite


def rows(*values):
    return np.array(values, dtype=np.float64).reshape(-1, 1)


def test_samples_are_one_run_when_nothing_is_missing():
    line = Timeline("eda", sample_rate_hz=4.0)
    assert [n for n, _ in line.segments(10.0, rows(1, 2, 3), 0)] == [0]
    assert line.n_samples == 3
    assert line.index_at(10.75) == 3
    assert line.missing_share(0, 3) == 0.0


def test_nan_is_a_hole_when_inside_a_chunk():
    line = Timeline("eda", sample_rate_hz=4.0)
    runs = line.segments(0.0, rows(1, np.nan, np.nan, 2, np.inf), 0)
    assert [(n, run.ravel().tolist()) for n, run in runs] == [(0, [1.0]), (2, [2.0]), (1, [])]
    assert line.n_samples == 5
    assert line.missing_share(0, 5) == pytest.approx(3 / 5)


def test_declared_gap_is_counted_when_stamps_agree():
    line = Timeline("eda", sample_rate_hz=4.0)
    line.segments(0.0, rows(1, 2, 3, 4), 0)
    runs = line.segments(3.0, rows(5), 8)
    assert runs[0][0] == 8
    assert line.n_samples == 13
    assert line.missing_share(4, 12) == 1.0


def test_jump_ahead_is_a_gap_when_nobody_declared_it():
    line = Timeline("eda", sample_rate_hz=4.0)
    line.segments(0.0, rows(1, 2, 3, 4), 0)
    assert line.segments(11.0, rows(5), 0)[0][0] == 40


def test_axis_follows_the_board_when_its_clock_drifts():
    line = Timeline("eda", sample_rate_hz=4.0)
    # The board's 4 Hz are 3.9 Hz: an hour later the stamps are 92 s ahead of the count.
    for second in range(3600):
        line.segments(second * 4 / 3.9, rows(1, 2, 3, 4), 0)
    assert line.missing_share(0, line.n_samples) == 0.0
    assert abs(line.index_at(3599 * 4 / 3.9) - 3599 * 4) <= 3


def test_time_going_back_is_refused_when_over_a_second():
    line = Timeline("eda", sample_rate_hz=4.0)
    line.segments(100.0, rows(1, 2, 3, 4), 0)
    with pytest.raises(SignalError, match="went back"):
        line.segments(50.0, rows(1), 0)


def test_window_is_missing_when_before_the_start_or_after_the_end():
    line = Timeline("eda", sample_rate_hz=4.0)
    line.segments(0.0, rows(*range(40)), 0)
    assert line.missing_share(-40, 40) == 0.5
    assert line.missing_share(20, 60) == 0.5
    assert line.missing_share(-40, -20) == 1.0


def test_holes_stay_bounded_when_every_block_is_lost():
    line = Timeline("eda", sample_rate_hz=4.0)
    for i in range(2 * MAX_HOLES):
        line.segments(i * 0.5, rows(1), 1)
    assert len(line._holes) == MAX_HOLES


def test_history_keeps_the_last_span_when_more_comes():
    history = History(10)
    for i in range(100):
        history.append([float(i)])
    assert history.window(90, 100).tolist() == [float(i) for i in range(90, 100)]
    assert np.isnan(history.window(95, 105)).tolist() == [False] * 5 + [True] * 5


def test_history_is_nan_when_samples_were_skipped():
    history = History(10)
    history.append([1.0, 2.0])
    history.skip(3)
    history.append([6.0])
    np.testing.assert_array_equal(history.window(0, 6), [1, 2, np.nan, np.nan, np.nan, 6])
    history.skip(1000)
    assert history.end == 1006
    assert np.isnan(history.window(996, 1006)).all()


def test_history_is_the_same_when_chunked(rng):
    x = rng.normal(size=500)
    whole, small = History(50), History(50)
    whole.append(x)
    for part in np.split(x, 100):
        small.append(part)
    np.testing.assert_array_equal(whole.window(450, 500), small.window(450, 500))
    assert np.isnan(whole.window(-5, 0)).all()


@pytest.mark.parametrize(
    ("value", "expected"), [(1.0, True), (1e200, True), (np.nan, False), (-np.inf, False)]
)
def test_finite_is_told_when_squares_overflow_too(value, expected):
    values = np.ones((4, 3))
    values[2, 1] = value
    assert is_finite(values) is expected
