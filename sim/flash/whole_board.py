"""A board's life as flashing programs meet it: its ROM, MicroPython's prompt, the app, on one port."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sim.flash.esp_rom import EspRom
from sim.flash.repl_board import ReplBoard, Restarts

if TYPE_CHECKING:
    from sim.board import VirtualBoard

# What asks an app for the prompt.
_INTERRUPT = b"\r\x03"
# A pseudo-terminal has no line to reset by: somebody presses RESET when the image is in.
_PRESSED_S = 0.3


class WholeBoard:
    """Starts with an empty flash, in its ROM; with ``rom`` None, with MicroPython on it.

    Parameters
    ----------
    new_app
        Makes the app that main.py starts; it is no part of the flash here.
    """

    def __init__(
        self,
        rom: EspRom | None,
        prompt: ReplBoard,
        new_app: Callable[[], VirtualBoard],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rom = self._running_rom = rom
        self._prompt = prompt
        self._new_app = new_app
        self._monotonic = monotonic
        self._app: VirtualBoard | None = None
        self._began_s = self._heard_s = monotonic()
        self.is_bootloader_asked = False
        if rom is None:
            self._boot()

    @property
    def runs_app(self) -> bool:
        """Whether its app runs."""
        return self._app is not None

    def hold_boot(self) -> None:
        """Start in its ROM, as with BOOT held down, or by the lines that a pseudo-terminal does not have."""
        if self._rom is not None:
            self._rom.restart()
        self._app, self._running_rom = None, self._rom

    def feed(self, data: bytes) -> bytes:
        """Answers of whatever runs.

        Raises
        ------
        Unplugged
            When a fault says so.
        """
        self._heard_s = self._monotonic()
        if self._running_rom is not None:
            return self._running_rom.feed(data)
        if self._app is not None:
            # Words for the app may come with it, when they had to wait.
            _told, interrupt, rest = data.partition(_INTERRUPT)
            if not interrupt:
                self._app.receive(data)
                return b""
            self._app, data = None, interrupt + rest
        try:
            return self._prompt.feed(data)
        except Restarts as restart:
            self.is_bootloader_asked = restart.what == "bootloader"
            self._boot()
            # Said before the code runs, as the prompt always does.
            return b"OK"

    def tick(self) -> bytes:
        """What the app says meanwhile."""
        now_s = self._monotonic()
        rom = self._running_rom
        if rom is not None and rom.is_verified and now_s - self._heard_s > _PRESSED_S:
            self._running_rom = None
            self._boot()
        if self._app is not None:
            return self._app.advance(now_s - self._began_s)
        return b""

    def _boot(self) -> None:
        self._began_s = self._monotonic()
        has_main = (self._prompt.folder / Path("main.py")).is_file()
        self._app = self._new_app() if has_main else None
