"""Programs that flash boards, and images for boards that are not there."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sim.flash.pty_port import Device, PtyPort

ESP32_S3 = 9


def program(name: str, install: str = "pip install -e '.[dev]'") -> str:
    """Its path; the test is skipped, with the reason, where it is not installed."""
    beside = Path(sys.executable).parent
    found = shutil.which(name, path=f"{beside}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"needs {name}: {install}")
    return found


@pytest.fixture
def esptool() -> Callable[..., str]:
    path = program("esptool")

    def run(*args: object) -> str:
        words = [path, *map(str, args)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Device], str]]:
    """Puts a device behind a pty of its own; gives its path."""
    running: list[tuple[PtyPort, threading.Thread]] = []

    def start(device: Device) -> str:
        port = PtyPort(device, tmp_path / f"ttyBoard{len(running)}")
        thread = threading.Thread(target=port.serve)
        thread.start()
        running.append((port, thread))
        return port.path

    yield start
    for port, thread in running:
        port.close()
        thread.join(10)
        assert not thread.is_alive()


def esp_image(n_bytes: int = 70_000, *, chip_id: int = ESP32_S3, seed: int = 1) -> bytes:
    """A whole image as MicroPython publishes them: a bootloader, a partition table, an app; valid and idle."""
    image = bytearray(_esp_part(b"\x13\0\0\0" * 8, chip_id))
    image = image.ljust(0x8000, b"\xff")
    image += struct.pack("<HBBII16sI", 0x50AA, 0, 0, 0x10000, 0x100000, b"factory", 0)
    image = image.ljust(0x10000, b"\xff")
    noise = hashlib.shake_256(bytes([seed])).digest(max(64, n_bytes - len(image)))
    image += _esp_part(noise[: len(noise) // 4 * 4], chip_id)
    return bytes(image)


def _esp_part(data: bytes, chip_id: int) -> bytes:
    head = struct.pack("<4BI", 0xE9, 1, 2, 0x3F, 0x4037_0000)
    head += struct.pack("<4BHB2H4sB", 0xEE, 0, 0, 0, chip_id, 0, 0, 0xFFFF, bytes(4), 1)
    body = head + struct.pack("<II", 0x4037_0000, len(data)) + data
    check = 0xEF
    for byte in data:
        check ^= byte
    body = body.ljust(len(body) // 16 * 16 + 15, b"\0") + bytes([check])
    return body + hashlib.sha256(body).digest()
