"""The real `esptool` against a simulated ROM."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_host.errors import FlashError
from firmware_host.flash.boards import load_board
from firmware_host.flash.esptool import write_args, write_image
from firmware_host.flash.images import Image, load_image
from firmware_host.flash.programs import ESPTOOL, Program
from sim.flash.esp_rom import EspRom, Faults
from tests.flash.conftest import esp_image, program

S3 = load_board("xiao-esp32-s3")
pytestmark = pytest.mark.needs_flash_tools


@pytest.fixture
def rom(serve) -> Callable[..., tuple[EspRom, str]]:
    def start(**kwargs: object) -> tuple[EspRom, str]:
        chip = EspRom(**kwargs)  # type: ignore[arg-type]
        return chip, serve(chip)

    return start


@pytest.fixture
def image(tmp_path: Path) -> Image:
    file = tmp_path / "micropython.bin"
    file.write_bytes(esp_image(150_000))
    return load_image(file, S3)


def flash(port: str, image: Image) -> list[float]:
    shares: list[float] = []
    tool = Program(ESPTOOL, program("esptool"), "5")
    write_image(tool, S3, port, image, say=lambda _line: None, progress=shares.append)
    return shares


def test_image_arrives_byte_for_byte(rom, image) -> None:
    chip, port = rom()
    shares = flash(port, image)
    assert chip.flash[: len(image.data)] == image.data
    assert set(chip.flash[-4096:]) == {0xFF}
    assert shares[-1] == 1.0
    assert shares == sorted(shares)


def test_again_after_a_failure_is_the_same_command(rom, image) -> None:
    chip, port = rom(faults=Faults(bad_checksums_from=3))
    with pytest.raises(FlashError, match=r"same command"):
        flash(port, image)
    assert chip.flash[: len(image.data)] != image.data
    again, port = rom()
    flash(port, image)
    assert again.flash[: len(image.data)] == image.data


def test_one_damaged_block_is_sent_again(rom, image) -> None:
    chip, port = rom(faults=Faults(bad_checksum_at=3))
    flash(port, image)
    assert chip.flash[: len(image.data)] == image.data


@pytest.mark.parametrize(
    "faults", [Faults(wrong_md5=True), Faults(flips_bit_at=2)], ids=["wrong-md5", "flipped-bit"]
)
def test_what_the_chip_has_is_compared(rom, image, faults) -> None:
    _, port = rom(faults=faults)
    says = (
        r"^esptool: MD5 of file does not match data in flash!; .*cannot be overwritten: hold BOOT"
    )
    with pytest.raises(FlashError, match=says):
        flash(port, image)


def test_wrong_chip_is_not_written_to(rom, image) -> None:
    chip, port = rom(chip_id=5)
    with pytest.raises(
        FlashError, match=r"This chip is ESP32-C3, not ESP32-S3.*nothing was written"
    ):
        flash(port, image)
    assert set(chip.flash) == {0xFF}


def test_line_at_which_nothing_answers(serve, image) -> None:
    class Mute(EspRom):
        def feed(self, _data: bytes) -> bytes:
            return b""

    says = r"Failed to connect to ESP32-S3.*nothing was written: hold BOOT"
    with pytest.raises(FlashError, match=says):
        flash(serve(Mute()), image)


def test_lines_that_reset_are_used_where_there_are_some(rom, tmp_path) -> None:
    _, port = rom()
    assert "no-reset" in write_args(S3, port, tmp_path)
    assert "default-reset" in write_args(S3, "/dev/no-such-port", tmp_path)
