from __future__ import annotations

import random
import struct
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_host.flash.cortex_image import check, crc32_unreflected
from firmware_host.flash.uf2 import Segment
from sim.flash import cortex_program
from sim.flash.cortex_program import START, program
from tests.flash.conftest import REPO
from tests.flash.conftest import program as tool
from tests.flash.microbit_v1 import v1_image

PICO, NRF = program("rp2040", 2000), program("nrf52840", 2000)
PICO_AT, NRF_AT = START["rp2040"], START["nrf52840"]


def put(data: bytes, at: int, word: int) -> bytes:
    return data[:at] + struct.pack("<I", word) + data[at + 4 :]


def test_crc_is_the_one_that_catalogues_list() -> None:
    """CRC-32/MPEG-2 in "Catalogue of parametrised CRC algorithms": the same parameters, its check value."""
    assert crc32_unreflected(b"123456789") == 0x0376_E6E7


@given(st.binary(max_size=300))
def test_crc_is_the_one_made_bit_by_bit(data) -> None:
    assert crc32_unreflected(data) == cortex_program.crc32(data)


@pytest.mark.parametrize(("chip", "data"), [("rp2040", PICO), ("nrf52840", NRF)])
def test_program_passes_and_so_do_stretches_after_it(chip, data) -> None:
    check([Segment(START[chip], data)], chip)
    check([Segment(START[chip], data), Segment(START[chip] + 0x10000, b"more")], chip)


def test_vectors_may_lead_into_a_later_stretch_and_handlers_of_faults_into_ram() -> None:
    far = NRF_AT + 0x1_0000
    data = put(put(NRF, 4, far + 9), 8, 0x2000_0101)
    check([Segment(NRF_AT, data), Segment(far, bytes(64))], "nrf52840")
    with pytest.raises(ValueError, match=r"odd reset vector that leads into it, got 0x20000101"):
        check([Segment(NRF_AT, put(NRF, 4, 0x2000_0101))], "nrf52840")


@pytest.mark.parametrize(
    ("at", "word", "says"),
    [
        (0, 0x2004_0002, "its stack in 0x20000000 to 0x20040000, got 0x20040002"),
        (0, 0x2004_0004, "its stack in .* got 0x20040004"),
        (0, 0x2000_0000, "its stack in .* got 0x20000000"),
        (4, NRF_AT + 64, "an odd reset vector that leads into it, got 0x00027040"),
        (4, NRF_AT + 2001, "an odd reset vector that leads into it, got 0x000277d1"),
        (8, 0, "an odd NMI vector that leads into it, got 0x00000000"),
        (12, NRF_AT - 1, "an odd HardFault vector that leads into it, got 0x00026fff"),
    ],
)
def test_vector_table_of_no_program(at, word, says) -> None:
    with pytest.raises(ValueError, match=f"a program for nrf52840.* {says}"):
        check([Segment(NRF_AT, put(NRF, at, word))], "nrf52840")


@pytest.mark.parametrize("bit", [0, 1000, 8 * 251, 8 * 252, 8 * 256 - 1])
def test_boot_block_with_a_flipped_bit(bit) -> None:
    data = bytearray(PICO)
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError, match=r"its boot block with the checksum 0x.*, got 0x"):
        check([Segment(PICO_AT, bytes(data))], "rp2040")


@pytest.mark.parametrize(
    ("segment", "says"),
    [
        # A program for RAM, and files without a program.
        (Segment(0x2000_0000, PICO), "256 bytes at 0x10000000, got 2000 bytes at 0x20000000"),
        (Segment(0x100A_0000, PICO), "256 bytes at 0x10000000, got 2000 bytes at 0x100a0000"),
        (Segment(PICO_AT, PICO[:255]), "256 bytes at 0x10000000, got 255 bytes at 0x10000000"),
        (Segment(PICO_AT, PICO[:271]), "a program for rp2040 with a vector table, got 15 bytes"),
        (Segment(PICO_AT, put(PICO, 256, 0x2004_2004)), "to 0x20042000, got 0x20042004"),
        (Segment(PICO_AT, PICO[:272]), "an odd reset vector that leads into it, got 0x10000141"),
    ],
)
def test_what_an_rp2040_does_not_start(segment, says) -> None:
    with pytest.raises(ValueError, match=says):
        check([segment], "rp2040")


@pytest.mark.parametrize("chip", ["rp2040", "nrf52840", "nrf52833"])
def test_noise_is_no_program(chip) -> None:
    noise = random.Random(3)
    for _ in range(200):
        with pytest.raises(ValueError, match=f"a program for {chip}"):
            check([Segment(START.get(chip, 0), noise.randbytes(4000))], chip)


@pytest.mark.needs_flash_tools
def test_published_micropython_has_a_vector_table_as_expected(tmp_path) -> None:
    """The micro:bit's, as uflash brings it, in the place of those that no package has."""
    words = [tool("uflash"), str(REPO / "firmware_host/flash/microbit/main.py"), str(tmp_path)]
    subprocess.run(words, check=True, capture_output=True)
    flash = v1_image((tmp_path / "micropython.hex").read_text())
    check([Segment(0, flash)], "nrf52833")
    with pytest.raises(ValueError, match="its stack in"):
        check([Segment(0x1000, flash[0x1000:])], "nrf52833")


def test_another_chips_program_is_none() -> None:
    """Where only the stack tells them apart: 128 kB more RAM than there is."""
    with pytest.raises(ValueError, match=r"a program for nrf52833, its stack in .* got 0x20040000"):
        check([Segment(NRF_AT, NRF)], "nrf52833")
