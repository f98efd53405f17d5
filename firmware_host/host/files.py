"""Reading what the kernel says in small files: nothing here raises, whatever the file holds."""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path

# An attribute of sysfs is at most a page; whatever is longer is none.
_MAX_BYTES = 4096


def read_word(file: Path) -> str | None:
    """Text without the blanks around it; None if there is none to be read, or no plain file."""
    try:
        # Opening a pipe without a writer would wait for one for ever.
        if not stat.S_ISREG(file.stat().st_mode):
            return None
        with file.open("rb") as stream:
            raw = stream.read(_MAX_BYTES)
    except (OSError, ValueError):
        return None
    # Device-tree strings end with a NUL.
    return raw.decode("ascii", errors="replace").strip("\0 \t\r\n") or None


def read_number(file: Path) -> float | None:
    """The first number in a file; None if it does not begin with a finite one."""
    words = (read_word(file) or "").split()
    try:
        value = float(words[0]) if words else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def entries(folder: Path) -> list[Path] | None:
    """What is in a folder, by name; None if it is not there or may not be listed."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return None


def free_bytes(folder: Path) -> int:
    """Bytes an ordinary user may still write where ``folder`` is.

    Raises
    ------
    OSError
        If it is not there.
    """
    info = os.statvfs(folder)
    return info.f_bavail * info.f_frsize
