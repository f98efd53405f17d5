"""Run the board's own app: ``python -m sim.micropython --pty``."""

from __future__ import annotations

import argparse
import math
import secrets
import sys
import tempfile
import threading
import time
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_host.errors import ConfigError
from sim.bad_sensors import TroubledBody
from sim.body import Body, SyntheticBody
from sim.command import (
    DEFAULT_SCENARIO,
    DEFAULT_SEED,
    Parser,
    add_pty,
    exit_code,
    number,
    open_pty,
    say,
    seed,
)
from sim.fault_plan import FaultPlan
from sim.micropython.process import BOOTLOADER, MicroPythonBoard, board_json, put_app
from sim.micropython.worn import PARTS, Hardware, Worn
from sim.person import Wearer
from sim.replay import RecordingBody
from sim.schedule import load_scenario

if TYPE_CHECKING:
    from sim.ports import Port

_TICK_S = 0.02
_FULL_S = 0.005
# Less than a second of frames: what does not fit waits in the board's own buffer.
_PIECE_BYTES = 1024
# Faults of a scenario that strike here too: of the sensors, and of the power.
_BODILY, _OUTAGES = ("saturation", "off_skin"), ("brown_out", "reboot")


_seconds = number(float, lambda value: 0 < value < math.inf, "seconds above 0")


def build_parser() -> argparse.ArgumentParser:
    """Command line of the virtual board."""
    parser = Parser(
        prog="python -m sim.micropython",
        description="The board's own app on the official MicroPython build, behind a serial line.",
    )
    line = parser.add_mutually_exclusive_group(required=True)
    add_pty(line)
    line.add_argument(
        "--virtual", type=_seconds, metavar="SECONDS", help="in virtual time, bytes to stdout"
    )
    body = parser.add_mutually_exclusive_group()
    body.add_argument("--scenario", default=DEFAULT_SCENARIO, metavar="NAME|FILE")
    body.add_argument("--recording", type=Path, metavar="FILE", help="a recorded body")
    parser.add_argument("--seed", type=seed, default=DEFAULT_SEED)
    parser.add_argument(
        "--flash", type=Path, metavar="DIR", help="the board's flash (default: a new one)"
    )
    parser.add_argument("--bare", action="store_true", help="MicroPython without our app")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        choices=PARTS,
        metavar="PART",
        help=f"a part that is not there: {', '.join(PARTS)}",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Parse, run, and turn every error on purpose into one line and an exit code."""
    args = build_parser().parse_args(argv)

    def run() -> None:
        with tempfile.TemporaryDirectory(prefix="signet-flash-") as folder:
            _run(args, args.flash or Path(folder))

    return exit_code(run)


def _run(args: argparse.Namespace, flash: Path) -> None:
    body, plan = _life(args)
    parts = tuple(part for part in PARTS if part not in args.without)
    # A live board that is started again is another session, as on a desk; in virtual time all comes again.
    seed = secrets.randbits(32) if args.virtual is None else args.seed
    hardware = Hardware(parts=parts, seed=seed, dark_s=_outages(plan, body.duration_s))
    try:
        flash.mkdir(parents=True, exist_ok=True)
        if not args.bare and not any(flash.iterdir()):
            put_app(flash, board_json(Worn(body, hardware).rates_hz))
    except OSError as err:
        raise ConfigError("flash", "a folder to write", f"{flash}: {err.strerror}") from err
    with MicroPythonBoard(body, hardware, flash, virtual_s=args.virtual) as board:
        if args.pty is None:
            while data := board.read():
                sys.stdout.buffer.write(data)
            return
        port = open_pty(args.pty)
        try:
            port.plug(plugged=True)
            _serve(board, port)
        finally:
            port.close()


def _life(args: argparse.Namespace) -> tuple[Body, FaultPlan]:
    """The body, and what happens to its board; the line between board and host is a good one."""
    if args.recording is not None:
        return RecordingBody(args.recording), FaultPlan()
    schedule = load_scenario(args.scenario)
    plan = schedule.faults
    if elsewhere := {fault.kind for fault in plan.faults} - {*_BODILY, *_OUTAGES}:
        print(f"sim: not on this board: {', '.join(sorted(elsewhere))}", file=sys.stderr)
    return TroubledBody(SyntheticBody(Wearer(schedule, seed=args.seed)), plan, seed=args.seed), plan


def _outages(plan: FaultPlan, until_s: float) -> tuple[tuple[float, float], ...]:
    """(start_s, end_s) without power, the body worn on."""
    edges = takewhile(lambda edge: edge.t_s < until_s, FaultPlan(tuple(plan.of(*_OUTAGES))).edges())
    return tuple(
        (edge.t_s, edge.t_s + edge.fault.numbers.get("apart_s", 2 * edge.fault.for_s) / 2)
        for edge in edges
        if edge.begins
    )


def _serve(board: MicroPythonBoard, port: Port) -> None:
    """Carry bytes both ways until the board ends."""
    carrier = threading.Thread(target=_carry, args=(board, port), daemon=True)
    carrier.start()
    while board.exit_code is None:
        port.wait(_TICK_S)
        data = port.read()
        if data:
            board.write(data)
    carrier.join()
    if board.exit_code == BOOTLOADER:
        say("bootloader")


def _carry(board: MicroPythonBoard, port: Port) -> None:
    """From the board to the line; while nobody reads, the board's buffers fill and it drops frames."""
    while data := board.read(_PIECE_BYTES):
        while data := data[port.write(data) :]:
            time.sleep(_FULL_S)
            if board.exit_code is not None:
                return


if __name__ == "__main__":
    sys.exit(main())
