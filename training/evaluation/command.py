"""What `evaluate` and `loso` have in common on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.evaluation.output import (
    plain,
    require_different,
    require_writable,
    write_json,
    write_text,
)

# Long lists of the result: in the file, not on the terminal.
_LISTS = ("participants", "exercise_sessions", "reliability", "decisions", "agreement", "folds")


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add `--json`, `--html` and `--skip-bad`."""
    parser.add_argument(
        "--json",
        type=Path,
        metavar="OUT",
        help="write every figure to this file; standard output then has the summary only",
    )
    parser.add_argument("--html", type=Path, metavar="OUT", help="write a page with pictures")
    parser.add_argument(
        "--skip-bad",
        action="store_true",
        help="name people whose files cannot be used and go on without them",
    )


def check_output(arguments: argparse.Namespace) -> None:
    """Refuse places that cannot be written, before the long work."""
    require_different({"--json": arguments.json, "--html": arguments.html})
    require_writable("--json", arguments.json)
    require_writable("--html", arguments.html)


def finish(
    arguments: argparse.Namespace, result: dict[str, Any], page: Callable[[dict[str, Any]], str]
) -> dict[str, Any]:
    """Write what was asked for; gives what standard output shows."""
    known: dict[str, Any] = plain(result)
    if arguments.html:
        write_text(arguments.html, page(known))
    if not arguments.json:
        return known
    write_json(arguments.json, known)
    return {name: value for name, value in known.items() if name not in _LISTS}
