"""The Node process that is the board: its flash, its pipes, its body."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import struct
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware_host.errors import LinkError
from sim.micropython.worn import EMPTY_V, FULL_V, PARTS, RATIO, REFERENCE_V, Hardware, Worn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from sim.body import Body

_HERE = Path(__file__).resolve().parent
_REPO = _HERE.parents[1]
APP = _REPO / "firmware_host" / "board"
FRAME = _REPO / "firmware_host" / "protocol" / "frame.py"
# Pins as sim/micropython/lib/machine.py has them.
_BUTTON_PIN, _HAPTIC_PIN, _EDA_PIN, _BATTERY_PIN, _LED_PIN = 2, 3, 4, 5, 13
_RING_KIB = 64
_TIME = struct.Struct("<d")
BOOTLOADER = 64
"""Exit code of a board that was told to start its bootloader."""
# A page, the least that Linux gives a pipe: what a host does not read is soon the board's to drop.
_PIPE_BYTES = 4096
_ASK_NPM = "Node.js and the npm package in sim/micropython: tools/install-tools.sh"


def board_json(rates_hz: Mapping[str, float], **changes: Any) -> dict[str, Any]:
    """What the virtual board's board.json says."""
    return {
        "board": "virtual",
        "i2c": {"bus": 0},
        "sensors": list(PARTS),
        "eda": {"pin": _EDA_PIN, "full_scale_usiemens": 60.0},
        "button": {"pin": _BUTTON_PIN},
        "haptic": {"pin": _HAPTIC_PIN},
        "led": {"pin": _LED_PIN},
        "battery": {
            "pin": _BATTERY_PIN,
            "ratio": RATIO,
            "empty_v": EMPTY_V,
            "full_v": FULL_V,
            "reference_v": REFERENCE_V,
        },
        "rates": dict(rates_hz),
        "ring": _RING_KIB,
        **changes,
    }


def put_app(flash: Path, config: Mapping[str, Any]) -> None:
    """Put the app, the frame codec and its board.json into a folder that is a board's flash."""
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(APP, flash, dirs_exist_ok=True, ignore=ignore)
    shutil.copy(FRAME, flash)
    (flash / "board.json").write_text(json.dumps(config), encoding="utf-8")


class MicroPythonBoard:
    """A board process, to be closed; `read` and `write` are its line.

    Parameters
    ----------
    flash
        Folder that is its flash; it changes as the board writes.
    virtual_s
        Seconds of virtual time until it ends; None for real time without an end.

    Raises
    ------
    LinkError
        If there is no Node.js, or its package is not installed.
    """

    def __init__(
        self, body: Body, hardware: Hardware, flash: Path, *, virtual_s: float | None = None
    ) -> None:
        if not (shutil.which("node") and (_HERE / "node_modules").is_dir()):
            raise LinkError("node", f"expected {_ASK_NPM}, got none")
        self._worn = Worn(body, hardware)
        self._rom = tempfile.TemporaryDirectory(prefix="signet-rom-")
        rom = Path(self._rom.name)
        shutil.copytree(_HERE / "lib", rom, dirs_exist_ok=True)
        shutil.copytree(_REPO / "sim" / "devices", rom / "sim" / "devices")
        body_out, body_in = os.pipe()
        asked_out, asked_in = os.pipe()
        answer_out, answer_in = os.pipe()
        theirs = (body_out, asked_in, answer_out)
        command = ["node", str(_HERE / "board.mjs"), str(flash), str(rom), *map(str, theirs)]
        command += [] if virtual_s is None else [repr(virtual_s)]
        self._out, out_in = os.pipe()
        if virtual_s is None:
            fcntl.fcntl(out_in, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            os.set_blocking(out_in, False)
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=out_in, pass_fds=theirs
        )
        for fd in (*theirs, out_in):
            os.close(fd)
        self._threads = (
            threading.Thread(target=self._feed, args=(body_in,), daemon=True),
            threading.Thread(target=self._answer, args=(asked_out, answer_in), daemon=True),
        )
        for thread in self._threads:
            thread.start()

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it lives."""
        return self._process.poll()

    def read(self, n: int = 1 << 16) -> bytes:
        """Up to n bytes from the board, after waiting for the first; none once it has ended."""
        return os.read(self._out, n)

    def write(self, data: bytes) -> None:
        """Bytes to the board; a board that has ended hears nothing."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def _feed(self, fd: int) -> None:
        """Hand over the body; the pipe's size says how far ahead."""
        with os.fdopen(fd, "wb", buffering=0) as pipe:
            try:
                pipe.write(self._worn.facts())
                for piece in self._worn.pieces():
                    pipe.write(piece)
            except BrokenPipeError:
                # The board is gone.
                return

    def _answer(self, asked: int, said: int) -> None:
        """What the wearer says of each cue; the board waits for it, so that virtual time repeats itself."""
        with os.fdopen(asked, "rb") as questions, os.fdopen(said, "wb", buffering=0) as answers:
            while len(question := questions.read(_TIME.size)) == _TIME.size:
                with contextlib.suppress(BrokenPipeError):
                    answers.write(self._worn.answer(*_TIME.unpack(question)))

    def __enter__(self) -> MicroPythonBoard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cut its power."""
        self._process.kill()
        self._process.communicate()
        for thread in self._threads:
            thread.join()
        os.close(self._out)
        self._rom.cleanup()


def run_virtually(
    body: Body,
    hardware: Hardware,
    *,
    seconds: float,
    flash: Path | None = None,
    config: Mapping[str, Any] | None = None,
) -> bytes:
    """Everything that the app sends in so many seconds of its own virtual time.

    Without ``flash`` it is the app of this repository, with ``config`` in its board.json.
    """
    with tempfile.TemporaryDirectory(prefix="signet-flash-") as folder:
        if flash is None:
            flash = Path(folder)
            put_app(flash, board_json(Worn(body, hardware).rates_hz, **(config or {})))
        with MicroPythonBoard(body, hardware, flash, virtual_s=seconds) as board:
            return b"".join(iter(board.read, b""))
