"""``signet replay``: a recording through the same path as a board, at any speed, with the same events."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_host.cli.common import (
    add_model,
    add_placement,
    add_shared,
    open_vault,
    settings,
)
from firmware_host.cli.streaming import (
    EventPrinter,
    Stopper,
    learner_arguments,
    say_summary,
)
from firmware_host.errors import ConfigError

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "replay",
        help="play a recording through the same path as a board",
        description="Play a recording: .mcap, .edf, .xdf, .csv, an Empatica E4 .zip or folder, or a WESAD "
        "folder. Without --state nothing is kept and the generic model is used; events are the same at "
        "any speed.",
    )
    parser.add_argument("recording", type=Path, help="the file or folder")
    parser.add_argument("--speed", default="max", help="times real time, or max (default)")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="label file beside it")
    parser.add_argument("--learn", action="store_true", help="learn from the labels; needs --state")
    add_model(parser)
    add_placement(parser)
    add_shared(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Play to the end or until Ctrl-C."""
    from firmware_host.runtime.build import SessionOptions, open_session
    from firmware_host.runtime.recorded import open_recorded

    config = settings(args)
    if args.learn and args.state is None:
        raise ConfigError("--learn", "--state DIR to keep what is learned", "no --state")
    url = f"replay:{args.recording}?speed={args.speed}"
    recorded = open_recorded(url, args.labels)
    assert recorded is not None
    stopper = Stopper()
    keeps = args.state is not None
    with open_vault(args, config, create=True, exclusive=True) if keeps else nullcontext() as vault:
        options = SessionOptions(
            url=url,
            bundle=args.bundle or config.model.bundle,
            runtime=config.model.runtime,
            delegate=config.model.delegate,
            placement=args.placement or config.device.placement,
            keep_days=config.state.keep_days,
            labels=recorded.labels,
            learner_arguments=learner_arguments(args, config) if args.learn else None,
        )
        stopper.install()
        printer = EventPrinter(as_json=args.json)
        session = open_session(
            options, vault, emit=printer, stop=stopper, open_transport=recorded.open
        )
        summary = session.run()
    if args.json:
        # Not on standard output: that holds the events alone, the same at any speed.
        return 0
    say_summary(summary)
    return 0
