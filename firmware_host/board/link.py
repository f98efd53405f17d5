"""Bytes in and out of the line that also carries the prompt."""

import sys
from select import POLLIN, POLLOUT, poll
from time import sleep_ms, ticks_add, ticks_diff, ticks_ms

import micropython
from micropython import const

_READ_BYTES = const(64)
# What `mpremote` sends to get the prompt: \r and Ctrl-C. As the beginning of a frame it is none of a
# host's: theirs are PING (4) and CMD (6), and the byte after the first would be that.
_CR, _CTRL_C = const(13), const(3)
# A host sends its frames whole: after a rest, whatever comes begins anew.
_REST_MS = const(100)
_FLUSH_MS = const(100)
# A port that says it can be written may still wait for its host, half a second on an ESP32-S3, and each
# time the samples wait too. So after a write as slow as that it is left alone, longer each time.
_SLOW_MS = const(50)
_ALONE_MS, _MAX_ALONE_MS = const(2000), const(16000)
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
        # How long a port that was slow is left alone, and since when; 0 is not at all.
        self._alone_ms = 0
        self._slow_ms = 0

    def write(self, data):
        """Send all of ``data``, or nothing if the line does not take it. Whether it was sent."""
        begun_ms = ticks_ms()
        if self._alone_ms and 0 <= ticks_diff(begun_ms, self._slow_ms) < self._alone_ms:
            return False
        if not self._can_write.poll(0):
            return False
        if self._is_torn:
            # Ends the frame of which a part was sent, or the host would lose this one with it.
            self._is_torn = not self._put(b"\0") or _is_slow(begun_ms)
        is_sent = not self._is_torn and self._put(data)
        # Some ports never say that they sent only a part, but they waited.
        self._is_torn = not is_sent or _is_slow(begun_ms)
        self._alone_ms = min(max(2 * self._alone_ms, _ALONE_MS), _MAX_ALONE_MS) if self._is_torn else 0
        self._slow_ms = ticks_ms()
        return is_sent

    def _put(self, data):
        n = self._out.write(data)
        return n is None or n == len(data)

    def read(self):
        """What has come; raises KeyboardInterrupt for whoever wants the prompt."""
        now_ms = ticks_ms()
        if self._where == _IN_FRAME and ticks_diff(now_ms, self._heard_ms) >= _REST_MS:
            self._where = _FRAME_ENDS
        if not self._can_read.poll(0):
            return b""
        # One that speaks after a long silence may be there again; to one that goes on speaking and reads nothing
        # a write for each of its words would cost a fifth of the samples.
        if not 0 <= ticks_diff(now_ms, self._heard_ms) < _MAX_ALONE_MS:
            self._slow_ms = ticks_add(now_ms, -self._alone_ms)
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


def _is_slow(begun_ms):
    return ticks_diff(ticks_ms(), begun_ms) > _SLOW_MS
