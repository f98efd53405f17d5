"""What the board remembers of its blocks, and what of it was asked for again."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass(slots=True)
class _Asked:
    stream: int
    sample_idx: int
    n_samples: int
    # Frames numbered below it were sent again, or are none of the range.
    next_number: int = 0


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
        self._asked: deque[_Asked] = deque()
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
        if len(self._asked) == _MAX_ASKED:
            return None
        asked = _Asked(stream, sample_idx, n_samples)
        found = list(self._frames_of(asked))
        if not found:
            return Coming(n_samples, 0)
        self._asked.append(asked)
        self.due_s = min(self.due_s, max(now_s, self._free_s))
        gone = max(0, _signed(found[0].sample_idx - sample_idx))
        return Coming(gone, min(len(found), _MAX_TOLD))

    def send(self, room_bytes: float) -> bytes:
        """The next frame; nothing if it would take room that what is live may need."""
        kept = self._next()
        if kept is None:
            self.due_s = math.inf
            return b""
        if len(kept.encoded) + _SPARE_BYTES > room_bytes:
            self.due_s += _NO_ROOM_S
            return b""
        self._asked[0].next_number = kept.number + 1
        self._free_s = self.due_s = self.due_s + len(kept.encoded) / _BYTES_PER_S
        return kept.encoded

    def _next(self) -> _Kept | None:
        """The next frame of the ranges; those of which none is left are forgotten."""
        while self._asked:
            kept = next(self._frames_of(self._asked[0]), None)
            if kept is not None:
                return kept
            self._asked.popleft()
        return None

    def forget_asked(self) -> None:
        """Send nothing again of what was asked so far."""
        self._asked.clear()
        self.due_s = math.inf

    def clear(self) -> None:
        """Lose power."""
        self._kept.clear()
        self._n_bytes = 0
        self.forget_asked()

    def _frames_of(self, asked: _Asked) -> Iterator[_Kept]:
        for kept in self._kept:
            if kept.stream != asked.stream or kept.number < asked.next_number:
                continue
            ahead = _signed(kept.sample_idx - asked.sample_idx)
            if -kept.n_samples < ahead < asked.n_samples:
                yield kept


def _signed(difference: int) -> int:
    """Difference of two 32-bit counters, the short way round."""
    return (difference + _U32 // 2) % _U32 - _U32 // 2
