"""The latest BLOCK frames, to be sent again (SPEC.md, Backfill); all memory is taken at the start."""

import gc
from array import array
from time import ticks_add, ticks_diff

from micropython import const

_MAX_ASKED = const(8)
# SPEC.md: at most 4096 bytes a second of what is sent again, so 245 us a byte.
_US_PER_BYTE = const(245)
# About the shortest block that is worth keeping; more frames than that only find fewer places.
_BYTES_PER_FRAME = const(64)
# The longest wait after a frame: the greatest one, at that rate.
_MAX_WAIT_US = const(62000)
# What the app needs beside: blocks that fill up, frames on their way, numbers above 30 bits.
_SPARE_BYTES = const(24576)
_LEAST_BYTES = const(1024)


def largest(n_bytes):
    """A ring of so many bytes, or of the half, or the half of that, as there is memory."""
    while n_bytes >= _LEAST_BYTES:
        ring = None
        gc.collect()
        try:
            ring = Ring(n_bytes)
            bytearray(_SPARE_BYTES)
            return ring
        except MemoryError:
            n_bytes //= 2
    return Ring(0)


class Ring:
    """Frames, first in, first out; ``n_bytes`` in all."""

    def __init__(self, n_bytes):
        n = max(1, n_bytes // _BYTES_PER_FRAME)
        self.n_bytes = n_bytes
        self._store = bytearray(n_bytes)
        self._view = memoryview(self._store)
        self._at = array("I", [0] * n)
        self._size = array("H", [0] * n)
        self._stream = array("B", [0] * n)
        self._idx = array("I", [0] * n)
        self._n = array("H", [0] * n)
        self._places = n
        # Frames are numbered on and on; those from _first to _next - 1 are kept.
        self._first = 0
        self._next = 0
        self._end = 0
        self._asked = []
        self._free = 0

    def put(self, stream, sample_idx, n_samples, encoded):
        """Keep a frame, whole and in one piece; the oldest make room for it."""
        size = len(encoded)
        if size > self.n_bytes:
            return
        at = self._end
        if at + size > self.n_bytes:
            self._drop_until(at, self.n_bytes)
            at = 0
        self._drop_until(at, at + size)
        if self._next - self._first == self._places:
            self._first += 1
        i = self._next % self._places
        self._at[i], self._size[i] = at, size
        self._stream[i], self._idx[i], self._n[i] = stream, sample_idx, n_samples
        self._store[at : at + size] = encoded
        self._end = at + size
        self._next += 1

    def _drop_until(self, start, end):
        """Forget the oldest frames while they lie between two places of the store."""
        while self._first < self._next:
            i = self._first % self._places
            if not (self._at[i] < end and self._at[i] + self._size[i] > start):
                return
            self._first += 1

    def ask(self, stream, sample_idx, n_samples, now):
        """(gone samples, frames that will come) of a range, or None if too many are asked for already."""
        self._asked = [asked for asked in self._asked if self._find(asked) is not None]
        if len(self._asked) == _MAX_ASKED:
            return None
        asked = [stream, sample_idx, n_samples, self._first]
        first = self._find(asked)
        if first is None:
            return n_samples, 0
        n = 0
        for number in range(first, self._next):
            n += self._holds(number, stream, sample_idx, n_samples)
        if not self._asked and not 0 < ticks_diff(self._free, now) <= _MAX_WAIT_US:
            # Long past; after nine minutes it would seem to be to come.
            self._free = now
        self._asked.append(asked)
        return max(0, _ahead(self._idx[first % self._places], sample_idx)), n

    def is_due(self, now):
        """Whether a frame may be sent again now."""
        return bool(self._asked) and ticks_diff(now, self._free) >= 0

    def next(self, now):
        """The oldest frame of all ranges, as a view; None if there is none left."""
        oldest = None
        for asked in self._asked:
            number = self._find(asked)
            if number is not None and (oldest is None or number < oldest):
                oldest = number
        if oldest is None:
            self._asked = []
            return None
        for asked in self._asked:
            if asked[3] == oldest:
                asked[3] += 1
        i = oldest % self._places
        self._free = ticks_add(now, self._size[i] * _US_PER_BYTE)
        return self._view[self._at[i] : self._at[i] + self._size[i]]

    def forget_asked(self):
        """Send nothing again of what was asked so far."""
        self._asked = []

    def _find(self, asked):
        """The next frame of a range, where the range goes on then; None if there is none."""
        asked[3] = max(asked[3], self._first)
        while asked[3] < self._next:
            if self._holds(asked[3], asked[0], asked[1], asked[2]):
                return asked[3]
            asked[3] += 1
        return None

    def _holds(self, number, stream, sample_idx, n_samples):
        i = number % self._places
        return self._stream[i] == stream and -self._n[i] < _ahead(self._idx[i], sample_idx) < n_samples


def _ahead(idx, than):
    """Difference of two 32-bit indices, the short way round."""
    return ((idx - than + 0x80000000) & 0xFFFFFFFF) - 0x80000000
