"""Checks behind ``signet doctor``: each looks at one thing and says what to do about it.

Nothing here opens a port, a socket or a file of the wearer. What the checks look at comes in
:class:`~firmware_host.host.machine.Machine`, so that every finding can be made on any machine.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from firmware_host.host.machine import Machine
from firmware_host.host.ports import PortInfo
from firmware_host.host.power import Source
from firmware_host.host.readings import read_host
from firmware_host.host.thermal import read_heat
from firmware_host.transport.port_files import (
    UDEV_RULE_NAME,
    join_group_advice,
    shipped_udev_rule,
)

# The range in pyproject.toml; a newer Python may have no TFLite wheel.
OLDEST_PYTHON = (3, 11)
FIRST_UNTRIED_PYTHON = (3, 14)
# Distribution and module of each TFLite runtime, in the order the host tries them.
RUNTIMES = (
    ("tflite-runtime", "tflite_runtime.interpreter"),
    ("ai-edge-litert", "ai_edge_litert.interpreter"),
)
PACKAGES = ("numpy", "pyserial", "cryptography", "mcap")
# One day of the reference board is about 80 MB as a recording (880 bytes of samples a second).
DISK_FAIL_BYTES = 100_000_000
# Below two weeks of recordings someone should know.
DISK_WARN_BYTES = 1_000_000_000
# 2025-01-01: a host without a battery-backed clock wakes up in the past.
OLDEST_PLAUSIBLE_UTC = 1_735_689_600.0
# The Raspberry Pi firmware slows the CPU down from 80 degC on (vcgencmd get_throttled, bit 3).
HOT_DEGC = 80.0
RULE_FOLDERS = ("etc/udev/rules.d", "run/udev/rules.d", "usr/lib/udev/rules.d", "lib/udev/rules.d")
PRIVATE_MODE = 0o600


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: what was looked at, how it is, and what to do (empty if nothing)."""

    name: str
    status: Status
    text: str
    fix: str = ""


def run_checks(*, state_dir: Path, key_file: Path, machine: Machine | None = None) -> list[Check]:
    """Every check, in the order in which a fresh installation meets them."""
    machine = machine or Machine()
    try:
        ports = machine.ports()
    except OSError:
        # A port that vanished while it was looked at; the check of the ports then sees none.
        ports = []
    steps: list[tuple[str, Callable[[], Check]]] = [
        ("python", lambda: check_python(machine)),
        ("packages", lambda: check_packages(machine)),
        ("tflite", lambda: check_runtime(machine)),
        ("ports", lambda: check_ports(ports)),
        ("groups", lambda: check_groups(machine, ports)),
        ("udev", lambda: check_udev_rule(machine)),
        ("disk", lambda: check_disk(machine, state_dir)),
        ("key", lambda: check_key_file(machine, key_file, state_dir)),
        ("clock", lambda: check_clock(machine)),
        ("heat", lambda: check_heat(machine)),
        ("host", lambda: check_host(machine, state_dir)),
    ]
    return [_guarded(name, step) for name, step in steps]


def worst(checks: Iterable[Check]) -> Status:
    """The worst status among ``checks``; ok if there are none."""
    found = {check.status for check in checks}
    return next((s for s in (Status.FAIL, Status.WARN) if s in found), Status.OK)


def check_python(machine: Machine) -> Check:
    """Python is one we run on."""
    text = "Python " + ".".join(map(str, machine.python))
    if machine.python[:2] < OLDEST_PYTHON:
        return Check("python", Status.FAIL, text, "install Python 3.11 or newer")
    if machine.python[:2] >= FIRST_UNTRIED_PYTHON:
        return Check("python", Status.WARN, f"{text} is not tried yet", "use Python 3.11 to 3.13")
    return Check("python", Status.OK, text)


def check_packages(machine: Machine) -> Check:
    """The libraries of the host are installed; only looks them up, imports none."""
    found = {name: machine.package_version(name) for name in PACKAGES}
    missing = [name for name, version in found.items() if version is None]
    if missing:
        text = f"not installed: {', '.join(missing)}"
        return Check("packages", Status.FAIL, text, f"pip install {' '.join(missing)}")
    text = ", ".join(f"{name} {version}" for name, version in found.items())
    return Check("packages", Status.OK, text)


def check_runtime(machine: Machine) -> Check:
    """A TFLite runtime is installed and loads."""
    present = [(name, module) for name, module in RUNTIMES if machine.package_version(name)]
    if not present:
        want = "tflite-runtime" if machine.python[:2] < (3, 12) else "ai-edge-litert"
        text = "no TFLite runtime: recording works, inference and learning do not"
        return Check("tflite", Status.FAIL, text, f"pip install {want}")
    errors = []
    for name, module in present:
        error = machine.load_module(module)
        if not error:
            return Check("tflite", Status.OK, f"{name} {machine.package_version(name)} loads")
        errors.append(f"{name} {machine.package_version(name)} does not load: {error}")
    fix = "reinstall it; tflite-runtime 2.14 needs numpy<2 and Python 3.11"
    return Check("tflite", Status.FAIL, "; ".join(errors), fix)


def check_ports(ports: Sequence[PortInfo]) -> Check:
    """A board can be opened."""
    boards = [port for port in ports if port.usb_id]
    if not boards:
        fix = "plug a board in with a data cable; `signet ports` lists what is there"
        return Check("ports", Status.WARN, "no USB serial port", fix)
    closed = [port for port in boards if not port.may_open]
    if closed:
        text = "; ".join(f"{port.device} ({port.board_hint}) may not be opened" for port in closed)
        return Check("ports", Status.FAIL, text, join_group_advice(closed[0].group))
    busy = [f"{port.device} is held by {', '.join(port.holders)}" for port in boards if port.busy]
    if busy:
        return Check("ports", Status.WARN, "; ".join(busy), "close that program first")
    text = ", ".join(f"{port.device} ({port.board_hint or port.usb_id})" for port in boards)
    return Check("ports", Status.OK, text)


def check_groups(machine: Machine, ports: Sequence[PortInfo]) -> Check:
    """The user's groups open the ports, in this session and not only in the database."""
    needed = sorted({port.group for port in ports if port.usb_id} - {"root"}) or ["dialout"]
    if machine.uid == 0:
        fix = "run as an ordinary user or as the service: neither needs to be root"
        return Check("groups", Status.WARN, "running as root", fix)
    missing = [group for group in needed if group not in machine.session_groups]
    if not missing:
        return Check("groups", Status.OK, f"member of {', '.join(needed)}")
    late = [group for group in missing if group in machine.database_groups]
    if late:
        text = f"member of {', '.join(late)}, but not yet in this session"
        return Check("groups", Status.WARN, text, "log out and in again")
    text = f"not a member of {', '.join(missing)}"
    boards = [port for port in ports if port.usb_id]
    if boards and all(port.may_open for port in boards):
        return Check("groups", Status.OK, f"{text}, and not needed: the boards may be opened")
    return Check("groups", Status.WARN, text, join_group_advice(missing[0]))


def check_udev_rule(machine: Machine) -> Check:
    """Our udev rule is installed, and is the one of this version."""
    shipped = shipped_udev_rule()
    install = (
        f"as an administrator copy {shipped} to /etc/udev/rules.d, "
        "run `udevadm control --reload` and plug the board in again"
    )
    for folder in RULE_FOLDERS:
        rule = machine.root / folder / UDEV_RULE_NAME
        if not rule.is_file():
            continue
        if shipped.is_file() and rule.read_bytes() != shipped.read_bytes():
            return Check("udev", Status.WARN, f"/{folder}/{UDEV_RULE_NAME} differs", install)
        return Check("udev", Status.OK, f"/{folder}/{UDEV_RULE_NAME}")
    text = "udev rule not installed: ports need a group, ModemManager may disturb the board"
    return Check("udev", Status.WARN, text, install)


def check_disk(machine: Machine, state_dir: Path) -> Check:
    """There is room for recordings, and the folder can be written."""
    folder = next(p for p in [state_dir, *state_dir.parents] if p.exists())
    free_bytes = machine.free_bytes(folder)
    text = f"{free_bytes / 1e9:.1f} GB free for {state_dir}"
    if not os.access(folder, os.W_OK):
        fix = f"choose another folder with --state, or become owner of {folder}"
        return Check("disk", Status.FAIL, f"{folder} is not writable", fix)
    fix = "remove or move recordings; one day takes about 80 MB"
    if free_bytes < DISK_FAIL_BYTES:
        return Check("disk", Status.FAIL, text, fix)
    if free_bytes < DISK_WARN_BYTES:
        return Check("disk", Status.WARN, text, fix)
    return Check("disk", Status.OK, text)


def check_key_file(machine: Machine, key_file: Path, state_dir: Path) -> Check:
    """The key is private and not kept with what it locks. Its contents are not read."""
    if state_dir.absolute() in key_file.absolute().parents:
        text = f"{key_file} lies in the state folder: whoever copies one has both"
        return Check("key", Status.FAIL, text, "move it and set SIGNET_KEY_FILE")
    try:
        info = key_file.stat()
    except FileNotFoundError:
        return Check("key", Status.OK, f"{key_file} does not exist yet; made on first use")
    except OSError as err:
        return Check("key", Status.FAIL, f"{key_file}: {err.strerror}", "run as the key's owner")
    problem, fix = _key_problem(info, machine.uid)
    if problem:
        return Check("key", Status.FAIL, f"{key_file} {problem}", fix)
    return Check("key", Status.OK, f"{key_file} is private")


def check_clock(machine: Machine) -> Check:
    """The host's clock is plausible and kept right; labels are matched to signals by it."""
    now_utc = machine.now_utc()
    day = time.strftime("%Y-%m-%d", time.gmtime(now_utc))
    if now_utc < OLDEST_PLAUSIBLE_UTC:
        fix = "set the clock; a host without a battery-backed clock needs a time server"
        return Check("clock", Status.FAIL, f"the clock says {day}", fix)
    synchronised = machine.clock_synchronised()
    if synchronised is None:
        return Check("clock", Status.WARN, f"{day}; kernel does not say if it is synchronised")
    if not synchronised:
        fix = "start a time service (timedatectl set-ntp true), or accept drifting label times"
        return Check("clock", Status.WARN, f"{day}, not synchronised", fix)
    return Check("clock", Status.OK, f"{day}, synchronised")


def check_heat(machine: Machine) -> Check:
    """Temperature can be read, so that learning can stop before the host throttles."""
    heat = read_heat(machine.host_root or machine.root)
    if heat.slowed:
        return Check("heat", Status.WARN, ", ".join(heat.slowed), "better supply or cooling")
    if heat.soc_c is None:
        text = "no temperature to read: learning cannot yield to heat"
        return Check("heat", Status.WARN, text, "none on a virtual machine")
    text = f"{heat.soc_c:.0f} degC"
    if heat.soc_c >= HOT_DEGC:
        return Check("heat", Status.WARN, text, "cool the host: it slows down from here on")
    return Check("heat", Status.OK, text)


def check_host(machine: Machine, state_dir: Path) -> Check:
    """What learning is decided by: power, heat, load, space; the network is only shown."""
    folder = next(p for p in [state_dir, *state_dir.parents] if p.exists())
    root = machine.host_root or machine.root
    host = read_host(root, storage=folder)
    if not host.has_readings:
        text = f"no readings of power, heat or load in {root}: learning cannot yield to them"
        return Check("host", Status.WARN, text, "none in a container that hides /sys and /proc")
    if host.power.source is Source.BATTERY:
        fix = "plug it in: by default learning waits for mains power (signet learn --why)"
        return Check("host", Status.WARN, host.words(), fix)
    return Check("host", Status.OK, host.words())


def _guarded(name: str, step: Callable[[], Check]) -> Check:
    """One check that cannot look must not hide what the others see."""
    try:
        return step()
    except OSError as err:
        return Check(name, Status.FAIL, f"cannot look: {err}", "run as the user Signet runs as")


def _key_problem(info: os.stat_result, uid: int) -> tuple[str, str]:
    mode = stat.S_IMODE(info.st_mode)
    if not stat.S_ISREG(info.st_mode):
        return "is no file", "set SIGNET_KEY_FILE to a file"
    if mode & ~PRIVATE_MODE:
        return f"has mode {mode:04o}: others may use it", "as its owner give it mode 0600"
    if info.st_uid != uid:
        return f"belongs to user {info.st_uid}, this is user {uid}", "run as the key's owner"
    return "", ""
