"""``signet flash``: from a bare board to its first samples."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_host.cli.common import add_shared, print_json, say, settings
from firmware_host.errors import ConfigError, printable

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from firmware_host.flash.images import Image
    from firmware_host.flash.listening import FirstWords
    from firmware_host.flash.plan import Plan

# What is going on, for whoever interrupts it, by the step that the bar shows.
_DURING = {
    "": "before anything was written",
    "write": "while the image was written",
    "copy": "while the app was put on",
}


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
    trust = parser.add_mutually_exclusive_group()
    trust.add_argument(
        "--sha256", metavar="HEX", help="what the image's publisher says its hash is"
    )
    trust.add_argument(
        "--unchecked", action="store_true", help="write an image for which nobody tells a hash"
    )
    parser.add_argument(
        "--drive", type=Path, metavar="DIR", help="where its bootloader's drive is mounted"
    )
    parser.add_argument("--app-only", action="store_true", help="keep its MicroPython")
    parser.add_argument("--dry-run", action="store_true", help="say everything, do nothing")
    add_shared(parser, state=False)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Say what will be done and do it; whoever interrupts it is told what that means."""
    bar = _Bar()
    try:
        return _run(args, bar)
    except KeyboardInterrupt:
        say(f"signet: interrupted {bar.end()}; the same command puts it right")
        raise


def _run(args: argparse.Namespace, bar: _Bar) -> int:
    from firmware_host.flash.plan import Wish, make_plan
    from firmware_host.flash.steps import Teller, flash

    settings(args)
    wish = Wish(args.board, args.device, args.image, args.sha256, args.drive, args.app_only)
    plan = make_plan(wish)
    if args.dry_run:
        _print_plan(plan, args)
        return 0
    for line in plan.lines:
        say(line)
    if plan.image is not None and not args.unchecked:
        _require_trust(plan.image)
    words = flash(plan, Teller(say, bar))
    _print_words(words, as_json=args.json)
    return 0


def _print_plan(plan: Plan, args: argparse.Namespace) -> None:
    lines = list(plan.lines)
    if plan.image is not None and not plan.image.hash_from and not args.unchecked:
        lines.append(
            "it will ask before it writes this image; where nobody can be asked, --sha256 or --unchecked"
        )
    if args.json:
        print_json({"plan": lines})
        return
    for line in lines:
        print(printable(line))


def _require_trust(image: Image) -> None:
    """Whoever has no hash to compare with says so, or says yes to the one that this file has."""
    if image.hash_from:
        return
    answer = "nothing"
    if sys.stdin.isatty() and sys.stderr.isatty():
        print(
            "nobody vouched for this image; write it? [y/N] ", end="", file=sys.stderr, flush=True
        )
        answer = sys.stdin.readline().strip()
        if answer.lower() in ("y", "yes"):
            return
    here = f"here or in {image.path.name}.sha256 beside it (this file's is {image.sha256})"
    expected = f"the hash that the publisher of {image.path} tells, {here}, or --unchecked"
    raise ConfigError("--sha256", expected, answer)


def _print_words(words: FirstWords, *, as_json: bool) -> None:
    if as_json:
        hello = words.hello
        told = {"board": hello.board_id, "firmware": hello.firmware, "samples": words.n_samples}
        print_json({**told, "waited_s": round(words.waited_s, 1)})
        return
    for line in words.lines:
        print(printable(line))


class _Bar:
    """A line that is drawn over on a terminal, and one for each step elsewhere."""

    def __init__(self) -> None:
        self._step = ""
        self._is_open = False

    def __call__(self, step: str, share: float) -> None:
        is_new, self._step = step != self._step, step
        if not sys.stderr.isatty():
            if is_new:
                say(f"  {step} ...")
        elif is_new or self._is_open:
            self._is_open = share < 1
            end = "\r" if self._is_open else "\n"
            print(f"  {step} {100 * share:3.0f} %", end=end, file=sys.stderr, flush=True)

    def end(self) -> str:
        """Leave the line; returns what was going on."""
        if self._is_open:
            print(file=sys.stderr)
        return _DURING[self._step]
