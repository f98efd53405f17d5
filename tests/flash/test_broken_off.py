"""Flashing that ends half-way: one line that says what to do, and a board that can be flashed again."""

from __future__ import annotations

import re

import pytest

from sim.flash import cortex_program
from sim.flash.esp_rom import EspRom, Faults
from sim.flash.repl_board import ReplFaults
from sim.flash.uf2_drive import Uf2Drive
from tests.flash.conftest import PICO_FAMILY, looked_at, on_flash, one_line, pico_file


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
    image.write_bytes(pico_file(cortex_program.program("rp2040", 400_000)))
    media = tmp_path / "media"
    half = image.stat().st_size // 2
    drive = Uf2Drive(media, family=PICO_FAMILY, board_id="RPI-RP2", vanish_after=half)
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
