"""Run a simulated board: ``python -m sim --pty``."""

from __future__ import annotations

import argparse
import math
import os
import secrets
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from firmware_host.errors import ConfigError, SignetError
from sim.bad_sensors import TroubledBody
from sim.board import VirtualBoard
from sim.body import Body, SyntheticBody
from sim.body_truth import SUFFIX, BodyTruth
from sim.days import only_days, parse_days
from sim.fault_plan import FAULT_HELP, FaultPlan, parse_fault_spec
from sim.fault_truth import write_fault_truth
from sim.faults import FaultyBoard
from sim.host import HostModel, HostTree
from sim.host_plan import HostPlan
from sim.links import serve, serve_stdio
from sim.person import Wearer
from sim.ports import PtyPort, TcpPort
from sim.recorded import RecordedBoard, add_options, is_recorded_board
from sim.replay import RecordingBody
from sim.ring import DEFAULT_RING_BYTES
from sim.schedule import Schedule, load_scenario, scenario_names
from sim.text_board import TextBoard
from sim.truth import BodyClock, write_truth

DEFAULT_SEED = 7
DEFAULT_SCENARIO = "day"
DEFAULT_TEXT_HZ = 50.0
MIN_TEXT_HZ, MAX_TEXT_HZ = 0.1, 1000.0
# An ordinary crystal: a tenth of a second in an hour and a half.
DEFAULT_DRIFT_PPM = 20.0
_INTERRUPTED = 130
_TERMINATED = 143
_MAX_ID_BYTES = 32
# More than a year; far beyond, only making the schedule takes for ever.
_MAX_HOURS = 10_000.0
_MAX_SEED = 2**63 - 1
_KIB = 1024
# The PSRAM of a large ESP32-S3.
_MAX_RING_KIB = 8192


@dataclass(frozen=True, slots=True)
class _Life:
    """A body and what is known about it beside its signals."""

    body: Body
    board_id: str
    start_utc: float
    drift_ppm: float
    schedule: Schedule | None


class _Parser(argparse.ArgumentParser):
    """Complains in one line, which a parent process can hand on as it is."""

    def error(self, message: str) -> NoReturn:
        self.exit(ConfigError.exit_code, f"sim: {message}\n")


def build_parser() -> argparse.ArgumentParser:
    """Command line of the simulator."""
    parser = _Parser(
        prog="python -m sim",
        description="A simulated wearer, or a recording worn again, behind a board's serial line.",
        epilog=FAULT_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    line = parser.add_mutually_exclusive_group(required=True)
    line.add_argument(
        "--pty", nargs="?", const="", metavar="LINK", help="a pseudo-terminal, linked from LINK"
    )
    line.add_argument("--tcp", type=int, metavar="PORT", help="a server on 127.0.0.1; 0: any port")
    line.add_argument("--stdio", action="store_true", help="lock-step with a parent, virtual time")
    line.add_argument("--list", action="store_true", help="say what each scenario is, and end")
    parser.add_argument(
        "--recording", type=Path, metavar="FILE", help="E4 zip or folder, .edf .xdf .csv, or .mcap"
    )
    parser.add_argument(
        "--seed", type=_seed, default=DEFAULT_SEED, help="which person and chance (default: 7)"
    )
    names = ", ".join(scenario_names())
    parser.add_argument(
        "--scenario",
        metavar="NAME|FILE",
        help=f"what happens: {names} or a .toml file (default: {DEFAULT_SCENARIO}); see --list",
    )
    parser.add_argument(
        "--hours", type=_hours, help=f"cut or repeat to this length, at most {_MAX_HOURS:g} h"
    )
    parser.add_argument("--days", metavar="N[-M]", help="only these days of a longer scenario")
    parser.add_argument("--speed", type=float, help="body seconds per second (default: 1)")
    parser.add_argument(
        "--truth",
        type=Path,
        metavar="OUT.csv",
        help="write what really happened; at the end OUT.faults.json, if there were faults",
    )
    parser.add_argument(
        "--host",
        type=Path,
        metavar="DIR",
        help="keep a simulated host's /sys and /proc in this folder",
    )
    parser.add_argument(
        "--fault", default="", metavar="SPEC", help="such as flip=1e-4,unplug=60:10, see below"
    )
    parser.add_argument(
        "--ring",
        type=_ring_kib,
        default=DEFAULT_RING_BYTES // _KIB,
        metavar="KIB",
        help="latest blocks that can be asked for again (default: 64), 0 for a board without",
    )
    parser.add_argument("--drift-ppm", type=float, help="how fast the board's crystal is")
    _add_text(parser)
    add_options(parser)
    return parser


def _ring_kib(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value <= _MAX_RING_KIB:
        msg = f"expected KiB, a whole number from 0 to {_MAX_RING_KIB}, got {text[:40]!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def _add_text(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--text",
        nargs="?",
        const=DEFAULT_TEXT_HZ,
        type=_text_hz,
        metavar="HZ",
        help="a board that only prints numbers, this many lines a second "
        f"(default: {DEFAULT_TEXT_HZ:g}); read it with a text: URL",
    )


def _seed(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value <= _MAX_SEED:
        msg = f"expected a whole number from 0 to {_MAX_SEED}, got {text[:40]!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def _hours(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= _MAX_HOURS:
        msg = f"expected a number above 0, at most {_MAX_HOURS:g}, got {text[:40]!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def _text_hz(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not MIN_TEXT_HZ <= value <= MAX_TEXT_HZ:
        msg = f"expected lines a second from {MIN_TEXT_HZ:g} to {MAX_TEXT_HZ:g}, got {text[:40]!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def main(argv: list[str] | None = None) -> int:
    """Parse, run, and turn every error on purpose into one line and an exit code."""
    args = build_parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        run(args)
    except SignetError as err:
        print(f"sim: {err}", file=sys.stderr)
        return err.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Nobody reads any more: that is the reader's business. Flushing at exit would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def run(args: argparse.Namespace) -> None:
    """Serve one day on the line the arguments name."""
    if args.list:
        _list_scenarios()
        return
    _check(args)
    if is_recorded_board(args):
        _serve_recorded(args)
        return
    life = _live_again(args) if args.recording else _live(args)
    plan = parse_fault_spec(args.fault)
    if life.schedule is not None:
        plan = life.schedule.faults + plan
    body = TroubledBody(life.body, plan, seed=args.seed)
    board = _board(args, life, body)
    device = FaultyBoard(board, plan, seed=args.seed)
    if args.text is not None:
        # What arrived is told by frames, and there are none.
        device.account = None
    try:
        if args.stdio:
            _write_truth(args, life, plan, start_utc=life.start_utc, speed=1.0)
            source, sink = sys.stdin.buffer, sys.stdout.buffer
            host = _host(args, life)
            serve_stdio(device, start_utc=life.start_utc, source=source, sink=sink, host=host)
        else:
            _serve_real_time(args, life, plan, device)
    finally:
        if args.truth is not None and plan:
            write_fault_truth(args.truth.with_suffix(".faults.json"), device, body)
    if args.fault:
        print(f"sim: faults: {device.counters.as_text()}", file=sys.stderr)


def _board(args: argparse.Namespace, life: _Life, body: TroubledBody) -> VirtualBoard | TextBoard:
    if args.text is not None:
        return TextBoard(body, rate_hz=args.text, drift_ppm=life.drift_ppm)
    return VirtualBoard(
        body,
        seed=args.seed,
        board_id=life.board_id,
        drift_ppm=life.drift_ppm,
        # A board draws its session number anew at each start; only virtual time repeats itself.
        boot_salt=0 if args.stdio else secrets.randbits(32),
        ring_bytes=args.ring * _KIB,
    )


def _list_scenarios() -> None:
    for name in scenario_names():
        print(f"{name:<18} {load_scenario(name).about}")


def _serve_real_time(
    args: argparse.Namespace, life: _Life, plan: FaultPlan, device: FaultyBoard
) -> None:
    speed = args.speed or 1.0
    port = _open_port(args)
    try:
        port.plug(plugged=True)
        _write_truth(args, life, plan, start_utc=time.time(), speed=speed)
        serve(device, port, speed=speed, host=_host(args, life))
    finally:
        port.close()


def _open_port(args: argparse.Namespace) -> PtyPort | TcpPort:
    if args.pty is None:
        return TcpPort(args.tcp, lambda where: print(f"tcp {where}", flush=True))
    link = Path(args.pty) if args.pty else None
    return PtyPort(link, lambda path: print(f"pty {path}", flush=True))


def _serve_recorded(args: argparse.Namespace) -> None:
    board = RecordedBoard(args)
    if args.stdio:
        board.serve_stdio(sys.stdin.buffer, sys.stdout.buffer)
        return
    port = _open_port(args)
    try:
        port.plug(plugged=True)
        board.serve(port, speed=args.speed or 1.0)
    finally:
        port.close()


def _check(args: argparse.Namespace) -> None:
    if args.speed is not None and not (math.isfinite(args.speed) and args.speed > 0):
        raise ConfigError("speed", "a positive number", args.speed)
    if args.speed is not None and args.stdio:
        raise ConfigError(
            "speed", "--pty or --tcp with it; --stdio runs in virtual time", "--stdio"
        )
    if args.drift_ppm is not None and not abs(args.drift_ppm) <= 1000:
        raise ConfigError("drift-ppm", "-1000 to 1000", args.drift_ppm)
    if args.text is not None and args.truth:
        raise ConfigError("text", "no --truth beside it", "both")
    if args.recording and (args.scenario or args.truth):
        raise ConfigError("recording", "no --scenario and no --truth beside it", "one of them")


def _live(args: argparse.Namespace) -> _Life:
    schedule = load_scenario(args.scenario or DEFAULT_SCENARIO)
    if args.hours is not None:
        schedule = schedule.lasting(args.hours)
    if args.days is not None:
        schedule = only_days(schedule, *parse_days(args.days))
    drift_ppm = DEFAULT_DRIFT_PPM if args.drift_ppm is None else args.drift_ppm
    body = SyntheticBody(Wearer(schedule, seed=args.seed))
    return _Life(body, f"sim-{args.seed}", schedule.start_utc, drift_ppm, schedule)


def _live_again(args: argparse.Namespace) -> _Life:
    limit_s = math.inf if args.hours is None else args.hours * 3600
    body = RecordingBody(args.recording, max_duration_s=limit_s)
    kind = args.recording.suffix.lower().removeprefix(".").replace("zip", "e4") or "e4"
    name = f"{kind}-{args.recording.stem}".encode()[:_MAX_ID_BYTES].decode(errors="ignore")
    return _Life(body, name, body.start_utc, args.drift_ppm or 0.0, None)


def _host(args: argparse.Namespace, life: _Life) -> HostTree | None:
    if args.host is None:
        return None
    plan = HostPlan() if life.schedule is None else life.schedule.host
    try:
        return HostTree(HostModel(plan, seed=args.seed), args.host)
    except OSError as err:
        raise ConfigError("host", "a folder to write", f"{args.host}: {err.strerror}") from err


def _write_truth(
    args: argparse.Namespace, life: _Life, plan: FaultPlan, *, start_utc: float, speed: float
) -> None:
    if args.truth is None or life.schedule is None:
        return
    clock = BodyClock(start_utc, life.drift_ppm, speed, plan)
    write_truth(args.truth, life.schedule, clock)
    if isinstance(life.body, SyntheticBody):
        life.body.watch(BodyTruth(args.truth.with_suffix(SUFFIX), clock).take)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(_TERMINATED)


if __name__ == "__main__":
    sys.exit(main())
