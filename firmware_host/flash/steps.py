"""Flashing a board, step by step; each can fail, and then says what the board holds and how to go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from firmware_host.errors import FlashError, LinkError
from firmware_host.flash import drives, esptool
from firmware_host.flash.app_files import app_files
from firmware_host.flash.board_flash import Contents
from firmware_host.flash.drives import Drive
from firmware_host.flash.listening import FirstWords, listen
from firmware_host.flash.mpremote import Mpremote
from firmware_host.flash.plan import MICROBIT_SCRIPT, Plan, fitting_drives
from firmware_host.flash.programs import Program
from firmware_host.flash.values import Board
from firmware_host.host.ports import PortInfo, list_ports

# From the bootloader to a port with MicroPython behind it; a first boot formats the flash.
_COMES_BACK_S = 60.0
# A system that mounts drives by itself does so in some seconds.
_DRIVE_S = 30.0
_UFLASH_S = 120.0
_POLL_S = 0.5
# What microbit/main.py prints: a line of names would be gone by the time somebody listens.
_MICROBIT_COLUMNS = "t_ms,acc.x[m/s2],acc.y[m/s2],acc.z[m/s2]"
_TRIES = 3

Say = Callable[[str], None]
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Teller:
    """Where words and progress go: a step's name, and the share of it that is done."""

    say: Say
    progress: Progress


def flash(plan: Plan, teller: Teller, *, root: Path = Path("/")) -> FirstWords:
    """Do what the plan says; returns what the board said at the end.

    Raises
    ------
    FlashError
        If a step fails; the same command, or the one the text names, goes on.
    """
    board, port = plan.target.board, plan.target.port
    if board.prints:
        return _flash_printer(plan, teller, root)
    if plan.image is not None:
        port = _write_image(plan, teller, root)
        teller.say(
            "image written and compared by the board" if plan.writer else "image taken by the board"
        )
    with _or_go_on(plan, port):
        copier = Mpremote(_needed(plan.copier), port, board)
        contents = _first_contents(copier, plan)
        plan = _as_flashed(plan, contents)
        lacking = contents.lacks(plan.files)
        teller.say(
            f"{len(plan.files) - len(lacking)} files are there already, {len(lacking)} to copy"
        )
        copier.copy(plan.files, contents, progress=lambda share: teller.progress("copy", share))
        teller.say("files copied and compared by hash; restarting")
        copier.restart()
        port = _await_port(plan, port, root)
        words = listen(f"serial:{port}")
    board = plan.target.board
    if missing := [
        sense for sense in (*board.onboard, *board.wired) if sense not in words.n_samples
    ]:
        teller.say(f"no sensor answers for {', '.join(missing)}: check the wires, if it is there")
    return words


def _write_image(plan: Plan, teller: Teller, root: Path) -> str:
    """Write the image; returns the port at which the board comes back."""
    image, board = plan.image, plan.target.board
    if image is None:
        raise ValueError("a plan with an image")
    if plan.writer is not None:
        esptool.write_image(
            plan.writer,
            board,
            plan.target.port,
            image,
            say=teller.say,
            progress=lambda share: teller.progress("write", share),
        )
    else:
        drive = plan.drive or _enter_bootloader(plan, teller, root)
        teller.say(f"writing to {drive.folder}")
        drives.write_image(
            drive,
            image.data,
            progress=lambda done, total: teller.progress("write", done / total),
        )
    return _await_port(plan, plan.target.port, root)


def _enter_bootloader(plan: Plan, teller: Teller, root: Path) -> Drive:
    board = plan.target.board
    if plan.target.port:
        teller.say("asking MicroPython for the bootloader")
        copier = Mpremote(_needed(plan.copier), plan.target.port, board)
        try:
            copier.enter_bootloader()
        except FlashError as err:
            # Nothing that answers is on it yet: a person's hand is needed.
            teller.say(f"{err}")
    return _await_drive(plan, root)


def _await_drive(plan: Plan, root: Path) -> Drive:
    board = plan.target.board
    deadline_s = time.monotonic() + _DRIVE_S
    while not (found := fitting_drives(board, root)):
        if time.monotonic() > deadline_s:
            raise drives.explain_no_drive(board.enter, root)
        time.sleep(_POLL_S)
    return found[0]


def _await_port(plan: Plan, port: str, root: Path) -> str:
    """The port of the board after it restarted: the same one, or the only one of its kind."""
    board = plan.target.board
    deadline_s = time.monotonic() + _COMES_BACK_S
    # A board that leaves the bus takes a moment to do so.
    time.sleep(_POLL_S)
    while True:
        ports = [info for info in list_ports(root) if info.name not in plan.others]
        back = _names_it_is_back_as(board, port, ports)
        if port and plan.target.info is None and Path(port).exists():
            return port
        if len(back) == 1:
            return back[0]
        if time.monotonic() > deadline_s:
            what = (
                f"several such boards came ({', '.join(back)})" if back else "it did not come back"
            )
            raise FlashError(
                f"{board.name}: restarted, and {what} on USB within {_COMES_BACK_S:g} s; press RESET, then "
                f"{plan.app_command()}"
            )
        time.sleep(_POLL_S)


def _names_it_is_back_as(board: Board, port: str, ports: list[PortInfo]) -> list[str]:
    """Ports that may be the board's: its own, unless its bootloader is there; else those with the app's USB ids."""
    for info in ports:
        is_app = info.usb_id in board.usb_app or info.usb_id not in board.usb_boot
        if port in (info.by_id, info.device) and is_app:
            return [port]
    return [info.name for info in ports if info.usb_id in board.usb_app]


def _as_flashed(plan: Plan, contents: Contents) -> Plan:
    """A board keeps the kind, and so the pins, that somebody flashed it as, unless the kind was named."""
    kinds = {kind.key: kind for kind in plan.target.kinds}
    if plan.said is not None or (not contents.kind and len(kinds) == 1):
        return plan
    if contents.kind in kinds:
        kind = kinds[contents.kind]
        target = replace(plan.target, kinds=(kind,))
        return replace(plan, target=target, files=tuple(app_files(kind)))
    got = f"one flashed as {contents.kind!r}" if contents.kind else "one that never was"
    raise FlashError(
        f"{plan.target.port}: expected a board that was flashed as {' or '.join(kinds)}, got {got}: no file was "
        "copied; say which it is with --board"
    )


def _first_contents(copier: Mpremote, plan: Plan) -> Contents:
    """What the board holds; right after an image it may take a few tries until a prompt answers."""
    tries = _TRIES if plan.image is not None else 1
    for attempt in range(tries):
        try:
            return copier.inspect(plan.files)
        except FlashError:
            if attempt == tries - 1:
                raise
            time.sleep(_POLL_S)
    raise AssertionError


@contextmanager
def _or_go_on(plan: Plan, port: str) -> Iterator[None]:
    """Say how to go on after an image that need not be written again."""
    try:
        yield
    except LinkError as err:
        if plan.image is None:
            raise
        what = "MicroPython is on the board now, so this is enough"
        raise FlashError(f"{err}; {what}: {plan.app_command(port)}") from err


def _flash_printer(plan: Plan, teller: Teller, root: Path) -> FirstWords:
    drive = plan.drive or _await_drive(plan, root)
    teller.say(f"writing to {drive.folder}")
    args = [str(MICROBIT_SCRIPT), str(drive.folder)]
    _needed(plan.writer).run(args, say=lambda _line: None, limit_s=_UFLASH_S)
    url = f"text:{_await_port(plan, plan.target.port, root)}?columns={_MICROBIT_COLUMNS}"
    words = listen(url)
    teller.say(f"from now on: --device '{url}'")
    return words


def _needed(program: Program | None) -> Program:
    if program is None:
        raise ValueError("a plan with this program")
    return program
