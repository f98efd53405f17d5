"""The ``signet`` command as a wearer would run it, for the demo and the week."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_TTY = sys.stderr.isatty()
_MINUTE_S = 60.0


class CommandError(Exception):
    """A command failed; carries its exit code."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


def fresh_folder(folder: Path, *, mark: str) -> None:
    """Empty a folder that ``mark`` says is ours; anybody else's is refused.

    Raises
    ------
    CommandError
        If it holds something else.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / mark).exists():
        raise CommandError(f"{folder}: expected an empty folder or one of an earlier time", 2)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / mark).touch()


def events(arguments: list[str]) -> Iterator[dict[str, Any]]:
    """Events of a command as they come, with where it stands on a terminal."""
    process = subprocess.Popen(
        _command(arguments), stdout=subprocess.PIPE, text=True, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    last_s = 0.0
    try:
        for line in process.stdout:
            event = json.loads(line)
            yield event
            if _TTY and event.get("t_s", 0.0) - last_s >= 10 * _MINUTE_S:
                last_s = event["t_s"]
                sys.stderr.write(f"\r  {hours(last_s)} ...")
                sys.stderr.flush()
        error = process.stderr.read()
        if process.wait() != 0:
            raise CommandError(_last_line(error), process.returncode)
    finally:
        process.kill()
        process.communicate()
        if _TTY:
            sys.stderr.write("\r" + " " * 20 + "\r")
            sys.stderr.flush()


def last_json(arguments: list[str]) -> Any:
    """What a command printed last."""
    done = subprocess.run(_command(arguments), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CommandError(_last_line(done.stderr), done.returncode)
    return json.loads(done.stdout.splitlines()[-1])


def _command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "firmware_host", *arguments, "--json"]


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["a command failed without a word"])[-1]


def hours(seconds: float) -> str:
    """Seconds for people."""
    return f"{int(seconds) // 3600} h {int(seconds) // 60 % 60:02d} min"


def is_known(value: float | None) -> bool:
    """Whether there is a number."""
    return value is not None and value == value  # noqa: PLR0124  NaN is the one value unequal to itself


def figure(value: float | None) -> str:
    """A score for people."""
    return f"{value:.3f}" if value is not None and is_known(value) else "  -  "
