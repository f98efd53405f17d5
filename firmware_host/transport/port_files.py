"""Serial ports as the file system shows them: names, owners, holders. Opens no port.

Opening a port raises DTR, which resets many boards; this only looks at ``/dev``, ``/sys`` and
``/proc``.
"""

from __future__ import annotations

import grp
import os
from collections.abc import Callable
from pathlib import Path

# Kernel names of ports a board can be behind: USB CDC, USB bridges, the Pi's UART, other UARTs.
PORT_PATTERNS = ("ttyACM*", "ttyUSB*", "ttyAMA*", "ttyS*", "rfcomm*")
# These are numbered in the order of plugging in: tomorrow the same name can be another board.
UNSTABLE_PREFIXES = ("ttyACM", "ttyUSB")
# The port type the kernel gives an address at which it found no UART (PORT_UNKNOWN, serial_core.h).
NO_UART = "0"
UDEV_RULE_NAME = "70-signet.rules"


def existing_ports(root: Path = Path("/")) -> list[Path]:
    """Serial ports below ``root``, USB first, without the built-in ones that have no UART."""
    return [
        device
        for pattern in PORT_PATTERNS
        for device in sorted((root / "dev").glob(pattern), key=_natural)
        if _has_uart(device, root)
    ]


def by_id_path(device: Path, root: Path = Path("/")) -> Path | None:
    """The stable name udev gives ``device``, or None if it has none."""
    folder = root / "dev/serial/by-id"
    if not folder.is_dir():
        return None
    real = device.resolve()
    return next((link for link in sorted(folder.iterdir()) if link.resolve() == real), None)


def best_names(root: Path = Path("/")) -> list[str]:
    """One name for each port, the stable one where there is one."""
    return [str(by_id_path(device, root) or device) for device in existing_ports(root)]


def holders(device: Path, root: Path = Path("/")) -> list[str]:
    """Processes that have ``device`` open, as ``name (pid)``.

    Those of other users are not visible to an ordinary user: an empty list proves nothing.
    """
    real = str(device.resolve())
    found = []
    for process in sorted((root / "proc").glob("[0-9]*"), key=_natural):
        if _has_open(process, real):
            found.append(f"{_process_name(process)} ({process.name})")
    return found


def owner_group(device: Path, group_name: Callable[[int], str] | None = None) -> str:
    """Name of the group that owns ``device``, its number if it has no name."""
    gid = device.stat().st_gid
    try:
        return (group_name or _group_name)(gid)
    except KeyError:
        return str(gid)


def join_group_advice(group: str) -> str:
    """How an ordinary user gets at a port: never by becoming root or opening it to everybody."""
    rule = f"copy {shipped_udev_rule()} to /etc/udev/rules.d and plug the board in again"
    if group == "root":
        # Such a port is a console, or udev did not run: nobody should join that group for it.
        return f"ask an administrator to {rule}"
    join = f"add you to it (usermod -aG {group} NAME; then log in again)"
    return f"ask an administrator to {join}, or to {rule}"


def shipped_udev_rule() -> Path:
    """Where this installation keeps our udev rule: in the package, or in the checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "udev" / UDEV_RULE_NAME
    return installed if installed.is_file() else package.parent / "packaging/udev" / UDEV_RULE_NAME


def _natural(path: Path) -> tuple[int, str]:
    # ttyACM10 comes after ttyACM9.
    return len(path.name), path.name


def _has_uart(device: Path, root: Path) -> bool:
    if not device.name.startswith("ttyS"):
        return True
    kind = root / "sys/class/tty" / device.name / "type"
    try:
        return kind.read_text().strip() != NO_UART
    except OSError:
        return False


def _has_open(process: Path, real: str) -> bool:
    try:
        return any(os.readlink(fd) == real for fd in (process / "fd").iterdir())  # noqa: PTH115
    except OSError:
        # Another user's process, or it ended meanwhile.
        return False


def _process_name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "?"


def _group_name(gid: int) -> str:
    return grp.getgrgid(gid).gr_name
