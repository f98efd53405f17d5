"""The host's clock for a live line, which stamps what comes: this machine's, or one as fast as a simulated board's."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

from firmware_host.errors import ConfigError
from firmware_host.transport.base import DeviceUrl

SPEED_OPTION = "speed"
# As the simulator: after a year of real time still a date that can be written. A slower one than this is a slip.
MIN_SPEED, MAX_SPEED = 0.01, 1000.0


class FastClock:
    """UNIX seconds that start as this machine's and from then on pass ``speed`` times as fast.

    Setting this machine's clock does not change it.
    """

    def __init__(
        self,
        speed: float,
        *,
        start_utc: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._speed = speed
        self._start_utc = start_utc
        self._monotonic = monotonic
        self._start_s = monotonic()

    def __call__(self) -> float:
        """The present."""
        return self._start_utc + (self._monotonic() - self._start_s) * self._speed


@functools.cache
def host_clock(speed: float) -> Callable[[], float]:
    """UNIX seconds, ``speed`` of them a second.

    There is one for each speed in a process: a line that is lost and opened again has the clock it had.
    """
    return time.time if speed == 1.0 else FastClock(speed, start_utc=time.time())


def speed_of(url: DeviceUrl) -> float:
    """What a URL says of how many times faster than this host its board lives; 1 if nothing.

    Raises
    ------
    ConfigError
        If it is no number, or out of range.
    """
    speed = url.number(SPEED_OPTION, default=1.0)
    if not MIN_SPEED <= speed <= MAX_SPEED:
        where = f"device URL {url.text}, option {SPEED_OPTION}"
        raise ConfigError(where, f"a number from {MIN_SPEED:g} to {MAX_SPEED:g}", speed)
    return speed
