"""The status light: short enough not to be seen in the battery."""

import machine
from time import ticks_add, ticks_diff

# On, off, on, ... in ms, again and again.
STREAMS = (30, 4970)
SAFE = (60, 200, 60, 1680)
OFF = ()


class Light:
    """A light on a pin; ``lit`` is the level at which it shines, 1 unless it is said."""

    def __init__(self, pin, lit=None):
        self._pin = machine.Pin(pin, machine.Pin.OUT)
        self._lit = 1 if lit is None else lit
        self._pattern = OFF
        self._at = 0
        self._until = 0
        self._shine(0)

    def _shine(self, on):
        self._pin.value(self._lit if on else 1 - self._lit)

    def look(self, now_ms, pattern):
        """Go on with a pattern, or begin another one."""
        if pattern is not self._pattern:
            self._pattern = pattern
            self._at = len(pattern) - 1
            self._until = now_ms
            self._shine(0)
        if pattern and ticks_diff(now_ms, self._until) >= 0:
            self._at = (self._at + 1) % len(pattern)
            self._shine(self._at % 2 == 0)
            self._until = ticks_add(now_ms, pattern[self._at])
