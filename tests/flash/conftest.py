"""Programs that flash boards, and images for boards that are not there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firmware_host.flash.values import CHIPS
from sim.board import FIRMWARE, VirtualBoard
from sim.body import SyntheticBody
from sim.flash import cortex_program
from sim.flash.esp_rom import EspRom
from sim.flash.pty_port import Device, PtyPort
from sim.flash.repl_board import ReplBoard, ReplFaults
from sim.flash.uf2_drive import Uf2Drive, encode
from sim.flash.whole_board import WholeBoard
from sim.person import Wearer
from sim.schedule import build_schedule

REPO = Path(__file__).resolve().parents[2]
ESP32_S3 = 9
PICO_FAMILY = CHIPS["rp2040"].uf2_family or 0
START = datetime(2026, 5, 4, 8, tzinfo=UTC)
_KEPT = {"main.py", "talk.py", "hello.py", "sensors/eda.py"}
MAIN = "import sys; from firmware_host.cli.main import main; sys.exit(main())"
_FILES = """
import json, sys
from firmware_host.flash.app_files import app_files
from firmware_host.flash.boards import load_board
print(json.dumps({file.name: file.sha256 for file in app_files(load_board(sys.argv[1]))}))
"""
# list_ports() of a machine whose /dev, /sys and /proc are below a folder.
_PORTS = """
from pathlib import Path
from firmware_host.host import ports
here = ports.list_ports
def elsewhere(_root=None):
    may_open = lambda device: device.name not in {forbidden!r}
    return here(Path({root!r}), may_open=may_open, group_name=lambda _gid: "dialout")
ports.list_ports = elsewhere
"""
Done = subprocess.CompletedProcess[str]


def program(name: str, install: str = "pip install -e '.[dev]'") -> str:
    """Its path; the test is skipped, with the reason, where it is not installed."""
    beside = Path(sys.executable).parent
    found = shutil.which(name, path=f"{beside}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"needs {name}: {install}")
    return found


@pytest.fixture(scope="session")
def whole_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package to run: what is flashed stays what it is compared with, whoever edits the app."""
    folder = tmp_path_factory.mktemp("code") / "whole"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPO / "firmware_host", folder / "firmware_host", ignore=ignored)
    return folder


@pytest.fixture(scope="session")
def code(whole_code: Path) -> Path:
    """The same with few of the app's files, for boards that never run it: a line without raw paste is slow."""
    folder = whole_code.parent / "small"
    shutil.copytree(whole_code, folder)
    app = folder / "firmware_host/board"
    for file in app.rglob("*.py"):
        if str(file.relative_to(app)) not in _KEPT:
            file.unlink()
    return folder


@pytest.fixture
def signet(code: Path) -> Callable[..., Done]:
    """Runs a command as a person does; ``before`` is Python that runs first in its process."""

    def run(*args: object, before: str = "", **options: object) -> Done:
        start = ["-c", before + MAIN] if before else ["-m", "firmware_host"]
        words = [sys.executable, *start, *map(str, args)]
        given = {"capture_output": True, "text": True, "timeout": 120, "cwd": code, **options}
        return subprocess.run(words, check=False, **given)  # type: ignore[call-overload, no-any-return]

    return run


@pytest.fixture
def shipped(code: Path) -> Callable[..., dict[str, str]]:
    """Hashes of the files for a kind of board, by name."""

    def ask(kind: str, cwd: Path | None = None) -> dict[str, str]:
        words = [sys.executable, "-c", _FILES, kind]
        done = subprocess.run(words, cwd=cwd or code, capture_output=True, check=True)
        return dict(json.loads(done.stdout))

    return ask


def on_flash(folder: Path) -> dict[str, str]:
    """Hashes of the files on a board, by name."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


def one_line(done: Done, code: int) -> str:
    """The last line of a command that failed, which is the only one about it."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    *before, last = done.stderr.strip().splitlines()
    assert last.startswith("signet: "), done.stderr
    assert not [line for line in before if line.startswith("signet: ")]
    return last.removeprefix("signet: ")


class UsbPorts:
    """What is plugged in, as the file system shows it; ``before`` has a command see it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._forbidden: set[str] = set()

    def plug(self, name: str, usb_id: str, *, forbidden: bool = False, holder: str = "") -> None:
        """A board at /dev/NAME; ``holder`` is a program that has it open."""
        usb = self._root / "sys/class/tty" / name / "device"
        by_id = self._root / "dev/serial/by-id"
        for folder in (usb, by_id):
            folder.mkdir(parents=True, exist_ok=True)
        device = self._root / "dev" / name
        device.touch()
        (by_id / f"usb-{name}").symlink_to(device)
        for key, value in zip(("idVendor", "idProduct"), usb_id.split(":"), strict=True):
            (usb / key).write_text(f"{value}\n")
        if forbidden:
            self._forbidden.add(name)
        if holder:
            process = self._root / "proc/4711"
            (process / "fd").mkdir(parents=True)
            (process / "comm").write_text(f"{holder}\n")
            (process / "fd/5").symlink_to(device)

    @property
    def before(self) -> str:
        return _PORTS.format(root=str(self._root), forbidden=self._forbidden)


@pytest.fixture
def usb(tmp_path: Path) -> UsbPorts:
    root = tmp_path / "machine"
    root.mkdir()
    return UsbPorts(root)


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
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A board's flash."""
    made = tmp_path / "flash"
    made.mkdir()
    return made


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """MicroPython for an ESP32-S3, as far as its bootloader is concerned."""
    file = tmp_path / "micropython.bin"
    file.write_bytes(esp_image(100_000))
    return file


def new_app(
    lacks: Container[str] = (),
    firmware: str = FIRMWARE,
    kind: type[VirtualBoard] = VirtualBoard,
) -> VirtualBoard:
    """The CPython board, at rest."""
    rows = [{"label": "rest", "minutes": 5}]
    schedule = build_schedule({"start_utc": START, "bout": rows}, name="test")
    body = SyntheticBody(Wearer(schedule, seed=7))
    body.channels = tuple(channel for channel in body.channels if channel.name not in lacks)
    return kind(body, seed=7, firmware=firmware)


@pytest.fixture
def start(serve: Callable[[Device], str], folder: Path) -> Callable[..., tuple[WholeBoard, str]]:
    """A board at a port; without a ROM, one with MicroPython on it."""

    def made(
        rom: EspRom | None = None,
        faults: ReplFaults | None = None,
        lacks: Container[str] = (),
        **options: object,
    ) -> tuple[WholeBoard, str]:
        for name in ("esptool", "mpremote"):
            program(name)
        prompt = ReplBoard(folder, faults=faults, **options)  # type: ignore[arg-type]
        board = WholeBoard(rom, prompt, lambda: new_app(lacks))
        return board, serve(board)

    return made


@contextmanager
def looked_at(drive: Uf2Drive) -> Iterator[None]:
    """A bootloader behind its drive, for as long as it is there; tells beside it how many bytes it has seen."""
    is_over = threading.Event()

    def look() -> None:
        while drive.folder.is_dir() and not is_over.wait(0.02):
            drive.look()
            seen.write_text(str(drive.n_seen))

    seen = drive.folder.with_suffix(".seen")
    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


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


def pico_file(data: bytes = b"", family: int = PICO_FAMILY) -> bytes:
    """A UF2 file for a Pico; without ``data`` a program that does nothing."""
    return encode(data or cortex_program.program("rp2040", 600), address=0x1000_0000, family=family)
