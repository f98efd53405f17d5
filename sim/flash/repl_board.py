"""A board with MicroPython's raw prompt, on CPython: what `mpremote` needs of it, and its mishaps.

The interpreter is CPython on a folder, so that faults can be set at will: a full flash, a cable pulled while files
are copied. What runs on the real interpreter is in :mod:`sim.micropython`.
"""

from __future__ import annotations

import builtins
import errno
import os
import time
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sim.flash.pty_port import Unplugged

_CTRL_A, _CTRL_B, _CTRL_C, _CTRL_D, _CTRL_E = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"
_RAW = b"raw REPL; CTRL-B to exit\r\n>"
_BANNER = b"\r\nMicroPython v1.27.0 (simulated)\r\n>>> "
_BLOCK = 4096
_OS = ("stat", "remove", "mkdir", "rmdir", "listdir")


@dataclass
class ReplFaults:
    """What goes wrong; 0 for never.

    A soft reset ends the timers of a program, but not its watchdog: with nobody to feed it the board goes.
    """

    unplugged_after_bytes: int = 0
    damages_write: int = 0
    no_prompt: bool = False
    dies_of_soft_reset: bool = False
    no_hashlib: bool = False


class Restarts(Exception):  # noqa: N818 - what happened, no error of ours
    """It starts anew: the app, or the bootloader."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class ReplBoard:
    """The prompt; :meth:`feed` takes bytes of the line and gives back the answer.

    Parameters
    ----------
    folder
        Its flash.
    machine
        As ``sys.implementation._machine`` tells it.
    room_bytes
        Size of its flash.
    mount
        Where that is mounted, the folder it starts in: the nRF port has "/flash", others "/".
    """

    def __init__(
        self,
        folder: Path,
        *,
        machine: str = "Board with ESP32S3",
        room_bytes: int = 1 << 20,
        mount: str = "/",
        faults: ReplFaults | None = None,
    ) -> None:
        self.folder = folder
        self._machine = machine
        self._room = room_bytes
        self._mount = mount
        self._faults = faults or ReplFaults()
        self._is_raw = False
        self._code = b""
        self._n_fed = 0
        self._n_writes = 0
        self._out = ""
        self._names = self._fresh_names()

    def feed(self, data: bytes) -> bytes:
        """Answers to what came.

        Raises
        ------
        Restarts
            When the host has it do so.
        Unplugged
            When it was asked to be.
        """
        if self._faults.no_prompt:
            return b""
        return b"".join(self._key(data[i : i + 1]) for i in range(len(data)))

    def tick(self) -> bytes:
        """Nothing: it speaks when it is spoken to."""
        return b""

    def _key(self, key: bytes) -> bytes:
        # Byte by byte: how many come at once is a matter of how busy the machine is.
        self._n_fed += 1
        if 0 < self._faults.unplugged_after_bytes < self._n_fed:
            raise Unplugged
        if key == _CTRL_A:
            # After Ctrl-E and "A" this asks for raw paste: no, as on boards that have none.
            wants_paste = self._code == _CTRL_E + b"A"
            self._code = b""
            if wants_paste:
                return b"R\x00"
            self._is_raw = True
            return b"\r\n" + _RAW
        if key == _CTRL_B:
            self._is_raw, self._code = False, b""
            return _BANNER
        if key == _CTRL_C:
            self._code = b""
            return b"\r\n>" if self._is_raw else b"\r\n>>> "
        if key == _CTRL_D:
            return self._run() if self._is_raw else self._soft_reset()
        self._code += key
        return b""

    def _run(self) -> bytes:
        code, self._code = self._code, b""
        if not code.strip():
            return b"OK" + self._soft_reset()
        self._out, error = "", ""
        try:
            exec(compile(code.decode(), "<stdin>", "exec"), self._names)
        except Restarts:
            raise
        except Exception as err:
            error = f"Traceback (most recent call last):\r\n{_said(err)}\r\n"
        return b"OK" + self._out.encode() + _CTRL_D + error.encode() + _CTRL_D + b">"

    def _soft_reset(self) -> bytes:
        if self._faults.dies_of_soft_reset:
            raise Unplugged
        self._names = self._fresh_names()
        return b"\r\nMPY: soft reboot\r\n" + (_RAW if self._is_raw else _BANNER)

    def _fresh_names(self) -> dict[str, object]:
        modules = {
            "os": self._os(),
            "machine": _machine(),
            "sys": _sys(self._machine),
            "time": types.SimpleNamespace(sleep_ms=lambda ms: time.sleep(ms / 1000)),
        }

        def bring(name: str, *args: object) -> object:
            if name == "hashlib" and self._faults.no_hashlib:
                raise ImportError("no module named 'hashlib'")
            return modules.get(name) or __import__(name, *args)  # type: ignore[arg-type]

        own = {"__import__": bring, "open": self._open, "print": self._print}
        return {"__builtins__": {**vars(builtins), **own}, "__name__": "__main__"}

    def _print(self, *words: object, end: str = "\r\n") -> None:
        self._out += " ".join(map(str, words)) + end

    def _os(self) -> types.SimpleNamespace:
        def on_flash(function: Callable[[Path], object]) -> Callable[[str], object]:
            def call(name: str = "") -> object:
                return function(self._place(name))

            return call

        own = {name: on_flash(getattr(os, name)) for name in _OS}
        return types.SimpleNamespace(**own, statvfs=self._statvfs)

    def _place(self, name: str) -> Path:
        """Where a file of the board is; OSError as MicroPython's for a path that nothing is mounted at."""
        if name.startswith("/") and not f"{name}/".startswith(self._mount):
            raise OSError(errno.ENODEV, "ENODEV")
        return self.folder / name.removeprefix(self._mount).lstrip("/")

    def _statvfs(self, path: str) -> tuple[int, ...]:
        if path == "/" != self._mount:
            return (0,) * 9 + (255,)
        sizes = [file.stat().st_size for file in self.folder.rglob("*") if file.is_file()]
        free = self._room // _BLOCK - sum(-(-size // _BLOCK) for size in sizes)
        return (_BLOCK, _BLOCK, self._room // _BLOCK, free, free, 0, 0, 0, 0, 255)

    def _open(self, name: str, mode: str = "r") -> object:
        path = self._place(name)
        return _Written(path, self._note) if "w" in mode else path.open(mode)

    def _note(self, data: bytes) -> bytes:
        self._n_writes += 1
        if self._n_writes == self._faults.damages_write:
            return bytes([data[0] ^ 1]) + data[1:]
        free = self._statvfs(self._mount)[3] * _BLOCK
        if len(data) > free:
            raise OSError(28, "ENOSPC")
        return data


class _Written:
    """A file of the board that is written; what is written may be changed on its way."""

    def __init__(self, path: Path, note: Callable[[bytes], bytes]) -> None:
        self._path = path
        self._note = note
        path.write_bytes(b"")

    def write(self, data: bytes) -> int:
        # Opened for each piece, so that a cable pulled between two leaves nothing open.
        with self._path.open("ab") as file:
            return file.write(self._note(bytes(data)))

    def close(self) -> None:
        """Nothing: what was written is on the flash."""


def _said(err: Exception) -> str:
    """An error in MicroPython's words, which has one class for what CPython has many."""
    if isinstance(err, OSError) and err.errno:
        return f"OSError: [Errno {err.errno}] {errno.errorcode[err.errno]}"
    return f"{type(err).__name__}: {err}"


def _machine() -> types.SimpleNamespace:
    def reset() -> None:
        raise Restarts("app")

    def bootloader() -> None:
        raise Restarts("bootloader")

    return types.SimpleNamespace(reset=reset, bootloader=bootloader)


def _sys(machine: str) -> types.SimpleNamespace:
    return types.SimpleNamespace(
        implementation=types.SimpleNamespace(name="micropython", _machine=machine), stdout=None
    )
