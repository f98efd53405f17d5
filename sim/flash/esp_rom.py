"""The serial bootloader in the ROM of an ESP32-S3: what `esptool` talks to, byte for byte.

The stub that `esptool` loads is not run: its first word is answered, and from then on commands are answered
as the stub would. SPI flash is an array; its chip is asked for its size through registers, as on the chip.

References
----------
Espressif, esptool documentation, "Serial Protocol" and "SPI flash modes": packets, commands, status bytes.
ESP32-S3 technical reference manual, chapters on SPI1 and eFuse: addresses of the registers used here.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from sim.flash.pty_port import Unplugged

ESP32_S3 = 9
_END, _ESC, _ESC_END, _ESC_ESC = b"\xc0", b"\xdb", b"\xdb\xdc", b"\xdb\xdd"
_SEED = 0xEF
_SECTOR = 4096
# What the chip answers to SYNC besides the first time, and how often.
_SYNCS = 8
# SPI1: start of a transaction, the byte it sends, the word it receives.
_SPI_CMD, _SPI_USR2, _SPI_W0 = 0x6000_2000, 0x6000_2020, 0x6000_2058
_SPI_USER = 1 << 18
_READ_ID = 0x9F
# GigaDevice, 8 MB; esptool takes the size from the third byte.
_FLASH_ID = 0x1740C8
_FLASH_BYTES = 8 << 20
# UART clock divider for 40 MHz; MAC address in eFuse; nothing else has to be known.
_REGISTERS = {
    0x6000_0014: 40_000_000 // 115_200,
    0x6000_7044: 0x4433_2211,
    0x6000_7048: 0x0000_6655,
    0x4000_1000: 9,
}
_BAD_CHECKSUM, _UNKNOWN = 7, 5


@dataclass
class Faults:
    """What goes wrong at the given data block of the flash, counted from 1; 0 for never.

    ``bad_checksum_at`` is one block that arrives damaged, ``bad_checksums_from`` a line that damages all.
    """

    bad_checksum_at: int = 0
    bad_checksums_from: int = 0
    unplugged_at: int = 0
    flips_bit_at: int = 0
    wrong_md5: bool = False


class EspRom:
    """The chip; :meth:`feed` takes bytes of the line and gives back the answer.

    Parameters
    ----------
    chip_id
        As GET_SECURITY_INFO reports it.
    """

    def __init__(self, *, chip_id: int = ESP32_S3, faults: Faults | None = None) -> None:
        self.flash = bytearray(b"\xff" * _FLASH_BYTES)
        self.commands: list[int] = []
        self._chip_id = chip_id
        self._faults = faults or Faults()
        self._registers = dict(_REGISTERS)
        self._packet: bytearray | None = None
        self._is_stub = False
        self._at = 0
        self._inflate: zlib._Decompress | None = None
        self._n_blocks = 0

    def restart(self) -> None:
        """Forget all but the flash."""
        self.commands.clear()
        self._is_stub = False
        self._packet = None

    def feed(self, data: bytes) -> bytes:
        """Answers to the packets that end in ``data``.

        Raises
        ------
        Unplugged
            When it was asked to be.
        """
        out = b""
        for byte in data:
            if byte != _END[0]:
                if self._packet is not None:
                    self._packet.append(byte)
            elif self._packet:
                out += self._answer(bytes(self._packet))
                self._packet = None
            else:
                self._packet = bytearray()
        return out

    def tick(self) -> bytes:
        """Nothing: it speaks when it is spoken to."""
        return b""

    @property
    def is_verified(self) -> bool:
        """Whether the host has asked for the MD5 of what it wrote."""
        return _MD5 in self.commands

    def _answer(self, raw: bytes) -> bytes:
        packet = raw.replace(_ESC_END, _END).replace(_ESC_ESC, _ESC)
        if len(packet) < 8 or packet[0] != 0:
            return b""
        _, command, size, checksum = struct.unpack_from("<BBHI", packet)
        data = packet[8 : 8 + size]
        self.commands.append(command)
        handler = _HANDLERS.get(command)
        value, payload, error = (0, b"", _UNKNOWN)
        if handler is not None:
            value, payload, error = handler(self, data, checksum)
        # The ROM ends with four status bytes, the stub with two.
        status = bytes([bool(error), error]) + (b"" if self._is_stub else b"\0\0")
        head = struct.pack("<BBHI", 1, command, len(payload) + len(status), value)
        reply = _slip(head + payload + status)
        if command == _SYNC:
            return reply * _SYNCS
        if command == _MEM_END:
            self._is_stub = True
            return reply + _slip(b"OHAI")
        return reply

    def _sync(self, _data: bytes, _checksum: int) -> tuple[int, bytes, int]:
        # By this a host knows the stub that an earlier one left running.
        return 0 if self._is_stub else 0x2012_0707, b"", 0

    def _done(self, _data: bytes, _checksum: int) -> tuple[int, bytes, int]:
        return 0, b"", 0

    def _read_register(self, data: bytes, _checksum: int) -> tuple[int, bytes, int]:
        return self._registers.get(struct.unpack_from("<I", data)[0], 0), b"", 0

    def _write_register(self, data: bytes, _checksum: int) -> tuple[int, bytes, int]:
        for address, value, mask, _delay in struct.iter_unpack("<4I", data[: len(data) // 16 * 16]):
            self._registers[address] = (self._registers.get(address, 0) & ~mask) | (value & mask)
            if address == _SPI_CMD and self._registers[_SPI_CMD] & _SPI_USER:
                opcode = self._registers.get(_SPI_USR2, 0) & 0xFF
                self._registers[_SPI_W0] = _FLASH_ID if opcode == _READ_ID else 0
                self._registers[_SPI_CMD] = 0
        return 0, b"", 0

    def _security_info(self, _data: bytes, _checksum: int) -> tuple[int, bytes, int]:
        return 0, struct.pack("<I8B2I", 0, *bytes(8), self._chip_id, 0), 0

    def _begin(self, data: bytes, _checksum: int) -> tuple[int, bytes, int]:
        return self._start(data, packed=False)

    def _begin_packed(self, data: bytes, _checksum: int) -> tuple[int, bytes, int]:
        return self._start(data, packed=True)

    def _start(self, data: bytes, *, packed: bool) -> tuple[int, bytes, int]:
        size, _n_blocks, _block_size, self._at = struct.unpack_from("<4I", data)
        self._inflate = zlib.decompressobj() if packed else None
        first, end = self._at // _SECTOR * _SECTOR, -(-(self._at + size) // _SECTOR) * _SECTOR
        self.flash[first:end] = b"\xff" * (end - first)
        return 0, b"", 0

    def _data(self, data: bytes, checksum: int) -> tuple[int, bytes, int]:
        block = data[16 : 16 + struct.unpack_from("<I", data)[0]]
        self._n_blocks += 1
        if self._n_blocks == self._faults.unplugged_at:
            raise Unplugged
        if _checksum(block) != checksum & 0xFF or self._is_damaged():
            return 0, b"", _BAD_CHECKSUM
        written = self._inflate.decompress(block) if self._inflate else block
        self.flash[self._at : self._at + len(written)] = written
        if self._n_blocks == self._faults.flips_bit_at:
            self.flash[self._at] ^= 1
        self._at += len(written)
        return 0, b"", 0

    def _is_damaged(self) -> bool:
        first = self._faults.bad_checksums_from
        return self._n_blocks == self._faults.bad_checksum_at or 0 < first <= self._n_blocks

    def _md5(self, data: bytes, _checksum: int) -> tuple[int, bytes, int]:
        at, size = struct.unpack_from("<2I", data)
        found = hashlib.md5(self.flash[at : at + size], usedforsecurity=False).digest()
        if self._faults.wrong_md5:
            found = bytes(16)
        return 0, found if self._is_stub else found.hex().encode(), 0

    def _read_slowly(self, data: bytes, _checksum: int) -> tuple[int, bytes, int]:
        at, size = struct.unpack_from("<2I", data)
        return 0, bytes(self.flash[at : at + size]).ljust(64, b"\0"), 0

    def _erase_all(self, _data: bytes, _checksum: int) -> tuple[int, bytes, int]:
        self.flash[:] = b"\xff" * len(self.flash)
        return 0, b"", 0

    def _erase_region(self, data: bytes, _checksum: int) -> tuple[int, bytes, int]:
        at, size = struct.unpack_from("<2I", data)
        self.flash[at : at + size] = b"\xff" * size
        return 0, b"", 0


_SYNC, _MEM_END, _MD5 = 0x08, 0x06, 0x13
Handler = Callable[[EspRom, bytes, int], tuple[int, bytes, int]]
_HANDLERS: dict[int, Handler] = {
    0x02: EspRom._begin,
    0x03: EspRom._data,
    0x04: EspRom._done,
    # The stub on its way into memory.
    0x05: EspRom._done,
    _MEM_END: EspRom._done,
    0x07: EspRom._done,
    _SYNC: EspRom._sync,
    0x09: EspRom._write_register,
    0x0A: EspRom._read_register,
    0x0B: EspRom._done,
    0x0D: EspRom._done,
    0x0E: EspRom._read_slowly,
    # Another baud rate: a pseudo-terminal has none.
    0x0F: EspRom._done,
    0x10: EspRom._begin_packed,
    0x11: EspRom._data,
    0x12: EspRom._done,
    _MD5: EspRom._md5,
    0x14: EspRom._security_info,
    0xD0: EspRom._erase_all,
    0xD1: EspRom._erase_region,
}


def _checksum(block: bytes) -> int:
    found = _SEED
    for byte in block:
        found ^= byte
    return found


def _slip(packet: bytes) -> bytes:
    return _END + packet.replace(_ESC, _ESC_ESC).replace(_END, _ESC_END) + _END
