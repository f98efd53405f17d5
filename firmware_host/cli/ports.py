"""``signet ports``: what is plugged in."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from firmware_host.cli.common import add_shared, print_json, say, settings
from firmware_host.errors import printable

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "ports",
        help="list serial ports",
        description="List serial ports with their stable names and whether they may be opened.",
    )
    add_shared(parser, state=False)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Print one line a port."""
    from firmware_host.host.ports import list_ports

    settings(args)
    ports = list_ports()
    if args.json:
        print_json([asdict(port) for port in ports])
        return 0
    for port in ports:
        state = "ok" if port.may_open else f"no permission (group {port.group})"
        if port.holders:
            state = f"in use by {', '.join(port.holders)}"
        name = port.board_hint or port.product or "unknown device"
        print(printable(f"{port.by_id or port.device}  {name}  {state}"))
    if not ports:
        say("no serial port found; without a board try --device 'synthetic:?scenario=short'")
    return 0
