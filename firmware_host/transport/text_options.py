"""What a ``text:`` URL says of a board that prints, and which URL one needs."""

from __future__ import annotations

import re
from binascii import crc32

from firmware_host.errors import ConfigError, printable
from firmware_host.protocol.messages import MAX_STRING_BYTES
from firmware_host.transport.base import DeviceUrl, parse_url
from firmware_host.transport.text_layout import (
    IGNORED,
    TIME_UNITS_US,
    Column,
    Wishes,
    known_names,
    parse_column,
)
from firmware_host.transport.text_lines import Row, parse_line

OPTIONS = ("columns", "units", "rate")
MIN_RATE_HZ, MAX_RATE_HZ = 0.01, 10_000.0
_NAME = re.compile(r"[A-Za-z][\w.-]{0,31}|-")


def text_url(url: str) -> str:
    """The URL that reads the lines of a board which another URL names."""
    parsed = parse_url(url)
    return f"text{'' if parsed.scheme == 'serial' else '+' + parsed.scheme}:{url.partition(':')[2]}"


def is_printed(sample: bytes) -> bool:
    """Whether most lines of what a board sends are numbers; the first and the last may be cut."""
    lines = [line for line in sample.decode(errors="replace").split("\n")[1:-1] if line.strip()]
    n_rows = sum(isinstance(parse_line(line.strip()), Row) for line in lines)
    return n_rows > len(lines) / 2


def board_id(target: str) -> str:
    """A name for a board that cannot say its own: the end of where it is plugged in."""
    name = target.rstrip("/").rpartition("/")[2].removeprefix("usb-") or "board"
    text = printable(f"text-{name}")
    if len(text.encode()) > MAX_STRING_BYTES:
        # By-id names begin alike and end in a serial number.
        mark = f"-{crc32(name.encode()):08x}"
        text = text.encode()[: MAX_STRING_BYTES - len(mark)].decode(errors="ignore") + mark
    return text


def wishes_of(url: DeviceUrl) -> Wishes:
    """What a URL's ``columns``, ``units`` and ``rate`` say.

    Raises
    ------
    ConfigError
        If one of them makes no sense.
    """
    columns = _columns(url)
    rate_hz = url.number("rate", default=0.0) or None
    if rate_hz is not None and not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        expected = f"{MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} Hz"
        raise ConfigError(f"device URL {url.text}, option rate", expected, rate_hz)
    return Wishes(columns, _units(url, columns), rate_hz)


def _columns(url: DeviceUrl) -> tuple[Column, ...]:
    text = url.option("columns")
    if text is None:
        return ()
    where = f"device URL {url.text}, option columns"
    columns = []
    for part in text.split(","):
        name = part.partition("[")[0].strip()
        if not _NAME.fullmatch(name):
            raise ConfigError(where, "names such as t_ms,acc.x,eda, or - for none", part)
        columns.append(Column(IGNORED) if name == IGNORED else parse_column(part))
    names = [column.name for column in columns if column.name != IGNORED]
    if len(set(names)) < len(names):
        raise ConfigError(where, "each name once", text)
    if sum(name in TIME_UNITS_US for name in names) > 1:
        raise ConfigError(where, f"one of {', '.join(TIME_UNITS_US)}", text)
    if not set(names) - set(TIME_UNITS_US):
        raise ConfigError(where, "a column with readings", text)
    return tuple(columns)


def _units(url: DeviceUrl, columns: tuple[Column, ...]) -> dict[str, str]:
    where = f"device URL {url.text}, option units"
    units: dict[str, str] = {}
    for part in filter(None, (url.option("units") or "").split(",")):
        name, colon, unit = part.partition(":")
        if not colon or not name.strip() or not unit.strip():
            raise ConfigError(where, "name:unit pairs such as acc:m/s2,eda:uS", part)
        if len(unit.encode()) > MAX_STRING_BYTES or name in units:
            raise ConfigError(where, f"one unit a name, of at most {MAX_STRING_BYTES} bytes", part)
        if not unit.isprintable():
            raise ConfigError(where, "units of printable characters", part)
        units[name.strip()] = unit.strip()
    known = known_names(columns)
    for name in units if columns else ():
        if name not in known:
            raise ConfigError(where, f"names among {', '.join(sorted(known))}", name)
    return units
