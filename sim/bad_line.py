"""What a bad line does to the bytes: seeded, placed by position in the stream, counted."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

# Serial drivers hand bytes over in pieces of about a USB full-speed packet.
_MAX_RUN_BYTES = 64
_MOST_FRAMES_LATE = 4
_STREAM = 10


@dataclass(slots=True)
class FaultCounters:
    """What was done so far, to be compared with what the host noticed."""

    flipped_bytes: int = 0
    dropped_runs: int = 0
    dropped_bytes: int = 0
    duplicated_runs: int = 0
    duplicated_bytes: int = 0
    reordered_frames: int = 0
    stalls: int = 0
    unplugs: int = 0
    unplugged_bytes: int = 0
    reboots: int = 0
    brown_out_resets: int = 0
    garbage_bytes: int = 0
    board_jumps: int = 0
    host_steps: int = 0
    slow_hosts: int = 0
    full_disks: int = 0

    def as_text(self) -> str:
        """Name every counter that is not zero."""
        counts = [(f.name, getattr(self, f.name)) for f in fields(self)]
        return " ".join(f"{name}={n}" for name, n in counts if n) or "none"


class _Strikes:
    """Positions in the stream at which one kind of fault strikes."""

    def __init__(self, seed: int, idx: int) -> None:
        self._rng = np.random.default_rng([seed, _STREAM, idx])
        self._rate = 0.0
        self.next = math.inf

    def set_rate(self, rate: float, at: int) -> None:
        """From position ``at`` on, strike a share ``rate`` of the positions."""
        if rate != self._rate:
            self._rate = rate
            self.next = at + self._gap() - 1 if rate > 0 else math.inf

    def step(self, past: int) -> None:
        """Move beyond ``past``."""
        self.next = past + self._gap() if self._rate > 0 else math.inf

    def draw(self, most: int) -> int:
        """A number from 1 to ``most``."""
        return int(self._rng.integers(1, most + 1))

    def _gap(self) -> int:
        return int(self._rng.geometric(self._rate))


class ByteFaults:
    """Flips, drops and doubles bytes; the same bytes whatever pieces they come in."""

    def __init__(self, counters: FaultCounters, *, seed: int) -> None:
        self._counters = counters
        self._flips, self._drops, self._doubles = (_Strikes(seed, idx) for idx in range(3))
        self._position = 0
        self._drop_left = 0
        self._double_left = 0
        self._double = bytearray()

    def set_rates(self, *, flip: float, drop: float, duplicate: float) -> None:
        """From the next byte on."""
        self._flips.set_rate(flip, self._position)
        self._drops.set_rate(drop, self._position)
        self._doubles.set_rate(duplicate, self._position)

    def take(self, data: bytes) -> bytes:
        """What comes out at the other end."""
        out = bytearray()
        at = 0
        while at < len(data):
            at += self._clean_run(data, at, out)
        return bytes(out)

    def _clean_run(self, data: bytes, at: int, out: bytearray) -> int:
        """Pass bytes up to the next fault, then one byte through that fault; how many were read."""
        strike = min(self._flips.next, self._drops.next, self._doubles.next)
        busy = self._drop_left or self._double_left
        n = 0 if busy else int(min(max(strike - self._position, 0), len(data) - at))
        out += data[at : at + n]
        self._position += n
        if at + n < len(data):
            self._pass_byte(data[at + n], out)
            n += 1
        return n

    def _pass_byte(self, byte: int, out: bytearray) -> None:
        here = self._position
        self._position += 1
        if here >= self._flips.next:
            byte ^= 1 << (self._flips.draw(8) - 1)
            self._flips.step(here)
            self._counters.flipped_bytes += 1
        if here >= self._drops.next and not self._drop_left:
            self._drop_left = self._drops.draw(_MAX_RUN_BYTES)
            self._drops.step(here + self._drop_left)
            self._counters.dropped_runs += 1
        if here >= self._doubles.next and not self._double_left:
            self._double_left = self._doubles.draw(_MAX_RUN_BYTES)
            self._doubles.step(here + self._double_left)
        if self._drop_left:
            self._drop_left -= 1
            self._counters.dropped_bytes += 1
        else:
            out.append(byte)
        if self._double_left:
            self._double_left -= 1
            self._double.append(byte)
            if not self._double_left:
                self._repeat(out)

    def _repeat(self, out: bytearray) -> None:
        self._counters.duplicated_runs += 1
        self._counters.duplicated_bytes += len(self._double)
        out += self._double
        self._double.clear()


class FrameShuffle:
    """Lets some whole frames come after later ones, as a bridge does that sends packets."""

    def __init__(self, counters: FaultCounters, *, seed: int) -> None:
        self._counters = counters
        self._strikes = _Strikes(seed, 3)
        self._n = 0
        self._late: list[tuple[int, bytes]] = []

    def set_rate(self, rate: float) -> None:
        """From the next frame on."""
        self._strikes.set_rate(rate, self._n)

    def take(self, data: bytes) -> bytes:
        """Bytes of whole frames, closing zeros included, in the order in which they arrive."""
        if self._strikes.next == math.inf and not self._late:
            self._n += data.count(0)
            return data
        out = bytearray()
        for piece in data.split(b"\0")[:-1]:
            self._pass(piece + b"\0", out)
        return bytes(out)

    def flush(self) -> bytes:
        """Everything that was held back: nothing more comes."""
        rest = b"".join(code for _, code in self._late)
        self._late.clear()
        return rest

    def _pass(self, code: bytes, out: bytearray) -> None:
        if self._n >= self._strikes.next:
            self._late.append((self._n + self._strikes.draw(_MOST_FRAMES_LATE), code))
            self._late.sort(key=lambda late: late[0])
            self._strikes.step(self._n)
            self._counters.reordered_frames += 1
        else:
            out += code
        while self._late and self._late[0][0] <= self._n:
            out += self._late.pop(0)[1]
        self._n += 1


def short_pieces(data: bytes, short_bytes: int) -> list[bytes]:
    """Cut ``data`` as reads of at most ``short_bytes`` would return it; 0 for no limit."""
    if not short_bytes or len(data) <= short_bytes:
        return [data] if data else []
    return [data[i : i + short_bytes] for i in range(0, len(data), short_bytes)]
