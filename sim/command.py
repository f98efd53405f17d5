"""What the simulator's command lines share: complaints in one line, numbers within bounds, a line, how it ends."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from types import FrameType
from typing import NoReturn, TypeVar

from firmware_host.errors import ConfigError, SignetError
from sim.ports import PtyPort

DEFAULT_SEED = 7
DEFAULT_SCENARIO = "day"
_MAX_SEED = 2**63 - 1
_INTERRUPTED = 130
_TERMINATED = 143

_Number = TypeVar("_Number", int, float)


class Parser(argparse.ArgumentParser):
    """Complains in one line, which a parent process can hand on as it is."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end."""
        self.exit(ConfigError.exit_code, f"sim: {message}\n")


def number(
    kind: Callable[[str], _Number], is_right: Callable[[_Number], bool], expected: str
) -> Callable[[str], _Number]:
    """An argument's type: a number of a kind that is right; ``expected`` says what that is."""

    def read(text: str) -> _Number:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not is_right(value):
            msg = f"expected {expected}, got {text[:40]!r}"
            raise argparse.ArgumentTypeError(msg)
        return value

    return read


seed = number(int, lambda value: 0 <= value <= _MAX_SEED, f"a whole number from 0 to {_MAX_SEED}")


def add_pty(line: argparse._ActionsContainer) -> None:
    """The option of :func:`open_pty`."""
    line.add_argument(
        "--pty", nargs="?", const="", metavar="LINK", help="a pseudo-terminal, linked from LINK"
    )


def open_pty(link: str, *, speed: float = 1.0, prints: bool = False) -> PtyPort:
    """A pseudo-terminal, linked from a path unless that is empty; tells whoever started it where it is."""
    path = Path(link) if link else None
    return PtyPort(path, lambda where: say(where_it_is("pty", where, speed=speed, prints=prints)))


def where_it_is(kind: str, where: str, *, speed: float = 1.0, prints: bool = False) -> str:
    """``pty /tmp/board`` or ``tcp 127.0.0.1:7000``; of a board that lives faster, how to read it in a second line.

    A host with another clock would see one that is set all the time.

    Parameters
    ----------
    prints
        It is a board that prints numbers.
    """
    said = f"{kind} {where}"
    if speed == 1.0:
        return said
    if kind == "tcp":
        url = f"{'text+' if prints else ''}socket://{where}"
    elif prints:
        url = f"text:{where}"
    else:
        # Another path than these would be read as a scheme.
        url = where if where.startswith(("/", ".")) else f"serial:{where}"
    return f"{said}\nsignet run --device {quote(f'{url}?speed={speed:.12g}')}"


def say(line: str) -> None:
    """Tell whoever started it, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def exit_code(run: Callable[[], None]) -> int:
    """Run to the end; every error on purpose becomes one line, and a reader who is gone is none."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        run()
    except SignetError as err:
        sys.stderr.write(f"sim: {err}\n")
        return err.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Nobody reads any more: that is the reader's business. Flushing at exit would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(_TERMINATED)
