"""Insides of the parts in a wiring picture; each is drawn from its box's top, its wires come in at the left edge."""

from __future__ import annotations

from firmware_host.flash.sheet import SMALL_PX, TITLE_PX, Sheet
from firmware_host.flash.values import Battery

BOX_X = 560.0
_TEXT_X = BOX_X + 78
_LINE = 18.0
# Constant voltage across the electrodes (Fowles et al. 1981, Psychophysiology 18, 232-239).
EDA_VOLTS = 0.5
# One of the two resistors of a battery's divider, in kOhm.
_LOWER_KOHM = 100.0


def draw_chip(sheet: Sheet, y: float, title: str, lines: list[str]) -> None:
    """A sensor on the bus."""
    _words(sheet, _TEXT_X, y, title, lines)


def draw_bus(sheet: Sheet, y: float) -> None:
    """A further bus."""
    _words(sheet, _TEXT_X, y, "Another I2C bus", ["the same sensors may sit here as well", ""])


def draw_eda(sheet: Sheet, y: float, full_scale_usiemens: float) -> None:
    """The amplifier of skin conductance, and its electrodes."""
    current_ua = EDA_VOLTS * full_scale_usiemens
    lines = [
        "skin conductance; an amplifier, not a bare resistor",
        f"constant {EDA_VOLTS:g} V across the electrodes, current limited",
        f"OUT: 0 V at 0 µS, the converter's full scale at {full_scale_usiemens:g} µS",
        f"so up to {current_ua:g} µA go through the skin",
    ]
    _words(sheet, _TEXT_X, y, "EDA front end", lines)
    _warning(
        sheet,
        _TEXT_X,
        y + 132,
        [
            "Electrodes on skin: board and host on batteries,",
            "no charger. Read docs/hardware.md first.",
        ],
    )
    right = 1050.0
    for dy, name in ((40, "skin"), (80, "skin")):
        sheet.wire("analogue", (right - 34, y + dy), (right - 13, y + dy))
        sheet.ring("analogue", right, y + dy, 13)
        sheet.text(right, y + dy + 4, name, anchor="middle", px=9)
    sheet.text(right - 10, y + 116, "electrodes", kind="faint", anchor="middle", px=SMALL_PX)


def draw_button(sheet: Sheet, y: float) -> None:
    """A switch to ground."""
    x = BOX_X + 44
    sheet.wire("signal", (BOX_X, y + 34), (x, y + 34), (x, y + 40))
    sheet.wire("gnd", (BOX_X, y + 66), (x, y + 66), (x, y + 60))
    sheet.joint("signal", x, y + 40)
    sheet.joint("gnd", x, y + 60)
    sheet.wire("ink", (x + 8, y + 37), (x + 8, y + 63))
    sheet.wire("ink", (x + 8, y + 50), (x + 18, y + 50))
    lines = [
        "closes to ground; the pull-up is in the chip",
        "short: a mark; long: stress; two: rest",
    ]
    _words(sheet, _TEXT_X, y, "Push button", lines)


def draw_haptic(sheet: Sheet, y: float) -> None:
    """A motor that a transistor switches, with the diode that its coil needs."""
    _words(sheet, _TEXT_X, y, "Vibration motor, through a transistor", [])
    supply, collector, base, ground = y + 48, y + 102, y + 124, y + 162
    x, diode = BOX_X + 220, BOX_X + 270
    sheet.wire("v33", (BOX_X, supply), (diode, supply), (diode, supply + 14))
    sheet.wire("v33", (x, supply), (x, supply + 10))
    sheet.joint("v33", x, supply)
    sheet.ring("ink", x, supply + 25, 15)
    sheet.text(x, supply + 29.5, "M", anchor="middle", bold=True)
    sheet.wire("ink", (x, supply + 40), (x, collector + 4), (x - 18, base - 6))
    sheet.joint("ink", x, collector - 6)
    sheet.wire("ink", (x, collector - 6), (diode, collector - 6), (diode, supply + 30))
    sheet.triangle(
        "ink", (diode - 8, supply + 30), (diode + 8, supply + 30), (diode, supply + 16), full=False
    )
    sheet.wire("ink", (diode - 8, supply + 15), (diode + 8, supply + 15))
    sheet.wire("ink", (x - 18, base - 14), (x - 18, base + 14))
    sheet.wire("gnd", (x - 18, base + 6), (x, base + 18), (x, ground), (BOX_X, ground))
    sheet.triangle("gnd", (x, base + 18), (x - 10, base + 16), (x - 5, base + 8))
    sheet.wire("signal", (BOX_X, base), (BOX_X + 40, base))
    sheet.resistor("signal", BOX_X + 54, base, upright=False)
    sheet.text(BOX_X + 54, base - 12, "1 kΩ", anchor="middle", px=SMALL_PX)
    middle = BOX_X + 110
    sheet.wire("signal", (BOX_X + 68, base), (x - 18, base))
    sheet.joint("signal", middle, base)
    sheet.wire("signal", (middle, base), (middle, base + 5))
    sheet.resistor("signal", middle, base + 19, upright=True)
    sheet.wire("signal", (middle, base + 33), (middle, ground))
    sheet.joint("gnd", middle, ground)
    sheet.text(middle + 14, base + 24, "10 kΩ", px=SMALL_PX)
    notes = (
        "diode: its ring to 3.3 V",
        "",
        "a pin cannot drive a motor:",
        "NPN transistor, emitter to GND",
    )
    for i, words in enumerate((*notes, "(or a driver module)")):
        sheet.text(diode + 24, y + 70 + i * _LINE, words, kind="faint", px=SMALL_PX)


def draw_battery(sheet: Sheet, y: float, battery: Battery) -> None:
    """A cell behind a divider of two resistors."""
    upper = f"{_LOWER_KOHM * (battery.ratio - 1):.4g} kΩ"
    lines = [f"empty at {battery.empty_v:g} V, full at {battery.full_v:g} V"]
    _words(sheet, BOX_X + 260, y, "Battery, divided", lines)
    x, plus = BOX_X + 90, BOX_X + 200
    sheet.wire("ink", (x, y + 50), (x, y + 44), (plus, y + 44), (plus, y + 88))
    sheet.resistor("ink", x, y + 64, upright=True)
    sheet.wire("ink", (x, y + 78), (x, y + 102))
    sheet.wire("analogue", (BOX_X, y + 92), (x, y + 92))
    sheet.joint("analogue", x, y + 92)
    sheet.resistor("ink", x, y + 116, upright=True)
    sheet.wire("gnd", (x, y + 130), (x, y + 140))
    sheet.joint("gnd", x, y + 140)
    sheet.wire("gnd", (BOX_X, y + 140), (plus, y + 140), (plus, y + 98))
    sheet.wire("ink", (plus - 16, y + 88), (plus + 16, y + 88))
    sheet.wire("ink", (plus - 8, y + 98), (plus + 8, y + 98))
    sheet.text(plus + 22, y + 84, "+", bold=True)
    sheet.text(x + 14, y + 68, upper, px=SMALL_PX)
    sheet.text(x + 14, y + 120, f"{_LOWER_KOHM:g} kΩ", px=SMALL_PX)


def _words(sheet: Sheet, x: float, y: float, title: str, lines: list[str]) -> None:
    sheet.text(x, y + 26, title, px=TITLE_PX, bold=True)
    for i, line in enumerate(lines):
        if line:
            sheet.text(x, y + 48 + i * _LINE, line, px=SMALL_PX)


def _warning(sheet: Sheet, x: float, y: float, lines: list[str]) -> None:
    sheet.triangle("warn", (x, y + 14), (x + 12, y - 8), (x + 24, y + 14), full=False)
    sheet.text(x + 12, y + 12, "!", kind="warn", anchor="middle", bold=True)
    for i, line in enumerate(lines):
        sheet.text(x + 34, y + 2 + i * _LINE, line, kind="warn", bold=True, px=SMALL_PX)
