"""Processes of this checkout: started, asked what they took, and ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.rows import REPO

_START_S = 20.0
_END_S = 30.0


def start(module: str, *arguments: object, home: Path | None = None) -> subprocess.Popen[str]:
    """Start ``python -m module`` with pipes; `home` holds its vault and key."""
    env = {**os.environ, "PYTHONPATH": str(REPO), "OPENBLAS_NUM_THREADS": "1"}
    if home is not None:
        env |= {"SIGNET_STATE_DIR": str(home / "state"), "SIGNET_KEY_FILE": str(home / "key")}
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=REPO,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def first_line(process: subprocess.Popen[str]) -> str:
    """What it says first, as soon as it does; it goes on."""
    assert process.stdout is not None
    line = process.stdout.readline()
    return line if line else finished(process)


def finished(process: subprocess.Popen[str], *, within_s: float = _END_S) -> str:
    """Close its input and wait for its end; what it said.

    Raises
    ------
    RuntimeError
        If it failed; the text is what it said last.
    """
    try:
        said, errors = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired as err:
        process.kill()
        process.communicate()
        raise RuntimeError(f"a process was to end within {within_s:g} s and did not") from err
    if process.returncode:
        line = (errors.strip().splitlines() or ["nothing"])[-1]
        raise RuntimeError(f"a process ended with {process.returncode}: {line}")
    return said


def cpu_s_of(process: subprocess.Popen[str]) -> float:
    """CPU time that a running process took so far."""
    text = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii")
    # Its name, in brackets, may hold spaces.
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(link: Path) -> None:
    """Wait for a terminal to be there.

    Raises
    ------
    RuntimeError
        If it does not come.
    """
    deadline_s = time.monotonic() + _START_S
    while not link.is_symlink():
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"no board at {link} after {_START_S:g} s")
        time.sleep(0.05)
