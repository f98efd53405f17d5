"""What goes wrong between board and host: seeded, placed exactly, counted.

Faults in the bytes are placed by position in the stream and faults in time by the clock, so that
neither depends on how the stream is cut into chunks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.errors import ConfigError

if TYPE_CHECKING:
    from sim.board import VirtualBoard

_STREAM = 10
# Serial drivers hand bytes over in pieces of about a USB full-speed packet.
_MAX_RUN_BYTES = 64
_DEFAULT_SHORT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Moment:
    """A fault at ``at_s`` true seconds after power on that lasts ``for_s``."""

    at_s: float
    for_s: float


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Which faults; rates are per byte of the stream, 0 for none.

    ``flip`` one bit of a byte; ``drop`` a run of 1 to 64 bytes lost; ``duplicate`` a run sent
    twice; ``short_bytes`` the longest piece a read returns, 0 for no limit; ``stalls`` nothing for
    a while and then everything at once; ``unplugs`` nothing for a while, and it is lost;
    ``reboots`` the board restarts, dark for a while.
    """

    flip: float = 0.0
    drop: float = 0.0
    duplicate: float = 0.0
    short_bytes: int = 0
    stalls: tuple[Moment, ...] = ()
    unplugs: tuple[Moment, ...] = ()
    reboots: tuple[Moment, ...] = ()


_RATES = ("flip", "drop", "duplicate")
_MOMENTS = {"stall": "stalls", "unplug": "unplugs", "reboot": "reboots"}
_DEFAULT_FOR_S = {"stall": 5.0, "unplug": 10.0, "reboot": 1.0}
FAULT_HELP = """\
faults, with commas between them:
  flip=P drop=P duplicate=P  a bit turned; 1 to 64 bytes lost; 1 to 64 bytes twice.
                             P is a share of the bytes, 0 to 0.5, such as 1e-4
  short=N                    a read gives at most N bytes (default: 16)
  stall=AT:FOR               nothing for a while, then all at once (default: 5 s)
  unplug=AT:FOR              nothing for a while, and it is lost (default: 10 s)
  reboot=AT:FOR              the board starts anew, dark for a while (default: 1 s)
                             AT and FOR are seconds; AT counts from power on"""


def parse_fault_spec(text: str) -> FaultPlan:
    """Plan from text such as ``flip=1e-4,drop=1e-5,stall=300:5,unplug=600:20,reboot=900``.

    Rates are per byte; ``stall``, ``unplug`` and ``reboot`` take seconds since power on and,
    after a colon, how long; they may be given several times. ``short=N`` caps each read.

    Raises
    ------
    ConfigError
        If a name is unknown or a value is out of range.
    """
    rates: dict[str, float] = {}
    moments: dict[str, list[Moment]] = {field: [] for field in _MOMENTS.values()}
    short_bytes = 0
    for part in filter(None, text.split(",")):
        name, _, value = part.strip().partition("=")
        if name in _RATES:
            rates[name] = _number(name, value, high=0.5)
        elif name == "short":
            short_bytes = int(_number(name, value or str(_DEFAULT_SHORT_BYTES), low=1, high=4096))
        elif name in _MOMENTS:
            at, _, lasts = value.partition(":")
            for_s = _number(name, lasts or str(_DEFAULT_FOR_S[name]), high=86400.0)
            moments[_MOMENTS[name]].append(Moment(_number(name, at, high=1e7), for_s))
        else:
            raise ConfigError("fault", f"one of {', '.join((*_RATES, 'short', *_MOMENTS))}", name)
    stalls, unplugs, reboots = (
        tuple(sorted(found, key=lambda m: m.at_s)) for found in moments.values()
    )
    return FaultPlan(
        flip=rates.get("flip", 0.0),
        drop=rates.get("drop", 0.0),
        duplicate=rates.get("duplicate", 0.0),
        short_bytes=short_bytes,
        stalls=stalls,
        unplugs=unplugs,
        reboots=reboots,
    )


def _number(name: str, text: str, *, low: float = 0.0, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise ConfigError(f"fault {name}", f"a number from {low:g} to {high:g}", text)
    return value


@dataclass(slots=True)
class FaultCounters:
    """What was done to the stream so far, to be compared with what the host noticed."""

    flipped_bytes: int = 0
    dropped_runs: int = 0
    dropped_bytes: int = 0
    duplicated_runs: int = 0
    duplicated_bytes: int = 0
    stalls: int = 0
    unplugs: int = 0
    unplugged_bytes: int = 0
    reboots: int = 0

    def as_text(self) -> str:
        """Name every counter that is not zero."""
        counts = [(f.name, getattr(self, f.name)) for f in fields(self)]
        return " ".join(f"{name}={n}" for name, n in counts if n) or "none"


class _Clicks:
    """Positions in the stream at which one kind of fault strikes."""

    def __init__(self, rng: np.random.Generator, rate: float) -> None:
        self._rng = rng
        self._rate = rate
        self.next = self._gap() if rate > 0 else math.inf

    def step(self, past: int) -> None:
        """Move beyond ``past``."""
        self.next = past + self._gap()

    def _gap(self) -> int:
        return int(self._rng.geometric(self._rate))

    def length(self) -> int:
        return int(self._rng.integers(1, _MAX_RUN_BYTES + 1))

    def bit(self) -> int:
        return 1 << int(self._rng.integers(0, 8))


class FaultyBoard:
    """A board behind a bad line; the same two methods as the board itself."""

    def __init__(self, board: VirtualBoard, plan: FaultPlan, *, seed: int) -> None:
        self.board = board
        self.plan = plan
        self.counters = FaultCounters()
        rngs = [np.random.default_rng([seed, _STREAM, i]) for i in range(3)]
        self._flips = _Clicks(rngs[0], plan.flip)
        self._drops = _Clicks(rngs[1], plan.drop)
        self._doubles = _Clicks(rngs[2], plan.duplicate)
        self._position = 0
        self._drop_left = 0
        self._double_left = 0
        self._double = bytearray()
        self._held = bytearray()
        self._now_s = 0.0
        self._ahead = sorted(
            (moment.at_s, kind, moment)
            for kind in _MOMENTS
            for moment in getattr(plan, _MOMENTS[kind])
        )
        self._stalled_until_s = -math.inf
        self._unplugged_until_s = -math.inf

    @property
    def finished(self) -> bool:
        """Whether the body has nothing more to give."""
        return self.board.finished and not self._held

    @property
    def duration_s(self) -> float:
        """True seconds from power on to the body's end."""
        return self.board.duration_s

    @property
    def dark_until_s(self) -> float | None:
        """When a board without power starts again, true seconds after power on."""
        return self.board.dark_until_s

    @property
    def unplugged(self) -> bool:
        """Whether the cable is out at this moment."""
        return self._now_s < self._unplugged_until_s

    def receive(self, data: bytes) -> None:
        """Bytes from the host; lost while the cable is out."""
        if not self.unplugged:
            self.board.receive(data)

    def advance(self, to_s: float, *, room_bytes: int | None = None) -> bytes:
        """Bytes that arrive until ``to_s``, faults included."""
        out = bytearray()
        for edge_s in self._edges(to_s):
            out += self._until(edge_s, room_bytes)
            self._begin(edge_s)
        out += self._until(to_s, room_bytes)
        return bytes(out)

    def _edges(self, to_s: float) -> list[float]:
        """List the times up to ``to_s`` at which the line's state changes."""
        edges = {at_s for at_s, _, _ in self._ahead if at_s <= to_s}
        ends = {m.at_s + m.for_s for m in (*self.plan.stalls, *self.plan.unplugs)}
        return sorted(edges | {t_s for t_s in ends if self._now_s < t_s <= to_s})

    def _until(self, to_s: float, room_bytes: int | None) -> bytes:
        unplugged = self._now_s < self._unplugged_until_s
        stalled = self._now_s < self._stalled_until_s
        data = self.board.advance(to_s, room_bytes=room_bytes)
        self._now_s = max(self._now_s, to_s)
        if unplugged:
            self.counters.unplugged_bytes += len(data)
            return b""
        garbled = self._garble(data)
        if stalled and not self.board.finished:
            self._held += garbled
            return b""
        out, self._held = bytes(self._held) + garbled, bytearray()
        return out

    def _begin(self, now_s: float) -> None:
        while self._ahead and self._ahead[0][0] <= now_s:
            _, kind, moment = self._ahead.pop(0)
            until_s = moment.at_s + moment.for_s
            if kind == "reboot":
                self.counters.reboots += 1
                self.board.reboot(dark_s=moment.for_s)
            elif kind == "stall":
                self.counters.stalls += 1
                self._stalled_until_s = max(self._stalled_until_s, until_s)
            else:
                self.counters.unplugs += 1
                self.counters.unplugged_bytes += len(self._held)
                self._held.clear()
                self._unplugged_until_s = max(self._unplugged_until_s, until_s)

    def _garble(self, data: bytes) -> bytes:
        if not (self.plan.flip or self.plan.drop or self.plan.duplicate):
            return data
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
            byte ^= self._flips.bit()
            self._flips.step(here)
            self.counters.flipped_bytes += 1
        if here >= self._drops.next and not self._drop_left:
            self._drop_left = self._drops.length()
            self._drops.step(here + self._drop_left)
            self.counters.dropped_runs += 1
        if here >= self._doubles.next and not self._double_left:
            self._double_left = self._doubles.length()
            self._doubles.step(here + self._double_left)
        if self._drop_left:
            self._drop_left -= 1
            self.counters.dropped_bytes += 1
        else:
            out.append(byte)
        if self._double_left:
            self._double_left -= 1
            self._double.append(byte)
            if not self._double_left:
                self.counters.duplicated_runs += 1
                self.counters.duplicated_bytes += len(self._double)
                out += self._double
                self._double.clear()


def short_pieces(data: bytes, short_bytes: int) -> list[bytes]:
    """Cut ``data`` as reads of at most ``short_bytes`` would return it; 0 for no limit."""
    if not short_bytes or len(data) <= short_bytes:
        return [data] if data else []
    return [data[i : i + short_bytes] for i in range(0, len(data), short_bytes)]
