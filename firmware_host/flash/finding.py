"""Which board is meant: by its USB ids, its port, or what the caller says. Opens no port."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware_host.errors import ConfigError, LinkError
from firmware_host.flash.values import Board
from firmware_host.host.ports import PortInfo
from firmware_host.transport.base import parse_url
from firmware_host.transport.port_files import holders, join_group_advice, owner_group

VIRTUAL = "virtual"
_PSEUDO_TERMINALS = Path("/dev/pts")
_DEVICES = Path("/sys/dev/char")
_SCHEMES = ("serial", "pty")


@dataclass(frozen=True, slots=True)
class Target:
    """A board and where it is; ``port`` is empty while only its bootloader's drive is there.

    ``kinds`` are all that it can be, as far as that was not said: ``board`` is the first of them.
    """

    kinds: tuple[Board, ...]
    port: str
    info: PortInfo | None

    @property
    def board(self) -> Board:
        """What it is taken for."""
        return self.kinds[0]

    @property
    def runs(self) -> bool:
        """Whether it is surely not in its bootloader: some bootloaders have the app's USB id."""
        usb_id = self.info.usb_id if self.info else None
        return usb_id in self.board.usb_app and usb_id not in self.board.usb_boot

    @property
    def summary(self) -> str:
        """One line about it."""
        usb = f", USB {self.info.usb_id}" if self.info and self.info.usb_id else ""
        what = f"{self.board.name} ({self.board.key})"
        if len(self.kinds) > 1:
            what = f"{' or '.join(kind.key for kind in self.kinds)}, as it says itself,"
        return f"{what} at {self.port or 'its drive'}{usb}"


def find_target(
    boards: Mapping[str, Board],
    ports: Sequence[PortInfo],
    *,
    board: Board | None,
    device: str | None,
    has_drive: bool = False,
    may_ask: bool = False,
) -> Target:
    """The one board that fits what was said.

    Parameters
    ----------
    boards
        The table.
    board, device
        What the caller named, if anything.
    has_drive
        Whether the board shows a drive, so that it needs no port yet.
    may_ask
        Whether the board can say later which of several kinds with one chip it is.

    Raises
    ------
    ConfigError
        If it can be boards of several kinds, or the device is no serial port.
    LinkError
        If there is none, or several, or another kind, or it may not be opened or is in use.
    """
    if device is not None:
        path = _port_path(device)
        info = next((port for port in ports if _is_same(port, path)), None)
    else:
        info = _only_one(boards, ports, board, has_drive=has_drive)
        path = info.name if info else ""
    if info is not None:
        _require_free(info)
    elif path:
        _require_usable(path, ports)
    kinds = _kinds(boards, board, info, path)
    if len(kinds) > 1 and not (may_ask and len({kind.chip for kind in kinds}) == 1):
        raise _unclear(kinds, path)
    return Target(tuple(kinds), path, info)


def kinds_of(boards: Mapping[str, Board], port: PortInfo) -> list[Board]:
    """Kinds of boards that a port can be, by its USB ids."""
    return [board for board in boards.values() if board.has_usb_id(port.usb_id)]


def is_pseudo_terminal(port: str) -> bool:
    """Whether a port is none of hardware: it has no lines to reset by, and programs at both ends."""
    return Path(port).resolve().parent == _PSEUDO_TERMINALS


def _port_path(device: str) -> str:
    url = parse_url(device)
    if url.scheme not in _SCHEMES:
        raise ConfigError("--device", "a serial port or pty to flash", device)
    return url.target


def _is_same(port: PortInfo, path: str) -> bool:
    return Path(port.device).resolve() == Path(path).resolve()


def _only_one(
    boards: Mapping[str, Board], ports: Sequence[PortInfo], board: Board | None, *, has_drive: bool
) -> PortInfo | None:
    wanted = [board] if board else list(boards.values())
    fitting = [port for port in ports if any(each.has_usb_id(port.usb_id) for each in wanted)]
    if len(fitting) > 1:
        names = ", ".join(port.name for port in fitting)
        raise LinkError(f"{len(fitting)} boards are connected: {names}; name one with --device")
    if fitting:
        return fitting[0]
    if has_drive:
        return None
    what = f"no {board.name}" if board else "no board we know"
    raise LinkError(
        f"{what} is connected; {_what_is_there(ports)}; plug it in with a cable that carries data, or name its "
        "port with --device"
    )


def _what_is_there(ports: Sequence[PortInfo]) -> str:
    names = [f"{port.name} ({port.board_hint or port.usb_id or 'no USB'})" for port in ports]
    return f"ports here: {', '.join(names)}" if names else "no serial port is here"


def _kinds(
    boards: Mapping[str, Board], board: Board | None, info: PortInfo | None, path: str
) -> list[Board]:
    found = kinds_of(boards, info) if info else []
    if board is not None:
        # A board that has other ids than the table is no reason to refuse what a person says, unless
        # the ids say that it is another one.
        if found and not board.has_usb_id(info.usb_id if info else None):
            got = " or ".join(each.key for each in found)
            raise LinkError(f"{path}: expected a {board.key}, got what looks like {got}")
        return [board]
    if info is None and is_pseudo_terminal(path):
        return [boards[VIRTUAL]]
    if not found:
        raise ConfigError("--board", f"one of {', '.join(boards)}", "nothing")
    return found


def _unclear(kinds: Sequence[Board], path: str) -> ConfigError:
    names = ", ".join(kind.key for kind in kinds)
    return ConfigError("--board", f"one of {names}, for {path} can be any of them", "nothing")


def _require_free(info: PortInfo) -> None:
    if not info.may_open:
        raise _no_permission(info.device, info.group)
    if info.holders:
        raise _in_use(info.device, info.holders)


def _require_usable(path: str, ports: Sequence[PortInfo]) -> None:
    """The same of a port that the system's list does not have."""
    device = Path(path)
    if not device.exists():
        raise LinkError(f"{path}: no such port; {_what_is_there(ports)}")
    if kind := _other_than_a_line(device):
        raise LinkError(f"{path}: expected a serial port, got {kind}; {_what_is_there(ports)}")
    if not os.access(device, os.R_OK | os.W_OK):
        raise _no_permission(path, owner_group(device))
    # A simulator has its own end open.
    if not is_pseudo_terminal(path) and (users := holders(device)):
        raise _in_use(path, users)


def _other_than_a_line(device: Path) -> str:
    if not device.is_char_device():
        return "a folder" if device.is_dir() else "a file"
    number = device.stat().st_rdev
    # A pseudo-terminal has no such folder.
    subsystem = _DEVICES / f"{os.major(number)}:{os.minor(number)}" / "subsystem"
    is_other = subsystem.exists() and subsystem.resolve().name != "tty"
    return "another device" if is_other else ""


def _no_permission(path: str, group: str) -> LinkError:
    return LinkError(
        f"{path}: no permission; it belongs to group {group}: {join_group_advice(group)}"
    )


def _in_use(path: str, users: Sequence[str]) -> LinkError:
    return LinkError(f"{path}: in use by {', '.join(users)}; close that one first")
