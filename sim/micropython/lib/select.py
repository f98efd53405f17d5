"""``select.poll`` of the two ends of the line; the build's own says that input is always there."""

import sys

import _hw

POLLIN = 1
POLLOUT = 4


class poll:
    """Only what the app asks: whether there is a byte to read, or room for a frame."""

    def __init__(self):
        self._wanted = []

    def register(self, stream, mask=POLLIN | POLLOUT):
        """Ask for this stream too."""
        self._wanted.append((stream, mask))

    def poll(self, timeout_ms=0):
        """[(stream, what is possible)], after at most ``timeout_ms``."""
        found = []
        for stream, mask in self._wanted:
            ready = POLLIN if stream is sys.stdin and mask & POLLIN and _hw.waiting() else 0
            ready |= POLLOUT if stream is not sys.stdin and mask & POLLOUT and _hw.room() else 0
            if ready:
                found.append((stream, ready))
        return found
