"""Boards with MicroPython on them, through the program `mpremote`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from firmware_host.errors import FlashError
from firmware_host.flash.app_files import MAIN, AppFile
from firmware_host.flash.board_flash import Contents, change_code, contents_told, inspect_code
from firmware_host.flash.programs import Program, Say
from firmware_host.flash.room import LARGER, blocks_needed
from firmware_host.flash.values import CHIPS, Board

_ASK_LIMIT_S = 60.0
# 100 kB take 16 s without raw paste.
_COPY_LIMIT_S = 600.0
# Chips as MicroPython names them in sys.implementation._machine.
_CHIP = re.compile(r"esp32[a-z]?\d*|esp8266|rp2\d{3}|nrf5\d{4}|samd\d+|stm32[a-z0-9]+|mimxrt\d*")
# What the app remembers of its boots (board/settings.py): failures of an earlier one are not this one's.
STATE = "state.json"


class Mpremote:
    """One board at one port."""

    def __init__(self, program: Program, port: str, board: Board) -> None:
        self._program = program
        self._port = port
        self._board = board

    def inspect(self, files: Sequence[AppFile]) -> Contents:
        """Ask what it holds of these files; an app that runs is stopped.

        Raises
        ------
        FlashError
            If no MicroPython answers, or it is on another chip than the board's.
        """
        said = self._run(["exec", inspect_code(files)], limit_s=_ASK_LIMIT_S)
        try:
            contents = contents_told(said)
        except ValueError as err:
            msg = f"{self._port}: expected MicroPython to tell its files, got {said[-80:]!r}"
            raise FlashError(msg) from err
        self._check_chip(contents.machine)
        return contents

    def copy(
        self, files: Sequence[AppFile], contents: Contents, *, progress: Callable[[float], None]
    ) -> None:
        """Write the files that differ; ``main.py`` is away until all others are there and compared.

        Raises
        ------
        FlashError
            If there is no room, or a file does not arrive as it was sent.
        """
        lacking = contents.lacks(files)
        if not lacking:
            return
        others = [file for file in lacking if file.name != MAIN]
        last = [file for file in files if file.name == MAIN]
        self._check_room([*others, *last], files, contents)
        folders = sorted({str(PurePosixPath(file.name).parent) for file in lacking} - {"."})
        steps = [["remove", MAIN], *(["mkdir", folder] for folder in folders)]
        progress(0.0)
        self._run(["exec", change_code(steps)], limit_s=_ASK_LIMIT_S)
        n_done = 0

        def hear(line: str) -> None:
            nonlocal n_done
            if line.startswith("cp "):
                n_done += 1
                progress((n_done - 1) / (len(others) + len(last)))

        for batch in (others, last):
            if batch:
                self._copy(batch, contents.space.root, hear)
                self._compare(batch)
        progress(1.0)

    def restart(self) -> None:
        """Start it anew, as its reset button does, with a clean record.

        Raises
        ------
        FlashError
            If no MicroPython answers.
        """
        self._run(["exec", change_code([["remove", STATE]]), "+", "reset"], limit_s=_ASK_LIMIT_S)

    def enter_bootloader(self) -> None:
        """Have it start its bootloader.

        Raises
        ------
        FlashError
            If no MicroPython answers.
        """
        self._run(["bootloader"], limit_s=_ASK_LIMIT_S)

    def _copy(self, files: Sequence[AppFile], root: str, hear: Say) -> None:
        with TemporaryDirectory(prefix="signet-app-") as folder:
            args: list[str] = []
            for file in files:
                local = Path(folder) / file.name
                local.parent.mkdir(parents=True, exist_ok=True)
                local.write_bytes(file.data)
                where = f":{root}/{file.name}"
                args += [*(["+"] if args else []), "fs", "cp", "-f", str(local), where]
            self._run(args, limit_s=_COPY_LIMIT_S, say=hear)

    def _compare(self, files: Sequence[AppFile]) -> None:
        bad = self.inspect(files).lacks(files)
        if bad:
            names = ", ".join(file.name for file in bad)
            raise FlashError(
                f"{self._port}: {names} did not arrive as sent; run the same command again"
            )

    def _check_room(
        self, copied: Sequence[AppFile], files: Sequence[AppFile], contents: Contents
    ) -> None:
        space = contents.space
        needed = blocks_needed(copied, contents.sizes, space.block_bytes)
        if needed <= space.n_free:
            return
        in_all = blocks_needed(files, {}, space.block_bytes)
        if in_all > space.n_blocks:
            msg = f"expected {space.kib(in_all)} KiB for files, as the app needs, got a MicroPython that has"
            raise FlashError(f"{self._port}: {msg} {space.kib(space.n_blocks)} KiB: {LARGER}")
        msg = f"expected {space.kib(needed)} KiB free on the board (the app takes {space.kib(in_all)} KiB in all), got"
        raise FlashError(
            f"{self._port}: {msg} {space.kib(space.n_free)} of {space.kib(space.n_blocks)} KiB: remove files of yours "
            "(mpremote fs rm) and run the same command again"
        )

    def _check_chip(self, machine: str) -> None:
        found = set(_CHIP.findall(machine.lower().replace("-", "")))
        if found and not any(name.startswith(self._board.chip.name) for name in found):
            known = ", ".join(sorted(found & set(CHIPS) or found))
            msg = f"{self._port}: expected a board with {self._board.chip.name} ({self._board.key})"
            raise FlashError(f"{msg}, got one with {known}: name the board that it is with --board")

    def _run(self, args: Sequence[str], *, limit_s: float, say: Say = lambda _line: None) -> str:
        try:
            # Without "resume" it begins with a soft reset, which ends the timer that feeds the app's watchdog:
            # the board would go away in the middle of a copy.
            words = ["connect", self._port, "resume", *args]
            return self._program.run(words, say=say, limit_s=limit_s)
        except FlashError as err:
            raise FlashError(f"{self._port}: {_explained(str(err))}") from err


def _explained(said: str) -> str:
    if "raw repl" in said or "still not done" in said:
        return (
            "no MicroPython prompt answers: press RESET and run the same command again, or put MicroPython on the "
            "board with --image"
        )
    if "No space left" in said or "ENOSPC" in said:
        return "the board's flash is full: remove files of yours (mpremote fs rm) and run the same command again"
    if "failed to access" in said or "no device" in said:
        return "cannot be opened, it may be in use by another program: close that one and run the same command again"
    return f"the board went away or stopped answering ({said}): check its cable and run the same command again"
