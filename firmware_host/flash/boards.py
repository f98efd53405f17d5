"""Boards we know: a TOML file each, and a user's own in the same form."""

from __future__ import annotations

import tomllib
from pathlib import Path

from firmware_host.errors import BoardFileError, ConfigError
from firmware_host.flash.board_table import BoardTable
from firmware_host.flash.values import CHIPS, Battery, Board, Bus, Chip, Eda, Pin

FOLDER = Path(__file__).parent / "boards"
# Ways to write an image: a program, a drive, a program and a drive, or what a person has to do.
WAYS = ("esptool", "uf2", "uflash", "by-hand")
PARTS = ("button", "haptic", "led")
_MAX_BUSES = 4
_MAX_HZ = 1_000_000
_MAX_LABEL = 16
_MAX_FS_KIB = 64 * 1024
_MAX_NAME, _MAX_BOARD_ID, _MAX_ADVICE = 80, 64, 400
# What a flash chip erases at a time.
_SECTOR = 4096


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
    with BoardTable(path, "", values) as top:
        return _board(path.stem, top)


def _board(key: str, top: BoardTable) -> Board:
    with top.table("usb") as usb:
        app, boot = usb.usb_ids("app"), usb.usb_ids("boot")
    with top.table("senses") as senses:
        onboard, wired = senses.senses("onboard"), senses.senses("wired")
    with top.table("flash") as flash:
        way = flash.one_of("way", WAYS)
        enter = flash.words("enter", _MAX_ADVICE)
        offset = flash.whole_within("offset", 0, 2**24, _SECTOR) if way == "esptool" else 0
        board_id = flash.words("board_id", _MAX_BOARD_ID) if way == "uf2" else ""
        advice = flash.words("advice", _MAX_ADVICE) if way == "by-hand" else ""
    chip = CHIPS[top.one_of("chip", tuple(CHIPS))]
    fits = {"esptool": chip.esp_id, "uf2": chip.uf2_family}.get(way, 0) is not None
    top.checked("flash.way", way, f"a way to flash a {chip.name}", ok=fits)
    buses = _buses(top, at_least=0 if way == "uflash" else 1)
    pins, inside = _parts(top)
    eda, battery = _eda(top, is_sensed="eda" in (*onboard, *wired)), _battery(top)
    _require_own_pins(top, chip, buses, eda, battery, pins)
    return Board(
        key=key,
        name=top.words("name", _MAX_NAME),
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
        eda=eda,
        battery=battery,
        pins=pins,
        led_lit=top.whole_within("led_lit", 0, 1) if top.has("led_lit") else 1,
        ring_kib=top.whole_within("ring_kib", 0, 8192) if buses else 0,
        inside=inside,
        labels=_labels(top),
        fs_kib=top.whole_within("fs_kib", 1, _MAX_FS_KIB) if top.has("fs_kib") else None,
        has_watchdog=not top.has("watchdog") or top.flag("watchdog"),
    )


def _buses(top: BoardTable, *, at_least: int) -> tuple[Bus, ...]:
    buses = tuple(_bus(each) for each in top.tables("i2c"))
    n_ids = len({bus.id for bus in buses})
    is_usable = at_least <= n_ids == len(buses) <= _MAX_BUSES
    top.checked(
        "i2c", [bus.id for bus in buses], f"1 to {_MAX_BUSES} buses of different id", ok=is_usable
    )
    return buses


def _bus(table: BoardTable) -> Bus:
    with table:
        return Bus(
            table.whole_within("id", 0, 7),
            table.pin("scl"),
            table.pin("sda"),
            table.whole_within("hz", 10_000, _MAX_HZ),
            inside=table.has("inside") and table.flag("inside"),
        )


def _eda(top: BoardTable, *, is_sensed: bool) -> Eda | None:
    eda = None
    if top.has("eda"):
        with top.table("eda") as table:
            channel = table.whole_within("channel", 0, 31) if table.has("channel") else None
            pin = table.pin("pin") if channel is None else None
            eda = Eda(pin, channel, table.within("full_scale_usiemens", 0.1, 1000))
    got = "none" if eda is None else "one"
    expected = f"a table, {'as' if is_sensed else 'only if'} senses say that there is one"
    top.checked("eda", got, expected, ok=is_sensed is (eda is not None))
    return eda


def _battery(top: BoardTable) -> Battery | None:
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


def _parts(top: BoardTable) -> tuple[dict[str, Pin], tuple[str, ...]]:
    """Pins of parts by name, and the names of those that are on the board as it comes."""
    if not top.has("pins"):
        return {}, ()
    with top.table("pins") as table:
        pins = {key: table.pin(key) for key in PARTS if table.has(key)}
        inside = table.texts("inside") if table.has("inside") else ()
        expected = f"a list of {', '.join(pins) or 'nothing'}"
        table.checked("inside", list(inside), expected, ok=set(inside) <= set(pins))
        return pins, inside


def _require_own_pins(
    top: BoardTable,
    chip: Chip,
    buses: tuple[Bus, ...],
    eda: Eda | None,
    battery: Battery | None,
    parts: dict[str, Pin],
) -> None:
    """Every pin is one of the chip's; one that has two jobs does neither."""
    jobs = [
        (f"i2c[{i}].{line}", getattr(bus, line))
        for i, bus in enumerate(buses)
        for line in ("scl", "sda")
    ]
    jobs += [(f"pins.{name}", pin) for name, pin in parts.items()]
    jobs += [
        (f"{name}.pin", part.pin)
        for name, part in (("eda", eda), ("battery", battery))
        if part is not None
    ]
    first: dict[Pin, str] = {}
    for name, pin in jobs:
        if isinstance(pin, int):
            expected = f"a pin of the {chip.name}, 0 to {chip.highest_pin}"
            top.checked(name, pin, expected, ok=pin <= chip.highest_pin)
        if pin is not None and pin in first:
            top.checked(name, pin, f"a pin of its own, not that of {first[pin]}", ok=False)
        if pin is not None:
            first[pin] = name


def _labels(top: BoardTable) -> dict[str, str]:
    if not top.has("labels"):
        return {}
    with top.table("labels") as table:
        return {key: table.words(key, _MAX_LABEL) for key in table.names()}
