"""Runs the ``signet`` command as a user would, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
# Removed when the tests end.
_NO_MACHINE = tempfile.TemporaryDirectory(prefix="no-machine-")
ENV = {
    **os.environ,
    "PYTHONPATH": str(REPO),
    "NO_COLOR": "1",
    # A machine that says nothing of itself: how busy the one is that tests run on must not matter.
    "SIGNET_HOST_ROOT": _NO_MACHINE.name,
}
TIMEOUT_S = 120.0


@dataclass
class Done:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out.splitlines()[-1])

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def check(self) -> Done:
        assert self.code == 0, self.err
        return self


@dataclass
class Wearer:
    """One vault and its key."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def options(self) -> list[str]:
        return ["--state", str(self.state), "--key-file", str(self.folder / "key")]

    def signet(self, *arguments: str | Path, **more: Any) -> Done:
        return signet(*arguments, *self.options, **more)


def signet(*arguments: str | Path, env: dict[str, str] | None = None, cwd: Path = REPO) -> Done:
    done = subprocess.run(
        command(*arguments),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**ENV, **(env or {})},
        cwd=cwd,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def command(*arguments: str | Path) -> Sequence[str]:
    return [sys.executable, "-m", "firmware_host", *map(str, arguments)]


@contextmanager
def board(link: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A simulated board at a terminal of this name, killed when the block ends."""
    line = ["--pty", str(link), "--scenario", "short", "--seed", "8"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sim", *line],
        cwd=REPO,
        env=ENV,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def one_line(done: Done) -> str:
    """The one line on standard error that a failed command leaves; no traceback."""
    lines = done.err.strip().splitlines()
    assert len(lines) == 1, done.err
    assert lines[0].startswith("signet: ")
    return lines[0]
