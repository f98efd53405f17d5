"""How a board's messages reach a host in virtual time, with the truth beside: seeded, no I/O.

Not imitated: a USB device behind hubs, radio roaming, and hosts whose own clock is being slewed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

UTC0 = 1_767_600_000.0
# Of the simulated board's blocks and HELLO: when the first is complete, every so many seconds, bytes.
_FRAMES = (
    (31 / 64, 0.5, 150),
    (24 / 50, 0.5, 173),
    (24 / 50, 0.5, 173),
    (0.75, 1.0, 37),
    (0.75, 1.0, 29),
    (0.0, 5.0, 180),
)
_PONG_BYTES = 24
# A full-speed USB host asks a device once a frame (USB 2.0, 8.4.3).
_USB_FRAME_S = 1e-3
# A USB bridge sends a packet that is not full after 16 ms, or 1 ms if the host asks for low latency
# (FTDI AN232B-04).
_LATENCY_TIMER_S = 0.016
_SHORT_TIMER_S = 0.001
_UART_BYTE_S = 10 / 115_200
# A small board looks for bytes from the host once a turn of its loop.
_BOARD_LOOP_S = 1e-3
_LATE_S = {"constant": 0.02}


class Delivery(NamedTuple):
    """A message: board time, host's true time and host's arrival, in s; when its PING was sent, else NaN."""

    board_s: float
    true_s: float
    arrival_s: float
    sent_s: float


@dataclass(frozen=True, slots=True)
class Crystal:
    """A board's clock: off by ``ppm``, and slowly by ``wander_ppm`` more and less as it warms and cools."""

    ppm: float
    wander_ppm: float
    period_s: float
    phase: float

    def board_s(self, true_s: Floats) -> Floats:
        """Board time at true times; zero at zero."""
        turn = 2 * math.pi / self.period_s
        swing = np.sin(turn * true_s + self.phase) - math.sin(self.phase)
        seen: Floats = true_s + 1e-6 * (self.ppm * true_s + self.wander_ppm / turn * swing)
        return seen

    def skew_ppm(self, true_s: Floats) -> Floats:
        """How much too fast it runs at true times."""
        seen: Floats = self.ppm + self.wander_ppm * np.cos(
            2 * math.pi * true_s / self.period_s + self.phase
        )
        return seen

    def true_s(self, board_s: Floats) -> Floats:
        """When it shows these times."""
        seen = board_s * 1.0
        for _ in range(4):
            # Converges by the skew's own size at each turn: exact to float after four.
            seen = seen - (self.board_s(seen) - board_s)
        return seen


def deliveries(
    kind: str,
    *,
    seed: int,
    duration_s: float,
    ppm: float,
    ping_every_s: Callable[[float], float],
    n_probes: int = 1,
) -> tuple[Crystal, list[Delivery]]:
    """What a host is given in ``duration_s``, in order of arrival, over one of `KINDS`.

    Parameters
    ----------
    ping_every_s
        Seconds to the next PING at a time; each is a burst of ``n_probes``.
    """
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    crystal = Crystal(ppm, 1.0, rng.uniform(1200, 3600), rng.uniform(0, 2 * math.pi))
    line = _LINES[kind](rng, duration_s)
    sent_s = line.stalled(np.array(list(_pings(rng, duration_s, ping_every_s, n_probes))))
    asked_s = line.down(sent_s)
    times = [np.arange(first, duration_s, every) for first, every, _ in _FRAMES]
    made_s = np.concatenate([crystal.true_s(np.concatenate(times)), asked_s])
    n_bytes = np.repeat([n for *_, n in _FRAMES] + [_PONG_BYTES], [*map(len, times), len(sent_s)])
    sent_s = np.concatenate([np.full(len(made_s) - len(sent_s), np.nan), sent_s])
    order = np.argsort(made_s, kind="stable")
    made_s, sent_s = made_s[order], sent_s[order]
    # In order, as bytes of one line are.
    arrival_s = np.maximum.accumulate(line.stalled(line.up(made_s, n_bytes[order])))
    columns = (crystal.board_s(made_s), made_s, arrival_s, sent_s)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return crystal, [Delivery(*row) for row in rows]


def _pings(
    rng: np.random.Generator, duration_s: float, every_s: Callable[[float], float], n_probes: int
) -> Iterator[float]:
    at_s = rng.uniform(0.0, 1.0)
    while at_s < duration_s:
        yield from (at_s + 0.05 * i for i in range(n_probes))
        # A host asks between two reads, of which each takes up to a quarter of a second.
        at_s += every_s(at_s) + rng.uniform(0.0, 0.25)


class _Line:
    """Constant latency, and what the others share."""

    def __init__(self, rng: np.random.Generator, duration_s: float) -> None:
        self._rng = rng
        self._frame_phase_s = rng.uniform(0.0, _USB_FRAME_S)
        self._stalls = self._draw_stalls(duration_s)

    def _draw_stalls(self, _duration_s: float) -> tuple[Floats, Floats]:
        """(from, until) of the times when the host does not run, in order."""
        return np.empty(0), np.empty(0)

    def stalled(self, at_s: Floats) -> Floats:
        """What was to happen in a stall happens at its end."""
        start_s, end_s = self._stalls
        if not len(start_s):
            return at_s
        last = np.searchsorted(start_s, at_s, side="right") - 1
        return np.where(last >= 0, np.maximum(at_s, end_s[last]), at_s)

    def up(self, made_s: Floats, _n_bytes: NDArray[np.int64]) -> Floats:
        """When the host gets what the board made."""
        return made_s + _LATE_S["constant"]

    def down(self, sent_s: Floats) -> Floats:
        """When the board answers what the host sent."""
        return sent_s + _LATE_S["constant"]

    def _next_frame(self, at_s: Floats) -> Floats:
        turns = np.ceil((at_s - self._frame_phase_s) / _USB_FRAME_S)
        return np.asarray(self._frame_phase_s + turns * _USB_FRAME_S)

    def _woken(self, n: int) -> Floats:
        """Until a reader runs: tens of microseconds, now and then many more."""
        return 30e-6 + self._rng.lognormal(math.log(60e-6), 0.8, n)


class _Usb(_Line):
    def up(self, made_s: Floats, _n_bytes: NDArray[np.int64]) -> Floats:
        return self._next_frame(made_s) + self._woken(len(made_s))

    def down(self, sent_s: Floats) -> Floats:
        turn_s = self._rng.uniform(0.0, _BOARD_LOOP_S, len(sent_s))
        return self._next_frame(sent_s) + turn_s


class _Bursty(_Usb):
    """Stalls of 5 to 200 ms every 3 s, and of 0.5 to 3 s every two minutes, at random."""

    def _draw_stalls(self, duration_s: float) -> tuple[Floats, Floats]:
        spans: list[tuple[float, float]] = []
        for every_s, low_s, high_s in ((3.0, 0.005, 0.2), (120.0, 0.5, 3.0)):
            n = self._rng.poisson(duration_s / every_s)
            start_s = self._rng.uniform(0.0, duration_s, n)
            length_s = np.exp(self._rng.uniform(math.log(low_s), math.log(high_s), n))
            spans += zip(start_s.tolist(), (start_s + length_s).tolist(), strict=True)
        starts, ends = np.array(sorted(spans)).reshape(-1, 2).T
        return starts, np.maximum.accumulate(ends)


class _Bridge(_Usb):
    """115200 baud into a USB bridge that waits 16 ms for more bytes, and then for the USB frame."""

    timer_s = _LATENCY_TIMER_S

    def up(self, made_s: Floats, n_bytes: NDArray[np.int64]) -> Floats:
        through_s, free_s = [], 0.0
        for at_s, n in zip(made_s.tolist(), n_bytes.tolist(), strict=True):
            free_s = max(free_s, at_s) + n * _UART_BYTE_S
            through_s.append(free_s)
        # Each full packet starts the timer anew, so that its phase at a frame's end is anything.
        wait_s = self._rng.uniform(0.0, self.timer_s, len(made_s))
        return self._next_frame(np.array(through_s) + wait_s) + self._woken(len(made_s))

    def down(self, sent_s: Floats) -> Floats:
        return super().down(sent_s) + _PONG_BYTES * _UART_BYTE_S


class _FastBridge(_Bridge, _Bursty):
    """As the host sets it up, with stalls."""

    timer_s = _SHORT_TIMER_S


class _SlowBridge(_Bridge, _Bursty):
    """As it comes, with stalls."""


class _Radio(_Line):
    """TCP over a radio: some ms that vary, and one in a hundred sent again."""

    def up(self, made_s: Floats, _n_bytes: NDArray[np.int64]) -> Floats:
        n = len(made_s)
        again_s = (self._rng.random(n) < 0.01) * self._rng.uniform(0.05, 0.25, n)
        return self.down(made_s) + again_s

    def down(self, sent_s: Floats) -> Floats:
        return sent_s + 0.0015 + self._rng.gamma(1.5, 0.002, len(sent_s))


_LINES: dict[str, type[_Line]] = {
    "constant": _Line,
    "usb": _Usb,
    "usb, bursty": _Bursty,
    "ftdi 1 ms, bursty": _FastBridge,
    "ftdi 16 ms, bursty": _SlowBridge,
    "tcp": _Radio,
}
KINDS = tuple(_LINES)
