"""The drive a UF2 bootloader shows, as a folder: takes blocks as they are written, goes when it has all.

Written after the rules for bootloaders in microsoft/uf2, README.md, which differ from what a careful reader
of files does: a block that is not for this chip is passed over, order does not matter, nothing is refused.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Mapping
from pathlib import Path

_START = struct.pack("<II", 0x0A324655, 0x9E5D5157)
_END = struct.pack("<I", 0x0AB16F30)
_BLOCK = 512
_NOT_MAIN_FLASH, _HAS_FAMILY = 0x1, 0x2000
_PAGE = 256


def encode(data: bytes, *, address: int, family: int) -> bytes:
    """A UF2 file that puts ``data`` at ``address``, in pages of 256 bytes."""
    pages = [data[at : at + _PAGE] for at in range(0, len(data), _PAGE)]
    return b"".join(
        _START
        + struct.pack("<6I", _HAS_FAMILY, address + i * _PAGE, len(page), i, len(pages), family)
        + page.ljust(476, b"\xff")
        + _END
        for i, page in enumerate(pages)
    )


class Uf2Drive:
    """A chip behind a folder; :meth:`look` is its interrupt: call it while a program writes there.

    Parameters
    ----------
    folder
        Made by this, and removed when the image is complete, as a board does that restarts.
    vanish_after
        Bytes after which the cable is pulled; None for never.
    """

    def __init__(
        self, folder: Path, *, family: int, board_id: str, vanish_after: int | None = None
    ) -> None:
        self.folder = folder
        self.memory: dict[int, int] = {}
        self.is_done = False
        # Bytes of the last file that was looked at.
        self.n_seen = 0
        self._family = family
        self._vanish_after = vanish_after
        self._seen: set[int] = set()
        folder.mkdir(parents=True)
        info = f"UF2 Bootloader v3.0\r\nModel: Simulated\r\nBoard-ID: {board_id}\r\n"
        (folder / "INFO_UF2.TXT").write_bytes(info.encode())

    def look(self) -> None:
        """Take what has been written since."""
        for file in self.folder.glob("*"):
            if file.name == "INFO_UF2.TXT":
                continue
            data = file.read_bytes()
            self.n_seen = len(data)
            if self._vanish_after is not None and len(data) > self._vanish_after:
                self._go()
                return
            for at in range(0, len(data) - _BLOCK + 1, _BLOCK):
                self._take(data[at : at + _BLOCK])
            if self.is_done:
                self._go()
                return

    def _take(self, block: bytes) -> None:
        if not (block.startswith(_START) and block.endswith(_END)):
            return
        flags, address, size, idx, total, family = struct.unpack_from("<6I", block, 8)
        if flags & _NOT_MAIN_FLASH or not flags & _HAS_FAMILY or family != self._family:
            return
        self.memory.update(enumerate(block[32 : 32 + size], address))
        self._seen.add(idx)
        self.is_done = len(self._seen) == total

    def _go(self) -> None:
        shutil.rmtree(self.folder)


def as_bytes(memory: Mapping[int, int]) -> tuple[int, bytes]:
    """The lowest address written, and the bytes from there on, 0xFF where nothing was."""
    first, last = min(memory), max(memory)
    return first, bytes(memory.get(at, 0xFF) for at in range(first, last + 1))
