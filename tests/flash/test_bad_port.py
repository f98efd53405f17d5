"""Not the board that is meant, or a port that cannot be had: one line, an exit code, and nothing is written."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sim.flash.esp_rom import EspRom
from sim.flash.uf2_drive import Uf2Drive
from tests.flash.conftest import PICO_FAMILY, one_line, pico_file


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


def test_drive_of_one_board_and_port_of_another(signet, usb, tmp_path) -> None:
    usb.plug("ttyACM0", "2e8a:0005")
    media = tmp_path / "media"
    Uf2Drive(media, family=PICO_FAMILY, board_id="RPI-RP2")
    image = tmp_path / "micropython.uf2"
    image.write_bytes(pico_file())
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
