"""``signet convert``: a recording in another format."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from firmware_host.cli.common import add_shared, print_json, say, settings, some_recording
from firmware_host.cli.progress import ProgressBar
from firmware_host.cli.times import length_words
from firmware_host.words import counted

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "convert",
        help="write a recording in another format",
        description="Write a recording in another format: .mcap, .edf (EDF+), .xdf, .csv, or .zip (an "
        "Empatica E4 archive); from these, an E4 folder or a WESAD folder. What the new format cannot "
        "hold is said, a line each. Nothing is ever overwritten.",
    )
    parser.add_argument("source", type=some_recording, help="the recording: a file or a folder")
    parser.add_argument(
        "target", type=some_recording, help="the new file; its suffix says the format"
    )
    add_shared(parser, state=False)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Convert, and say what did not come along."""
    from firmware_host.runtime.convert import convert

    settings(args)
    with ProgressBar() as progress:
        done = convert(args.source, args.target, report=progress)
    if args.json:
        print_json(done)
        return 0
    for line in done["lost"]:
        say(f"not in the new file: {line}")
    names = ", ".join(f"{c['name']} {c['rate_hz']:g} Hz" for c in done["channels"])
    length = length_words(done["stream_s"], done["duration_s"])
    say(f"{args.target}: {length}: {names}; {counted(done['labels'], 'label')}")
    return 0
