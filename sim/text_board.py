"""A board without our firmware: it prints a line of numbers per reading, as a short sketch does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sim.board_line import BoardCounters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from firmware_host.protocol.messages import Channel
    from sim.body import Body

BOOT_TEXT = "\r\nboot: sketch of the simulator\r\n"
# Who opens the port later learns the names too.
HEADER_EVERY_S = 2.0
# As `Serial.print(x, 4)`.
_DECIMALS = 4
_MILLIS = 1000
# Of `millis()`: 49.7 days.
_MILLIS_WRAP = 1 << 32


class TextBoard:
    """Prints ``t_ms`` and all channels of a body at one rate; takes no orders.

    Between a channel's samples its latest one is printed again. Lines that the line has no room for are not
    printed at all.

    Parameters
    ----------
    body
        What the board is worn on.
    rate_hz
        Lines a second.
    drift_ppm
        How fast its crystal is.
    """

    def __init__(self, body: Body, *, rate_hz: float, drift_ppm: float = 0.0) -> None:
        self.counters = BoardCounters()
        self._sensors = [_Sensor(body, channel) for channel in body.channels]
        self._body = body
        self._rate_hz = rate_hz
        self._crystal = 1.0 + drift_ppm * 1e-6
        self._now_s = 0.0
        self._boot_s = 0.0
        self._leapt_s = 0.0
        self._n_lines = 0
        self._out = [BOOT_TEXT]
        self._header_s = 0.0

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What is measured."""
        return self._body.channels

    @property
    def finished(self) -> bool:
        """Whether the body has nothing more to give."""
        return self._now_s >= self._body.duration_s

    @property
    def dark_until_s(self) -> float | None:
        """When it starts again, None while it has power."""
        return self._boot_s if self._boot_s > self._now_s else None

    def receive(self, data: bytes) -> None:
        """Take no notice."""

    def reboot(self, *, dark_s: float) -> None:
        """Start again after ``dark_s``, counting from 0."""
        self._boot_s = self._header_s = self._now_s + dark_s
        self._leapt_s = 0.0
        self.counters.reboots += 1
        self._out.append(BOOT_TEXT)

    def leap(self, by_s: float) -> None:
        """Let its count of milliseconds leap."""
        self._leapt_s += by_s

    def advance(self, to_s: float, *, room_bytes: int | None = None) -> bytes:
        """Text that the board prints until ``to_s`` true seconds after power on."""
        end_s = min(to_s * self._crystal, self._body.duration_s)
        room = math.inf if room_bytes is None else room_bytes
        while (at_s := self._n_lines / self._rate_hz) < end_s:
            self._n_lines += 1
            if at_s >= self._boot_s and sum(map(len, self._out)) < room:
                self._print(at_s)
        self._now_s = max(self._now_s, end_s)
        out, self._out = "".join(self._out).encode(), []
        self.counters.bytes += len(out)
        return out

    def _print(self, at_s: float) -> None:
        if at_s >= self._header_s:
            self._header_s = at_s + HEADER_EVERY_S
            self._out.append(self._header())
        # Whole counts as `millis()` has them; the hair is the floats' own.
        millis = int((at_s - self._boot_s + self._leapt_s) * _MILLIS + 1e-6)
        cells = [str(millis % _MILLIS_WRAP)]
        for sensor in self._sensors:
            cells += [f"{value:.{_DECIMALS}f}" for value in sensor.at(at_s)]
        self._out.append(",".join(cells) + "\r\n")

    def _header(self) -> str:
        names = ["t_ms"]
        for channel in self.channels:
            axes = [f".{axis}" for axis in "xyz"] if channel.axes == 3 else [""]
            names += [f"{channel.name}{axis}[{channel.unit}]" for axis in axes]
        return ",".join(names) + "\r\n"


class _Sensor:
    """The latest sample of one channel."""

    def __init__(self, body: Body, channel: Channel) -> None:
        self._body = body
        self._channel = channel
        self._n_read = 0
        self._latest: NDArray[np.float64] | None = None

    def at(self, body_s: float) -> list[float]:
        """Values in the channel's unit, one an axis."""
        channel = self._channel
        due = max(1, int((body_s - self._body.offset_s(channel.name)) * channel.rate_hz + 1e-6) + 1)
        if due > self._n_read:
            raw = self._body.read(channel.name, due - self._n_read)
            self._n_read = due
            if len(raw):
                self._latest = raw[-1] * channel.scale + channel.offset
        return [0.0] * channel.axes if self._latest is None else self._latest.tolist()
