"""Espressif's boards, through the program `esptool`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from firmware_host.errors import FlashError
from firmware_host.flash.finding import is_pseudo_terminal
from firmware_host.flash.images import Image
from firmware_host.flash.programs import Program, Say
from firmware_host.flash.values import Board

# 16 MB at 115200 baud take 25 minutes; USB takes one.
_WRITE_LIMIT_S = 1800.0
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%\s")
_AWAY = (
    "serial exception",
    "port that is not open",
    "could not open",
    "disconnected",
    "No such file",
)


def write_args(board: Board, port: str, image: Path) -> list[str]:
    """Arguments that write an image and have the chip compare its MD5."""
    # A pseudo-terminal has no lines to reset by; asked to use them, esptool gives up.
    reset = (
        ["--before", "no-reset", "--after", "no-reset"]
        if is_pseudo_terminal(port)
        else ["--before", "default-reset", "--after", "hard-reset"]
    )
    chip = ["--chip", board.chip.name, "--port", port]
    return [*chip, *reset, "write-flash", f"0x{board.offset:x}", str(image)]


def write_image(
    esptool: Program,
    board: Board,
    port: str,
    image: Image,
    *,
    say: Say,
    progress: Callable[[float], None],
) -> None:
    """Write an image; the program compares what the chip has with what it sent.

    Parameters
    ----------
    progress
        Told the share done, 0 to 1.

    Raises
    ------
    FlashError
        If it did not work; the ROM cannot be overwritten, so the board can always be flashed again.
    """

    def hear(line: str) -> None:
        percent = _PERCENT.search(line)
        if percent:
            progress(float(percent[1]) / 100)
        elif line.startswith(("Chip type", "Wrote", "Hash of data")):
            say(line)

    args = write_args(board, port, image.path)
    progress(0.0)
    try:
        said = esptool.run(args, say=hear, limit_s=_WRITE_LIMIT_S)
    except FlashError as err:
        raise FlashError(f"{err}; {_how_to_go_on(str(err), board)}") from err
    if "Hash of data verified" not in said:
        raise FlashError(f"esptool: ended without comparing hashes; {_how_to_go_on('', board)}")


def _how_to_go_on(said: str, board: Board) -> str:
    safe = "the chip's bootloader cannot be overwritten"
    if "Wrong chip" in said or "This chip is" in said:
        return (
            "nothing was written: name the board that it is with --board and give an image for it"
        )
    if "Failed to connect" in said:
        return f"nothing was written: {board.enter}, and run the same command again"
    if any(word in said for word in _AWAY):
        return f"{safe}: check the cable, {board.enter}, and run the same command again"
    return f"{safe}: {board.enter}, and run the same command again"
