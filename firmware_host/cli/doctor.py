"""``signet doctor``: is this machine fit for it, and what to do if not."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from firmware_host.cli.common import add_shared, places, print_json, settings

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "doctor",
        help="check ports, permissions, runtime, disk, clock and heat",
        description="Check this machine. Ends with 1 if something has to be mended first.",
    )
    add_shared(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Print one line a check."""
    from firmware_host.host.checks import Status, run_checks, worst

    config = settings(args)
    state, key = places(args, config)
    checks = run_checks(state_dir=state, key_file=key)
    if args.json:
        print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            print(f"{check.status.value:<5} {check.name}: {check.text}")
            if check.fix:
                print(f"      {check.fix}")
    return 1 if worst(checks) is Status.FAIL else 0
