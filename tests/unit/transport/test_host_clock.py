"""A live line's clock: as fast as the board at its other end lives, and one for all of a process."""

from __future__ import annotations

import time

import pytest

from firmware_host.devices import open_device
from firmware_host.errors import ConfigError
from firmware_host.transport.base import parse_url
from firmware_host.transport.host_clock import MAX_SPEED, FastClock, host_clock, speed_of


def test_fast_clock_starts_as_the_hosts_and_passes_n_times_as_fast() -> None:
    real_s = iter([50.0, 50.0, 50.5, 53.0])
    clock = FastClock(20.0, start_utc=1.7e9, monotonic=lambda: next(real_s))
    assert [clock(), clock(), clock()] == [1.7e9, 1.7e9 + 10.0, 1.7e9 + 60.0]


def test_line_that_is_opened_again_has_the_clock_it_had() -> None:
    assert host_clock(1.0) is time.time
    assert host_clock(20.0) is host_clock(20.0)
    assert host_clock(20.0) is not host_clock(10.0)


def test_speed_of_a_url() -> None:
    assert speed_of(parse_url("/dev/x")) == 1.0
    assert speed_of(parse_url("/dev/x?baud=9600&speed=2.5")) == 2.5
    assert speed_of(parse_url(f"/dev/x?speed={MAX_SPEED:g}")) == MAX_SPEED


def test_what_has_its_own_clock_takes_no_speed_of_a_line() -> None:
    for url in ("synthetic:?speed=20", "auto:?speed=20"):
        with pytest.raises(ConfigError, match="got 'speed'"):
            open_device(url)
