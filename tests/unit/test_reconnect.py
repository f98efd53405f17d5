"""Back-off: it grows, it is capped, and only a link that lived counts as healthy."""

from __future__ import annotations

import random

import pytest

from firmware_host.reconnect import JITTER, LONGEST_WAIT_S, STABLE_AFTER_S, LinkState, Reconnect


class MidRandom(random.Random):
    """Jitter of exactly nothing."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def fail(reconnect: Reconnect, reason: str = "no such port") -> float:
    reconnect.trying()
    reconnect.lost(reason)
    return reconnect.wait_s()


def test_first_attempt_is_due_at_once(clock) -> None:
    assert Reconnect(clock=clock, rng=MidRandom()).wait_s() == 0.0


def test_waits_double_up_to_the_ceiling(clock) -> None:
    reconnect = Reconnect(clock=clock, rng=MidRandom())
    waits_s = []
    for _ in range(9):
        waits_s.append(fail(reconnect))
        clock.advance(waits_s[-1])
    assert waits_s == pytest.approx([0.5, 1, 2, 3, 3, 3, 3, 3, 3], abs=1e-6)


def test_wait_shrinks_as_time_passes(clock) -> None:
    reconnect = Reconnect(clock=clock, rng=MidRandom(), first_wait_s=3.0)
    fail(reconnect)
    clock.advance(2.0)
    assert reconnect.wait_s() == pytest.approx(1.0)
    clock.advance(10.0)
    assert reconnect.wait_s() == 0.0


def test_jitter_stays_in_its_band_and_below_the_ceiling(clock) -> None:
    for seed in range(50):
        reconnect = Reconnect(clock=clock, rng=random.Random(seed), first_wait_s=2.0)
        assert 2 * (1 - JITTER) - 1e-6 <= fail(reconnect) <= 2 * (1 + JITTER) + 1e-6
        for _ in range(6):
            assert fail(reconnect) <= LONGEST_WAIT_S + 1e-6


def test_waits_are_the_same_when_the_seed_is(clock) -> None:
    first, second = (Reconnect(clock=clock, rng=random.Random(3)) for _ in range(2))
    assert [fail(first) for _ in range(5)] == [fail(second) for _ in range(5)]


def test_a_link_that_lived_starts_the_waits_again(clock) -> None:
    reconnect = Reconnect(clock=clock, rng=MidRandom())
    for _ in range(5):
        fail(reconnect)
    reconnect.trying()
    reconnect.up()
    clock.advance(STABLE_AFTER_S)
    reconnect.lost("unplugged")
    assert reconnect.failures == 1
    assert reconnect.wait_s() == pytest.approx(0.5, abs=1e-6)
    assert reconnect.reason == "unplugged"


def test_a_boot_loop_does_not_reset_the_waits(clock) -> None:
    reconnect = Reconnect(clock=clock, rng=MidRandom())
    for _ in range(5):
        reconnect.trying()
        reconnect.up()
        clock.advance(STABLE_AFTER_S / 5)
        reconnect.lost("board went away")
    assert reconnect.failures == 5
    assert reconnect.wait_s() == pytest.approx(LONGEST_WAIT_S, abs=1e-6)


def test_a_board_back_after_an_hour_is_found_within_seconds(clock) -> None:
    reconnect = Reconnect(clock=clock, rng=random.Random(1))
    away_until_s = clock() + 3600.0
    while clock() < away_until_s:
        clock.advance(fail(reconnect))
    assert clock() - away_until_s <= 3.0


def test_it_never_gives_up_by_itself(clock) -> None:
    reconnect = Reconnect(clock=clock, rng=MidRandom())
    for _ in range(5000):
        fail(reconnect)
    assert reconnect.state is LinkState.DOWN


def test_it_stops_after_max_attempts(clock) -> None:
    reconnect = Reconnect(clock=clock, rng=MidRandom(), max_attempts=2)
    fail(reconnect)
    assert fail(reconnect) == float("inf")
    assert reconnect.state is LinkState.STOPPED


def test_stop_ends_it_while_up(clock) -> None:
    reconnect = Reconnect(clock=clock, rng=MidRandom())
    reconnect.trying()
    reconnect.up()
    reconnect.stop()
    assert reconnect.wait_s() == float("inf")


def test_steps_out_of_order_are_refused(clock) -> None:
    reconnect = Reconnect(clock=clock, rng=MidRandom())
    with pytest.raises(ValueError, match="expected the link to be trying, it is down"):
        reconnect.up()
    with pytest.raises(ValueError, match="trying or up, it is down"):
        reconnect.lost("x")
    reconnect.trying()
    with pytest.raises(ValueError, match="to be down, it is trying"):
        reconnect.trying()
