"""The micro:bit that qemu has (the first version), fed by the universal image that uflash writes for both."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

FLASH_BYTES = 256 * 1024
_V1 = (b"\x99\x00", b"\x99\x01")
_DATA, _ADDRESS, _BLOCK = 0x00, 0x04, 0x0A


def v1_image(universal: str) -> bytes:
    """The flash of a V1 from a universal hex file (micro:bit, "Universal hex": record types 0A to 0E)."""
    flash = bytearray(b"\xff" * FLASH_BYTES)
    base, is_v1 = 0, True
    for line in universal.split():
        raw = bytes.fromhex(line.removeprefix(":"))
        assert sum(raw) & 0xFF == 0, f"checksum of {line}"
        at, kind, data = int.from_bytes(raw[1:3]), raw[3], raw[4:-1]
        if kind == _BLOCK:
            is_v1 = data[:2] in _V1
        elif kind == _ADDRESS:
            base = int.from_bytes(data) << 16
        elif kind == _DATA and is_v1 and base + at + len(data) <= FLASH_BYTES:
            flash[base + at : base + at + len(data)] = data
    return bytes(flash)


class MicrobitDrive:
    """A folder as the board's drive, and qemu as the board: it restarts when a whole image lies there."""

    def __init__(self, qemu: str, folder: Path, port: Path) -> None:
        self._qemu = qemu
        self._folder = folder
        self._port = port
        self._process: subprocess.Popen[str] | None = None
        self._is_over = threading.Event()
        folder.mkdir()
        (folder / "DETAILS.TXT").write_text("# DAPLink Firmware\r\nUnique ID: 9904360254974e45\r\n")
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def close(self) -> None:
        """Switch it off."""
        self._is_over.set()
        self._thread.join()
        if self._process is not None and self._process.stdout is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process.stdout.close()
        self._port.unlink(missing_ok=True)

    def _watch(self) -> None:
        while not self._is_over.wait(0.02):
            for file in self._folder.glob("*.hex"):
                # The port goes while the board is written to.
                self._port.unlink(missing_ok=True)
                if file.read_text().rstrip().endswith(":00000001FF"):
                    self._start(v1_image(file.read_text()))
                    return

    def _start(self, flash: bytes) -> None:
        image = self._folder.with_suffix(".bin")
        image.write_bytes(flash)
        words = [self._qemu, "-M", "microbit", "-nographic", "-monitor", "none", "-serial", "pty"]
        words += ["-device", f"loader,file={image},addr=0,force-raw=on"]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        # "char device redirected to /dev/pts/N (label serial0)"
        self._port.symlink_to(next(word for word in said.split() if word.startswith("/dev/")))
