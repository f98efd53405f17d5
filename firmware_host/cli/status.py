"""``signet status``: what the host knows of the wearer, and what it waits for."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from firmware_host.cli.common import (
    add_model,
    add_shared,
    learning_waits,
    open_vault,
    print_json,
    settings,
)
from firmware_host.cli.stream_lines import stream_lines
from firmware_host.cli.times import local_time
from firmware_host.errors import printable
from firmware_host.words import counted

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "status",
        help="how the stream does, what is known of the wearer, and what is missing",
        description="Say how the stream of the run that is going on does, or the last one did: clocks, rates, "
        "losses, quality of each channel; what the vault holds, which adapter is in force, and what learning "
        "waits for, first cause first. Prints no body data.",
    )
    add_model(parser)
    add_shared(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Print the state."""
    from firmware_host.runtime.state import wearer_state

    config = settings(args)
    with open_vault(args, config, create=False, reads_only=True) as vault:
        waiting = learning_waits(vault, args, config)
        state = wearer_state(vault, args.bundle or config.model.bundle, waiting)
    if args.json:
        print_json(state)
        return 0
    for line in _lines(state):
        print(printable(line))
    return 0


def _lines(state: dict[str, Any]) -> list[str]:
    last = state["last_event_utc"]
    when = "never" if last is None else local_time(last)
    adapter = state["adapter"]
    lines = [
        f"bundle      {state['bundle']} ({state['weights']})",
        f"vault       {', '.join(f'{n} {kind}' for kind, n in state['records'].items()) or 'empty'}",
        f"last event  {when}",
        f"baseline    {state['baseline'] or 'none yet'}",
        f"gait        {_gait(state)}",
        f"adapter     {f'version {adapter}' if adapter else 'none: the generic model'}",
        f"labels      {state['labels']['stress']} stress, {state['labels']['rest']} rest",
    ]
    lines += stream_lines(state["stream"], time.time())
    lines += [f"drift       {m['why']}: {m['to_do']}" for m in state["no_longer_fits"]]
    if n := sum(state["damaged"].values()):
        kinds = ", ".join(f"{count} {kind}" for kind, count in state["damaged"].items())
        lines.append(f"damaged     {counted(n, 'record')} left out: {kinds}")
    lines += [f"host        {state['host']}", f"waiting for {state['waiting_for']}"]
    return lines


def _gait(state: dict[str, Any]) -> str:
    if not state["gait_enrolled"]:
        return "not enrolled"
    text = f"enrolled for {', '.join(state['gait_placements'])}"
    if stale := state["gait_of_another_bundle"]:
        text += f"; enrol again for {', '.join(stale)}: made with another bundle, or damaged"
    return text
