"""The parser and the one place that turns errors into exit codes."""

from __future__ import annotations

import argparse
import errno
import io
import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from firmware_host import __version__
from firmware_host.cli import (
    board,
    convert,
    doctor,
    enrol,
    explain,
    flash,
    label,
    learn,
    ports,
    prefer,
    record,
    replay,
    report,
    revert,
    run,
    status,
    vault,
)
from firmware_host.cli.common import say
from firmware_host.cli.interrupts import take_signals
from firmware_host.errors import ConfigError, SignetError
from firmware_host.host.sockets import COUNTER

_LOGGER = logging.getLogger(__name__)

VERBS = (
    run,
    record,
    replay,
    convert,
    enrol,
    label,
    prefer,
    learn,
    revert,
    explain,
    status,
    report,
    ports,
    flash,
    board,
    doctor,
    vault,
)
INTERRUPTED = 130
STORAGE = 8
EXIT_CODES = """\
exit codes:
  0 done                       5 model or bundle not usable
  1 other error                6 learning or enrolment refused; what was known before is intact
  2 wrong option or setting    7 vault: wrong key, altered, or none there
  3 board not reachable        8 disk full or not writable; what was stored is intact
  4 data not usable            9 a live board sent nothing for too long; what came is kept
                             130 interrupted
"""


class _Parser(argparse.ArgumentParser):
    """Refuses in one line, as every other refusal is; parsers of verbs are of the same class."""

    def error(self, message: str) -> NoReturn:
        what = message.removeprefix("argument ")
        self.exit(_fail(f"{what} ({self.prog} --help)", ConfigError.exit_code))


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = _Parser(
        prog="signet",
        description="Stream a wearable board, learn its wearer on this machine, keep it here.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"signet {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in VERBS:
        verb.add_parser(verbs)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    COUNTER.install()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal's locale cannot write is no reason to say nothing.
        sys.stdout.reconfigure(errors="backslashreplace")
    code = _run(argv)
    try:
        sys.stderr.flush()
    except OSError:
        # What was said has nowhere to go; said again at exit it would change the code.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    return code


def _run(argv: Sequence[str] | None) -> int:
    try:
        args = build_parser().parse_args(argv)
        take_signals()
        code = int(args.handler(args))
        # While it may still fail in our words, and before a late signal ends us at once.
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (head, less): no fault, and nothing left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as err:
        return _report(err)
    else:
        return code


def _report(err: Exception) -> int:
    """Say what went wrong in one line; the traceback of what was not foreseen goes to the log."""
    if isinstance(err, SignetError):
        return _fail(str(err), err.exit_code)
    if isinstance(err, OSError) and err.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        return _fail(f"cannot write: {err.strerror}; what was stored is intact", STORAGE)
    _LOGGER.error("unexpected error", exc_info=err)
    return _fail(f"unexpected {type(err).__name__}: {err}", 1)


def _fail(text: str, code: int) -> int:
    one_line = " ".join(text.split())
    say(f"signet: {one_line}")
    return code
