"""``signet label``: the wearer says what a stretch of time was."""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

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
from firmware_host.words import counted

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from firmware_host.adaptation.episodes import LabelSpan
    from firmware_host.vault.records import Vault

    # What --list calls it, if it is stored, and the span.
    Numbered = tuple[int | None, LabelSpan]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)")
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0}


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "label",
        help="say what a stretch of time was",
        description="Say that a stretch of time was stress or rest: 'signet label stress --last 5m', "
        "'signet label rest --from 14:00 --to 14:10', or a whole file with --file. Labels teach "
        "the model; they change nothing that was recorded. 'signet label --remove 2' takes one back.",
    )
    parser.add_argument("label", nargs="?", choices=("stress", "rest"), help="what it was")
    parser.add_argument("--last", metavar="TIME", help="the last 5m, 90s or 1h")
    parser.add_argument("--from", dest="start", metavar="WHEN", help="ISO 8601, HH:MM or UNIX s")
    parser.add_argument("--to", dest="end", metavar="WHEN", help="the same; default: now")
    parser.add_argument("--file", type=Path, help="CSV start_utc,end_utc,label")
    parser.add_argument("--list", action="store_true", help="print the labels that hold, numbered")
    parser.add_argument(
        "--remove", type=int, metavar="N", help="take back the label that --list numbers N"
    )
    add_shared(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Store labels, list them, or take one back."""
    config = settings(args)
    require_one_job("label", _jobs(args))
    now_utc = time.time()
    if args.list or args.remove is not None:
        with open_vault(args, config, create=False, reads_only=args.list) as vault:
            shown, done = (
                (_listed(vault), "")
                if args.remove is None
                else (_remove(vault, args.remove, now_utc), " removed")
            )
            if n_damaged := len(vault.damaged):
                done += f", {counted(n_damaged, 'damaged record')} left out"
    else:
        spans = _spans(args, now_utc)
        with open_vault(args, config, create=True) as vault:
            _store(vault, spans, "file" if args.file else "cli", now_utc)
        shown, done = [(None, span) for span in spans], " stored"
    _print(shown, as_json=args.json)
    if not args.json:
        say(f"{counted(len(shown), 'label')}{done}")
    return 0


def _jobs(args: argparse.Namespace) -> dict[str, bool]:
    return {
        "stress or rest": args.label is not None,
        "--file": args.file is not None,
        "--list": args.list,
        "--remove": args.remove is not None,
    }


def _listed(vault: Vault) -> list[Numbered]:
    from firmware_host.adaptation.labels import load_labels

    return list(enumerate(load_labels(vault), 1))


def _remove(vault: Vault, number: int, now_utc: float) -> list[Numbered]:
    from firmware_host.adaptation.labels import remove_label, stored_labels

    with vault.transaction():
        labels = stored_labels(vault)
        if not 1 <= number <= len(labels):
            there = f"a number from 1 to {len(labels)}" if labels else "a label to take back"
            msg = f"--remove: expected {there} (signet label --list shows them), got {number}"
            raise LabelError(msg)
        label = labels[number - 1]
        remove_label(vault, label.id, now_utc=now_utc)
    return [(number, label.span)]


def _store(vault: Vault, spans: list[LabelSpan], source: str, now_utc: float) -> None:
    """Store all of them, or none if one contradicts what is known or another one."""
    from firmware_host.adaptation.labels import check_agrees, load_labels, put_label

    with vault.transaction():
        known = load_labels(vault)
        for span in spans:
            check_agrees(span, known)
            put_label(vault, span, source=source, now_utc=now_utc)
            known.append(span)


def _print(shown: list[Numbered], *, as_json: bool) -> None:
    if as_json:
        rows: list[dict[str, object]] = []
        for number, span in shown:
            row: dict[str, object] = {
                "label": span.label.value,
                "start_utc": span.start_utc,
                "end_utc": span.end_utc,
            }
            rows.append(row if number is None else {"number": number, **row})
        print_json(rows)
        return
    for number, span in shown:
        head = "" if number is None else f"{number:>3}  "
        print(f"{head}{local_time(span.start_utc)}  {local_time(span.end_utc)}  {span.label.value}")


def _spans(args: argparse.Namespace, now_utc: float) -> list[LabelSpan]:
    from firmware_host.adaptation.episodes import Label, LabelSpan
    from firmware_host.adaptation.labels import check_times

    if args.file:
        from firmware_host.recording.labels import read_labels

        # The whole file, so that a row about no possible time is refused and not passed over.
        labels = read_labels(
            args.file, participant=None, start_utc=float("-inf"), end_utc=float("inf")
        )
        found = [(x.label, x.t_start_utc, x.t_end_utc) for x in labels]
    else:
        found = [(args.label, *_stretch(args, now_utc))]
    for _, start_utc, end_utc in found:
        check_times(start_utc, end_utc, now_utc=now_utc)
    return [LabelSpan(Label(name), start_utc, end_utc) for name, start_utc, end_utc in found]


def _stretch(args: argparse.Namespace, now_utc: float) -> tuple[float, float]:
    if args.last and args.start:
        raise ConfigError("--last", "either --last or --from", "both")
    if args.last:
        match = _DURATION.fullmatch(args.last)
        if match is None:
            raise ConfigError("--last", "a time such as 5m, 90s or 1h", args.last)
        return now_utc - float(match[1]) * _UNIT_S[match[2]], now_utc
    if not args.start:
        raise ConfigError("label", "--last TIME or --from WHEN", "neither")
    return utc_of(args.start, "--from"), utc_of(args.end, "--to") if args.end else now_utc
