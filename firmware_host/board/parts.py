"""Button, haptic motor, battery: looked at in the loop, never waited for."""

import machine
from micropython import const
from time import ticks_add, ticks_diff

_BOUNCE_MS, _LONG_MS, _DOUBLE_MS, _CUE_MS = const(30), const(1000), const(500), const(30000)
PRESS, STRESS_STARTS, STRESS_ENDS, REST_STARTS, REST_ENDS = const(0), const(1), const(2), const(3), const(4)
CUE_RIGHT, CUE_WRONG = const(5), const(6)
# On and off, in ms, by pattern number of SPEC.md.
PATTERNS = {1: (150,), 2: (600,), 3: (150, 150, 150)}
_BATTERY_MS = const(60000)
_READINGS = const(16)


class Button:
    """One button to ground: a press is a mark, a long one (1 s) begins or ends stress, two begin or end rest.

    For half a minute after a cue, a press says that it was right and a long one that it was wrong.
    """

    def __init__(self, pin):
        self._pin = machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_UP)
        self._is_down = False
        self._since = 0
        # What lies further back than half a round of the board's clock, six days, seems to be to come: nothing
        # is compared with a time that old, and None stands for one that is past.
        self._changed = None
        # When the first of what may be two presses began.
        self._pressed = None
        self._cue = None
        self._is_answer = False
        self._in_stress = False
        self._in_rest = False

    def cued(self, now_ms):
        """A cue was felt now."""
        self._cue = now_ms

    def look(self, now_ms):
        """(value of the event, how many ms ago it began), or None."""
        if self._changed is not None and ticks_diff(now_ms, self._changed) >= _BOUNCE_MS:
            self._changed = None
        if self._cue is not None and ticks_diff(now_ms, self._cue) >= _CUE_MS:
            self._cue = None
        is_down = not self._pin.value()
        if is_down != self._is_down and self._changed is None:
            self._is_down = is_down
            self._changed = now_ms
            if not is_down:
                return self._released(now_ms)
            self._since = now_ms
            self._is_answer, self._cue = self._cue is not None, None
        if self._pressed is not None and ticks_diff(now_ms, self._pressed) >= _DOUBLE_MS and not is_down:
            began, self._pressed = self._pressed, None
            return PRESS, ticks_diff(now_ms, began)
        return None

    def _released(self, now_ms):
        is_long = ticks_diff(now_ms, self._since) >= _LONG_MS
        ago = ticks_diff(now_ms, self._since)
        if self._is_answer:
            return (CUE_WRONG if is_long else CUE_RIGHT), ago
        if is_long:
            self._in_stress = not self._in_stress
            return (STRESS_STARTS if self._in_stress else STRESS_ENDS), ago
        if self._pressed is None:
            self._pressed = self._since
            return None
        began, self._pressed = self._pressed, None
        self._in_rest = not self._in_rest
        return (REST_STARTS if self._in_rest else REST_ENDS), ticks_diff(now_ms, began)


class Haptic:
    """A motor on a pin."""

    def __init__(self, pin):
        self._pin = machine.Pin(pin, machine.Pin.OUT)
        self._left = ()
        self._until = 0
        self._drive(0)

    def _drive(self, level):
        # Not every port tells of a pin what it was set to.
        self._level = level
        self._pin.value(level)

    def play(self, pattern, now_ms):
        """Begin a pattern; whether there is one of that number."""
        if pattern not in PATTERNS:
            return False
        self._left = PATTERNS[pattern]
        self._next(now_ms, 1)
        return True

    def look(self, now_ms):
        """Go on with the pattern."""
        if (self._left or self._level) and ticks_diff(now_ms, self._until) >= 0:
            self._next(now_ms, 1 - self._level)

    def stop(self):
        """Be still, whatever was begun."""
        self._left = ()
        self._drive(0)

    def _next(self, now_ms, level):
        if not self._left:
            self._drive(0)
            return
        self._drive(level)
        self._until = ticks_add(now_ms, self._left[0])
        self._left = self._left[1:]


class Battery:
    """Charge by the voltage behind a divider: a straight line from empty to full."""

    def __init__(self, adc, ratio, empty_v, full_v, reference_v):
        self._adc = adc
        self._volts = ratio * reference_v / 65535
        self._empty_v, self._full_v = empty_v, full_v
        self.told = None
        """Percent, as it was last told."""
        self._look_ms = None
        self.n_errors = 0
        self.is_failing = False

    def look(self, now_ms):
        """Percent, if it is news: at most once a minute; else None."""
        if self._look_ms is not None and ticks_diff(now_ms, self._look_ms) < _BATTERY_MS:
            return None
        self._look_ms = now_ms
        try:
            volts = sum([self._adc.read_u16() for _ in range(_READINGS)]) / _READINGS * self._volts
        except (OSError, ValueError):
            self.is_failing = True
            self.n_errors += 1
            return None
        self.is_failing = False
        share = (volts - self._empty_v) / (self._full_v - self._empty_v)
        percent = max(0, min(100, round(100 * share)))
        if percent == self.told:
            return None
        self.told = percent
        return percent
