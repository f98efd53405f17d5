"""Boards we know: a TOML file each, and a user's own in the same form."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from firmware_host.errors import BoardFileError, ConfigError, shown
from firmware_host.flash.values import CHIPS, Battery, Board, Bus, Eda, Pin
from firmware_host.inference.toml_table import TomlTable

FOLDER = Path(__file__).parent / "boards"
# Ways to write an image: a program, a drive, a program and a drive, or what a person has to do.
WAYS = ("esptool", "uf2", "uflash", "by-hand")
SENSES = ("acc", "gyro", "bvp", "temp", "eda")
PARTS = ("button", "haptic", "led")
_USB_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")
_MAX_BUSES = 4
_MAX_HZ = 1_000_000
_MAX_LABEL = 16


class _Table(TomlTable):
    """A table of a board's description."""

    error = BoardFileError

    def has(self, key: str) -> bool:
        return key in self._values

    def checked(self, key: str, value: Any, expected: str, *, ok: bool) -> Any:
        if not ok:
            raise self.error(self._path, f"{self._name(key)} as {expected}", shown(value))
        return value

    def one_of(self, key: str, choices: tuple[str, ...]) -> str:
        value = self.text(key)
        return str(self.checked(key, value, f"one of {', '.join(choices)}", ok=value in choices))

    def usb_ids(self, key: str) -> tuple[str, ...]:
        ids = self.texts(key)
        ok = all(_USB_ID.fullmatch(each) for each in ids)
        return tuple(self.checked(key, list(ids), 'a list such as ["303a:4001"]', ok=ok))

    def senses(self, key: str) -> tuple[str, ...]:
        names = self.texts(key)
        expected = f"a list of {', '.join(SENSES)}"
        return tuple(self.checked(key, list(names), expected, ok=set(names) <= set(SENSES)))

    def pin(self, key: str) -> Pin:
        expected = "a pin's number from 0 or its name"
        return _pin(self._take(key, expected, _is_pin))

    def within(self, key: str, lowest: float, highest: float) -> float:
        value = self.number(key)
        expected = f"a number from {lowest:g} to {highest:g}"
        return float(self.checked(key, value, expected, ok=lowest <= value <= highest))

    def level(self, key: str) -> int:
        return int(self.within(key, 0, 1)) if self.has(key) else 1

    def label(self, key: str) -> str:
        text = self.text(key)
        expected = f"1 to {_MAX_LABEL} characters that can be printed"
        ok = 0 < len(text) <= _MAX_LABEL and text.isprintable()
        return str(self.checked(key, text, expected, ok=ok))

    def tables(self, key: str) -> list[_Table]:
        """Tables of an array of tables; none if the key is not there."""
        if not self.has(key):
            return []
        values = self._take(key, "a list of tables", _is_tables)
        return [_Table(self._path, f"{key}[{i}]", each) for i, each in enumerate(values)]

    def _name(self, key: str) -> str:
        return f"{self._where}.{key}".lstrip(".")


def load_boards() -> dict[str, Board]:
    """Boards that come with us, by the name ``--board`` takes."""
    return {path.stem: read_board(path) for path in sorted(FOLDER.glob("*.toml"))}


def load_board(name: str) -> Board:
    """One of ours by name, or the one that a TOML file describes.

    Raises
    ------
    ConfigError
        If there is no such board or file, or the file is wrong; the text says where.
    """
    known = load_boards()
    if name in known:
        return known[name]
    path = Path(name)
    if path.suffix == ".toml":
        return read_board(path)
    raise ConfigError("--board", f"one of {', '.join(known)}, or a .toml file", name)


def read_board(path: Path) -> Board:
    """Read and check one description.

    Raises
    ------
    BoardFileError
        Naming the entry.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise BoardFileError(path, "a file that can be read", err.strerror or str(err)) from err
    except (ValueError, RecursionError) as err:
        raise BoardFileError(path, "TOML", f"{err or 'endless nesting'}") from err
    with _Table(path, "", values) as top:
        return _board(path.stem, top)


def _board(key: str, top: _Table) -> Board:
    with top.table("usb") as usb:
        app, boot = usb.usb_ids("app"), usb.usb_ids("boot")
    with top.table("senses") as senses:
        onboard, wired = senses.senses("onboard"), senses.senses("wired")
    with top.table("flash") as flash:
        way = flash.one_of("way", WAYS)
        enter = flash.text("enter")
        offset = int(flash.within("offset", 0, 2**32 - 1)) if way == "esptool" else 0
        board_id = flash.text("board_id") if way == "uf2" else ""
        advice = flash.text("advice") if way == "by-hand" else ""
    chip = CHIPS[top.one_of("chip", tuple(CHIPS))]
    fits = {"esptool": chip.esp_id, "uf2": chip.uf2_family}.get(way, 0) is not None
    top.checked("flash.way", way, f"a way to flash a {chip.name}", ok=fits)
    buses = tuple(_bus(each) for each in top.tables("i2c"))
    n_ids = len({bus.id for bus in buses})
    is_usable = n_ids == len(buses) <= _MAX_BUSES and (n_ids > 0 or way == "uflash")
    top.checked(
        "i2c", [bus.id for bus in buses], f"1 to {_MAX_BUSES} buses of different id", ok=is_usable
    )
    pins, inside = _parts(top)
    return Board(
        key=key,
        name=top.text("name"),
        chip=chip,
        usb_app=app,
        usb_boot=boot,
        way=way,
        enter=enter,
        offset=offset,
        board_id=board_id,
        advice=advice,
        onboard=onboard,
        wired=wired,
        buses=buses,
        eda=_eda(top),
        battery=_battery(top),
        pins=pins,
        led_lit=top.level("led_lit"),
        ring_kib=int(top.within("ring_kib", 0, 8192)) if buses else 0,
        inside=inside,
        labels=_labels(top),
    )


def _bus(table: _Table) -> Bus:
    with table:
        return Bus(
            int(table.within("id", 0, 7)),
            table.pin("scl"),
            table.pin("sda"),
            int(table.within("hz", 10_000, _MAX_HZ)),
            inside=table.has("inside") and table.flag("inside"),
        )


def _eda(top: _Table) -> Eda | None:
    if not top.has("eda"):
        return None
    with top.table("eda") as table:
        channel = int(table.within("channel", 0, 31)) if table.has("channel") else None
        pin = table.pin("pin") if channel is None else None
        return Eda(pin, channel, table.within("full_scale_usiemens", 0.1, 1000))


def _battery(top: _Table) -> Battery | None:
    if not top.has("battery"):
        return None
    with top.table("battery") as table:
        empty_v = table.within("empty_v", 0.5, 60)
        return Battery(
            table.pin("pin"),
            table.within("ratio", 1, 100),
            empty_v,
            table.within("full_v", empty_v + 0.1, 60),
            table.within("reference_v", 0.5, 10),
        )


def _parts(top: _Table) -> tuple[dict[str, Pin], tuple[str, ...]]:
    """Pins of parts by name, and the names of those that are on the board as it comes."""
    if not top.has("pins"):
        return {}, ()
    with top.table("pins") as table:
        pins = {key: table.pin(key) for key in PARTS if table.has(key)}
        inside = table.texts("inside") if table.has("inside") else ()
        expected = f"a list of {', '.join(pins) or 'nothing'}"
        table.checked("inside", list(inside), expected, ok=set(inside) <= set(pins))
        return pins, inside


def _labels(top: _Table) -> dict[str, str]:
    if not top.has("labels"):
        return {}
    with top.table("labels") as table:
        return {key: table.label(key) for key in table.names()}


def _is_pin(value: object) -> bool:
    return (type(value) is int and 0 <= value < 256) or (
        isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_.]{1,16}", value) is not None
    )


def _pin(value: Any) -> Pin:
    return value if isinstance(value, str) else int(value)


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)
