"""Whether the band is on skin, told by the light that comes back."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sim.devices.bus import Bus
from sim.devices.max30102 import Max30102


@pytest.fixture
def contact(on_board, ticks):
    """``hold(level, seconds)``: what is told meanwhile, as (second, value, ms ago)."""
    sensor = SimpleNamespace(level=-1)
    contact = on_board("contact").Contact(sensor, 20_000, ticks.ms)

    def hold(level: int, seconds: float) -> list[tuple[float, int, int]]:
        sensor.level = level
        told, start_ms = [], ticks.ms
        while ticks.ms < start_ms + seconds * 1000:
            event = contact.look(ticks.ms & 0x3FFFFFFF)
            told += [((ticks.ms - start_ms) / 1000, *event)] if event else []
            ticks.ms += 10
        return told

    return SimpleNamespace(hold=hold, pause=contact.pause)


SKIN, AIR, BETWEEN = 131_072, 2600, 15_000


def test_nothing_is_told_before_the_first_sample(contact) -> None:
    assert contact.hold(-1, 20) == []


@pytest.mark.parametrize(
    ("level", "told"), [(SKIN, (2, 1, 2000)), (AIR, (5, 0, 5000)), (BETWEEN, (5, 0, 5000))]
)
def test_told_once_after_boot_and_when_it_began(contact, level, told) -> None:
    assert contact.hold(level, 60) == [told]


def test_told_at_each_change_that_lasts(contact) -> None:
    contact.hold(SKIN, 10)
    assert contact.hold(AIR, 20) == [(5, 0, 5000)]
    assert contact.hold(SKIN, 20) == [(2, 1, 2000)]


def test_a_moment_is_no_change(contact) -> None:
    contact.hold(SKIN, 10)
    for _ in range(5):
        assert contact.hold(AIR, 4.9) == []
        assert contact.hold(SKIN, 0.1) == []
    contact.hold(AIR, 10)
    for _ in range(5):
        assert contact.hold(SKIN, 1.9) == []
        assert contact.hold(AIR, 0.1) == []


def test_light_between_the_two_changes_nothing(contact) -> None:
    contact.hold(SKIN, 10)
    assert contact.hold(BETWEEN, 60) == []
    assert contact.hold(AIR, 6) == [(5, 0, 5000)]
    assert contact.hold(BETWEEN, 60) == []


@pytest.mark.parametrize("days", [0, 6, 7, 12.4, 13])
def test_change_is_seen_after_any_time(contact, ticks, days) -> None:
    ticks.ms = 0x3FFFFFFF - 3000
    contact.hold(SKIN, 10)
    ticks.ms += int(days * 86_400_000)
    assert contact.hold(AIR, 6) == [(5, 0, 5000)]


def test_time_without_samples_does_not_count(contact, ticks) -> None:
    contact.hold(SKIN, 10)
    contact.hold(AIR, 4)
    ticks.ms += 60_000
    contact.pause(ticks.ms)
    assert contact.hold(AIR, 4) == []
    assert contact.hold(AIR, 2) == [(1, 0, 5000)]


def test_first_sample_shows_how_it_was_since_boot(contact) -> None:
    assert contact.hold(-1, 0.5) == []
    assert contact.hold(SKIN, 5) == [(1.5, 1, 2000)]


def test_chip_in_the_air_gives_less_light_than_skin_ends_with(on_board, body) -> None:
    driver = on_board("sensors.max30102").Max30102
    sensor = driver(Bus({0x57: Max30102(body)}), 0x57)
    assert sensor.level == -1
    # The most and the least that a wave makes of it.
    for count, worn, is_above in ((131_072 - 8000, True, True), (131_072 + 8000, False, False)):
        body.counts["bvp"], body.worn = [count], worn
        body.us += 10_000
        sensor.sample()
        assert sensor.level > (driver.ON_SKIN if is_above else 0)
        assert is_above or sensor.level < driver.ON_SKIN / 2 + 2600
