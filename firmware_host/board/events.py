"""What happens once and is told once: EVENT frames, told again where the line did not take them."""

from struct import pack

import frame
from micropython import const

BUTTON, WEAR, BATTERY = const(1), const(2), const(3)


class Events:
    """Tells them for ``board``."""

    def __init__(self, board):
        self._board = board
        # What the line did not take: value by kind of event.
        self._untold = {}

    def tell(self, kind, value, ago_ms):
        """EVENT, with the time at which it began. Whether the line took it."""
        board = self._board
        ago_us = ago_ms * 1000
        if board.uptime_s < 60:
            # The two counters differ by less than a millisecond; before the boot there was nothing.
            ago_us = min(ago_us, board.clock.value())
        ticks = (board.clock.value() - ago_us) & 0xFFFFFFFF
        if board.say(frame.EVENT, pack("<Bi", kind, value), ticks):
            self._untold.pop(kind, None)
            return True
        if kind != BUTTON:
            self._untold[kind] = value
        return False

    def tell_again(self):
        """What is so still; when it began no longer matters as much as that it is known.

        Whether the line took all of it.
        """
        return all([self.tell(kind, self._untold[kind], 0) for kind in list(self._untold)])
