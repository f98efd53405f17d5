"""``signet flash``: from a bare board to its first samples."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_host.cli.common import add_shared, print_json, say, settings

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from firmware_host.flash.listening import FirstWords


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "flash",
        help="put MicroPython and the app on a board",
        description="Find the board, say what will be done, write MicroPython (--image, which you download from "
        "micropython.org for your board), copy the app, compare hashes, restart, and wait for the first samples. "
        "Stopped anywhere, the board can be flashed again, by the same command.",
    )
    parser.add_argument(
        "--device", metavar="PORT", help="port of the board; needed if there are several"
    )
    parser.add_argument(
        "--board", metavar="NAME|FILE", help="kind of board, or a TOML file that describes yours"
    )
    parser.add_argument(
        "--image", type=Path, metavar="FILE", help="MicroPython for it: .bin or .uf2"
    )
    parser.add_argument(
        "--sha256", metavar="HEX", help="what the image's publisher says its hash is"
    )
    parser.add_argument(
        "--drive", type=Path, metavar="DIR", help="where its bootloader's drive is mounted"
    )
    parser.add_argument("--app-only", action="store_true", help="keep its MicroPython")
    parser.add_argument("--dry-run", action="store_true", help="say everything, do nothing")
    add_shared(parser, state=False)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Say what will be done and do it."""
    from firmware_host.flash.plan import Wish, make_plan
    from firmware_host.flash.steps import Teller, flash

    settings(args)
    wish = Wish(args.board, args.device, args.image, args.sha256, args.drive, args.app_only)
    plan = make_plan(wish)
    for line in plan.lines:
        (print if args.dry_run else say)(line)
    if args.dry_run:
        return 0
    words = flash(plan, Teller(say, _Bar()))
    _print_words(words, as_json=args.json)
    return 0


def _print_words(words: FirstWords, *, as_json: bool) -> None:
    if as_json:
        hello = words.hello
        told = {"board": hello.board_id, "firmware": hello.firmware, "samples": words.n_samples}
        print_json({**told, "waited_s": round(words.waited_s, 1)})
        return
    for line in words.lines:
        print(line)


class _Bar:
    """A line that is drawn over on a terminal, and one for each step elsewhere."""

    def __init__(self) -> None:
        self._told = ""

    def __call__(self, step: str, share: float) -> None:
        if sys.stderr.isatty():
            end = "\n" if share >= 1 else "\r"
            print(f"  {step} {100 * share:3.0f} %", end=end, file=sys.stderr, flush=True)
        elif step != self._told:
            self._told = step
            say(f"  {step} ...")
