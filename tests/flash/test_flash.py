"""``signet flash`` as a person runs it, with the real programs, on boards that are not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firmware_host.flash.app_files import app_files
from firmware_host.flash.boards import load_board
from sim.board import VirtualBoard
from sim.body import SyntheticBody
from sim.flash.esp_rom import EspRom, Faults
from sim.flash.repl_board import ReplBoard, ReplFaults
from sim.flash.uf2_drive import Uf2Drive, as_bytes, encode
from sim.flash.whole_board import WholeBoard
from sim.person import Wearer
from sim.schedule import build_schedule
from tests.flash.conftest import esp_image, program

REPO = Path(__file__).resolve().parents[2]
START = datetime(2026, 5, 4, 8, tzinfo=UTC)
pytestmark = pytest.mark.needs_flash_tools


def new_app() -> VirtualBoard:
    rows = [{"label": "rest", "minutes": 5}]
    schedule = build_schedule({"start_utc": START, "bout": rows}, name="test")
    return VirtualBoard(SyntheticBody(Wearer(schedule, seed=7)), seed=7)


def signet(*args: object) -> subprocess.CompletedProcess[str]:
    for name in ("esptool", "mpremote"):
        program(name)
    words = [sys.executable, "-m", "firmware_host", "flash", *map(str, args)]
    return subprocess.run(words, cwd=REPO, capture_output=True, text=True, check=False, timeout=120)


def one_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    assert done.returncode == code, done.stderr
    return done.stderr.strip().splitlines()[-1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "flash"
    made.mkdir()
    return made


@pytest.fixture
def image(tmp_path: Path) -> Path:
    file = tmp_path / "micropython.bin"
    file.write_bytes(esp_image(100_000))
    return file


@pytest.fixture
def start(serve, folder) -> Callable[..., tuple[WholeBoard, str]]:
    def made(
        rom: EspRom | None = None, faults: ReplFaults | None = None, **kwargs: object
    ) -> tuple[WholeBoard, str]:
        prompt = ReplBoard(folder, faults=faults, **kwargs)  # type: ignore[arg-type]
        board = WholeBoard(rom, prompt, new_app)
        return board, serve(board)

    return made


def assert_app_is_on(folder: Path) -> None:
    for file in app_files(load_board("esp32-s3")):
        assert (folder / file.name).read_bytes() == file.data, file.name


def test_bare_board_to_first_samples_in_one_command(start, folder, image) -> None:
    rom = EspRom()
    _, port = start(rom)
    done = signet("--board", "esp32-s3", "--device", port, "--image", image)
    assert done.returncode == 0, done.stderr
    assert rom.flash[: image.stat().st_size] == image.read_bytes()
    assert_app_is_on(folder)
    assert done.stdout.startswith("sim-board says HELLO: signet-sim")
    assert "acc: 50 Hz, 3 x m/s2, " in done.stdout or "acc: " in done.stdout
    assert "image written and compared" in done.stderr
    assert "files copied and compared by hash" in done.stderr


def test_app_only_twice_copies_nothing_the_second_time(start, folder) -> None:
    _, port = start()
    first = signet("--board", "esp32-s3", "--device", port, "--app-only", "--json")
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)
    assert told["board"] == "sim-board"
    assert all(n > 0 for n in told["samples"].values())
    times = {file: file.stat().st_mtime_ns for file in folder.rglob("*.py")}
    again = signet("--board", "esp32-s3", "--device", port, "--app-only")
    assert again.returncode == 0, again.stderr
    assert "0 to copy" in again.stderr
    assert times == {file: file.stat().st_mtime_ns for file in folder.rglob("*.py")}


def test_dry_run_says_everything_and_touches_nothing(start, folder, image) -> None:
    rom = EspRom()
    _, port = start(rom)
    done = signet("--board", "esp32-s3", "--device", port, "--image", image, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert f"write-flash 0x0 {image}" in done.stdout
    for file in app_files(load_board("esp32-s3")):
        assert f"{file.sha256[:12]}  {len(file.data):>6}  {file.name}" in done.stdout
    assert "sha256" in done.stdout
    assert rom.commands == []
    assert not list(folder.iterdir())


def test_image_for_another_chip_never_reaches_the_board(start, image) -> None:
    image.write_bytes(esp_image(chip_id=5))
    rom = EspRom()
    _, port = start(rom)
    done = signet("--board", "esp32-s3", "--device", port, "--image", image)
    assert "expected an image for esp32s3" in one_line(done, 4)
    assert rom.commands == []


def test_cable_pulled_while_the_app_is_copied_says_how_to_go_on(start, folder, image) -> None:
    _, port = start(EspRom(), ReplFaults(unplugged_after_bytes=30_000))
    done = signet("--board", "esp32-s3", "--device", port, "--image", image)
    line = one_line(done, 3)
    assert "check its cable" in line
    assert f"signet flash --board esp32-s3 --device {port} --app-only" in line
    assert not (folder / "main.py").exists()
    _, port = start()
    done = signet("--board", "esp32-s3", "--device", port, "--app-only")
    assert done.returncode == 0, done.stderr
    assert_app_is_on(folder)


def test_chip_that_has_other_bytes_than_were_sent(start, folder, image) -> None:
    _, port = start(EspRom(faults=Faults(flips_bit_at=2)))
    done = signet("--board", "esp32-s3", "--device", port, "--image", image)
    assert "MD5 of file does not match" in one_line(done, 3)
    assert "hold BOOT" in one_line(done, 3)
    assert not list(folder.iterdir())


def test_full_board(start, folder) -> None:
    _, port = start(room_bytes=8 * 4096)
    done = signet("--board", "esp32-s3", "--device", port, "--app-only")
    assert "the app needs" in one_line(done, 3)
    assert not list(folder.iterdir())


def test_programs_that_are_not_installed(start, tmp_path) -> None:
    _, port = start()
    env = {**os.environ, "PATH": str(tmp_path)}
    code = "import sys; sys.executable = '/nowhere/python'; from firmware_host.cli.main import main; sys.exit(main())"
    words = ["flash", "--board", "pico", "--device", port, "--app-only"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=REPO,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert one_line(done, 3) == (
        "signet: mpremote is not installed: pip install 'signet-wearable[flash]'"
    )


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["--board", "pcio"], 2, "--board: expected one of esp32-s3"),
        (["--board", "pico", "--device", "/nowhere/tty"], 3, "/nowhere/tty: no such port"),
        (["--board", "pico", "--device", "replay:x.mcap"], 2, "--device: expected a serial port"),
        (["--app-only", "--image", "x.bin"], 2, "--app-only: expected no --image"),
        (["--sha256", "00"], 2, "--sha256: expected an --image"),
        (["--board", "pico", "--drive", "/"], 2, "--drive: expected a drive with INFO_UF2.TXT"),
        (
            ["--board", "pico", "--device", "PORT", "--image", "no.uf2"],
            4,
            "no.uf2: expected a file",
        ),
        (["--device", "/dev/null"], 2, "--board: expected one of esp32-s3"),
        (
            ["--board", "nano-33-ble-sense", "--device", "PORT", "--image", "x.bin"],
            3,
            "bossac -e -w",
        ),
        (["--board", "microbit-v2", "--device", "PORT", "--image", "x.hex"], 2, "uflash brings it"),
    ],
)
def test_wrong_call_is_one_line(start, args, code, says) -> None:
    _, port = start()
    assert says in one_line(signet(*[port if word == "PORT" else word for word in args]), code)


def test_image_by_a_bootloaders_drive_then_the_app(start, folder, tmp_path) -> None:
    pico = load_board("pico")
    assert pico.chip.uf2_family is not None
    data = bytes((i * 7) & 0xFF for i in range(50_000))
    image = tmp_path / "micropython.uf2"
    image.write_bytes(encode(data, address=0x1000_0000, family=pico.chip.uf2_family))
    media = tmp_path / "media"
    drive = Uf2Drive(media, family=pico.chip.uf2_family, board_id="RPI-RP2")
    is_over = threading.Event()

    def bootloader() -> None:
        while media.is_dir() and not is_over.wait(0.02):
            drive.look()

    thread = threading.Thread(target=bootloader)
    thread.start()
    _, port = start(machine="Raspberry Pi Pico W with RP2040")
    done = signet("--board", "pico", "--device", port, "--image", image, "--drive", media)
    is_over.set()
    thread.join()
    assert done.returncode == 0, done.stderr
    assert as_bytes(drive.memory) == (0x1000_0000, data)
    assert json.loads((folder / "board.json").read_text())["board"] == "pico"
