"""``signet report``: one page with pictures."""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_host.cli.common import add_model, add_shared, open_vault, print_json, say, settings

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from firmware_host.report import WalkingDay


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "report",
        help="write one HTML page: what was seen, before and after, learned from what",
        description="Write one self-contained HTML page: signals with events and labels, generic "
        "against personal on the later part, what was learned from what. It loads nothing from "
        "anywhere. The page holds body data in the clear: keep it as you keep a diary.",
    )
    parser.add_argument("--out", type=Path, default=Path("signet-report.html"), metavar="FILE")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="score against this file")
    add_model(parser)
    add_shared(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    from firmware_host.inference.bundle import load_bundle
    from firmware_host.report import write_report
    from firmware_host.runtime.gather import gather
    from firmware_host.runtime.truth import read_truth

    config = settings(args)
    bundle = load_bundle(args.bundle or config.model.bundle)
    truth = read_truth(args.labels) if args.labels else []
    with open_vault(args, config, create=False, reads_only=True) as vault:
        data, later = gather(
            vault,
            bundle,
            truth=truth,
            local_offset_s=lambda utc: float(time.localtime(utc).tm_gmtoff),
            made_utc=time.time(),
        )
    write_report(data, args.out)
    if args.json:
        print_json(
            {
                "report": str(args.out),
                "later": None if later is None else later.as_dict(),
                "walking": [_plain(day) for day in data.walking],
            }
        )
    else:
        say(f"report: {args.out}")
    return 0


def _plain(day: WalkingDay) -> dict[str, object]:
    """A day's walking as JSON takes it: what is not known is null."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in asdict(day).items()
    }
