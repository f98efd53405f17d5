from __future__ import annotations

import numpy as np
import pytest

from firmware_host.stream.clock import StreamClock
from firmware_host.stream.envelope import LowerEnvelope

UTC0 = 1_767_600_000.0
WRAP = 1 << 32


def _deliver(
    rng: np.random.Generator, *, duration_s: float, drift_ppm: float, bursts: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Board time, true host time and arrival of four streams of blocks."""
    streams = [
        np.arange(phase, duration_s, every)
        for phase, every in ((0.0, 0.5), (0.13, 0.5), (0.31, 1.0), (0.77, 1.0))
    ]
    board_s = np.sort(np.concatenate(streams))
    true_utc = UTC0 + board_s * (1 - drift_ppm * 1e-6)
    arrival = true_utc + rng.exponential(0.005, len(board_s))
    if bursts:
        polls = UTC0 + np.cumsum(rng.uniform(0.001, 0.06, int(duration_s * 40)))
        arrival = polls[np.searchsorted(polls, arrival)]
    return board_s, true_utc, np.maximum.accumulate(arrival)


@pytest.mark.parametrize("drift_ppm", [-50.0, 0.0, 50.0])
def test_median_error_is_below_1_ms_after_a_minute_of_bursty_delivery(
    rng: np.random.Generator, drift_ppm: float
) -> None:
    board_s, true_utc, arrival = _deliver(rng, duration_s=600, drift_ppm=drift_ppm, bursts=True)
    clock = StreamClock(0, arrival[0])
    errors_s = []
    for at_s, truth, arrived in zip(board_s, true_utc, arrival, strict=True):
        t_s = clock.unwrap(int(at_s * 1e6), arrived)
        assert clock.observe(t_s, arrived) is None
        if at_s > 60:
            errors_s.append(abs(clock.utc(t_s) - truth))
    assert np.median(errors_s) <= 1e-3
    assert clock.health().drift_ppm == pytest.approx(drift_ppm, abs=5.0)


def test_round_trips_remove_a_delay_every_delivery_has(rng: np.random.Generator) -> None:
    board_s, true_utc, arrival = _deliver(rng, duration_s=120, drift_ppm=20, bursts=False)
    arrival = arrival + 0.020
    clock = StreamClock(0, arrival[0])
    for i, (at_s, truth, arrived) in enumerate(zip(board_s, true_utc, arrival, strict=True)):
        t_s = clock.unwrap(int(at_s * 1e6), arrived)
        clock.observe(t_s, arrived)
        if i % 10 == 0:
            clock.observe_round_trip(t_s, truth - 0.0205, truth + 0.0205)
    assert clock.utc(t_s) == pytest.approx(truth, abs=1e-3)
    assert clock.health().round_trip_ms == pytest.approx(41.0, abs=0.1)


def test_answer_before_its_question_is_a_wrong_call() -> None:
    clock = StreamClock(0, UTC0)
    with pytest.raises(ValueError, match="before its question"):
        clock.observe_round_trip(1.0, UTC0 + 2, UTC0 + 1)


def test_ticks_unwrap_over_many_wraps() -> None:
    clock = StreamClock(WRAP - 500_000, UTC0)
    wraps = 0
    for k in range(0, 20_000):
        t_s = clock.unwrap((WRAP - 500_000 + k * 1_000_000) % WRAP, UTC0 + k)
        assert t_s == k
        wraps += clock.wrapped()
    assert wraps == clock.n_wraps == 5


@pytest.mark.parametrize("step_s", [3e6, 3e8, 1.7e9])
def test_clock_set_by_years_is_no_silence_of_the_board(step_s: float) -> None:
    clock = StreamClock(0, UTC0)
    assert clock.unwrap(1_000_000, UTC0 + 1) == 1.0
    assert clock.unwrap(2_000_000, UTC0 + 2 + step_s) == 2.0


@pytest.mark.parametrize("silence_s", [60.0, 2_400.0, 4_294.0, 9_000.0, 36_000.0])
def test_ticks_unwrap_after_a_silence_longer_than_a_wrap(silence_s: float) -> None:
    clock = StreamClock(123, UTC0)
    ticks_us = (123 + round(silence_s * 1e6)) % WRAP
    assert clock.unwrap(ticks_us, UTC0 + silence_s + 0.2) == pytest.approx(silence_s)


def test_an_older_tick_count_does_not_move_the_clock_back() -> None:
    clock = StreamClock(0, UTC0)
    assert clock.unwrap(5_000_000, UTC0 + 5) == 5.0
    assert clock.unwrap(4_000_000, UTC0 + 5) == 4.0
    assert clock.unwrap(6_000_000, UTC0 + 6) == 6.0


@pytest.mark.parametrize("step_s", [-3600.0, -5.0, 7.0, 86_400.0])
def test_a_host_clock_that_is_set_is_a_step_and_the_map_follows(step_s: float) -> None:
    clock = StreamClock(0, UTC0)
    steps = []
    for k in range(1, 1200):
        arrived = UTC0 + k * 0.25 + (step_s if k > 600 else 0.0)
        step = clock.observe(clock.unwrap(k * 250_000, arrived), arrived)
        if step is not None:
            steps.append(step)
    assert steps == [pytest.approx(step_s, abs=1e-6)]
    assert clock.utc(299.0) == pytest.approx(UTC0 + 299.0 + step_s, abs=1e-3)
    assert clock.health().n_steps == 1


def test_a_stalled_link_that_catches_up_is_not_a_step() -> None:
    clock = StreamClock(0, UTC0)
    for k in range(1, 2000):
        live = UTC0 + k * 0.25
        # Everything of 100 s to 145 s comes in one go at 145 s.
        arrived = max(live, UTC0 + 145.0) if 400 < k < 580 else live
        assert clock.observe(clock.unwrap(k * 250_000, arrived), arrived) is None
    assert clock.utc(400.0) == pytest.approx(UTC0 + 400.0, abs=1e-3)


def test_a_backlog_at_the_start_is_corrected_once_live() -> None:
    clock = StreamClock(0, UTC0 + 600)
    for k in range(1, 8000):
        live = UTC0 + k * 0.25
        arrived = max(live, UTC0 + 600 + k * 0.001)
        clock.observe(clock.unwrap(k * 250_000, arrived), arrived)
    assert clock.utc(1999.0) == pytest.approx(UTC0 + 1999.0, abs=2e-3)


def test_map_depends_on_deliveries_only_and_not_on_reads(rng: np.random.Generator) -> None:
    board_s, _, arrival = _deliver(rng, duration_s=300, drift_ppm=30, bursts=True)
    read, unread = StreamClock(0, arrival[0]), StreamClock(0, arrival[0])
    for at_s, arrived in zip(board_s, arrival, strict=True):
        for clock in (read, unread):
            clock.observe(clock.unwrap(int(at_s * 1e6), arrived), arrived)
        read.utc(at_s)
        read.health()
    assert read.utc(299.0) == unread.utc(299.0)


def test_delivery_below_the_line_lowers_it_at_once() -> None:
    """Not when its two seconds are over: meanwhile the board's time would be told as too late."""
    clock = StreamClock(0, UTC0 + 0.5)
    for t_s, delay_s in ((0.1, 0.3), (0.2, 0.4), (0.3, 0.1)):
        assert clock.observe(t_s, UTC0 + t_s + delay_s) is None
    assert clock.utc(0.3) == pytest.approx(UTC0 + 0.4, abs=1e-6)


def test_skew_that_is_not_known_yet_hides_no_fast_delivery() -> None:
    """A clock that is 1 % off, and one delivery in two seconds without delay, just before they are over."""
    envelope, skew = LowerEnvelope(), 0.01
    for k in range(60):
        t_s = 0.5 * k
        envelope.add(t_s, skew * t_s + (0.0 if k % 4 == 3 else 0.012))
    assert envelope.line is not None
    assert envelope.line.skew == pytest.approx(skew, rel=1e-6)
    assert envelope.line.at(29.5) == pytest.approx(skew * 29.5, abs=1e-6)


def test_envelope_keeps_bounded_memory_over_a_week(rng: np.random.Generator) -> None:
    envelope = LowerEnvelope()
    for t_s in np.arange(0.0, 100_000.0, 1.5):
        envelope.add(float(t_s), 5.0 + 1e-5 * t_s + float(rng.exponential(0.01)))
    assert envelope.span_s <= 680.0
    assert envelope.line is not None
    assert envelope.line.skew == pytest.approx(1e-5, abs=3e-6)


@pytest.mark.parametrize("ticks_us", [-1, WRAP])
def test_ticks_out_of_range_are_a_wrong_call(ticks_us: int) -> None:
    with pytest.raises(ValueError, match="32-bit"):
        StreamClock(ticks_us, UTC0)


def test_arrival_that_is_not_a_time_is_a_wrong_call() -> None:
    with pytest.raises(ValueError, match="finite"):
        StreamClock(0, float("nan"))
