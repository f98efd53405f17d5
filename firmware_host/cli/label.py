"""``signet label``: the wearer says what a stretch of time was."""

from __future__ import annotations

import argparse
import re
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_host.cli.common import add_shared, open_vault, print_json, say, settings
from firmware_host.errors import ConfigError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from firmware_host.adaptation.episodes import LabelSpan

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)")
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0}


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "label",
        help="say what a stretch of time was",
        description="Say that a stretch of time was stress or rest: 'signet label stress --last 5m', "
        "'signet label rest --from 14:00 --to 14:10', or a whole file with --file. Labels teach "
        "the model; they change nothing that was recorded.",
    )
    parser.add_argument("label", nargs="?", choices=("stress", "rest"), help="what it was")
    parser.add_argument("--last", metavar="TIME", help="the last 5m, 90s or 1h")
    parser.add_argument("--from", dest="start", metavar="WHEN", help="ISO 8601, HH:MM or UNIX s")
    parser.add_argument("--to", dest="end", metavar="WHEN", help="the same; default: now")
    parser.add_argument("--file", type=Path, help="CSV start_utc,end_utc,label")
    parser.add_argument("--list", action="store_true", help="print the labels given so far")
    add_shared(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Store labels, or list them."""
    from firmware_host.adaptation.samples import load_labels, put_label

    config = settings(args)
    now_utc = time.time()
    spans = [] if args.list else _spans(args, now_utc)
    with open_vault(args, config, create=not args.list) as vault:
        for span in spans:
            put_label(vault, span, source="file" if args.file else "cli", now_utc=now_utc)
        shown = load_labels(vault) if args.list else spans
    if args.json:
        print_json(
            [
                {"label": s.label.value, "start_utc": s.start_utc, "end_utc": s.end_utc}
                for s in shown
            ]
        )
        return 0
    for span in shown:
        print(f"{_iso(span.start_utc)}  {_iso(span.end_utc)}  {span.label.value}")
    say(f"{len(shown)} labels" + ("" if args.list else " stored"))
    return 0


def _spans(args: argparse.Namespace, now_utc: float) -> list[LabelSpan]:
    from firmware_host.adaptation.episodes import Label, LabelSpan

    if args.file:
        from firmware_host.recording.labels import read_labels

        labels = read_labels(args.file, participant=None, start_utc=0.0, end_utc=now_utc)
        return [LabelSpan(Label(x.label), x.t_start_utc, x.t_end_utc) for x in labels]
    if args.label is None:
        raise ConfigError("label", "stress or rest, or --file FILE, or --list", "nothing")
    start_utc, end_utc = _stretch(args, now_utc)
    if not start_utc < end_utc <= now_utc + 1:
        raise ConfigError("label", "a start before its end, not in the future", _iso(start_utc))
    return [LabelSpan(Label(args.label), start_utc, end_utc)]


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
    return _when(args.start, "--from"), _when(args.end, "--to") if args.end else now_utc


def _when(text: str, key: str) -> float:
    """UNIX seconds of an ISO time, of HH:MM today, or of a number; without zone, local time."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        if re.fullmatch(r"\d\d?:\d\d(:\d\d)?", text):
            text = f"{datetime.now().date().isoformat()}T{text.zfill(5)}"
        return datetime.fromisoformat(text).astimezone().timestamp()
    except ValueError as err:
        raise ConfigError(key, "ISO 8601, HH:MM or UNIX seconds", text) from err


def _iso(utc: float) -> str:
    return datetime.fromtimestamp(utc).astimezone().isoformat(timespec="seconds")
