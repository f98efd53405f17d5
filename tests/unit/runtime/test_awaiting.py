"""A board that is not there yet: said once, told on and on, and no more once somebody says stop."""

from __future__ import annotations

import logging

import pytest

from firmware_host.errors import ConfigError, LinkError
from firmware_host.runtime.awaiting import awaited_link


class _World:
    """Real time that passes only in sleep, and a board that is plugged in after a while."""

    def __init__(self, there_s: float) -> None:
        self.now_s = 0.0
        self.there_s = there_s
        self.tries: list[float] = []
        self.told: list[str] = []
        self.stop_s = float("inf")

    def opens(self) -> str:
        self.tries.append(self.now_s)
        if self.now_s < self.there_s:
            raise LinkError(f"no board at {self.now_s:.1f} s")
        return "link"

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def awaited(self) -> object:
        return awaited_link(
            self.opens,  # type: ignore[arg-type]
            self.told.append,
            stop=lambda: self.now_s >= self.stop_s,
            monotonic=lambda: self.now_s,
            sleep=self.sleep,
        )


def test_board_is_found_when_it_comes(caplog: pytest.LogCaptureFixture) -> None:
    world = _World(there_s=60.0)
    with caplog.at_level(logging.WARNING):
        assert world.awaited() == "link"
    assert 60.0 <= world.now_s < 63.5
    # A person with a hand on the plug waits seconds, and nothing knocks at the port all the time.
    assert 20 < len(world.tries) < 60
    assert [record.getMessage() for record in caplog.records] == [
        "no board at 0.0 s; waiting for it"
    ]


def test_watchdog_hears_of_every_turn_of_the_wait() -> None:
    world = _World(there_s=30.0)
    world.awaited()
    assert len(world.told) >= 30.0 / 0.25
    assert world.told[-1] == f"no board at {world.tries[-2]:.1f} s"


def test_stop_ends_the_wait_with_its_reason_and_opens_nothing_more() -> None:
    world = _World(there_s=1e9)
    world.stop_s = 10.0
    with pytest.raises(LinkError, match="no board at"):
        world.awaited()
    assert world.now_s < 10.3
    assert world.tries[-1] < 10.0


def test_wrong_setting_is_not_waited_on() -> None:
    def opens() -> object:
        raise ConfigError("device URL", "a path", "x")

    with pytest.raises(ConfigError):
        awaited_link(opens, print, stop=lambda: False)  # type: ignore[arg-type]
