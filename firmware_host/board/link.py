"""Bytes in and out of the line that also carries the prompt."""

import sys
from select import POLLIN, POLLOUT, poll
from time import sleep_ms, ticks_diff, ticks_ms

import micropython
from micropython import const

_READ_BYTES = const(64)
# What `mpremote` sends to get the prompt: \r and Ctrl-C. As the beginning of a frame it is none of a
# host's: theirs are PING (4) and CMD (6), and the byte after the first would be that.
_CR, _CTRL_C = const(13), const(3)
# A host sends its frames whole: after a rest, whatever comes begins anew.
_REST_MS = const(100)
_FLUSH_MS = const(100)
_FRAME_ENDS, _CR_CAME, _IN_FRAME = const(0), const(1), const(2)


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
        self._where = _FRAME_ENDS
        self._heard_ms = ticks_ms()
        self._is_torn = False

    def write(self, data):
        """Send all of ``data``, or nothing if the line does not take it. Whether it was sent."""
        if not self._can_write.poll(0):
            return False
        if self._is_torn:
            # Ends the frame of which a part was sent, or the host would lose this one with it.
            self._out.write(b"\0")
        n = self._out.write(data)
        self._is_torn = n is not None and n < len(data)
        return not self._is_torn

    def read(self):
        """What has come; raises KeyboardInterrupt for whoever wants the prompt."""
        now_ms = ticks_ms()
        if self._where == _IN_FRAME and ticks_diff(now_ms, self._heard_ms) >= _REST_MS:
            self._where = _FRAME_ENDS
        if not self._can_read.poll(0):
            return b""
        self._heard_ms = now_ms
        data = bytearray()
        while len(data) < _READ_BYTES and self._can_read.poll(0):
            byte = self._in.read(1)
            if not byte:
                break
            # At once: what follows the Ctrl-C is for the prompt.
            self._follow(byte[0])
            data += byte
        return bytes(data)

    def _follow(self, byte):
        if byte == _CTRL_C and self._where == _CR_CAME:
            raise KeyboardInterrupt
        if byte == 0:
            self._where = _FRAME_ENDS
        elif byte == _CR and self._where != _IN_FRAME:
            self._where = _CR_CAME
        else:
            self._where = _IN_FRAME

    def flush(self):
        """Let what was sent leave the board."""
        sleep_ms(_FLUSH_MS)

    def close(self):
        """Give Ctrl-C back its meaning."""
        micropython.kbd_intr(_CTRL_C)
