"""Machines an archive can be made for, and the wheels that run on them."""

from __future__ import annotations

import re
from dataclasses import dataclass

# tflite-runtime has no wheel for a later one, and Debian 12 has this one.
PYTHON = "3.11"
# Debian 12 has glibc 2.36. Every older platform has to be named: pip takes each tag as it stands, and the wheels of
# the TFLite runtime for aarch64 say 2_34 and nothing else.
_NEWEST_GLIBC, _OLDEST_GLIBC = 36, 17
MACHINES = ("aarch64", "x86_64")
_GLIBC = re.compile(r"manylinux_2_(\d+)_")
_OLD_NAMES = {"manylinux2014": 17, "manylinux2010": 12, "manylinux1": 5}


@dataclass(frozen=True, slots=True)
class Target:
    """A machine with Debian 12."""

    machine: str

    def pip_options(self) -> list[str]:
        """What makes pip choose wheels for it and not for the machine it runs on."""
        tags = [f"manylinux_2_{n}" for n in range(_NEWEST_GLIBC, _OLDEST_GLIBC - 1, -1)]
        words = ["--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}"]
        words += [f"--abi={abi}" for abi in (f"cp{PYTHON.replace('.', '')}", "abi3", "none")]
        return words + [f"--platform={tag}_{self.machine}" for tag in (*tags, "manylinux2014")]


def needed_glibc(wheel_names: list[str]) -> str:
    """The oldest glibc that every one of these wheels runs on; each runs on the oldest that it names."""
    minors = [min(found) for name in wheel_names if (found := _minors(name))]
    return f"2.{max(minors, default=_OLDEST_GLIBC)}"


def _minors(name: str) -> list[int]:
    return [int(n) for n in _GLIBC.findall(name)] + [
        minor for tag, minor in _OLD_NAMES.items() if f"{tag}_" in name
    ]
