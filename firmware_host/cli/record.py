"""``signet record``: a board's stream into a file, nothing else."""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware_host.cli.common import (
    add_device,
    add_rates,
    add_shared,
    device_url,
    has_vault,
    places,
    print_json,
    say,
    settings,
    vault_once_needed,
    wanted_rates,
)
from firmware_host.cli.streaming import (
    Stopper,
    add_max_silence,
    interrupted_early,
    new_recording,
    positive_seconds,
    say_drops,
    say_lines,
    say_silence,
    silence_limits,
)
from firmware_host.cli.times import length_words
from firmware_host.cli.typed import TypedNotes, VaultLabels
from firmware_host.words import counted

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from firmware_host.config import Config
    from firmware_host.recording.labels import Label
    from firmware_host.vault.records import Vault


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "record",
        help="write a board's stream to a file",
        description="Record a board until Ctrl-C into an MCAP file, which is never overwritten and "
        "stays readable wherever it is cut. Labels of the board's buttons are written into it, and so is "
        "each line typed meanwhile. A recording is not encrypted: keep it as you keep a diary.",
    )
    add_device(parser)
    parser.add_argument(
        "--out", type=new_recording, metavar="FILE", help="default: <time>-<board>.mcap here"
    )
    add_max_silence(parser)
    add_rates(parser)
    parser.add_argument("--seconds", type=positive_seconds, help="end after this much real time")
    add_shared(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Record until the source ends or somebody says stop."""
    config = settings(args)
    url = device_url(args, config)
    stopper = Stopper()
    ends_s = time.monotonic() + args.seconds if args.seconds else float("inf")
    stopper.install()
    # With a vault named, what signet label says meanwhile is written too.
    labels = nullcontext() if args.state is None else vault_once_needed(args, config)
    with interrupted_early(stopper), labels as vault:
        summary = _record(args, config, url, vault, lambda: stopper() or time.monotonic() >= ends_s)
    if args.json:
        print_json(summary)
    else:
        length = length_words(summary["stream_s"], summary["clock_s"])
        say(
            f"{summary['n_messages']} messages, {length}, "
            f"{summary['missing_samples']} samples missing, {counted(summary['n_labels'], 'label')}: "
            f"{', '.join(summary['files'])}"
        )
        if n_parts := summary["n_deleted_parts"]:
            parts = counted(n_parts, "older part")
            say(f"{parts} deleted for the quota: of what was streamed, that much is not kept")
        say_silence(summary)
        say_lines(summary)
        say_drops(summary)
    return 0


def _record(
    args: argparse.Namespace,
    config: Config,
    url: str,
    vault: Callable[[], Vault] | None,
    stop: Callable[[], bool],
) -> dict[str, Any]:
    from firmware_host.runtime.recorder import record

    notes = TypedNotes()
    if notes.is_open:
        say("type a line to put a note into the recording; Ctrl-C ends it")
    return record(
        url,
        lambda board: args.out or _default_name(board),
        stop=stop,
        silence=silence_limits(args, config),
        rates=wanted_rates(args, config, url),
        limits=config.recording,
        notes=notes,
        labels=list if vault is None else _stored_labels(args, config, vault),
    )


def _stored_labels(
    args: argparse.Namespace, config: Config, vault: Callable[[], Vault]
) -> Callable[[], list[Label]]:
    from firmware_host.runtime.memory import Memory

    labels = functools.cache(lambda: VaultLabels(Memory(vault(), keep_days=config.state.keep_days)))
    if has_vault(places(args, config)[0]):
        # What is said while the board has yet to answer counts too.
        labels()
    return lambda: labels()()


def _default_name(board: str) -> Path:
    safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in board)
    return Path(f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{safe}.mcap")
