"""Programs for Cortex-M chips: whether their bytes are some that the chip would start.

UF2 files have no checksum of what they hold. A program begins with a vector table, though, of which
random or foreign bytes are none, and an RP2040's with a block that has a checksum before that.

References
----------
Arm, ARMv7-M Architecture Reference Manual, B1.5.2 and B1.5.3 (ARMv6-M: the same sections): initial stack
pointer, vectors, their lowest bit.
Raspberry Pi, RP2040 datasheet, 2.8.1.3.1 "Checksum": CRC of the second stage, of which the boot ROM asks
that it fits; 2.6.2 "SRAM". The vector table comes after it: pico-sdk, src/rp2040/boot_stage2, exit_from_boot2.S.
Nordic, nRF52840 and nRF52833 product specifications, "Memory": 256 and 128 kB of RAM.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from firmware_host.flash.uf2 import Segment

_RAM_AT = 0x2000_0000
_RAM_BYTES = {"rp2040": 264 * 1024, "nrf52840": 256 * 1024, "nrf52833": 128 * 1024}
# The shortest table there is: pico-sdk's with PICO_MINIMAL_VECTOR_TABLE.
_VECTORS = struct.Struct("<4I")
_HANDLERS = ("reset", "NMI", "HardFault")
_BOOT_AT = {"rp2040": 0x1000_0000}
_BOOT_BYTES = 256
_CRC_BYTES = 4
# Every byte with its bits the other way round.
_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def check(segments: Sequence[Segment], chip: str) -> None:
    """Pass a program that ``chip`` starts, as stretches in the order of their addresses.

    Raises
    ------
    ValueError
        If it is none; the text says what was expected and what came.
    """
    first = segments[0]
    if chip in _BOOT_AT:
        first = _after_boot_block(first, chip)
    if len(first.data) < _VECTORS.size:
        msg = f"a program for {chip} with a vector table, got {len(first.data)} bytes"
        raise ValueError(msg)
    stack, *handlers = _VECTORS.unpack_from(first.data)
    ram_end = _RAM_AT + _RAM_BYTES[chip]
    # The stack grows down from there: its first word is below.
    if stack % 4 or not _RAM_AT < stack <= ram_end:
        msg = f"a program for {chip}, its stack in 0x{_RAM_AT:08x} to 0x{ram_end:08x}, got 0x{stack:08x}"
        raise ValueError(msg)
    ram = Segment(_RAM_AT, bytes(_RAM_BYTES[chip]))
    for name, handler in zip(_HANDLERS, handlers, strict=True):
        # A copy in RAM may handle faults, but nothing is there yet at a reset.
        places = segments if name == "reset" else [*segments, ram]
        if not handler % 2 or not any(_has(place, handler) for place in places):
            msg = f"a program for {chip} with an odd {name} vector that leads into it, got 0x{handler:08x}"
            raise ValueError(msg)


def crc32_unreflected(data: bytes) -> int:
    """CRC-32 as an RP2040's boot ROM has it: 0x04c11db7, from 0xffffffff, nothing reflected or inverted."""
    mirrored = zlib.crc32(data.translate(_MIRROR)) ^ 0xFFFF_FFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def _after_boot_block(first: Segment, chip: str) -> Segment:
    at = _BOOT_AT[chip]
    if first.address != at or len(first.data) < _BOOT_BYTES:
        got = f"{len(first.data)} bytes at 0x{first.address:08x}"
        msg = f"a program for {chip}, with a boot block of {_BOOT_BYTES} bytes at 0x{at:08x}, got {got}"
        raise ValueError(msg)
    block = first.data[:_BOOT_BYTES]
    crc, said = (
        crc32_unreflected(block[:-_CRC_BYTES]),
        int.from_bytes(block[-_CRC_BYTES:], "little"),
    )
    if said != crc:
        msg = (
            f"a program for {chip}, its boot block with the checksum 0x{crc:08x}, got 0x{said:08x}"
        )
        raise ValueError(msg)
    return Segment(at + _BOOT_BYTES, first.data[_BOOT_BYTES:])


def _has(place: Segment, address: int) -> bool:
    return place.address <= address < place.address + len(place.data)
