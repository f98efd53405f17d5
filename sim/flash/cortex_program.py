"""Programs for Cortex-M chips that do nothing, as far as their bootloaders and readers are concerned whole.

A vector table and noise; before it, for an RP2040, a boot block with its checksum, made here bit by bit as the
datasheet has it (2.8.1.3.1), where the reader of such files has it from a library.
"""

from __future__ import annotations

import hashlib
import struct

# Where a program begins: for the nRF52840, after Nordic's SoftDevice s140 7.3.0.
START = {"rp2040": 0x1000_0000, "nrf52840": 0x2_7000}
STACK = {"rp2040": 0x2004_2000, "nrf52840": 0x2004_0000}
_BOOT_BYTES = 256
_POLYNOMIAL = 0x04C1_1DB7


def program(chip: str, n_bytes: int, *, seed: int = 1) -> bytes:
    """``n_bytes`` that are to be at :data:`START`; 512 at the least."""
    boot = _boot_block() if chip == "rp2040" else b""
    table_at = START[chip] + len(boot)
    handler = (table_at + 64) | 1
    table = struct.pack("<4I", STACK[chip], handler, handler + 4, handler + 8)
    noise = hashlib.shake_256(bytes([seed])).digest(n_bytes - len(boot) - len(table))
    return boot + table + noise


def _boot_block() -> bytes:
    code = b"\0\xb5" + bytes(_BOOT_BYTES - 6)
    return code + crc32(code).to_bytes(4, "little")


def crc32(data: bytes) -> int:
    """CRC-32 of a boot block, bit by bit."""
    crc = 0xFFFF_FFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (_POLYNOMIAL if crc >> 31 else 0)) & 0xFFFF_FFFF
    return crc
