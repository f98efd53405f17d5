"""``signet revert``: back to the adapter before, to any earlier one, or to the generic model."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from firmware_host.cli.common import (
    add_model,
    add_shared,
    open_vault,
    print_json,
    say,
    settings,
)

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "revert",
        help="go back to an earlier adapter or to the generic model",
        description="Without a version: to the adapter before the one in force. With one, as 'signet "
        "learn --history' numbers them, or 'generic': to that. Nothing is deleted, and a running "
        "'signet run' takes it over at once.",
    )
    parser.add_argument("version", nargs="?", type=_version, metavar="VERSION|generic")
    add_model(parser)
    add_shared(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Go back and say what is in force now."""
    from firmware_host.adaptation.outcome import MODEL
    from firmware_host.adaptation.revert import revert
    from firmware_host.inference.bundle import load_bundle

    config = settings(args)
    bundle = load_bundle(args.bundle or config.model.bundle)
    # Without --bundle every other command takes the one of the settings.
    is_usual = args.bundle is None or load_bundle(config.model.bundle).sha256 == bundle.sha256
    with open_vault(args, config, create=False) as vault:
        done = revert(
            vault, MODEL, bundle_sha256=bundle.sha256, now_utc=time.time(), to=args.version
        )
    version = 0 if done.adapter is None else done.adapter.version
    if args.json:
        facts = {"adapter": version, "rest_restored": done.is_rest_restored}
        print_json({**facts, "bundle": bundle.label})
        return 0
    rest = ", with the rest that it was learned on" if done.is_rest_restored else ""
    only = "" if is_usual or not version else f", but only with --bundle {args.bundle}"
    say(f"in force: {f'adapter {version}' if version else 'the generic model'}{rest}{only}")
    return 0


def _version(text: str) -> int:
    """A version's number; 0 stands for the generic model."""
    if text == "generic":
        return 0
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        msg = f"expected a version's number, or generic, got {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)
