"""What feeds the host, from ``/sys/class/power_supply``.

References
----------
Linux, ``Documentation/ABI/testing/sysfs-class-power``. The decision follows systemd's
``on_ac_power()``, which also takes a machine for plugged in when nothing says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from firmware_host.host.files import entries, read_number, read_word

_FOLDER = "sys/class/power_supply"
_STORES = ("Battery", "UPS")
# Only with current from outside does a battery not run down.
_FED = ("Charging", "Full", "Not charging")


class Source(StrEnum):
    """Where the current comes from."""

    MAINS = "mains"
    BATTERY = "battery"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Power:
    """Source and charge; ``battery_percent`` is None without a battery, or if it does not say."""

    source: Source = Source.UNKNOWN
    battery_percent: float | None = None


def read_power(root: Path) -> Power:
    """What feeds the machine under ``root``, and how full its batteries are together.

    No supply at all is mains: a board without a battery lists none. Batteries of a mouse or a
    headset (scope ``Device``) do not count. A battery that says it runs down is believed before a
    USB port, which may also be feeding what hangs on it.
    """
    found = entries(root / _FOLDER)
    if found is None:
        return Power()
    supplies = [(entry, read_word(entry / "type")) for entry in found if _feeds_host(entry)]
    stores = [entry for entry, kind in supplies if kind in _STORES and _is_present(entry)]
    if any(kind is None for _, kind in supplies):
        return Power(_source(supplies, stores, otherwise=Source.UNKNOWN), _percent(stores))
    return Power(_source(supplies, stores, otherwise=Source.MAINS), _percent(stores))


def _source(
    supplies: list[tuple[Path, str | None]], stores: list[Path], *, otherwise: Source
) -> Source:
    lines = [(entry, kind) for entry, kind in supplies if kind and kind not in _STORES]
    is_online = {kind: False for _, kind in lines}
    for entry, kind in lines:
        is_online[kind] |= (read_number(entry / "online") or 0) > 0
    status = [read_word(entry / "status") for entry in stores]
    if any(on for kind, on in is_online.items() if not kind.startswith("USB")):
        return Source.MAINS
    if "Discharging" in status:
        return Source.BATTERY
    if any(is_online.values()) or any(said in _FED for said in status):
        return Source.MAINS
    if stores:
        # A battery that does not say, beside a supply that is off: the battery is what is left.
        return Source.BATTERY if lines else Source.UNKNOWN
    return otherwise


def _feeds_host(entry: Path) -> bool:
    return read_word(entry / "scope") != "Device"


def _is_present(entry: Path) -> bool:
    return read_number(entry / "present") != 0


def _percent(stores: list[Path]) -> float | None:
    """Charge of all batteries, by what each holds when full if all say so, else their mean."""
    known = [(entry, percent) for entry in stores if (percent := _percent_of(entry)) is not None]
    if not known:
        return None
    sizes = [_size(entry) for entry, _ in known]
    weights = [1.0 if None in sizes else size or 0.0 for size in sizes]
    total = sum(weight * percent for weight, (_, percent) in zip(weights, known, strict=True))
    return total / sum(weights)


def _percent_of(entry: Path) -> float | None:
    percent = read_number(entry / "capacity")
    for what in ("energy", "charge"):
        full = read_number(entry / f"{what}_full")
        now = read_number(entry / f"{what}_now")
        if percent is None and full and now is not None:
            percent = 100.0 * now / full
    return percent if percent is not None and 0 <= percent <= 100 else None


def _size(entry: Path) -> float | None:
    full = read_number(entry / "energy_full")
    return full if full and full > 0 else None
