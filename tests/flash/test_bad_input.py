"""Flashing that goes wrong: one line and an exit code; the board is as it was, or can be flashed again."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from firmware_host.flash.boards import load_board
from sim.flash.cortex_program import program
from sim.flash.esp_rom import EspRom, Faults
from sim.flash.repl_board import ReplFaults
from sim.flash.uf2_drive import Uf2Drive, encode
from tests.flash.conftest import esp_image, looked_at, on_flash, one_line

PICO_FAMILY = load_board("pico").chip.uf2_family


@contextmanager
def held(port: str) -> Iterator[None]:
    """Another program has the port, as serial programs have it for themselves."""
    fd = os.open(port, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("plugged", "args", "ends", "says"),
    [
        (
            [],
            [],
            3,
            "no board we know is connected; no serial port is here; plug it in with a cable that carries data, or "
            "name its port with --device",
        ),
        (
            [("ttyUSB0", "1234:5678")],
            [],
            3,
            "no board we know is connected; ports here: /dev/serial/by-id/usb-ttyUSB0 (1234:5678); plug it in with "
            "a cable that carries data, or name its port with --device",
        ),
        (
            [("ttyACM0", "2e8a:0005"), ("ttyACM1", "303a:4001")],
            [],
            3,
            "2 boards are connected: /dev/serial/by-id/usb-ttyACM0, /dev/serial/by-id/usb-ttyACM1; name one with "
            "--device",
        ),
        (
            [("ttyACM0", "2e8a:0005")],
            ["--board", "xiao-esp32-s3", "--device", "/dev/ttyACM0"],
            3,
            "/dev/ttyACM0: expected a xiao-esp32-s3, got what looks like pico",
        ),
        (
            [("ttyACM0", "2e8a:0005")],
            ["--board", "xiao-esp32-s3"],
            3,
            "no Seeed Studio XIAO ESP32-S3 is connected; ports here: /dev/serial/by-id/usb-ttyACM0 (RP2040 or "
            "RP2350 with MicroPython); plug it in with a cable that carries data, or name its port with --device",
        ),
        (
            [("ttyACM0", "303a:4001")],
            ["--image", "x.bin"],
            2,
            "--board: expected one of esp32-s3, xiao-esp32-s3, for /dev/serial/by-id/usb-ttyACM0 can be any of them, "
            "got 'nothing'",
        ),
        (
            [("ttyACM0", "2e8a:0005")],
            ["--device", "/dev/ttyACM7"],
            3,
            "/dev/ttyACM7: no such port; ports here: /dev/serial/by-id/usb-ttyACM0 (RP2040 or RP2350 with MicroPython)",
        ),
    ],
    ids=["none", "stranger", "two", "wrong", "wrong-unnamed", "which-kind", "no-such-port"],
)
def test_board_that_is_not_the_one(signet, usb, plugged, args, ends, says) -> None:
    for name, usb_id in plugged:
        usb.plug(name, usb_id)
    assert one_line(signet("flash", *args, before=usb.before), ends) == says


def test_port_that_may_not_be_opened(signet, usb) -> None:
    usb.plug("ttyACM0", "2e8a:0005", forbidden=True)
    line = one_line(signet("flash", before=usb.before), 3)
    assert line.startswith(
        "/dev/ttyACM0: no permission; it belongs to group dialout: ask an administrator to add you to it (usermod -aG "
        "dialout NAME; then log in again), or to copy "
    )
    assert line.endswith("/70-signet.rules to /etc/udev/rules.d and plug the board in again")


def test_pseudo_terminal_that_may_not_be_opened(signet, start) -> None:
    _, port = start()
    before = "import os; os.access = lambda *_: False\n"
    line = one_line(signet("flash", "--device", port, before=before), 3)
    assert line.startswith(f"{port}: no permission; it belongs to group ")


def test_port_that_another_program_has(signet, usb) -> None:
    usb.plug("ttyACM0", "2e8a:0005", holder="screen")
    line = one_line(signet("flash", before=usb.before), 3)
    assert line == "/dev/ttyACM0: in use by screen (4711); close that one first"


@pytest.mark.needs_flash_tools
def test_port_that_a_program_nobody_sees_has(signet, start, folder) -> None:
    _, port = start()
    with held(port):
        done = signet("flash", "--board", "esp32-s3", "--device", port, "--app-only")
    assert one_line(done, 3) == (
        f"{port}: cannot be opened, it may be in use by another program: close that one and run the same command again"
    )
    assert not list(folder.iterdir())


@pytest.mark.needs_flash_tools
def test_port_that_another_program_has_while_an_image_is_to_be_written(
    signet, start, image
) -> None:
    rom = EspRom()
    _, port = start(rom)
    words = ("--board", "esp32-s3", "--device", port, "--image", image, "--unchecked")
    with held(port):
        line = one_line(signet("flash", *words), 3)
    assert line.startswith(f"esptool: Could not open {port}, the port is busy or doesn't exist.")
    assert line.endswith("run the same command again")
    assert not rom.commands


@pytest.mark.parametrize(
    ("device", "says"),
    [
        ("/", "/: expected a serial port, got a folder"),
        (__file__, f"{__file__}: expected a serial port, got a file"),
        ("/nowhere/tty", "/nowhere/tty: no such port"),
        ("/dev/null", "/dev/null: expected a serial port, got another device"),
    ],
)
def test_device_that_is_no_port(signet, device, says) -> None:
    line = one_line(signet("flash", "--board", "pico", "--device", device), 3)
    assert line.startswith(f"{says}; ")


HASH_OF_NOTHING = hashlib.sha256(b"").hexdigest()
ESP, UF2 = "an image for esp32s3 (.bin)", "a UF2 file for rp2040"


def _uf2(family: int | None, data: bytes = b"") -> bytes:
    return encode(data or program("rp2040", 600), address=0x1000_0000, family=family or 0)


@pytest.mark.parametrize(
    ("board", "data", "args", "says"),
    [
        ("esp32-s3", b"<html>" * 99, (), f"{ESP}, got a file that does not begin as one"),
        ("esp32-s3", esp_image(chip_id=5), (), f"{ESP}, got one for another chip (id 5)"),
        ("esp32-s3", _uf2(PICO_FAMILY), (), f"{ESP}, got a UF2 file for rp2040"),
        ("esp32-s3", esp_image()[:69_000], (), "an app of at least "),
        ("esp32-s3", esp_image()[0x10000:], (), "a whole image, with a partition table at 0x8000 "),
        ("pico", esp_image(), (), f"{UF2}, got a file that does not begin as one"),
        ("pico", _uf2(0xADA52840), (), f"{UF2}, got one for nrf52840"),
        ("pico", _uf2(PICO_FAMILY)[:-512], (), "block 0 of 2 at block 0 of the file, got 0 of 3"),
        ("pico", _uf2(PICO_FAMILY, b"\1" * 600), (), "a program for rp2040, its boot block "),
        ("pico", b"", (), "an image, got an empty file"),
        (
            "pico",
            _uf2(PICO_FAMILY),
            ("--sha256", HASH_OF_NOTHING),
            f"sha256 {HASH_OF_NOTHING} (--sha256), got ",
        ),
    ],
    ids=[
        "web-page",
        "other-chip",
        "other-format",
        "cut",
        "update",
        "bin-for-uf2",
        "uf2-for-another",
        "uf2-cut",
        "uf2-no-program",
        "empty",
        "another-hash",
    ],
)
def test_image_that_must_not_be_written(signet, start, tmp_path, board, data, args, says) -> None:
    rom = EspRom()
    _, port = start(rom)
    image = tmp_path / "image"
    image.write_bytes(data)
    words = ("--board", board, "--device", port, "--image", image, *(args or ("--unchecked",)))
    line = one_line(signet("flash", *words), 4)
    assert line.startswith(f"image {image}: expected {says}")
    assert not rom.commands


def test_image_without_a_hash(signet, start, image) -> None:
    rom = EspRom()
    _, port = start(rom)
    words = ("flash", "--board", "esp32-s3", "--device", port, "--image", image)
    found = hashlib.sha256(image.read_bytes()).hexdigest()
    assert one_line(signet(*words, stdin=subprocess.DEVNULL), 2) == (
        f"--sha256: expected the hash that the publisher of {image} tells, here or in micropython.bin.sha256 beside it "
        f"(this file's is {found}), or --unchecked, got 'nothing'"
    )
    assert not rom.commands


@pytest.mark.needs_flash_tools
def test_micropython_for_another_chip_than_the_boards(signet, start, folder) -> None:
    _, port = start(machine="Raspberry Pi Pico W with RP2040")
    line = one_line(signet("flash", "--board", "esp32-s3", "--device", port), 3)
    assert line == (
        f"{port}: expected a board with esp32s3 (esp32-s3), got one with rp2040: name the board that it is with --board"
    )
    assert not list(folder.iterdir())


@pytest.mark.needs_flash_tools
def test_board_that_was_flashed_as_another_keeps_its_pins(signet, start, folder) -> None:
    (folder / "board.json").write_text('{"board": "mine"}')
    _, port = start(machine="JS with Emscripten")
    line = one_line(signet("flash", "--device", port), 3)
    assert line == (
        f"{port}: expected a board that was flashed as virtual, got one flashed as 'mine': no file was copied; say "
        "which it is with --board"
    )
    assert [file.name for file in folder.iterdir()] == ["board.json"]


@pytest.mark.needs_flash_tools
def test_chip_that_is_another(signet, start, image) -> None:
    rom = EspRom(chip_id=5)
    _, port = start(rom)
    words = ("--board", "esp32-s3", "--device", port, "--image", image, "--unchecked")
    line = one_line(signet("flash", *words), 3)
    assert line == (
        "esptool: This chip is ESP32-C3, not ESP32-S3. Wrong chip argument?; nothing was written: name the board that "
        "it is with --board and give an image for it"
    )
    assert set(rom.flash) == {0xFF}


def test_drive_of_one_board_and_port_of_another(signet, usb, tmp_path) -> None:
    usb.plug("ttyACM0", "2e8a:0005")
    media = tmp_path / "media"
    Uf2Drive(media, family=PICO_FAMILY or 0, board_id="RPI-RP2")
    image = tmp_path / "micropython.uf2"
    image.write_bytes(_uf2(PICO_FAMILY))
    mounted = f"""
import firmware_host.flash.plan as plan
from firmware_host.flash.drives import read_drive
plan.find_drives = lambda _root: [read_drive(Path({str(media)!r}))]
"""
    words = ("--board", "pico", "--image", image, "--unchecked")
    line = one_line(signet("flash", *words, before=usb.before + mounted), 3)
    assert line == (
        f"{media}: the drive of a Raspberry Pi Pico, Pico W in its bootloader, while another one runs at "
        "/dev/serial/by-id/usb-ttyACM0; unplug one, or name the drive with --drive"
    )


@pytest.mark.needs_flash_tools
def test_cable_pulled_while_the_image_is_written(signet, start, folder, image) -> None:
    rom = EspRom(faults=Faults(unplugged_at=3))
    _, port = start(rom)
    words = ("--board", "esp32-s3", "--device", port, "--image", image, "--unchecked")
    line = one_line(signet("flash", *words), 3)
    assert line.startswith("esptool: ")
    assert line.endswith(
        "the chip's bootloader cannot be overwritten: check the cable, hold BOOT, press and release RESET, release "
        "BOOT, and run the same command again"
    )
    assert rom.flash[:4096] == image.read_bytes()[:4096]
    assert rom.flash[: image.stat().st_size] != image.read_bytes()


@pytest.mark.needs_flash_tools
def test_cable_pulled_while_the_app_is_copied(signet, start, folder, image, shipped) -> None:
    _, port = start(EspRom(), ReplFaults(unplugged_after_bytes=13_000))
    words = ("--board", "esp32-s3", "--device", port, "--image", image, "--unchecked")
    line = one_line(signet("flash", *words), 3)
    assert "check its cable and run the same command again" in line
    command = f"signet flash --board esp32-s3 --device {port} --app-only"
    assert line.endswith(f"MicroPython is on the board now, so this is enough: {command}")
    assert 0 < len(list(folder.rglob("*.py"))) < len(shipped("esp32-s3")) - 1
    assert not (folder / "main.py").exists()
    _, port = start()
    done = signet("flash", "--board", "esp32-s3", "--device", port, "--app-only")
    assert done.returncode == 0, done.stderr
    assert on_flash(folder) == shipped("esp32-s3")


# Each piece waits for the bootloader, as on a drive of flash, however busy the machine is.
_SLOW_DISK = """
import os, time
from pathlib import Path
media, fsync = Path({media!r}), os.fsync
def seen():
    file = media.with_suffix(".seen")
    return int((file.exists() and file.read_text()) or 0)
def wait(fd):
    while media.is_dir() and seen() < os.fstat(fd).st_size:
        time.sleep(0.01)
    fsync(fd)
os.fsync = wait
"""


@pytest.mark.needs_flash_tools
def test_drive_unplugged_half_way(signet, start, tmp_path) -> None:
    image = tmp_path / "micropython.uf2"
    image.write_bytes(_uf2(PICO_FAMILY, program("rp2040", 400_000)))
    media = tmp_path / "media"
    half = image.stat().st_size // 2
    drive = Uf2Drive(media, family=PICO_FAMILY or 0, board_id="RPI-RP2", vanish_after=half)
    _, port = start(machine="Raspberry Pi Pico W with RP2040")
    words = ("--board", "pico", "--device", port, "--image", image, "--unchecked")
    with looked_at(drive):
        line = one_line(
            signet("flash", *words, "--drive", media, before=_SLOW_DISK.format(media=str(media))), 3
        )
    assert line.startswith(f"{media}: the drive went away at ")
    assert line.endswith(
        "plug the board in again, enter its bootloader and run the same command again"
    )
    assert not drive.is_done


@pytest.mark.needs_flash_tools
def test_chip_that_has_other_bytes_than_were_sent(signet, start, folder, image) -> None:
    _, port = start(EspRom(faults=Faults(flips_bit_at=2)))
    words = ("--board", "esp32-s3", "--device", port, "--image", image, "--unchecked")
    assert one_line(signet("flash", *words), 3) == (
        "esptool: MD5 of file does not match data in flash!; the chip's bootloader cannot be overwritten: hold BOOT, "
        "press and release RESET, release BOOT, and run the same command again"
    )
    assert not list(folder.iterdir())


@pytest.mark.needs_flash_tools
def test_full_board(signet, start, folder) -> None:
    _, port = start(room_bytes=3 * 4096)
    line = one_line(signet("flash", "--board", "esp32-s3", "--device", port, "--app-only"), 3)
    says = (
        rf"{port}: expected \d{{2}} KiB for files, as the app needs, got a MicroPython that has 12 KiB: "
        r"put one on it that was built with a larger file system \(.*; docs/boards.md\)"
    )
    assert re.fullmatch(says, line)
    assert not list(folder.iterdir())


@pytest.mark.needs_flash_tools
def test_board_that_gives_no_prompt(signet, start) -> None:
    _, port = start(faults=ReplFaults(no_prompt=True))
    line = one_line(signet("flash", "--board", "esp32-s3", "--device", port), 3)
    assert line == (
        f"{port}: no MicroPython prompt answers: press RESET and run the same command again, or put MicroPython on the "
        "board with --image"
    )


def test_programs_that_are_not_installed(signet, start, tmp_path) -> None:
    _, port = start()
    before = "import sys; sys.executable = '/nowhere/python'\n"
    words = ("--board", "pico", "--device", port, "--app-only")
    done = signet("flash", *words, before=before, env={"PATH": str(tmp_path)})
    assert one_line(done, 3) == "mpremote is not installed: pip install 'signet-wearable[flash]'"


@pytest.mark.parametrize(
    ("args", "ends", "says"),
    [
        (["--board", "pcio"], 2, "--board: expected one of esp32-s3"),
        (["--board", "pico", "--device", "replay:x.mcap"], 2, "--device: expected a serial port"),
        (["--app-only", "--image", "x.bin"], 2, "--app-only: expected no --image"),
        (["--sha256", "00"], 2, "--sha256: expected an --image"),
        (["--sha256", "00", "--unchecked"], 2, "--unchecked: not allowed with argument --sha256"),
        (["--board", "pico", "--drive", "/"], 2, "--drive: expected a drive with INFO_UF2.TXT"),
        (["--board", "pico", "--device", "PORT", "--image", "no.uf2"], 4, "image no.uf2: expected a file that can be"),
        (["--board", "nano-33-ble-sense", "--device", "PORT", "--image", "x.bin"], 3, "Arduino Nano 33 BLE Sense: its"),
        (["--board", "microbit-v2", "--device", "PORT", "--image", "x.hex"], 2, "--image: expected none for a BBC"),
    ],
)  # fmt: skip
def test_call_that_cannot_be_meant(signet, start, args, ends, says) -> None:
    _, port = start()
    words = [port if word == "PORT" else word for word in args]
    assert one_line(signet("flash", *words), ends).startswith(says)
