"""``signet enrol``: the wearer's walk, or the wearer at rest."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from firmware_host.cli.common import (
    add_device,
    add_model,
    add_placement,
    add_shared,
    device_url,
    open_vault,
    print_json,
    say,
    settings,
    vault_once_needed,
)
from firmware_host.cli.progress import ProgressBar
from firmware_host.cli.streaming import Stopper, silence_limits

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from firmware_host.identity.enrolment import Progress


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "enrol",
        help="learn how the wearer walks, or is at rest",
        description="gait: walk about a minute; from then on runs say who is walking, with the "
        "board worn where it was (--placement); each place is enrolled by itself. "
        "baseline: sit still about four minutes; stress is then told from your own rest. With "
        "--revert nothing is streamed: the one before is in force again.",
    )
    parser.add_argument("what", choices=("gait", "baseline"))
    parser.add_argument(
        "--revert",
        action="store_true",
        help="go back one step: a gait reference that followed you, or the baseline before",
    )
    add_device(parser)
    add_placement(parser)
    add_model(parser)
    add_shared(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Stream until there is enough, then keep what was learned; or go back one step."""
    if args.revert:
        return _revert(args)
    from firmware_host.runtime.build import SessionOptions
    from firmware_host.runtime.enrol import enrol_baseline, enrol_gait

    config = settings(args)
    options = SessionOptions(
        url=device_url(args, config),
        bundle=args.bundle or config.model.bundle,
        runtime=config.model.runtime,
        delegate=config.model.delegate,
        placement=args.placement or config.device.placement,
        silence=silence_limits(args, config),
        rates=config.device.rates,
    )
    stopper = Stopper()
    with vault_once_needed(args, config, exclusive=True) as vault, ProgressBar() as bar:
        report = _Reporter(bar)
        stopper.install(is_end=False)
        if args.what == "gait":
            enrolled = enrol_gait(
                options,
                vault,
                walk_s=config.enrolment.walk_s,
                seed=config.adaptation.seed,
                report=report,
                stop=stopper,
            )
            n_windows = enrolled.n_windows
        else:
            n_windows = enrol_baseline(options, vault, report=report, stop=stopper)
    if args.json:
        print_json({"enrolled": args.what, "n_windows": n_windows})
    else:
        where = f" for the {options.placement}" if args.what == "gait" else ""
        say(f"{args.what} enrolled{where} from {n_windows} windows")
    return 0


def _revert(args: argparse.Namespace) -> int:
    from firmware_host.adaptation.rest import revert_rest
    from firmware_host.runtime.gait_reference import revert_gait

    config = settings(args)
    placement = args.placement or config.device.placement
    # A run in the meantime would go on with what is taken back here.
    with open_vault(args, config, create=False, exclusive=True) as vault:
        if args.what == "gait":
            back_to = revert_gait(vault, placement, now_utc=time.time())
        else:
            back_to = revert_rest(vault, now_utc=time.time()).id
    if args.json:
        print_json({"reverted": args.what, "record": back_to})
    else:
        say(f"{args.what}: the one before is in force again (record {back_to})")
    return 0


class _Reporter:
    """A bar on a terminal, and the reason when it is stuck, once."""

    def __init__(self, bar: ProgressBar) -> None:
        self._bar = bar
        self._last_stuck: str | None = None

    def __call__(self, progress: Progress) -> None:
        if progress.stuck is not None and progress.stuck != self._last_stuck:
            self._bar.clear()
            say(progress.stuck)
        self._last_stuck = progress.stuck
        self._bar(progress.share, f"{progress.n_windows} of {progress.needed} windows")
