"""How busy the host is, from ``/proc/loadavg``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from firmware_host.host.files import read_number, read_word

# More is a misread file, not a machine.
_MAX_CPUS = 4096


@dataclass(frozen=True, slots=True)
class Load:
    """Processes that ran or wanted to over the last minute, and the CPUs they share.

    Inside a container both are the machine's, not the container's. None for what nobody says.
    """

    last_minute: float | None = None
    n_cpus: int | None = None

    def per_cpu(self, *, own: float = 0.0) -> float | None:
        """Load a CPU that is not ``own``; None if it is not known."""
        if self.last_minute is None or self.n_cpus is None:
            return None
        return max(0.0, self.last_minute - own) / self.n_cpus


def read_load(root: Path) -> Load:
    """What the kernel under ``root`` counts."""
    last_minute = read_number(root / "proc/loadavg")
    if last_minute is not None and last_minute < 0:
        last_minute = None
    return Load(last_minute, _count(read_word(root / "sys/devices/system/cpu/online")))


def _count(ranges: str | None) -> int | None:
    """CPUs of a list such as ``0-3,6``; None if it is not one."""
    n_cpus = 0
    for part in (ranges or "").split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            return None
        n_cpus += int(last or first) - int(first) + 1
    return n_cpus if 0 < n_cpus <= _MAX_CPUS else None
