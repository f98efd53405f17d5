"""Which faults strike when: the ``[[fault]]`` tables of a scenario, and the short form for a command line."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from firmware_host.errors import ConfigError
from sim.table import Table

ALL = "all"
_WORN = ("bvp", "eda", "temp")
_SENSORS = (*_WORN, "acc", "gyro")
_MOST_S = 1e8
_LONGEST_S = 86_400.0


class Number(NamedTuple):
    """A number that belongs to one kind of fault: what it is if not said, and its range."""

    default: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Kind:
    """What one kind of fault does and what may be said of it.

    ``lasts_s`` is how long one is if that is not said, None for what happens at one moment.
    ``short`` names the number that the short form gives; without one it gives a time.
    """

    does: str
    lasts_s: float | None
    numbers: Mapping[str, Number] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    short: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that a table of this kind may have."""
        lasts = () if self.lasts_s is None else ("for_s",)
        channel = ("channel",) if self.channels else ()
        return ("kind", "at_s", *lasts, "every_s", "until_s", *channel, *self.numbers)


def _rate(default: float) -> Number:
    return Number(default, 0.0, 0.5)


KINDS = {
    "drop": Kind(
        "1 to 64 bytes lost", math.inf, {"rate_per_byte": _rate(1e-4)}, short="rate_per_byte"
    ),
    "duplicate": Kind(
        "1 to 64 bytes twice", math.inf, {"rate_per_byte": _rate(1e-4)}, short="rate_per_byte"
    ),
    "corrupt": Kind(
        "a bit of a byte turned", math.inf, {"rate_per_byte": _rate(1e-4)}, short="rate_per_byte"
    ),
    "reorder": Kind(
        "a frame comes 1 to 4 frames late",
        math.inf,
        {"rate_per_frame": _rate(0.01)},
        short="rate_per_frame",
    ),
    "short_reads": Kind(
        "a read gives a few bytes", math.inf, {"max_bytes": Number(16, 1, 4096)}, short="max_bytes"
    ),
    "stall": Kind("nothing for a while, then all at once", 5.0),
    "unplug": Kind("nothing for a while, and it is lost", 10.0),
    "reboot": Kind("the board starts anew, dark for a while", 1.0),
    "drift": Kind(
        "the board's crystal runs off", math.inf, {"drift_ppm": Number(100, -1000, 1000)},
        short="drift_ppm",
    ),
    "clock_jump": Kind(
        "the board's tick counter leaps, the host's clock is set",
        None,
        {"board_jump_s": Number(0, -4000, 4000), "host_step_s": Number(0, -1e7, 1e7)},
    ),
    "saturation": Kind(
        "a sensor is at its limit", 30.0, {"gain": Number(20, 1, 1e6)}, (*_SENSORS, ALL)
    ),
    "off_skin": Kind("no contact with the skin", 60.0, {}, (*_WORN, ALL)),
    "brown_out": Kind(
        "the battery sags: resets in a row, with garbage on the line",
        None,
        {
            "resets": Number(3, 1, 50),
            "apart_s": Number(2, 0.5, 600),
            "garbage_bytes": Number(48, 0, 4096),
        },
    ),
    "slow_host": Kind(
        "nobody reads: the line's buffer fills, the board drops whole frames",
        30.0,
        {"buffer_bytes": Number(4096, 256, 1e7)},
    ),
    "full_disk": Kind("the simulated host's disk is full", 60.0),
}  # fmt: skip
_EVERY_KEY = tuple(dict.fromkeys(key for kind in KINDS.values() for key in kind.keys))
FAULT_HELP = """\
faults, with commas between them:
  corrupt=P drop=P           a bit turned; 1 to 64 bytes lost
  duplicate=P                1 to 64 bytes twice
                             P is a share of the bytes, 0 to 0.5, such as 1e-4
  reorder=P                  a share P of the frames comes a few frames late
  short_reads=N              a read gives at most N bytes (default: 16)
  drift=PPM                  the board's crystal runs off
  stall=AT:FOR               nothing for a while, then all at once (default: 5 s)
  unplug=AT:FOR              nothing for a while, and it is lost (default: 10 s)
  reboot=AT:FOR              the board starts anew, dark for a while (default: 1 s)
  slow_host=AT:FOR           nobody reads; the board drops whole frames (default: 30 s)
  saturation=AT:FOR          every sensor at its limit (default: 30 s)
  off_skin=AT:FOR            no sensor touches the skin (default: 60 s)
  brown_out=AT               three resets in a row, with garbage
  full_disk=AT:FOR           only where --host is kept (default: 60 s)
                             AT and FOR are seconds; AT counts from power on
The same as [[fault]] tables of a scenario, with more to set: docs/simulator.md"""


class Edge(NamedTuple):
    """A moment at which a fault begins (or strikes), or ends."""

    t_s: float
    begins: bool
    fault: Fault


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: when it strikes for the first time, for how long, how often, and how hard.

    Parameters
    ----------
    at_s
        True seconds after power on.
    for_s
        How long each time; 0 for what happens at one moment.
    every_s
        From one beginning to the next; endless for once.
    until_s
        None begins then or later, and one that lasts ends.
    """

    kind: str
    at_s: float = 0.0
    for_s: float = math.inf
    every_s: float = math.inf
    until_s: float = math.inf
    channel: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        """One of the kind's own numbers."""
        return self.numbers[name]

    def spans(self) -> Iterator[tuple[float, float]]:
        """(start_s, end_s) of each time, in order."""
        n, start_s = 0, self.at_s
        while start_s < self.until_s:
            yield start_s, min(start_s + self.for_s, self.until_s)
            n += 1
            start_s = self.at_s + n * self.every_s

    def edges(self) -> Iterator[Edge]:
        """Every moment at which something changes, in order."""
        for start_s, end_s in self.spans():
            for k in range(int(self.numbers.get("resets", 1))):
                yield Edge(start_s + k * self.numbers.get("apart_s", 0.0), True, self)
            if self.for_s > 0 and end_s < math.inf:
                yield Edge(end_s, False, self)

    def within(self, start_s: float, end_s: float) -> Fault:
        """The same between two moments of a longer day, its times counted from ``start_s``."""
        return replace(self, at_s=start_s + self.at_s, until_s=min(start_s + self.until_s, end_s))

    def later(self, n: int) -> Fault:
        """The same without its first ``n`` times."""
        return replace(self, at_s=self.at_s + n * self.every_s)

    def as_toml(self) -> str:
        """Write it as a ``[[fault]]`` table."""
        times = {name: getattr(self, name) for name in ("at_s", "for_s", "every_s", "until_s")}
        if KINDS[self.kind].lasts_s is None:
            del times["for_s"]
        said = {name: s for name, s in times.items() if s < math.inf} | dict(self.numbers)
        lines = ["[[fault]]", f'kind = "{self.kind}"']
        lines += [f'channel = "{self.channel}"'] if self.channel else []
        return "\n".join([*lines, *(f"{name} = {value:.17g}" for name, value in said.items())])


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Every fault of a run; any of them may strike at once."""

    faults: tuple[Fault, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.faults)

    def __add__(self, other: FaultPlan) -> FaultPlan:
        return FaultPlan(self.faults + other.faults)

    def of(self, *kinds: str) -> list[Fault]:
        """Those of some kinds."""
        return [fault for fault in self.faults if fault.kind in kinds]

    def edges(self) -> Iterator[Edge]:
        """Every moment at which something changes, in order; those of one moment in the plan's order."""
        return heapq.merge(*(fault.edges() for fault in self.faults), key=lambda edge: edge.t_s)

    def board_s(self, true_s: float) -> float:
        """What an ideal board's clock says at a true time, with the plan's drifts."""
        return true_s + sum(
            fault["drift_ppm"] * 1e-6 * max(0.0, min(end_s, true_s) - start_s)
            for fault in self.of("drift")
            for start_s, end_s in _until(fault, true_s)
        )

    def true_s(self, board_s: float) -> float:
        """The other way round, to a microsecond."""
        true_s = board_s
        for _ in range(3):
            true_s -= self.board_s(true_s) - board_s
        return true_s


def _until(fault: Fault, true_s: float) -> Iterator[tuple[float, float]]:
    for start_s, end_s in fault.spans():
        if start_s >= true_s:
            return
        yield start_s, end_s


def build_faults(rows: Iterable[object]) -> FaultPlan:
    """Plan from a scenario's ``[[fault]]`` tables.

    Raises
    ------
    ConfigError
        For an unknown kind or key, or a value out of range.
    """
    return FaultPlan(tuple(_fault(row, n) for n, row in enumerate(rows, 1)))


def _fault(row: object, n: int) -> Fault:
    name = _kind(row, n)
    kind = KINDS[name]
    table = Table(row, kind.keys, where=f"fault {n} ({name})")
    lasts_s = 0.0
    if kind.lasts_s is not None:
        lasts_s = (
            table.number("for_s", low=0.001, high=_LONGEST_S) if "for_s" in table else kind.lasts_s
        )
    every_s = table.number("every_s", low=0.1, high=_MOST_S) if "every_s" in table else math.inf
    fault = Fault(
        name,
        at_s=table.number("at_s", 0.0, low=0.0, high=_MOST_S),
        for_s=lasts_s,
        every_s=every_s,
        until_s=table.number("until_s", low=0.0, high=_MOST_S) if "until_s" in table else math.inf,
        channel=table.choice("channel", kind.channels, ALL) if kind.channels else "",
        numbers={
            key: table.number(key, number.default, low=number.low, high=number.high)
            for key, number in kind.numbers.items()
        },
    )
    takes_s = lasts_s if "resets" not in fault.numbers else fault["resets"] * fault["apart_s"]
    if every_s < math.inf and every_s <= takes_s:
        table.refuse("every_s", f"longer than one lasts, {takes_s:g} s", every_s)
    return fault


def _kind(row: object, n: int) -> str:
    given = row.get("kind") if isinstance(row, Mapping) else None
    if isinstance(given, str) and given in KINDS:
        return given
    return Table(row, _EVERY_KEY, where=f"fault {n}").choice("kind", tuple(KINDS))


def parse_fault_spec(text: str) -> FaultPlan:
    """Plan from text such as ``corrupt=1e-4,drop=1e-5,stall=300:5,unplug=600:20,reboot=900``.

    Short for ``[[fault]]`` tables: a rate or another number where the kind has one, else seconds since
    power on and, after a colon, how long. A kind may be given several times.

    Raises
    ------
    ConfigError
        If a name is unknown or a value is out of range.
    """
    rows = []
    for part in filter(None, text.split(",")):
        name, _, value = part.strip().partition("=")
        if name == "clock_jump":
            raise ConfigError(
                "fault", "clock_jump in a scenario, as in fault-clock-jump", text[:80]
            )
        if name not in KINDS:
            known = (kind for kind in KINDS if kind != "clock_jump")
            raise ConfigError("fault", f"one of {', '.join(known)}", name)
        rows.append({"kind": name, **_short(name, KINDS[name], value)})
    try:
        return build_faults(rows)
    except ConfigError as err:
        raise ConfigError(f"--fault {text[:80]}", err.expected, err.received) from err


def _short(name: str, kind: Kind, value: str) -> dict[str, float]:
    if kind.short:
        return {kind.short: _number(name, value)} if value or kind.short != "max_bytes" else {}
    at, _, lasts = value.partition(":")
    return {"at_s": _number(name, at)} | ({"for_s": _number(name, lasts)} if lasts else {})


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"fault {name}", "a number", text) from None
