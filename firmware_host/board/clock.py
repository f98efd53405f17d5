"""Microseconds since boot, 32 bits, without a number that a small board would have to allocate."""

from time import ticks_add, ticks_diff, ticks_us

from micropython import const

_LOW_BITS = const(24)
_LOW_MASK = const(0xFFFFFF)


class Clock:
    """``low`` (24 bits) and ``high`` (8 bits) of the time of the last `tick`; wraps as the wire's ticks do."""

    def __init__(self):
        self.now = ticks_us()
        self.low = 0
        self.high = 0

    def tick(self):
        """Go on to now; at least every nine minutes, or the board's own counter wraps unseen."""
        now = ticks_us()
        self._add(ticks_diff(now, self.now))
        self.now = now
        return now

    def _add(self, us):
        low = self.low + us
        self.high = (self.high + (low >> _LOW_BITS)) & 0xFF
        self.low = low & _LOW_MASK

    def value(self):
        """The time of the last `tick` as the wire's 32 bits."""
        return (self.high << 24) | self.low

    def put_into(self, buffer, at, ticks):
        """Write the 32-bit time of a tick count near now, little-endian."""
        low = self.low + ticks_diff(ticks, self.now)
        high = (self.high + (low >> _LOW_BITS)) & 0xFF
        buffer[at] = low & 0xFF
        buffer[at + 1] = (low >> 8) & 0xFF
        buffer[at + 2] = (low >> 16) & 0xFF
        buffer[at + 3] = high


class Pace:
    """Due times at a rate, without drift: what a period lacks of a whole microsecond is not lost."""

    def __init__(self, rate_mhz, start):
        self.due = start
        # 10**9 is still a small integer.
        self._whole = 1000000000 // rate_mhz
        self._rest = 1000000000 % rate_mhz
        self._rate_mhz = rate_mhz
        self._owed = 0

    def step(self):
        """The next due time."""
        period = self._whole
        self._owed += self._rest
        if self._owed >= self._rate_mhz:
            self._owed -= self._rate_mhz
            period += 1
        self.due = ticks_add(self.due, period)

    def late_periods(self, now):
        """How many whole periods ago it was due."""
        return ticks_diff(now, self.due) // self._whole
