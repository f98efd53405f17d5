"""``signet explain``: why the host said what it said at some moment."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from firmware_host.cli.common import add_model, add_shared, open_vault, print_json, say, settings
from firmware_host.cli.times import is_clock, local_time, utc_of
from firmware_host.errors import ConfigError
from firmware_host.words import counted

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from firmware_host.explain.stretches import Stretch
    from firmware_host.vault.records import Vault

_SIGNALS = {"bvp": "pulse", "eda": "skin", "temp": "temperature", "acc": "movement"}
_BAR_WIDTH = 20
# A share of this many log-odds fills the bar: it alone takes 0.5 to 0.95.
_FULL_BAR = 3.0
# More is a table, not an explanation; --json has them all.
_N_FEATURES = 5
_N_LABELS = 4
# UNIX seconds have ten.
_MAX_LIST_DIGITS = 6


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "explain",
        help="which signals and labels an answer rests on",
        description="Score the windows of a moment again, from the vault, with each signal as at "
        "your rest, and say which of them moved the answer, and by how much your own labels did. "
        "Prints body data; nothing is changed.",
    )
    parser.add_argument(
        "event",
        nargs="?",
        metavar="EVENT",
        help="a time (ISO 8601, UNIX s, or HH:MM of today, else of the newest day that has it) or a "
        "number of --list; default: the latest stress",
    )
    parser.add_argument(
        "--list", action="store_true", help="list the stretches of stress there are"
    )
    add_model(parser)
    add_shared(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """List stretches of stress, or explain one moment."""
    from firmware_host.explain.moment import find_moment, stress_events
    from firmware_host.explain.stretches import stress_stretches
    from firmware_host.inference.bundle import load_bundle, open_model

    config = settings(args)
    if args.list and args.event is not None:
        raise ConfigError("explain", "either EVENT or --list", "both")
    with open_vault(args, config, create=False, reads_only=True) as vault:
        if args.list:
            _print_list(stress_stretches(stress_events(vault)), as_json=args.json)
            return 0
        from firmware_host.explain.account import account_of
        from firmware_host.explain.support import support_of
        from firmware_host.runtime.jobs import model_facts

        bundle = load_bundle(args.bundle or config.model.bundle)
        engine = config.model
        model = open_model(bundle, bundle.stress, runtime=engine.runtime, delegate=engine.delegate)
        utc = None if args.event is None else _utc(args.event, vault)
        moment = find_moment(vault, utc=utc, effort_s=bundle.stress.effort_s)
        support = partial(
            support_of,
            vault,
            moment,
            facts=model_facts(bundle, model),
            contract=bundle.stress,
            model=model,
        )
        account = account_of(moment, bundle.stress, model, support)
    if args.json:
        print_json(account)
        return 0
    for line in _lines(account):
        print(line)
    return 0


def _utc(text: str, vault: Vault) -> float:
    """Time of a moment; a short whole number is one of --list and stands for its peak."""
    from firmware_host.explain.moment import stress_events
    from firmware_host.explain.stretches import stress_stretches

    if not text.isdecimal() or len(text) > _MAX_LIST_DIGITS:
        utc = utc_of(text, "EVENT")
        return _newest_day(vault, text, utc) if is_clock(text) else utc
    stretches = stress_stretches(stress_events(vault))
    if not 1 <= int(text) <= len(stretches):
        there = f"a time, or a number from 1 to {len(stretches)}" if stretches else "a time"
        raise ConfigError("EVENT", f"{there} (signet explain --list shows them)", text)
    return stretches[int(text) - 1].peak_utc


def _newest_day(vault: Vault, clock: str, today_utc: float) -> float:
    """The time on the newest day that has a window at it, which is said where it is not today."""
    from firmware_host.explain.moment import newest_at_clock

    utc = newest_at_clock(vault, today_utc)
    if utc != today_utc:
        say(f"no window at {clock} today; the newest day with one is {local_time(utc)[:10]}")
    return utc


def _print_list(stretches: list[Stretch], *, as_json: bool) -> None:
    if as_json:
        print_json([{"number": n, **asdict(one)} for n, one in enumerate(stretches, 1)])
        return
    for number, one in enumerate(stretches, 1):
        when = f"{local_time(one.start_utc)}  {local_time(one.end_utc)}"
        print(f"{number:>3}  {when}  {one.n_windows:>3} windows  P up to {one.peak_p_stress:.2f}")
    say(f"{counted(len(stretches), 'stretch', 'stretches')} of stress")


def _lines(account: dict[str, Any]) -> Iterator[str]:
    event, score = account["event"], account["score"]
    yield f"{local_time(event['utc'])}  {event['state'].replace('_', ' ')}: {account['reason']}"
    if score is None:
        return
    if not score["is_exact"]:
        yield (
            f"Scored again it comes to {score['p_stress']:.2f}: the weights or the baseline of the "
            "time are no longer stored, so this explains today's answer."
        )
    yield f"From your rest (P {score['p_at_rest']:.2f}) to this answer (P {score['p_stress']:.2f}):"
    for channel, share in sorted(score["shares"].items(), key=lambda pair: -abs(pair[1])):
        yield (
            f"  {_SIGNALS[channel]:<12}{share:+6.2f}  {_bar(share)}  "
            f"without it P {score['p_without'][channel]:.2f}"
        )
    yield f"  {'(of it, your labels' if score['learned'] else '(nothing learned yet'}{_learned(score)})"
    yield "Single measures that did most:"
    for feature in score["features"][:_N_FEATURES]:
        yield f"  {_feature(feature)}"
    if score["support"] is not None:
        yield from _support_lines(score["support"])


def _support_lines(support: dict[str, Any]) -> Iterator[str]:
    then = "" if support["is_exact"] else "; labels have changed since, so this is of today's"
    yield f"Rests on these labels of yours (adapter {support['version']}, {support['group']}{then}):"
    for one in support["labels"][:_N_LABELS]:
        effect = "nothing left" if one["effect"] is None else f"{one['effect']:+.2f}"
        minutes = (one["end_utc"] - one["start_utc"]) / 60
        what = f"{one['label']:<7}{local_time(one['start_utc'])}  {minutes:>4.0f} min"
        yield f"  {what}  {effect:>6}   {one['alike']:.0%} of its windows alike"
    yield (
        "  (log-odds that the answer would lose without that label; share of its windows that "
        "deviate from your rest as this one does)"
    )


def _bar(share: float) -> str:
    n_cells = min(_BAR_WIDTH, round(_BAR_WIDTH * abs(share) / _FULL_BAR))
    return f"{('+' if share > 0 else '-') * n_cells:<{_BAR_WIDTH}}"


def _learned(score: dict[str, Any]) -> str:
    return f" {score['learned']:+.2f}" if score["learned"] else ""


def _feature(feature: dict[str, Any]) -> str:
    unit = f" {feature['unit']}" if feature["unit"] else ""
    value = f"{feature['value']:.3g}{unit}"
    rest = "unknown" if feature["at_rest"] is None else f"{feature['at_rest']:.3g}"
    return f"{feature['name']:<30}{value:>16}  (rest {rest})  {feature['effect']:+.2f}"
