"""How warm the host is and whether it has slowed down, from ``/sys``.

References
----------
Linux, ``Documentation/driver-api/thermal/sysfs-api.rst``: zones and trip points in thousandths of a
degree; at a ``passive`` trip the kernel slows the CPU down, an ``active`` one only starts a fan
(a Raspberry Pi 5 has four of those from 50 degC on).
Raspberry Pi documentation, ``vcgencmd get_throttled``: the meaning of the bits.
Linux, ``drivers/hwmon/raspberrypi-hwmon.c``: newer kernels tell under-voltage there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from firmware_host.host.files import entries, read_number, read_word

THROTTLE_FILE = "sys/devices/platform/soc/soc:firmware/get_throttled"
_ZONES = "sys/class/thermal"
_HWMON = "sys/class/hwmon"
# Parts of zone names that stand for the chip itself: Raspberry Pi, Coral, ACPI, x86.
_CHIP = ("cpu", "soc", "x86_pkg", "acpi", "k10temp")
# Sensors that sleep or are not wired say 0 kelvin, -127, 255 and the like.
_COLDEST_C, _HOTTEST_C = -40.0, 150.0
# Nobody slows a CPU down below this on purpose; firmware tables are full of such entries.
_LOWEST_TRIP_C = 40.0
# Cooling devices that cool by making the CPU slower.
_SLOWING = ("cpufreq", "thermal-cpufreq", "Processor")


class Slowed(StrEnum):
    """Why the host is slower than it could be; the order is the one of the firmware's bits."""

    UNDER_VOLTAGE = "under-voltage"
    CAPPED = "frequency capped"
    THROTTLED = "throttled"
    TOO_HOT = "too hot"


@dataclass(frozen=True, slots=True)
class Heat:
    """Temperature of the chip and what it leads to.

    ``throttle_at_c`` is where the kernel begins to slow the CPU down; ``slowed`` what holds it back
    now. None for what nobody says.
    """

    soc_c: float | None = None
    throttle_at_c: float | None = None
    slowed: tuple[Slowed, ...] | None = None


def read_heat(root: Path) -> Heat:
    """The chip's hottest zone, its lowest passive trip point, and the flags of now."""
    zones = [z for z in entries(root / _ZONES) or [] if z.name.startswith("thermal_zone")]
    chip = [zone for zone in zones if _is_chip(zone)] or zones
    temps_c = [c for zone in chip if (c := _celsius(zone / "temp")) is not None]
    trips_c = [c for zone in chip for c in _passive_trips_c(zone)]
    return Heat(
        soc_c=max(temps_c, default=None),
        throttle_at_c=min(trips_c, default=None),
        slowed=_slowed_now(root),
    )


def _slowed_now(root: Path) -> tuple[Slowed, ...] | None:
    """What slows the host down at this moment; None if nothing here could tell."""
    said = [_firmware(root), _supply_alarm(root), _cooling(root)]
    known = [flags for flags in said if flags is not None]
    return (
        tuple(flag for flag in Slowed if any(flag in flags for flags in known)) if known else None
    )


def _firmware(root: Path) -> set[Slowed] | None:
    text = read_word(root / THROTTLE_FILE)
    try:
        bits = int((text or "").rpartition("=")[2], 16)
    except ValueError:
        return None
    # Bits 16 and up are about some time since boot.
    return {flag for bit, flag in enumerate(Slowed) if bits >> bit & 1} if bits >= 0 else None


def _supply_alarm(root: Path) -> set[Slowed] | None:
    for chip in entries(root / _HWMON) or []:
        alarm = read_number(chip / "in0_lcrit_alarm")
        if read_word(chip / "name") == "rpi_volt" and alarm is not None:
            return {Slowed.UNDER_VOLTAGE} if alarm else set()
    return None


def _cooling(root: Path) -> set[Slowed] | None:
    devices = [
        device
        for device in entries(root / _ZONES) or []
        if device.name.startswith("cooling_device")
        and (read_word(device / "type") or "").startswith(_SLOWING)
    ]
    states = [s for device in devices if (s := read_number(device / "cur_state")) is not None]
    if not states:
        return None
    return {Slowed.THROTTLED} if max(states) > 0 else set()


def _is_chip(zone: Path) -> bool:
    kind = (read_word(zone / "type") or "").lower()
    return any(part in kind for part in _CHIP)


def _celsius(file: Path) -> float | None:
    milli = read_number(file)
    celsius = None if milli is None else milli / 1000.0
    return celsius if celsius is not None and _COLDEST_C <= celsius <= _HOTTEST_C else None


def _passive_trips_c(zone: Path) -> list[float]:
    kinds = [f for f in entries(zone) or [] if f.name.endswith("_type") and "trip_point" in f.name]
    files = [
        f.with_name(f.name.replace("_type", "_temp")) for f in kinds if read_word(f) == "passive"
    ]
    return [c for f in files if (c := _celsius(f)) is not None and c >= _LOWEST_TRIP_C]
