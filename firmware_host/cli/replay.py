"""``signet replay``: a recording through the same path as a board, at any speed, with the same events."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from firmware_host.cli.common import (
    add_model,
    add_placement,
    add_shared,
    settings,
    some_recording,
    vault_once_needed,
)
from firmware_host.cli.progress import ProgressBar
from firmware_host.cli.streaming import (
    EventPrinter,
    Stopper,
    clock,
    learner_arguments,
    say_summary,
)
from firmware_host.errors import ConfigError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from firmware_host.devices import ReplayTransport
    from firmware_host.events import AnyEvent

DEFAULT_SKIP = "30s"
_SHOW_EVERY_S = 0.2


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "replay",
        help="play a recording through the same path as a board",
        description="Play a recording: .mcap, .edf, .xdf, .csv, an Empatica E4 .zip or folder, or a WESAD "
        "folder. Without --state nothing is kept and the generic model is used; events are the same at "
        "any speed. A place is a length from the start (10m, 1h30m), a share (25%), a time of day or an "
        "ISO 8601 time.",
    )
    parser.add_argument("recording", type=some_recording, help="the file or folder")
    parser.add_argument("--speed", default="max", help="times real time, or max (default)")
    parser.add_argument("--from", dest="start", metavar="PLACE", help="begin there")
    parser.add_argument("--to", dest="end", metavar="PLACE", help="end there")
    parser.add_argument(
        "--loop",
        nargs="?",
        const="forever",
        metavar="N",
        help="play N times, or for ever; each time a board started anew; not with --state",
    )
    parser.add_argument(
        "--skip-gaps",
        nargs="?",
        const=DEFAULT_SKIP,
        metavar="TIME",
        help=f"do not wait for silences longer than this (default: {DEFAULT_SKIP}); each is said, and "
        "no time in the events changes",
    )
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
    keeps = args.state is not None
    url = _url(args)
    recorded = open_recorded(url, args.labels, keeps=keeps)
    assert recorded is not None
    stopper = Stopper()
    with (
        vault_once_needed(args, config, exclusive=True) if keeps else nullcontext() as vault,
        ProgressBar() as bar,
    ):
        options = SessionOptions(
            url=url,
            bundle=args.bundle or config.model.bundle,
            runtime=config.model.runtime,
            delegate=config.model.delegate,
            placement=args.placement or config.device.placement,
            keep_days=config.state.keep_days,
            labels=recorded.labels,
            pressed=recorded.pressed,
            learner_arguments=learner_arguments(args, config) if args.learn else None,
        )
        stopper.install()
        progress = Progress(bar, EventPrinter(as_json=args.json, shows_place=False))
        session = open_session(
            options,
            vault,
            emit=progress.emit,
            stop=lambda: stopper() or progress.show(recorded.transport),
            open_transport=recorded.open,
        )
        summary = session.run()
    if args.json:
        # Not on standard output: that holds the events alone, the same at any speed.
        return 0
    say_summary(summary)
    return 0


class Progress:
    """A bar with the time that is left, out of the way of what is printed.

    Parameters
    ----------
    printer
        Prints events.
    """

    def __init__(
        self,
        bar: ProgressBar,
        printer: EventPrinter,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bar = bar
        self._printer = printer
        self._monotonic = monotonic
        self._started_s = self._shown_s = monotonic()

    def emit(self, event: AnyEvent) -> None:
        """Print an event."""
        self._bar.clear()
        self._printer(event)

    def show(self, played: ReplayTransport | None) -> bool:
        """Show how far it is, at most a few times a second; never a reason to stop."""
        now_s = self._monotonic()
        if played is None or now_s - self._shown_s < _SHOW_EVERY_S:
            return False
        self._shown_s = now_s
        n_played, rounds = played.n_played, played.rounds
        which = "" if rounds == 1 else f"round {int(n_played) + 1}"
        if rounds is None:
            self._bar(n_played % 1, which)
            return False
        share = min(n_played / rounds, 1.0)
        left_s = (now_s - self._started_s) * (1 - share) / share if share else 0.0
        self._bar(share, f"{clock(left_s)} left {which}".strip())
        return False


def _url(args: argparse.Namespace) -> str:
    wished = {
        "speed": args.speed,
        "from": args.start,
        "to": args.end,
        "loop": args.loop,
        "skip_gaps": args.skip_gaps,
    }
    options = "&".join(f"{key}={quote(value)}" for key, value in wished.items() if value)
    return f"replay:{args.recording}?{options}"
