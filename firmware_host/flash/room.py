"""Room on a board's flash: what the app's files take there, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from firmware_host.flash.app_files import MAIN, AppFile
from firmware_host.flash.values import Board

# What a flash chip erases at a time, and so a block of littlefs on the boards of the table.
_BLOCK_BYTES = 4096
# littlefs (DESIGN.md, "CTZ skip-lists"): on average two pointers of 4 bytes in each block of a file.
_POINTERS_BYTES = 8
# Files that small may have no block of their own (there, "Inline files": an eighth of a block).
_INLINE_SHARE = 8
# A folder is a pair of blocks (there, "Metadata pairs").
_FOLDER_BLOCKS = 2
# What the app keeps is written beside and then renamed (board/settings.py).
_SPARE_BLOCKS = 2
# A new littlefs had 59 of 64 blocks free (micropython issue 17867).
_OWN_BLOCKS = 5
LARGER = (
    "put one on it that was built with a larger file system (nRF boards: make FS_SIZE=256k; "
    "docs/boards.md)"
)


@dataclass(frozen=True, slots=True)
class Space:
    """A board's file system: where it is mounted (empty: at the root), its blocks, and those that are free."""

    root: str
    block_bytes: int
    n_blocks: int
    n_free: int

    def kib(self, n_blocks: int) -> int:
        """So many of its blocks in KiB."""
        return n_blocks * self.block_bytes // 1024


def blocks_needed(
    files: Sequence[AppFile], there: Mapping[str, int], block_bytes: int = _BLOCK_BYTES
) -> int:
    """Free blocks that it takes to copy files one after the other over those that are there.

    Parameters
    ----------
    files
        To be copied, in this order; ``main.py`` is removed before the first.
    there
        Bytes of the app's files that are on the board, by name.
    """
    folders = _folders(file.name for file in files) - _folders(there)
    held = most = _SPARE_BLOCKS + _FOLDER_BLOCKS * len(folders)
    held -= _freed(there.get(MAIN, 0), block_bytes)
    for file in files:
        held += max(1, -(-len(file.data) // (block_bytes - _POINTERS_BYTES)))
        most = max(most, held)
        # What is replaced is freed when the new one is whole, and not before.
        if file.name != MAIN:
            held -= _freed(there.get(file.name, 0), block_bytes)
    return most


def too_small(board: Board, files: Sequence[AppFile]) -> str:
    """Why the app does not fit into what MicroPython's own image has for files on such a board; empty if it does."""
    needed_kib = (blocks_needed(files, {}) + _OWN_BLOCKS) * _BLOCK_BYTES // 1024
    if board.fs_kib is None or needed_kib <= board.fs_kib:
        return ""
    return (
        f"MicroPython's own image for this board has {board.fs_kib} KiB for files, the app needs {needed_kib} KiB: "
        f"{LARGER}"
    )


def _freed(n_bytes: int, block_bytes: int) -> int:
    """Blocks that a file of this size surely has."""
    return 0 if n_bytes <= block_bytes // _INLINE_SHARE else -(-n_bytes // block_bytes)


def _folders(names: Iterable[str]) -> set[str]:
    return {str(PurePosixPath(name).parent) for name in names} - {"."}
