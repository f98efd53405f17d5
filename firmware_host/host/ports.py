"""Serial ports and the boards behind them. Opens no port, so it resets no board."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from firmware_host.transport.port_files import (
    by_id_path,
    existing_ports,
    holders,
    owner_group,
)

# USB ids, lower-case hex, with the board they usually mean; a bridge chip tells no board.
# packaging/udev/70-signet.rules holds the same ids; a test compares them.
BOARDS = {
    ("2886", "0056"): "Seeed XIAO ESP32-S3",
    ("2886", "8056"): "Seeed XIAO ESP32-S3 Sense",
    ("2886", "0045"): "Seeed XIAO nRF52840 Sense",
    ("2886", "8045"): "Seeed XIAO nRF52840 Sense",
    ("303a", "1001"): "ESP32-S3 (built-in USB)",
    ("303a", "4001"): "ESP32-S3 with MicroPython",
    ("2341", "005a"): "Arduino Nano 33 BLE Sense, bootloader",
    ("2341", "805a"): "Arduino Nano 33 BLE Sense",
    ("2341", "025a"): "Arduino Nano 33 BLE Sense with MicroPython",
    ("2e8a", "0003"): "RP2040, bootloader",
    ("2e8a", "0005"): "RP2040 or RP2350 with MicroPython",
    ("f055", "9802"): "board with MicroPython",
    ("0d28", "0204"): "BBC micro:bit",
}
BRIDGES = {
    ("10c4", "ea60"): "CP210x bridge",
    ("1a86", "7523"): "CH340 bridge",
    ("1a86", "55d3"): "CH343 bridge",
    ("1a86", "55d4"): "CH9102 bridge",
    ("0403", "6001"): "FTDI bridge",
}
# From a tty to its USB device: the interface, for some drivers a port below it, and the device.
_MAX_USB_STEPS = 4


@dataclass(frozen=True, slots=True)
class PortInfo:
    """One serial port as seen without opening it.

    ``by_id`` is the name to use in a configuration. ``holders`` names the processes that have it
    open, as far as this user may see them. ``may_open`` is about permission only.
    """

    device: str
    by_id: str | None
    usb_id: str | None
    product: str | None
    board_hint: str | None
    group: str
    may_open: bool
    holders: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name that lasts, if it has one."""
        return self.by_id or self.device

    @property
    def url(self) -> str:
        """Device URL that still means this board after the next plug-in."""
        return f"serial:{self.name}"

    @property
    def busy(self) -> bool:
        """Whether a process is seen to have it open."""
        return bool(self.holders)


def list_ports(
    root: Path = Path("/"),
    *,
    may_open: Callable[[Path], bool] | None = None,
    group_name: Callable[[int], str] | None = None,
) -> list[PortInfo]:
    """Serial ports below ``root``, USB first; empty if there are none."""
    check = may_open or _may_open
    return [_describe(device, root, check, group_name) for device in existing_ports(root)]


def known_boards(root: Path = Path("/")) -> list[str]:
    """URLs of the ports whose USB ids are those of a board, not of a bridge chip; opens none."""
    ports = list_ports(root)
    return [port.url for port in ports if port.usb_id and tuple(port.usb_id.split(":")) in BOARDS]


def board_hint(usb_id: tuple[str, str]) -> str | None:
    """Which board a pair of USB ids (vendor, product) usually means."""
    return BOARDS.get(usb_id) or BRIDGES.get(usb_id)


def _describe(
    device: Path,
    root: Path,
    may_open: Callable[[Path], bool],
    group_name: Callable[[int], str] | None,
) -> PortInfo:
    usb = _usb_device(device, root)
    ids = (_line(usb, "idVendor"), _line(usb, "idProduct")) if usb else None
    stable = by_id_path(device, root)
    return PortInfo(
        device=_inside(device, root),
        by_id=_inside(stable, root) if stable else None,
        usb_id=":".join(ids) if ids else None,
        product=(_line(usb, "product") or None) if usb else None,
        board_hint=board_hint(ids) if ids else None,
        group=owner_group(device, group_name),
        may_open=may_open(device),
        holders=tuple(holders(device, root)),
    )


def _usb_device(device: Path, root: Path) -> Path | None:
    """Folder of the USB device behind a port, found by walking up from its interface."""
    folder = (root / "sys/class/tty" / device.name / "device").resolve()
    for candidate in [folder, *folder.parents][:_MAX_USB_STEPS]:
        if (candidate / "idVendor").is_file():
            return candidate
    return None


def _line(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(errors="replace").strip()
    except OSError:
        return ""


def _inside(path: Path, root: Path) -> str:
    return "/" + str(path.relative_to(root))


def _may_open(device: Path) -> bool:
    return os.access(device, os.R_OK | os.W_OK)
