from __future__ import annotations

import hashlib
import random
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_host.errors import ConfigError, ImageError
from firmware_host.flash.boards import load_board
from firmware_host.flash.images import load_image
from firmware_host.flash.values import CHIPS
from sim.flash.cortex_program import START, program
from sim.flash.uf2_drive import encode
from tests.flash.conftest import esp_image

S3, PICO = load_board("esp32-s3"), load_board("pico")
XIAO_NRF = load_board("xiao-nrf52840-sense")
PICO_PROGRAM, NRF_PROGRAM = program("rp2040", 600), program("nrf52840", 600)


def uf2_file(data: bytes, chip: str = "rp2040", address: int | None = None) -> bytes:
    at = START[chip] if address is None else address
    return encode(data, address=at, family=CHIPS[chip].uf2_family or 0)


PICO_FILE, NRF_FILE = uf2_file(PICO_PROGRAM), uf2_file(NRF_PROGRAM, "nrf52840")


def changed(at: int, value: int | None = None, data: bytes = b"") -> bytes:
    """One byte of an image changed: to a value, or by a bit."""
    image = bytearray(data or esp_image())
    image[at] = image[at] ^ 1 if value is None else value
    return bytes(image)


NOISE = random.Random(7).randbytes(50_000)
CHANGED, CHANGED_BOOT = changed(0x10000 + 3000), changed(40)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "micropython.bin"


def test_right_image_is_taken_and_described(file) -> None:
    data = esp_image()
    file.write_bytes(data)
    image = load_image(file, S3)
    assert image.data == data
    assert image.summary.endswith(
        f"sha256 {hashlib.sha256(data).hexdigest()}, which nobody vouched for)"
    )


@pytest.mark.parametrize(("board", "data"), [(PICO, PICO_FILE), (XIAO_NRF, NRF_FILE)])
def test_right_uf2_is_taken(file, board, data) -> None:
    file.write_bytes(data)
    assert load_image(file, board).data == data


def test_hash_that_was_given_is_checked(file) -> None:
    file.write_bytes(PICO_FILE)
    good = hashlib.sha256(PICO_FILE).hexdigest()
    assert load_image(file, PICO, good.upper()).hash_from == "--sha256"
    with pytest.raises(ImageError, match=rf"expected sha256 {'0' * 64} \(--sha256\), got {good}"):
        load_image(file, PICO, "0" * 64)
    with pytest.raises(ConfigError, match="--sha256: expected 64 hexadecimal digits, got 'abc'"):
        load_image(file, PICO, "abc")


def test_hash_beside_the_file_is_checked(file) -> None:
    file.write_bytes(PICO_FILE)
    beside = file.with_name("micropython.bin.sha256")
    beside.write_text(f"{hashlib.sha256(PICO_FILE).hexdigest()}  micropython.bin\n")
    assert load_image(file, PICO).hash_from == "micropython.bin.sha256"
    file.write_bytes(PICO_FILE + PICO_FILE)
    with pytest.raises(ImageError, match="expected sha256 "):
        load_image(file, PICO)
    beside.write_text("what?")
    with pytest.raises(ImageError, match="64 hexadecimal digits first"):
        load_image(file, PICO)


@pytest.mark.parametrize(
    ("board", "data", "says"),
    [
        (S3, esp_image(chip_id=5), "an image for esp32s3 .*got one for another chip .id 5."),
        (S3, PICO_FILE, "an image for esp32s3 .*got a UF2 file for rp2040"),
        (S3, PICO_FILE[:-9], "got a UF2 file for an unknown chip"),
        (S3, b"hello" * 99, "an image for esp32s3 .*got a file that does not begin as one"),
        (S3, esp_image()[:20], "got a file that does not begin as one"),
        (S3, esp_image()[:0x6000], "a whole image, with a partition table .* got none"),
        (S3, esp_image()[0x10000:], "is it an app or update image"),
        (S3, b"\xe9\xff" + esp_image()[2:], "1 to 16 segments, got 255"),
        (S3, b"", "an image, got an empty file"),
        (S3, CHANGED, "an app with the bytes that were built, got others"),
        (S3, CHANGED_BOOT, "a bootloader with the bytes that were built, got others"),
        (
            S3,
            changed(0x10000 + 23, 0, CHANGED),
            "an app with the bytes that were built, got others",
        ),
        (S3, esp_image()[:-1], "an app of at least 70080 bytes, got a file cut at 70079"),
        (S3, changed(0x8002, 1), "a partition table at 0x8000 that has an app, got none"),
        (PICO, esp_image(), "a UF2 file for rp2040, got a file that does not begin as one"),
        (PICO, NRF_FILE, "a UF2 file for rp2040, got one for nrf52840"),
        (PICO, PICO_FILE[:-512], "expected block 0 of 2 .* got 0 of 3"),
        (PICO, PICO_FILE[:-5], "expected blocks of 512 bytes, got 1531 bytes in all"),
        (PICO, uf2_file(NOISE), "a program for rp2040, its boot block with the checksum 0x"),
        (XIAO_NRF, uf2_file(NOISE, "nrf52840"), "a program for nrf52840, its stack in 0x20000000 "),
    ],
)
def test_wrong_image_is_refused_in_one_line(file, board, data, says) -> None:
    file.write_bytes(data)
    with pytest.raises(ImageError, match=says) as caught:
        load_image(file, board)
    assert caught.value.exit_code == 4


def test_uf2_for_an_esp_of_a_table_of_ones_own_holds_an_app(file) -> None:
    board = replace(S3, way="uf2")
    app = esp_image()[0x10000:]
    file.write_bytes(uf2_file(app, "esp32s3", 0))
    assert load_image(file, board).data == file.read_bytes()
    for data, says in (
        (NOISE, "an app at 0x0, got something else"),
        (esp_image(chip_id=5)[0x10000:], "an app for the chip with id 9, got one for id 5"),
        (app[:-40], "an app of at least"),
    ):
        file.write_bytes(uf2_file(data, "esp32s3", 0))
        with pytest.raises(ImageError, match=says):
            load_image(file, board)


def test_no_file_is_refused(file) -> None:
    with pytest.raises(ImageError, match="No such file"):
        load_image(file, S3)


def _app_at(address: int) -> bytes:
    return struct.pack("<HBBII16sI", 0x50AA, 0, 0x10, address, 0x100000, b"ota", 0)


def test_of_several_apps_the_one_at_the_lowest_address_counts(file) -> None:
    # One for updates, yet empty, on either side in the table.
    table = b"".join(_app_at(address) for address in (0x310000, 0x10000, 0x210000))
    data = esp_image()[:0x8000] + table + esp_image()[0x8000 + len(table) :]
    file.write_bytes(data)
    assert load_image(file, S3).data == data
    file.write_bytes(changed(0x10000 + 3000, data=data))
    with pytest.raises(ImageError, match="an app with the bytes that were built, got others"):
        load_image(file, S3)


@pytest.mark.needs_flash_tools
def test_our_made_up_image_is_one_to_esptool(esptool, file) -> None:
    """And what says that it is whole says so of the same bytes."""
    file.write_bytes(esp_image()[0x10000:])
    said = esptool("image-info", file)
    assert "ESP32-S3" in said
    assert said.count("(valid)") == 2
    file.write_bytes(CHANGED[0x10000:])
    assert "invalid" in esptool("image-info", file)


def test_image_whose_parts_have_no_hash_is_known_by_its_checksum(file) -> None:
    plain = changed(0x10000 + 23, 0)
    file.write_bytes(plain)
    assert load_image(file, S3).data == plain
