from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_host.flash.uf2 import Segment, decode, families
from sim.flash.uf2_drive import encode

RP2040, NRF = 0xE48BFF56, 0xADA52840
IMAGE = bytes(range(256)) * 5 + b"tail"
FILE = encode(IMAGE, address=0x1000_0000, family=RP2040)


def changed(at: int, new: bytes, file: bytes = FILE) -> bytes:
    return file[:at] + new + file[at + len(new) :]


@given(data=st.binary(min_size=1, max_size=3000), address=st.integers(0, 2**28))
def test_what_is_encoded_is_decoded(data, address) -> None:
    file = encode(data, address=4 * address, family=NRF)
    assert decode(file, NRF) == [Segment(4 * address, data)]


def test_two_stretches_stay_two() -> None:
    second = encode(b"x" * 300, address=0x1002_0000, family=RP2040)
    blocks = [FILE[i : i + 512] for i in range(0, len(FILE), 512)]
    blocks += [second[i : i + 512] for i in range(0, len(second), 512)]
    file = b"".join(
        changed(20, struct.pack("<II", i, len(blocks)), block) for i, block in enumerate(blocks)
    )
    assert decode(file, RP2040) == [
        Segment(0x1000_0000, IMAGE),
        Segment(0x1002_0000, b"x" * 300),
    ]


def test_blocks_of_another_family_and_comments_are_passed_over() -> None:
    other = encode(b"other", address=0, family=NRF)
    comment = changed(8, struct.pack("<I", 0x2001), other)
    assert decode(other + FILE + comment, RP2040) == [Segment(0x1000_0000, IMAGE)]
    assert families(other + FILE) == {RP2040, NRF}
    assert families(comment) == set()


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (b"", "blocks of 512 bytes, got 0"),
        (FILE[:-1], "blocks of 512 bytes, got 3071"),
        (FILE[:-512], "block 0 of 5 at block 0 of the file, got 0 of 6"),
        (FILE[512:], "block 0 of 5 at block 0 of the file, got 1 of 6"),
        (FILE[:512] + FILE[:512] + FILE[1024:], "block 1 of 6 at block 1 of the file, got 0 of 6"),
        (changed(0, b"V"), "magic numbers around block 0"),
        (changed(1023, b"\0"), "magic numbers around block 1"),
        (changed(8, b"\0\0\0\0"), "a family id in block 0, got none"),
        (changed(12, b"\1"), "multiple of 4 in block 0"),
        (changed(16, struct.pack("<I", 477)), "1 to 476 bytes .* got 477"),
        (changed(16, struct.pack("<I", 0)), "1 to 476 bytes .* got 0"),
        (changed(12, b"\xfc\xff\xff\xff"), "got 256 at 0xfffffffc"),
        (changed(512 + 12, b"\x80\0"), "each address once, got 0x10000080 again in block 1"),
        (encode(IMAGE, address=0, family=NRF), "blocks of family 0xe48bff56, got none"),
        (changed(8, struct.pack("<I", 0x3000)), "block 0 of 5 at block 1"),
    ],
)
def test_damage_is_said(file, says) -> None:
    with pytest.raises(ValueError, match=says):
        decode(file, RP2040)


@given(at=st.integers(0, len(FILE) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_outside_of_the_data_changes_no_byte_unseen(at, bit) -> None:
    file = bytearray(FILE)
    file[at] ^= 1 << bit
    try:
        segments = decode(bytes(file), RP2040)
    except ValueError:
        return
    # Neither data nor header numbers that matter: padding, a reserved flag, or the data itself (no checksum).
    if 12 <= at % 512 < 16:
        # Headers have no checksum either: a block may have gone elsewhere, and leaves a gap.
        assert len(segments) > 1
    elif 32 <= at % 512 < 508:
        assert [segment.address for segment in segments] == [0x1000_0000]
        assert sum(len(segment.data) for segment in segments) == len(IMAGE)
    else:
        assert at % 512 in {8, 9, 10, 11}
        assert segments == [Segment(0x1000_0000, IMAGE)]


@pytest.mark.needs_flash_tools
def test_file_of_an_independent_writer(esptool, tmp_path) -> None:
    data = bytes((7 * i + i // 256) & 0xFF for i in range(5000))
    (tmp_path / "in.bin").write_bytes(data)
    for options in ([], ["--md5-disable"], ["--chunk-size", "256"]):
        args = ["--chip", "esp32s3", "merge-bin", "--format", "uf2", *options]
        esptool(*args, "-o", tmp_path / "out.uf2", "0x1000", tmp_path / "in.bin")
        file = (tmp_path / "out.uf2").read_bytes()
        (segment,) = decode(file, 0xC47E5767)
        # esptool fills up to whole words or sectors.
        assert segment.address == 0x1000
        assert segment.data[: len(data)] == data
        assert not segment.data[len(data) :].strip(b"\xff\0")


@pytest.mark.needs_flash_tools
def test_md5_of_an_independent_writer_is_checked(esptool, tmp_path) -> None:
    (tmp_path / "in.bin").write_bytes(bytes(5000))
    args = ["--chip", "esp32s3", "merge-bin", "--format", "uf2"]
    esptool(*args, "-o", tmp_path / "out.uf2", "0x1000", tmp_path / "in.bin")
    bad = bytearray((tmp_path / "out.uf2").read_bytes())
    bad[600] ^= 1
    with pytest.raises(ValueError, match="MD5 that block 1 says"):
        decode(bytes(bad), 0xC47E5767)
