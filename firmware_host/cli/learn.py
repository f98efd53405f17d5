"""``signet learn``: one learning job, and its gate's decision."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from firmware_host.cli.common import (
    add_model,
    add_shared,
    learning_waits,
    open_vault,
    places,
    print_json,
    say,
    settings,
)
from firmware_host.cli.progress import ProgressBar
from firmware_host.cli.streaming import Stopper, positive_seconds
from firmware_host.config import METHOD_NAMES
from firmware_host.words import counted

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from firmware_host.adaptation.outcome import Outcome
    from firmware_host.adaptation.runner import Conduct
    from firmware_host.config import Config
    from firmware_host.runtime.permission import MayGoOn
    from firmware_host.runtime.waiting import Waiting


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "learn",
        help="learn from the labels given so far, if it helps",
        description="Train an adapter on earlier labelled episodes and keep it only if it does not "
        "lose on later, held-back ones. A running 'signet run' takes it over at once. A job that was "
        "paused, killed or cut off goes on where it was, and ends with the same adapter. With --json a "
        "job that may not begin has the reason 'paused' as well, and n_steps 0.",
    )
    parser.add_argument(
        "--budget-s", type=positive_seconds, metavar="N", help="pause after N seconds"
    )
    parser.add_argument(
        "--method", choices=METHOD_NAMES, help="try this way only, whatever the settings say"
    )
    parser.add_argument("--history", action="store_true", help="list what was learned from what")
    parser.add_argument(
        "--why", action="store_true", help="say what learning waits for, first cause first"
    )
    parser.add_argument(
        "--now",
        action="store_true",
        help="do not wait for mains power, an idle host or a clean stream; heat, under-voltage, a low "
        "battery and a full disk are waited for all the same",
    )
    # Whom a job asks before each step; a run that starts one says so.
    parser.add_argument(
        "--asks", choices=("host", "run", "nobody"), default="host", help=argparse.SUPPRESS
    )
    # The time a job is dated with, where a run in virtual time starts it.
    parser.add_argument("--now-utc", type=float, help=argparse.SUPPRESS)
    add_model(parser)
    add_shared(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Run one job, or show earlier ones."""
    config = settings(args)
    now_utc = args.now_utc or time.time()
    looks_only = args.history or args.why
    with open_vault(args, config, create=False, reads_only=looks_only) as vault:
        if args.history:
            from firmware_host.runtime.history import history_rows

            _print_history(history_rows(vault), as_json=args.json)
            return 0
        if args.why:
            _print_why(learning_waits(vault, args, config, now_utc), as_json=args.json)
            return 0
        from firmware_host.runtime.jobs import learn_stress

        with ProgressBar() as bar:
            outcome, peak_rss_mb = learn_stress(
                vault,
                bundle=args.bundle or config.model.bundle,
                runtime=config.model.runtime,
                delegate=config.model.delegate,
                seed=config.adaptation.seed,
                now_utc=now_utc,
                conduct=_conduct(args, config, bar),
                method=args.method or config.adaptation.method,
                micro_batches=config.adaptation.micro_batches,
            )
    _print_outcome(outcome, peak_rss_mb, as_json=args.json)
    return 0


def _permission(args: argparse.Namespace, config: Config) -> MayGoOn:
    """Who has a say in whether the job goes on."""
    from firmware_host.adaptation.policy import Asked
    from firmware_host.runtime.permission import Asks, HostWatch, ask_host, ask_nobody, ask_run

    if args.asks == Asks.RUN:
        return ask_run()
    if args.asks == Asks.NOBODY:
        return ask_nobody
    watch = HostWatch(config.host_root(), places(args, config)[0], config.policy)
    return ask_host(watch, Asked.NOW if args.now else Asked.BY_HAND)


def _conduct(args: argparse.Namespace, config: Config, bar: ProgressBar) -> Conduct:
    """Budget, checkpoints, and a signal or the host as a reason to pause."""
    from firmware_host.adaptation.budget import Budget
    from firmware_host.adaptation.runner import Conduct

    limits = config.adaptation
    stopper = Stopper()
    stopper.install()
    may_go_on = _permission(args, config)
    return Conduct(
        budget=Budget(
            args.budget_s or limits.budget_s, limits.budget_j, limits.budget_bytes, limits.core_w
        ),
        checkpoint_steps=limits.checkpoint_steps,
        may_go_on=lambda: "stopped by a signal" if stopper() else may_go_on(),
        progress=lambda stage, n_done, n_total: bar(n_done / max(1, n_total), f"learning {stage}"),
    )


def _print_outcome(outcome: Outcome, peak_rss_mb: float, *, as_json: bool) -> None:
    facts: dict[str, Any] = {
        "kept": outcome.kept,
        "reason": str(outcome.reason),
        "text": outcome.text,
        "group": outcome.group,
        "n_calibration": outcome.n_calibration,
        "n_held_back": outcome.n_held_back,
        "different_episode": outcome.different_episode,
        "left_out": {str(k): v for k, v in outcome.left_out.items() if v},
        "set_aside": list(outcome.set_aside),
        "figures": dict(outcome.figures),
        "n_steps": outcome.n_steps,
        "peak_rss_mb": round(peak_rss_mb, 1),
    }
    if as_json:
        print_json(facts)
        return
    if outcome.reason == "paused":
        print(outcome.text)
        return
    print(f"{'kept' if outcome.kept else 'not kept'}: {outcome.text}")
    print(f"learned from {outcome.n_calibration} windows, judged on {outcome.n_held_back}")
    windows = [f"{counted(n, 'window')} {why.words}" for why, n in outcome.left_out.items() if n]
    if set_aside := [*windows, *outcome.set_aside]:
        print(f"set aside: {'; '.join(set_aside)}")


def _print_why(waiting: Waiting, *, as_json: bool) -> None:
    if as_json:
        print_json(waiting.facts())
        return
    print("learning waits for")
    for n, line in enumerate(waiting.lines(), 1):
        print(f"  {n}. {line}")
    print(f"the host is {waiting.readings.words()}")


def _print_history(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    for row in rows:
        print(f"{row['when']}  {row['what']:<12}  {row['decision']:<10}  {row['text']}")
        for line in row["lines"]:
            print(f"    {line}")
    say(counted(len(rows), "entry", "entries"))
