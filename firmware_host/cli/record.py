"""``signet record``: a board's stream into a file, nothing else."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_host.cli.common import add_device, add_shared, device_url, print_json, say, settings
from firmware_host.cli.streaming import Stopper, positive_seconds

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "record",
        help="write a board's stream to a file",
        description="Record a board until Ctrl-C into an MCAP file, which is never overwritten and "
        "stays readable wherever it is cut. A recording is not encrypted: keep it as you keep a diary.",
    )
    add_device(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="default: <time>-<board>.mcap here"
    )
    parser.add_argument("--seconds", type=positive_seconds, help="end after this much real time")
    add_shared(parser, state=False)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Record until the source ends or somebody says stop."""
    from firmware_host.runtime.recorder import record

    config = settings(args)
    url = device_url(args, config)
    stopper = Stopper()
    ends_s = time.monotonic() + args.seconds if args.seconds else float("inf")
    stopper.install()
    summary = record(
        url,
        lambda board: args.out or _default_name(board),
        stop=lambda: stopper() or time.monotonic() >= ends_s,
        silence_s=config.device.silence_s,
    )
    if args.json:
        print_json(summary)
    else:
        say(
            f"{summary['n_messages']} messages, {summary['stream_s']:.0f} s, "
            f"{summary['missing_samples']} samples missing: {', '.join(summary['files'])}"
        )
    return 0


def _default_name(board: str) -> Path:
    safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in board)
    return Path(f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{safe}.mcap")
