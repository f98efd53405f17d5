"""What the columns of printed lines are: names, units and resolution become channels."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from firmware_host.errors import LinkError, printable
from firmware_host.protocol.messages import MAX_STREAMS, MAX_STRING_BYTES, Channel
from firmware_host.transport.text_lines import Row
from firmware_host.units import MICROSECONDS_PER_SECOND

UNKNOWN_UNIT = "unknown"
IGNORED = "-"
TIME_UNITS_US = {"t_us": 1, "t_ms": 1_000, "t_s": 1_000_000}
"""Columns that are the board's clock, and microseconds of their unit."""
# No two parts side by side match the same character: a line made up to have many ways through costs no time.
_COLUMN = re.compile(r"([^\[\]()@]+)(?:[\[(]([^\[\]()]*)[\])]\s*)?(?:@.*)?")
_AXES = ("x", "y", "z")
_AXIS = re.compile(r"(.+)([._])([xyz])")
INT32_MAX = 2**31 - 1
# A sensor at rest says little of what it will print when it is not.
_HEADROOM = 20.0
_LEAST_RANGE = 200.0
_TINY = 1e-3
# No unit makes a reading as small as this.
_NOTHING = 1e-30
# Lines that all have the same decimals have a fixed format; others may yet print two more.
_FIXED_LINES = 10
_SPARE_DECIMALS = 2


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, `IGNORED` for one to leave out, and its unit."""

    name: str
    unit: str = UNKNOWN_UNIT


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a device URL says of a board; whatever it does not say is found out from the lines.

    ``units`` are by the name of a channel or of one of its axes.
    """

    columns: tuple[Column, ...] = ()
    units: Mapping[str, str] | None = None
    rate_hz: float | None = None


@dataclass(frozen=True, slots=True)
class TextLayout:
    """How one board's lines become samples.

    ``time_at`` is the column of the board's clock, None without one. ``picks`` are the columns of each channel.
    """

    shape: tuple[int, tuple[str, ...]]
    columns: tuple[Column, ...]
    time_at: int | None
    channels: tuple[Channel, ...]
    picks: tuple[tuple[int, ...], ...]

    @property
    def clock_name(self) -> str:
        """Name of the column that is the board's clock, empty without one."""
        return "" if self.time_at is None else self.columns[self.time_at].name

    def time_s(self, row: Row) -> float:
        """What the board's clock says in a line, in seconds."""
        assert self.time_at is not None
        return row.values[self.time_at] * TIME_UNITS_US[self.clock_name] / MICROSECONDS_PER_SECOND

    def resolution_s(self, rows: Iterable[Row]) -> float:
        """Smallest step of the board's clock as it is printed, 0 without one."""
        if self.time_at is None:
            return 0.0
        unit_s = TIME_UNITS_US[self.clock_name] / MICROSECONDS_PER_SECOND
        return unit_s / 10.0 ** max(row.decimals[self.time_at] for row in rows)

    def at_rate(self, rate_hz: float) -> TextLayout:
        """The same with a sample rate."""
        channels = tuple(replace(channel, rate_hz=rate_hz) for channel in self.channels)
        return replace(self, channels=channels)

    @property
    def scales(self) -> list[tuple[int, float]]:
        """(column, scale) of each number of a sample, channel after channel."""
        pairs = zip(self.channels, self.picks, strict=True)
        return [(i, channel.scale) for channel, picks in pairs for i in picks]


def lay_out(rows: Sequence[Row], header: tuple[str, ...] | None, wishes: Wishes) -> TextLayout:
    """The layout of lines that all have one shape; its rate is not known yet and stands as 1 Hz.

    Parameters
    ----------
    rows
        The first lines, at least one; they say with how many digits numbers are printed.
    header
        Names that were printed above them, or None.

    Raises
    ------
    LinkError
        If the URL's columns or units are not those of the board, or there are more than the wire holds.
    """
    shape = rows[0].shape
    columns = _columns(shape, header, wishes)
    time_at = next((i for i, column in enumerate(columns) if column.name in TIME_UNITS_US), None)
    groups = _groups(columns, time_at)
    if len({name for name, _ in groups}) < len(groups):
        # An axis triple and a single column of one name: leave both as they are printed.
        kept = [i for i, c in enumerate(columns) if i != time_at and c.name != IGNORED]
        groups = [(columns[i].name, (i,)) for i in kept]
    if not 1 <= len(groups) <= MAX_STREAMS:
        msg = f"expected 1 to {MAX_STREAMS} channels, got {len(groups)}: name those to leave out -"
        raise LinkError(msg)
    channels = tuple(
        Channel(stream, name, columns[at[0]].unit, 1.0, _scale(rows, at), 0.0, "i32", len(at))
        for stream, (name, at) in enumerate(groups)
    )
    return TextLayout(shape, columns, time_at, channels, tuple(at for _, at in groups))


def parse_column(text: str) -> Column:
    """A column's name and unit from ``name``, ``name[unit]`` or ``name (unit)``."""
    match = _COLUMN.fullmatch(text)
    name, unit = (match[1].strip(), (match[2] or "").strip()) if match else (text, "")
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("_") or "column"
    return Column(_cut(safe), _cut(printable(unit)) if unit else UNKNOWN_UNIT)


def known_names(columns: Iterable[Column]) -> set[str]:
    """Names that a unit may be given for: columns, and what three of them are together."""
    names = {column.name for column in columns} - {IGNORED, *TIME_UNITS_US}
    return names | {_stem(name) for name in names}


def _columns(
    shape: tuple[int, tuple[str, ...]], header: tuple[str, ...] | None, wishes: Wishes
) -> tuple[Column, ...]:
    n_columns, pair_names = shape
    columns = wishes.columns
    if columns and len(columns) != n_columns:
        msg = f"the URL names {len(columns)} columns, the board prints {n_columns}"
        raise LinkError(msg)
    if not columns:
        names = pair_names or header or [f"ch{i}" for i in range(1, n_columns + 1)]
        columns = _different([parse_column(name) for name in names])
    return _with_units(columns, wishes.units or {})


def _different(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Give columns of one name a number each."""
    names = [column.name for column in columns]
    if len(set(names)) == len(names):
        return tuple(columns)
    numbered = (_cut(f"{i}-{column.name}") for i, column in enumerate(columns, 1))
    pairs = zip(numbered, columns, strict=True)
    return tuple(Column(name, column.unit) for name, column in pairs)


def _with_units(columns: tuple[Column, ...], units: Mapping[str, str]) -> tuple[Column, ...]:
    known = known_names(columns)
    for name in units:
        if name not in known:
            msg = f"the URL gives a unit of {name}, the board has {', '.join(sorted(known))}"
            raise LinkError(msg)
    return tuple(
        Column(column.name, units.get(column.name, units.get(_stem(column.name), column.unit)))
        for column in columns
    )


def _groups(columns: Sequence[Column], time_at: int | None) -> list[tuple[str, tuple[int, ...]]]:
    """(name, columns) of each channel: three columns x, y, z of one name and unit are one."""
    groups: list[tuple[str, tuple[int, ...]]] = []
    at = 0
    while at < len(columns):
        three = columns[at : at + 3]
        if at == time_at or columns[at].name == IGNORED:
            at += 1
        elif _is_vector(three):
            groups.append((_stem(three[0].name), (at, at + 1, at + 2)))
            at += 3
        else:
            groups.append((columns[at].name, (at,)))
            at += 1
    return groups


def _is_vector(three: Sequence[Column]) -> bool:
    axes = [_AXIS.fullmatch(column.name) for column in three]
    if not all(axes) or len({column.unit for column in three}) != 1:
        return False
    stems = {(axis[1], axis[2]) for axis in axes if axis}
    return len(stems) == 1 and tuple(axis[3] for axis in axes if axis) == _AXES


def _stem(name: str) -> str:
    match = _AXIS.fullmatch(name)
    return match[1] if match else name


def _scale(rows: Sequence[Row], at: tuple[int, ...]) -> float:
    """A power of ten that keeps every printed digit, as far as 32 bits do."""
    decimals = {row.decimals[i] for row in rows for i in at}
    is_fixed = len(decimals) == 1 and len(rows) >= _FIXED_LINES
    wanted = max(decimals) + (0 if is_fixed else _SPARE_DECIMALS)
    top = max(abs(row.values[i]) for row in rows for i in at)
    if top < _NOTHING:
        top = 0.0
    least = _LEAST_RANGE if top >= _TINY or not top else top / _TINY * _LEAST_RANGE
    most = math.floor(math.log10(INT32_MAX / max(_HEADROOM * top, least)))
    return float(f"1e{-min(wanted, most)}")


def _cut(text: str) -> str:
    return text.encode()[:MAX_STRING_BYTES].decode(errors="ignore")
