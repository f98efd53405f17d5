"""Bytes in and out of the line that also carries the prompt."""

import sys
from select import POLLIN, POLLOUT, poll

import micropython
from micropython import const

_READ_BYTES = const(64)
# What `mpremote` sends to get the prompt. As the beginning of a frame it is none of a host's:
# theirs are PING (4) and CMD (6), and the byte after the first would be that.
_INTERRUPT = b"\r\x03"


class Link:
    """Standard input and output in raw mode; Ctrl-C between two frames gives the prompt back."""

    def __init__(self):
        micropython.kbd_intr(-1)
        self._in = getattr(sys.stdin, "buffer", sys.stdin)
        self._out = getattr(sys.stdout, "buffer", sys.stdout)
        self._can_read = poll()
        self._can_read.register(sys.stdin, POLLIN)
        self._can_write = poll()
        self._can_write.register(sys.stdout, POLLOUT)
        self._at_border = True

    def write(self, data):
        """Send all of ``data``, or nothing if the line does not take it. Whether it was sent."""
        if not self._can_write.poll(0):
            return False
        self._out.write(data)
        return True

    def read(self):
        """What has come; raises KeyboardInterrupt for whoever wants the prompt."""
        data = b""
        while len(data) < _READ_BYTES and self._can_read.poll(0):
            byte = self._in.read(1)
            if not byte:
                break
            data += byte
        if data and self._at_border and data.startswith(_INTERRUPT):
            raise KeyboardInterrupt
        if data:
            self._at_border = data[-1] == 0
        return data

    def close(self):
        """Give Ctrl-C back its meaning."""
        micropython.kbd_intr(3)
