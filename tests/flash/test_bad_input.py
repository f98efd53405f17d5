"""Images and calls that cannot be meant: one line, an exit code, and the board is as it was."""

from __future__ import annotations

import hashlib
import subprocess

import pytest

from sim.flash.esp_rom import EspRom
from tests.flash.conftest import esp_image, one_line, pico_file

HASH_OF_NOTHING = hashlib.sha256(b"").hexdigest()
ESP, UF2 = "an image for esp32s3 (.bin)", "a UF2 file for rp2040"


@pytest.mark.parametrize(
    ("board", "data", "args", "says"),
    [
        ("esp32-s3", b"<html>" * 99, (), f"{ESP}, got a file that does not begin as one"),
        ("esp32-s3", esp_image(chip_id=5), (), f"{ESP}, got one for another chip (id 5)"),
        ("esp32-s3", pico_file(), (), f"{ESP}, got a UF2 file for rp2040"),
        ("esp32-s3", esp_image()[:69_000], (), "an app of at least "),
        ("esp32-s3", esp_image()[0x10000:], (), "a whole image, with a partition table at 0x8000 "),
        ("pico", esp_image(), (), f"{UF2}, got a file that does not begin as one"),
        ("pico", pico_file(family=0xADA52840), (), f"{UF2}, got one for nrf52840"),
        ("pico", pico_file()[:-512], (), "block 0 of 2 at block 0 of the file, got 0 of 3"),
        ("pico", pico_file(b"\1" * 600), (), "a program for rp2040, its boot block "),
        ("pico", b"", (), "an image, got an empty file"),
        (
            "pico",
            pico_file(),
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


def test_bad_image_is_told_before_a_board_is_plugged_in(signet, tmp_path) -> None:
    image = tmp_path / "image"
    words = ("flash", "--board", "pico", "--image", image, "--dry-run", "--unchecked")
    assert one_line(signet(*words), 4).startswith(f"image {image}: expected ")
    image.write_bytes(pico_file(b"\1" * 600))
    assert "a program for rp2040" in one_line(signet(*words), 4)


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
