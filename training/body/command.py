"""``python -m training body``: its options; what it does is read only when it runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from training.evaluation.command import add_common, check_output, finish
from training.evaluation.options import at_least

DESCRIPTION = "The simulated wearer beside real people: distributions of every measure."
# With fewer people the ends of a band are single persons.
_LEAST_PEOPLE, _PEOPLE = 8, 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``body``."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="real recordings")
    parser.add_argument(
        "--people",
        type=at_least(_LEAST_PEOPLE),
        default=_PEOPLE,
        metavar="N",
        help=f"simulated people; {_PEOPLE}",
    )
    add_common(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Compare, write what was asked for, and give what standard output shows."""
    check_output(arguments)
    from training.body.compare import compare
    from training.body.page import body_page
    from training.datasets.bad_people import skipping_bad

    with skipping_bad(skip=arguments.skip_bad):
        result, rows = compare(arguments.data, arguments.people)
    return finish(arguments, result, lambda known: body_page(known, rows))
