"""Run the board's own app: ``python -m sim.micropython --pty``."""

from __future__ import annotations

import argparse
import math
import os
import secrets
import signal
import sys
import tempfile
import threading
import time
from itertools import takewhile
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from firmware_host.errors import ConfigError, SignetError
from sim.bad_sensors import TroubledBody
from sim.body import Body, SyntheticBody
from sim.fault_plan import FaultPlan
from sim.micropython.process import BOOTLOADER, MicroPythonBoard, board_json, put_app
from sim.micropython.worn import PARTS, Hardware, Worn
from sim.person import Wearer
from sim.ports import PtyPort
from sim.replay import RecordingBody
from sim.schedule import load_scenario

if TYPE_CHECKING:
    from sim.ports import Port

DEFAULT_SCENARIO = "day"
DEFAULT_SEED = 7
_MAX_SEED = 2**63 - 1
_INTERRUPTED = 130
_TERMINATED = 143
_TICK_S = 0.02
_FULL_S = 0.005
# Less than a second of frames: what does not fit waits in the board's own buffer.
_PIECE_BYTES = 1024
# Faults of a scenario that strike here too: of the sensors, and of the power.
_BODILY, _OUTAGES = ("saturation", "off_skin"), ("brown_out", "reboot")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(ConfigError.exit_code, f"sim: {message}\n")


def build_parser() -> argparse.ArgumentParser:
    """Command line of the virtual board."""
    parser = _Parser(
        prog="python -m sim.micropython",
        description="The board's own app on the official MicroPython build, behind a serial line.",
    )
    line = parser.add_mutually_exclusive_group(required=True)
    line.add_argument(
        "--pty", nargs="?", const="", metavar="LINK", help="a pseudo-terminal, linked from LINK"
    )
    line.add_argument(
        "--virtual", type=_seconds, metavar="SECONDS", help="in virtual time, bytes to stdout"
    )
    body = parser.add_mutually_exclusive_group()
    body.add_argument("--scenario", default=DEFAULT_SCENARIO, metavar="NAME|FILE")
    body.add_argument("--recording", type=Path, metavar="FILE", help="a recorded body")
    parser.add_argument("--seed", type=_seed, default=DEFAULT_SEED)
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


def _seed(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value <= _MAX_SEED:
        msg = f"expected a whole number from 0 to {_MAX_SEED}, got {text[:40]!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        msg = f"expected seconds above 0, got {text[:40]!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def main(argv: list[str] | None = None) -> int:
    """Parse, run, and turn every error on purpose into one line and an exit code."""
    args = build_parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        with tempfile.TemporaryDirectory(prefix="signet-flash-") as folder:
            _run(args, args.flash or Path(folder))
    except SignetError as err:
        print(f"sim: {err}", file=sys.stderr)
        return err.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


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
        link = Path(args.pty) if args.pty else None
        port = PtyPort(link, lambda path: print(f"pty {path}", flush=True))
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
        print("bootloader", flush=True)


def _carry(board: MicroPythonBoard, port: Port) -> None:
    """From the board to the line; while nobody reads, the board's buffers fill and it drops frames."""
    while data := board.read(_PIECE_BYTES):
        while data := data[port.write(data) :]:
            time.sleep(_FULL_S)
            if board.exit_code is not None:
                return


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(_TERMINATED)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        # Nobody reads any more: that is the reader's business. Flushing at exit would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
