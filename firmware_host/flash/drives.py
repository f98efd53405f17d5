"""Drives that boards in their bootloader show: finding them, and writing one file to them."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from firmware_host.errors import FlashError, LinkError

INFO = "INFO_UF2.TXT"
FILE_NAME = "SIGNET.UF2"
# A micro:bit's drive has no INFO_UF2.TXT; DAPLink puts this there.
_DETAILS = "DETAILS.TXT"
# What bootloaders show. To look at any other may take for ever: a server may be away.
_KINDS = ("vfat", "msdos")
# As `mount` escapes a blank in the names of mount points.
_ESCAPES = {r"\040": " ", r"\011": "\t", r"\134": "\\"}
_PIECE_BYTES = 64 * 512
# Bootloaders restart at once when they have the last block; a slow hub takes some seconds to tell.
_LEAVES_S = 20.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Drive:
    """A mounted drive, and what it says it is."""

    folder: Path
    board_id: str


def find_drives(root: Path = Path("/")) -> list[Drive]:
    """Mounted drives of UF2 bootloaders and of micro:bits."""
    found = (read_drive(root / folder.lstrip("/")) for folder in _mount_points(root))
    return [drive for drive in found if drive is not None]


def read_drive(folder: Path) -> Drive | None:
    """What a drive says it is; None if it says nothing."""
    for name, key in ((INFO, "Board-ID:"), (_DETAILS, "Unique ID:")):
        for line in _lines(folder, name):
            if line.startswith(key):
                return Drive(folder, line.removeprefix(key).strip())
    return None


def write_image(
    drive: Drive,
    data: bytes,
    *,
    progress: Callable[[int, int], None],
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Write a UF2 file to a bootloader's drive and see the drive go, which is how it says yes.

    It is written under its last name: a bootloader acts on blocks, so there is no time for a rename.

    Raises
    ------
    FlashError
        If the drive goes before the last byte, takes no bytes, or stays.
    """
    file = drive.folder / FILE_NAME
    done = 0

    def note(n_bytes: int) -> None:
        nonlocal done
        done = n_bytes
        progress(n_bytes, len(data))

    note(0)
    try:
        _write_pieces(file, data, note)
    except OSError as err:
        # A board that has it all is gone before the last fsync can end.
        if done < len(data):
            raise _stopped(drive, file, err, done / len(data)) from err
    deadline_s = monotonic() + _LEAVES_S
    while drive.folder.is_dir() and read_drive(drive.folder):
        if monotonic() > deadline_s:
            file.unlink(missing_ok=True)
            msg = f"{drive.folder}: the board has the whole image and does not restart; unplug it, "
            raise FlashError(f"{msg}enter its bootloader and run the same command again")
        sleep(_POLL_S)


def explain_no_drive(enter: str, root: Path = Path("/")) -> LinkError:
    """One line for a bootloader's drive that is not there."""
    others = [f"{drive.folder} ({drive.board_id})" for drive in find_drives(root)]
    there = f"other drives: {', '.join(others)}; " if others else ""
    return LinkError(
        f"no drive of this board's bootloader is mounted; {there}{enter}, mount the drive if your system "
        "does not by itself, and run the same command again (or name it: --drive DIR)"
    )


def _write_pieces(file: Path, data: bytes, note: Callable[[int], None]) -> None:
    n_written = 0
    with file.open("wb", buffering=0) as stream:
        while n_written < len(data):
            if not file.parent.is_dir():
                raise OSError(errno.EIO, "the drive went away")
            n_written += stream.write(data[n_written : n_written + _PIECE_BYTES])
            note(n_written)
            os.fsync(stream.fileno())


def _stopped(drive: Drive, file: Path, err: OSError, done: float) -> FlashError:
    if drive.folder.is_dir() and err.errno != errno.EIO:
        file.unlink(missing_ok=True)
        what = f"{drive.folder}: cannot be written ({err.strerror})"
    else:
        what = f"{drive.folder}: the drive went away at {100 * done:.0f} %"
    return FlashError(
        f"{what}; the bootloader cannot be overwritten: plug the board in again, enter its bootloader and run "
        "the same command again"
    )


def _mount_points(root: Path) -> list[str]:
    try:
        lines = (root / "proc/self/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return []
    mounts = [line.split() for line in lines]
    points = [mount[1] for mount in mounts if len(mount) > 2 and mount[2] in _KINDS]
    for code, plain in _ESCAPES.items():
        points = [point.replace(code, plain) for point in points]
    return points


def _lines(folder: Path, name: str) -> list[str]:
    # FAT knows no case, the system that mounted it may.
    for each in (name, name.lower()):
        try:
            with (folder / each).open("rb") as stream:
                return stream.read(4096).decode("ascii", errors="replace").splitlines()
        except OSError:
            continue
    return []
