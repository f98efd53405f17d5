"""Whether the band is on skin, by how much light comes back to the optical sensor."""

from micropython import const
from time import ticks_diff

# A band that slips or is pushed up for a moment is not taken off; on skin, light comes back at once. Either
# way the event says when it began.
_ON_MS, _OFF_MS = const(2000), const(5000)


class Contact:
    """Told once after boot, then at each change that lasts.

    ``sensor`` has ``level``, the mean light of its latest samples, negative before there are any. Skin begins at
    ``on_skin`` and ends at half of that.
    """

    def __init__(self, sensor, on_skin, now_ms):
        self._sensor = sensor
        self._on_skin = on_skin
        self.is_on = None
        self.is_known = False
        """Whether ``is_on`` was told since somebody looks."""
        # What the first sample shows has been so since the board began.
        self._seems_on = None
        self._since = now_ms

    def look(self, now_ms):
        """(1 on skin or 0 off, how many ms ago it began) if that is news; else None."""
        level = self._sensor.level
        if level < 0:
            return None
        seems_on = level >= (self._on_skin // 2 if self.is_on else self._on_skin)
        if self._seems_on is not None and seems_on != self._seems_on:
            self._since = now_ms
        self._seems_on = seems_on
        if self.is_known and seems_on == self.is_on:
            return None
        ago_ms = ticks_diff(now_ms, self._since)
        if ago_ms < (_ON_MS if seems_on else _OFF_MS):
            return None
        self.is_on, self.is_known = seems_on, True
        return int(seems_on), ago_ms

    def pause(self, now_ms):
        """The sensor is not read now: nothing is known of how long it has seemed so."""
        self._seems_on = None
        self._since = now_ms

    def forget(self):
        """Nobody looked for a while: it is told anew when it is known."""
        self.is_known = False
