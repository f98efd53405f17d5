"""One channel of the body as the board streams it: its rate, its numbers, its blocks' times."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from firmware_host.protocol.messages import Channel
    from sim.body import Body

    Ints = NDArray[np.int64]

# A block spans about half a second, or one second of the slow channels: short enough to see a
# button's moment, long enough that headers stay a small part of the line.
_FAST_BLOCK_S, _SLOW_BLOCK_S = 0.5, 1.0
_SLOW_RATE_HZ = 10.0
# (samples made of each, of so many of the body's): what this sensor can do beside its own rate.
_FACTORS = ((2, 1), (1, 1), (1, 2), (1, 4), (1, 8))
_MILLI = 1000.0


def block_samples(channel: Channel) -> int:
    """How many samples the board puts into one BLOCK of this channel."""
    span_s = _SLOW_BLOCK_S if channel.rate_hz < _SLOW_RATE_HZ else _FAST_BLOCK_S
    return max(1, min(int(channel.rate_hz * span_s), channel.max_block_samples))


class SensorStream:
    """One sensor, read in order.

    At a rate below its own it leaves samples out, without the low-pass filter of a real one; at
    twice its own it puts means between them.
    """

    def __init__(self, body: Body, channel: Channel) -> None:
        self._body = body
        self._native = channel
        # Body time of the sensor's first sample, had it run at its own rate ever since.
        self._native_start_s = body.offset_s(channel.name)
        self._n_read = 0
        self._ahead = np.empty((0, channel.axes), dtype=np.int64)
        self.origin = self.seq = self.dropped = 0
        self._begin(channel, 1, 1)

    def _begin(self, channel: Channel, up: int, down: int) -> None:
        """Go on at this description's rate, its samples numbered from 0."""
        self.channel = channel
        self.n_block = block_samples(channel)
        self._up, self._down = up, down
        # A sample that was read but not used up is the first one at the new rate.
        native_at = self._n_read - len(self._ahead)
        self._start_s = self._native_start_s + native_at / self._native.rate_hz
        self.move_to(0)

    def boot(self, t_s: float) -> None:
        """Start anew at body time ``t_s``: own rate, own number, all counts from 0."""
        self.skip_to(t_s)
        self._begin(self._native, 1, 1)
        self.skip_to(t_s)
        self.origin, self.seq, self.dropped = self.at, 0, 0

    def sleep(self, start_s: float, end_s: float) -> None:
        """Take no samples without power; the body does not go on meanwhile."""
        self.skip_to(start_s)
        self._native_start_s += end_s - start_s
        self._start_s += end_s - start_s

    def factor_for(self, rate_mhz: int) -> tuple[int, int] | None:
        """(up, down) that makes this rate, None if the sensor cannot do it."""
        for up, down in _FACTORS:
            if abs(self._native.rate_hz * up / down * _MILLI - rate_mhz) < 1.0:
                return up, down
        return None

    def has_rate(self, rate_mhz: int) -> bool:
        """Whether this is the present rate."""
        return abs(self.channel.rate_hz * _MILLI - rate_mhz) < 1.0

    def change_rate(self, factor: tuple[int, int], number: int) -> None:
        """Go on at another rate under another stream number."""
        up, down = factor
        rate_hz = self._native.rate_hz * up / down
        self._begin(replace(self._native, stream=number, rate_hz=rate_hz), up, down)
        self.origin, self.seq, self.dropped = 0, 0, 0

    def move_to(self, at: int) -> None:
        """Let sample ``at`` be the next one."""
        self.at = at
        # Board time at which the next block's last sample is taken.
        self.due_s = self._start_s + (at + self.n_block - 1) / self.channel.rate_hz

    @property
    def next_sample_s(self) -> float:
        """Body time of the next sample."""
        return self._start_s + self.at / self.channel.rate_hz

    def n_taken(self, t_s: float) -> int:
        """How many samples of an unfinished block are there at ``t_s``."""
        return max(0, math.floor((t_s - self.next_sample_s) * self.channel.rate_hz + 1e-9) + 1)

    def skip_to(self, t_s: float) -> None:
        """Leave out the samples before ``t_s``."""
        first = max(0, math.ceil((t_s - self._start_s) * self.channel.rate_hz - 1e-9))
        if first > self.at:
            self.read(first - self.at)
            self.move_to(first)

    def read(self, n: int) -> Ints:
        """Take the next (up to n, axes) raw samples, without moving on; fewer only at the end."""
        if self._up == 1:
            return self._next(n * self._down)[:: self._down]
        odd = self.at % 2
        n_used = (self.at + n) // 2 - self.at // 2
        # One more than is used up: the last mean needs it.
        raw = self._next(n_used + 1)
        self._ahead = raw[n_used:]
        means = np.append((raw[:-1] + raw[1:]) // 2, raw[-1:], axis=0)
        doubled: Ints = np.stack([raw, means], axis=1).reshape(-1, self.channel.axes)
        return doubled[odd : odd + n]

    def _next(self, n: int) -> Ints:
        """The next n of the body's own samples, those read ahead first."""
        ahead, self._ahead = self._ahead[:n], self._ahead[n:]
        fresh = self._body.read(self._native.name, n - len(ahead))
        self._n_read += len(fresh)
        return np.concatenate([ahead, fresh]) if len(ahead) else fresh
