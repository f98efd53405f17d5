"""What is wired to a board: its parts from top to bottom, and the wires of each."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from firmware_host.flash.app_files import APP_FOLDER, SENSORS
from firmware_host.flash.parts_drawn import (
    draw_battery,
    draw_bus,
    draw_button,
    draw_chip,
    draw_eda,
    draw_haptic,
)
from firmware_host.flash.sheet import Sheet
from firmware_host.flash.values import Board, Bus, Eda, Pin

# Sensors' names as their makers write them, by the name of the driver, and how the address is chosen.
_CHIPS = {
    "lsm6ds3": ("LSM6DS3TR-C", "SDO/SA0 to GND, CS to 3.3 V"),
    "mpu6050": ("MPU-6050", "AD0 to GND"),
    "max30102": ("MAX30102", "pull-ups to 1.8 V? docs/hardware.md"),
    "tmp117": ("TMP117", "ADD0 to GND"),
}
_ADDRESSES = re.compile(r"^ADDRESSES = (\(.+\))$", re.MULTILINE)
_GIVES = {
    "acc": "acceleration",
    "gyro": "rotation",
    "bvp": "pulse wave",
    "temp": "skin temperature",
}


@dataclass(frozen=True, slots=True)
class Tap:
    """A wire that leaves a part at the left: rail or board pin, how far below the part's top, and its name there."""

    kind: str
    y: float
    name: str
    pin: Pin | None = None
    job: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A part: its height, its wires, and what draws its inside (sheet, top)."""

    height: float
    taps: tuple[Tap, ...]
    draw: Callable[[Sheet, float], None]


def rows_of(board: Board) -> Iterator[Row]:
    """Parts from top to bottom; the first ones bring power, ground and the bus to the rails."""
    buses = [bus for bus in board.buses if not bus.inside]
    if buses:
        yield from _chip_rows(board, buses[0])
    for bus in buses[1:]:
        sda = Tap("sda", 44, "SDA", bus.sda, f"SDA {bus.id}")
        yield Row(92, (sda, Tap("scl", 68, "SCL", bus.scl, f"SCL {bus.id}")), draw_bus)
    if board.eda is not None and "eda" in board.wired:
        yield _eda_row(board.eda)
    pins = {name: pin for name, pin in board.pins.items() if name not in board.inside}
    if "button" in pins:
        button = Tap("signal", 34, "", pins["button"], "button")
        yield Row(92, (button, Tap("gnd", 66, "")), draw_button)
    if "haptic" in pins:
        haptic = Tap("signal", 124, "", pins["haptic"], "haptic")
        yield Row(184, (Tap("v33", 48, ""), haptic, Tap("gnd", 162, "")), draw_haptic)
    if board.battery is not None:
        sense = Tap("analogue", 92, "", board.battery.pin, "battery")
        draw = partial(draw_battery, battery=board.battery)
        yield Row(162, (sense, Tap("gnd", 140, "")), draw)


def _chip_rows(board: Board, bus: Bus) -> Iterator[Row]:
    """Sensors on the bus; only to the first go wires from the board, the others hang on the rails."""
    power = (Tap("v33", 28, "3.3 V", job="3.3 V"), Tap("gnd", 52, "GND", job="ground"))
    taps: tuple[Tap, ...] = (
        *power,
        Tap("sda", 76, "SDA", bus.sda, "SDA"),
        Tap("scl", 100, "SCL", bus.scl, "SCL"),
    )
    for name, gives in SENSORS.items():
        if gives & set(board.wired):
            title, lines = _chip_words(name.split("|"), gives)
            yield Row(118, taps, partial(draw_chip, title=title, lines=lines))
            taps = tuple(Tap(tap.kind, tap.y, tap.name) for tap in taps)


def _eda_row(eda: Eda) -> Row:
    pin = eda.pin if eda.channel is None else f"channel {eda.channel}"
    taps = (Tap("v33", 34, "3.3 V"), Tap("analogue", 62, "OUT", pin, "EDA"), Tap("gnd", 90, "GND"))
    return Row(170, taps, partial(draw_eda, full_scale_usiemens=eda.full_scale_usiemens))


def _chip_words(drivers: list[str], gives: set[str]) -> tuple[str, list[str]]:
    title = " or ".join(_CHIPS[driver][0] for driver in drivers)
    lines = [", ".join(words for sense, words in _GIVES.items() if sense in gives)]
    for driver in drivers:
        addresses = " or ".join(f"0x{address:02X}" for address in addresses_of(driver))
        name, how = _CHIPS[driver]
        lines.append(f"{name}: I2C {addresses}; {how}")
    return title, lines


def addresses_of(driver: str) -> tuple[int, ...]:
    """I2C addresses at which the app looks for a sensor, from its driver."""
    found = _ADDRESSES.search((APP_FOLDER / "sensors" / f"{driver}.py").read_text())
    return tuple(ast.literal_eval(found[1])) if found else ()
