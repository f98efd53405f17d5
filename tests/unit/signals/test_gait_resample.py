"""Resampling of motion onto a grid, and the times of samples."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.errors import SignalError
from firmware_host.signals.motion_ring import SampleClock, SampleRing
from firmware_host.signals.resample import grid_s, resample


def test_resample_when_the_grid_hits_the_samples_returns_them(rng):
    t_s = np.arange(300) / 50.0
    rows = rng.normal(size=(300, 3))
    grid = grid_s(t_s[-1], 250, sample_rate_hz=50.0)
    np.testing.assert_allclose(
        resample(t_s, rows, grid, input_rate_hz=50.0, rate_hz=50.0), rows[-250:], atol=1e-9
    )


def test_resample_when_down_averages_what_would_alias():
    t_s = np.arange(1000) / 100.0
    fast = np.sin(2 * np.pi * 40.0 * t_s)[:, None]
    grid = grid_s(9.9, 100, sample_rate_hz=20.0)
    out = resample(t_s, fast, grid, input_rate_hz=100.0, rate_hz=20.0)
    assert np.abs(out).max() < 0.25


def test_resample_when_down_keeps_a_ramp_delayed_by_half_a_period():
    t_s = np.arange(1000) / 100.0
    grid = grid_s(9.9, 100, sample_rate_hz=20.0)
    out = resample(t_s, t_s[:, None], grid, input_rate_hz=100.0, rate_hz=20.0)
    np.testing.assert_allclose(out[:, 0], grid - 0.025, atol=1e-9)


def test_resample_when_outside_the_samples_holds_the_nearest():
    t_s = np.arange(400) / 100.0
    rows = t_s[:, None]
    grid = grid_s(5.0, 100, sample_rate_hz=20.0)
    out = resample(t_s, rows, grid, input_rate_hz=100.0, rate_hz=20.0)
    np.testing.assert_allclose(out[-15:], rows[-1, 0], atol=1e-9)


def test_resample_when_there_is_one_sample_is_zero():
    out = resample(np.zeros(1), np.ones((1, 3)), np.arange(5.0), input_rate_hz=50.0, rate_hz=1.0)
    assert out.shape == (5, 3)
    assert not out.any()


def test_ring_when_it_wraps_keeps_the_newest():
    ring = SampleRing(100, 1)
    for start in range(0, 1000, 7):
        t_s = np.arange(start, start + 7, dtype=float)
        ring.append(t_s, t_s[:, None])
    times, rows = ring.between(920.0, 1000.0)
    np.testing.assert_array_equal(times, np.arange(920.0, 1001.0))
    np.testing.assert_array_equal(rows[:, 0], times)


def test_clock_when_blocks_follow_counts_from_the_first(rng):
    clock, whole = (SampleClock("acc", sample_rate_hz=32.0) for _ in range(2))
    expected = whole.times_s(3.0, 320, gap=False)
    cut = [clock.times_s(3.0 + i / 32.0, 32, gap=False) for i in range(0, 320, 32)]
    assert np.concatenate(cut).tobytes() == expected.tobytes()


def test_clock_when_stamps_jitter_backwards_keeps_increasing(rng):
    clock = SampleClock("acc", sample_rate_hz=50.0)
    stamps = np.arange(100) * 0.2 + rng.uniform(-0.1, 0.1, 100)
    times = np.concatenate([clock.times_s(stamp, 10, gap=False) for stamp in stamps])
    assert (np.diff(times) > 0).all()


@pytest.mark.parametrize("true_hz", [51.5, 55.0, 100.0])
def test_clock_when_the_sensor_is_faster_than_declared_stays_with_the_board(true_hz):
    clock = SampleClock("acc", sample_rate_hz=50.0)
    kept, ahead_s = [], []
    for block in range(600):
        t0_s = block * 10 / true_hz
        kept.append(clock.times_s(t0_s, 10, gap=False))
        ahead_s.append(max(kept[-1].max(initial=t0_s) - t0_s - 0.2, 0.0))
    times = np.concatenate(kept)
    assert (np.diff(times) > 0).all()
    assert max(ahead_s) < 0.3
    # Blocks move together by half a sample before anything is left out.
    assert len(times) == pytest.approx(600 * 10 * 50 / true_hz, rel=0.08)


def test_clock_when_time_goes_back_refuses():
    clock = SampleClock("gyro", sample_rate_hz=50.0)
    clock.times_s(100.0, 50, gap=False)
    with pytest.raises(SignalError, match="gyro"):
        clock.times_s(5.0, 50, gap=False)
