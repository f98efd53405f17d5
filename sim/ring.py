"""What the board remembers of its blocks, and what of it was asked for again."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from firmware_host.protocol import frame

# What an ESP32-S3 has to spare beside MicroPython: about a minute of all channels.
DEFAULT_RING_BYTES = 64 * 1024
# SPEC.md, Backfill: what is sent again leaves the line to what is live.
_MAX_ASKED = 8
_BYTES_PER_S = 4096
_SPARE_BYTES = 4 * (frame.MAX_BODY_BYTES + 2)
_NO_ROOM_S = 0.1
_MAX_TOLD = 0xFFFF
_U32 = 1 << 32


class Coming(NamedTuple):
    """Answer to a question: ``gone`` samples at its start will not come, ``frames`` frames will."""

    gone: int
    frames: int


NOTHING = Coming(0, 0)


class _Kept(NamedTuple):
    number: int
    stream: int
    sample_idx: int
    n_samples: int
    encoded: bytes


class Ring:
    """Encoded BLOCK frames, first in, first out, of at most ``capacity_bytes``.

    `ask` for ranges of samples; at ``due_s``, infinity for never, `send` gives the next frame that
    holds some of them.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes
        self.due_s = math.inf
        self._kept: deque[_Kept] = deque()
        self._n_bytes = 0
        self._n_put = 0
        # Of each range what is still to come.
        self._asked: list[deque[_Kept]] = []
        # When the line is free of the frame before, at the rate for what is sent again.
        self._free_s = 0.0

    def put(self, stream: int, sample_idx: int, n_samples: int, encoded: bytes) -> None:
        """Keep a frame; the oldest make room for it."""
        self._kept.append(_Kept(self._n_put, stream, sample_idx, n_samples, encoded))
        self._n_put += 1
        self._n_bytes += len(encoded)
        while self._n_bytes > self.capacity_bytes:
            self._n_bytes -= len(self._kept.popleft().encoded)

    def ask(self, stream: int, sample_idx: int, n_samples: int, now_s: float) -> Coming | None:
        """Note a range to send again; None if too many are noted already."""
        self._forget_done()
        if len(self._asked) == _MAX_ASKED:
            return None
        found = [
            kept
            for kept in self._kept
            if kept.stream == stream
            and -kept.n_samples < _signed(kept.sample_idx - sample_idx) < n_samples
        ]
        if not found:
            return Coming(n_samples, 0)
        self._asked.append(deque(found))
        self.due_s = min(self.due_s, max(now_s, self._free_s))
        gone = max(0, _signed(found[0].sample_idx - sample_idx))
        return Coming(gone, min(len(found), _MAX_TOLD))

    def send(self, room_bytes: float) -> bytes:
        """The oldest frame of all ranges; nothing if it would take room that what is live may need."""
        self._forget_done()
        if not self._asked:
            self.due_s = math.inf
            return b""
        oldest = min(frames[0] for frames in self._asked)
        if len(oldest.encoded) + _SPARE_BYTES > room_bytes:
            self.due_s += _NO_ROOM_S
            return b""
        for frames in self._asked:
            if frames[0] is oldest:
                frames.popleft()
        self._free_s = self.due_s = self.due_s + len(oldest.encoded) / _BYTES_PER_S
        return oldest.encoded

    def _forget_done(self) -> None:
        """Pass over frames that have left the ring, and ranges of which nothing is left."""
        first = self._kept[0].number if self._kept else self._n_put
        for frames in self._asked:
            while frames and frames[0].number < first:
                frames.popleft()
        self._asked = [frames for frames in self._asked if frames]

    def forget_asked(self) -> None:
        """Send nothing again of what was asked so far."""
        self._asked.clear()
        self.due_s = math.inf

    def clear(self) -> None:
        """Lose power."""
        self._kept.clear()
        self._n_bytes = 0
        self.forget_asked()


def _signed(difference: int) -> int:
    """Difference of two 32-bit counters, the short way round."""
    return (difference + _U32 // 2) % _U32 - _U32 // 2
