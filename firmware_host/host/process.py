"""Which process a number means: numbers are given out again, after a boot from the start."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")
# Of the fields after the command's name, which may hold anything: when it began, in ticks since the boot.
_BEGAN = 19


def process_mark(pid: int, proc: Path = _PROC) -> str:
    """A text that no other process has, of this boot or another; empty if it is gone or cannot be told."""
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        stat = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        return f"{boot} {stat.rpartition(')')[2].split()[_BEGAN]}"
    except (OSError, IndexError, ValueError):
        return ""


def is_same_process(pid: int, mark: str) -> bool:
    """Whether the process of this number is there and, as far as can be told, the one that had ``mark``."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        # Somebody else's process: it is there.
        pass
    return process_mark(pid) == mark if mark else True
