"""What the kernel and the user database say of this machine, read without privileges."""

from __future__ import annotations

import ctypes
import grp
import os
import pwd
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from firmware_host.host.files import free_bytes
from firmware_host.host.ports import PortInfo, list_ports

# adjtimex(2) returns this while nobody keeps the clock right.
_TIME_ERROR = 5
# Larger than struct timex on any Linux (208 bytes on 64 bit). All zero: modes 0, only ask.
_TIMEX_BYTES = 512
# The import takes seconds on a slow card with a cold cache.
RUNTIME_LOAD_S = 60.0


def clock_is_synchronised() -> bool | None:
    """Whether a time service keeps the clock right, None if the kernel does not say."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        # No such call outside Linux.
        return None
    return None if state < 0 else bool(state != _TIME_ERROR)


def member_names() -> tuple[frozenset[str], frozenset[str]]:
    """Groups the user belongs to by the database, and groups this session really has."""
    session = {_group_name(gid) for gid in os.getgroups()} | {_group_name(os.getgid())}
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # A container may run under a number without a name.
        return frozenset(session), frozenset(session)
    listed = {group.gr_name for group in grp.getgrall() if user in group.gr_mem}
    return frozenset(listed | session), frozenset(session)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def package_version(name: str) -> str | None:
    """Version of an installed distribution, None if it is not there; imports nothing."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def load_module(module: str) -> str:
    """Empty text if the module loads in a process of its own, else the last line it said.

    A wheel built for another CPU or another NumPy can kill the interpreter instead of raising.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", f"import {module}"],
            capture_output=True,
            text=True,
            timeout=RUNTIME_LOAD_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not within {RUNTIME_LOAD_S:g} s"
    if done.returncode == 0:
        return ""
    lines = done.stderr.strip().splitlines()
    # A negative code is the signal that killed it: 4 is an instruction this CPU does not have.
    return lines[-1] if lines else f"process ended with {done.returncode}"


@dataclass(frozen=True, slots=True)
class Machine:
    """What the checks look at; the defaults are this machine.

    ``host_root`` is where ``/sys`` and ``/proc`` are, if they are another machine's than ``root``.
    """

    root: Path = Path("/")
    host_root: Path | None = None
    python: tuple[int, int, int] = (
        sys.version_info.major,
        sys.version_info.minor,
        sys.version_info.micro,
    )
    uid: int = field(default_factory=os.getuid)
    session_groups: frozenset[str] = field(default_factory=lambda: member_names()[1])
    database_groups: frozenset[str] = field(default_factory=lambda: member_names()[0])
    now_utc: Callable[[], float] = time.time
    package_version: Callable[[str], str | None] = package_version
    load_module: Callable[[str], str] = load_module
    free_bytes: Callable[[Path], int] = free_bytes
    clock_synchronised: Callable[[], bool | None] = clock_is_synchronised
    ports: Callable[[], list[PortInfo]] = list_ports
