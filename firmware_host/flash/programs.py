"""Programs of others that write boards. They are run, never imported: one of them is GPL, and none has to be here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import IO, TYPE_CHECKING

from firmware_host.errors import FlashError

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSION = re.compile(r"\b(\d+)\.(\d+)(?:\.\d+)?")
# Asked for its version a program answers in a second, on a slow hub in some.
_VERSION_S = 60.0
# Long lines stay one line, and nothing is drawn around them.
_PLAIN = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "300", "PYTHONUNBUFFERED": "1"}
# Remarks that follow an error may name it again.
_ERROR = re.compile(r"^(?!Note:).*(\berror\b|Error:)", re.IGNORECASE)
_PYTHON = sys.executable
# Asks Linux for SIGTERM (15) when whoever started it ends (linux/prctl.h: PR_SET_PDEATHSIG is 1), and becomes the
# program. A function of ours between fork and exec would do the same, and is not safe beside threads.
_LEASH = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); os.execv(sys.argv[1], sys.argv[1:])"
)
# Time to let go of the port.
_END_S = 5.0
_LINE_END = re.compile(rb"[\r\n]")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A program, the oldest version whose commands we use, how it tells it, and what to install."""

    name: str
    oldest: tuple[int, int]
    version_args: tuple[str, ...]
    install: str


# esptool 5 renamed its commands; mpremote 1.24 compares hashes before it copies; uflash 2 knows the micro:bit V2.
ESPTOOL = Wanted("esptool", (5, 0), ("version",), "pip install 'signet-wearable[flash]'")
MPREMOTE = Wanted("mpremote", (1, 24), ("version",), "pip install 'signet-wearable[flash]'")
UFLASH = Wanted("uflash", (2, 0), ("--version",), "pip install uflash")


@dataclass(frozen=True, slots=True)
class Program:
    """One that was found."""

    wanted: Wanted
    path: str
    version: str

    def run(self, args: Sequence[str], *, say: Say, limit_s: float) -> str:
        """Run it to its end; returns what it wrote, both streams together.

        Parameters
        ----------
        say
            Told each line as it comes.
        limit_s
            Real seconds after which it is ended.

        Raises
        ------
        FlashError
            If it fails or takes longer; the text is its own last word.
        """
        lines: list[str] = []
        with _started(self.path, args) as process, _ended_after(process, limit_s) as is_late:
            for line in _lines(process):
                lines.append(line)
                say(line)
            code = process.wait()
        if is_late():
            raise FlashError(f"{self.wanted.name}: still not done after {limit_s:g} s")
        if code:
            raise FlashError(f"{self.wanted.name}: {last_word(lines) or f'exit code {code}'}")
        return "\n".join(lines)


def find(wanted: Wanted) -> Program:
    """Look beside this Python, then on the path.

    Raises
    ------
    FlashError
        If it is not there or too old; the text says what to install.
    """
    beside = Path(sys.executable).parent
    path = shutil.which(wanted.name, path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")
    if path is None:
        raise FlashError(f"{wanted.name} is not installed: {wanted.install}")
    version = _version(path, wanted)
    found = _VERSION.search(version)
    if found is None:
        raise FlashError(f"{path}: expected {wanted.name} to tell its version, got {version!r}")
    if (int(found[1]), int(found[2])) < wanted.oldest:
        oldest = ".".join(map(str, wanted.oldest))
        msg = f"{path}: expected {wanted.name} {oldest} or newer, got {found[0]}"
        raise FlashError(f"{msg}: {wanted.install}")
    return Program(wanted, path, found[0])


def last_word(lines: Sequence[str]) -> str:
    """The line a program ends its failure with: the last error, else the last line."""
    texts = [line.strip() for line in lines if line.strip()]
    errors = [text for text in texts if _ERROR.search(text)]
    word = (errors or texts or [""])[-1]
    return re.sub(r"^(ERROR: )?(A fatal error occurred: )?", "", word)


def _version(path: str, wanted: Wanted) -> str:
    try:
        done = subprocess.run(
            [path, *wanted.version_args],
            capture_output=True,
            text=True,
            check=False,
            timeout=_VERSION_S,
            env={**os.environ, **_PLAIN},
        )
    except (OSError, subprocess.TimeoutExpired) as err:
        raise FlashError(f"{path}: cannot be run ({err})") from err
    # The last line: some greet before they answer.
    said = (done.stdout.strip() or done.stderr.strip()).splitlines()
    return said[-1] if said else ""


@contextmanager
def _started(path: str, args: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [*_leash(), path, *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        env={**os.environ, **_PLAIN},
    )
    try:
        yield process
    finally:
        # Whoever is interrupted while it writes must not leave it writing.
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _leash() -> list[str]:
    """Killed, we must not leave a program at the port, where the next attempt would find it."""
    return [_PYTHON, "-ISc", _LEASH] if sys.platform == "linux" and _PYTHON else []


@contextmanager
def _ended_after(process: subprocess.Popen[bytes], limit_s: float) -> Iterator[Callable[[], bool]]:
    late: list[bool] = []

    def end() -> None:
        late.append(True)
        process.kill()

    timer = Timer(limit_s, end)
    timer.start()
    try:
        yield lambda: bool(late)
    finally:
        timer.cancel()


def _lines(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """Lines as they come; a bar that is drawn over and over gives one each time."""
    stream: IO[bytes] = process.stdout  # type: ignore[assignment]
    rest = b""
    while piece := stream.read(4096):
        *whole, rest = _LINE_END.split(rest + piece)
        for line in whole:
            if line.strip():
                yield line.decode(errors="replace").rstrip()
    if rest.strip():
        yield rest.decode(errors="replace").rstrip()
