"""``signet prefer``: say which of two moments was more stressful, or whether a cue was right."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from firmware_host.cli.common import (
    add_shared,
    open_vault,
    print_json,
    require_one_job,
    say,
    settings,
)
from firmware_host.cli.times import local_time, utc_of
from firmware_host.errors import ConfigError, LabelError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from firmware_host.adaptation.preferences import Given
    from firmware_host.vault.records import Vault

_ANSWERS = ("accepted", "dismissed")


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "prefer",
        help="say which of two moments was more stressful, or whether a cue was right",
        description="Comparing is easier than naming: 'signet prefer --more 14:05 --less 15:20'. An "
        "answer to a tap on the wrist counts too: 'signet prefer --cue dismissed'; a board with "
        "buttons for it sends the same. The next learning job learns from them.",
    )
    parser.add_argument(
        "--more", metavar="WHEN", help="the more stressful moment: ISO, HH:MM, UNIX s"
    )
    parser.add_argument("--less", metavar="WHEN", help="the less stressful moment")
    parser.add_argument("--cue", choices=_ANSWERS, help="whether the latest cue was right")
    parser.add_argument("--at", metavar="WHEN", help="the cue nearest to this time instead")
    parser.add_argument("--list", action="store_true", help="print what was said, numbered")
    parser.add_argument("--remove", type=int, metavar="N", help="take back what --list numbers N")
    add_shared(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Store, list, or take back."""
    config = settings(args)
    _check_options(args)
    now_utc = time.time()
    with open_vault(args, config, create=False, reads_only=args.list) as vault:
        if args.list:
            _print(_numbered(vault), as_json=args.json)
            return 0
        if args.remove is not None:
            done = _remove(vault, args.remove, now_utc)
        elif args.cue is not None:
            done = _answer(vault, args, now_utc)
        else:
            done = _compare(vault, args, now_utc)
        from firmware_host.runtime.learning import compared_facts

        done["n_comparisons"], needs = compared_facts(vault)
    if args.json:
        print_json(done)
    elif done.get("said_before"):
        say("said before, and stored once")
    else:
        say(f"{'taken back' if args.remove is not None else 'stored'}: {needs}")
    return 0


def _check_options(args: argparse.Namespace) -> None:
    jobs = {
        "--more and --less": args.more is not None or args.less is not None,
        "--cue": args.cue is not None,
        "--list": args.list,
        "--remove": args.remove is not None,
    }
    require_one_job("prefer", jobs)
    if (args.more is None) != (args.less is None):
        raise ConfigError("prefer", "both --more WHEN and --less WHEN", "one of them")
    if args.at is not None and args.cue is None:
        raise ConfigError("--at", "--cue accepted or --cue dismissed with it", "neither")


def _compare(vault: Vault, args: argparse.Namespace, now_utc: float) -> dict[str, Any]:
    from firmware_host.adaptation.preferences import Comparison, put_comparison

    comparison = Comparison(utc_of(args.more, "--more"), utc_of(args.less, "--less"))
    is_new = put_comparison(vault, comparison, now_utc=now_utc)
    return {
        "more_utc": comparison.more_utc,
        "less_utc": comparison.less_utc,
        "said_before": not is_new,
    }


def _answer(vault: Vault, args: argparse.Namespace, now_utc: float) -> dict[str, Any]:
    from firmware_host.adaptation.preferences import CueAnswer, put_cue_answer
    from firmware_host.runtime.memory import nearest_cue_utc

    at_utc = now_utc if args.at is None else utc_of(args.at, "--at")
    cue_utc = nearest_cue_utc(vault, at_utc)
    if cue_utc is None:
        raise LabelError("prefer: expected a cue to answer, got none in the day around that time")
    put_cue_answer(vault, CueAnswer(args.cue), cue_utc=cue_utc, now_utc=now_utc)
    return {"answer": args.cue, "cue_utc": cue_utc}


def _remove(vault: Vault, number: int, now_utc: float) -> dict[str, Any]:
    from firmware_host.adaptation.preferences import given, remove_given

    with vault.transaction():
        said = given(vault)
        if not 1 <= number <= len(said):
            there = f"a number from 1 to {len(said)}" if said else "something to take back"
            msg = f"--remove: expected {there} (signet prefer --list shows them), got {number}"
            raise LabelError(msg)
        remove_given(vault, said[number - 1].id, now_utc=now_utc)
    return {"removed": number}


def _numbered(vault: Vault) -> list[tuple[int, Given]]:
    from firmware_host.adaptation.preferences import given

    return list(enumerate(given(vault), 1))


def _print(said: list[tuple[int, Given]], *, as_json: bool) -> None:
    if as_json:
        print_json([{"number": number, **_plain(one)} for number, one in said])
        return
    for number, one in said:
        if one.comparison is not None:
            more, less = one.comparison.more_utc, one.comparison.less_utc
            text = f"more stress {local_time(more)} than {local_time(less)}"
        else:
            text = f"cue {local_time(one.cue_utc or 0.0)} {one.answer}"
        print(f"{number:>3}  {text}")
    say(f"{len(said)} said")


def _plain(one: Given) -> dict[str, Any]:
    if one.comparison is not None:
        return {"more_utc": one.comparison.more_utc, "less_utc": one.comparison.less_utc}
    return {"answer": str(one.answer), "cue_utc": one.cue_utc}
