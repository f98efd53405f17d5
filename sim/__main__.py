"""Run a simulated board: ``python -m sim --pty``."""

from __future__ import annotations

import argparse
import math
import secrets
import sys
import time
from dataclasses import dataclass

from firmware_host.errors import ConfigError
from sim.bad_sensors import TroubledBody
from sim.board import VirtualBoard
from sim.body import Body, SyntheticBody
from sim.body_truth import SUFFIX, BodyTruth
from sim.command import DEFAULT_SCENARIO, exit_code, open_pty, say, where_it_is
from sim.days import only_days, parse_days
from sim.fault_plan import FaultPlan, parse_fault_spec
from sim.fault_truth import write_fault_truth
from sim.faults import FaultyBoard
from sim.host import HostModel, HostTree
from sim.host_plan import HostPlan
from sim.links import serve, serve_stdio
from sim.options import DEFAULT_DRIFT_PPM, build_parser
from sim.person import Wearer
from sim.ports import PtyPort, TcpPort
from sim.recorded import RecordedBoard, is_recorded_board
from sim.replay import RecordingBody
from sim.schedule import Schedule, load_scenario, scenario_names
from sim.text_board import TextBoard
from sim.truth import BodyClock, write_truth

_KIB = 1024
_MAX_ID_BYTES = 32
# As fast as a host's clock can be told to go (?speed=).
_MIN_SPEED, _MAX_SPEED = 0.01, 1000.0


@dataclass(frozen=True, slots=True)
class _Life:
    """A body and what is known about it beside its signals."""

    body: Body
    board_id: str
    start_utc: float
    drift_ppm: float
    schedule: Schedule | None


def main(argv: list[str] | None = None) -> int:
    """Parse, run, and turn every error on purpose into one line and an exit code."""
    args = build_parser().parse_args(argv)
    return exit_code(lambda: run(args))


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
    speed, prints = args.speed or 1.0, args.text is not None
    if args.pty is None:
        return TcpPort(
            args.tcp, lambda where: say(where_it_is("tcp", where, speed=speed, prints=prints))
        )
    return open_pty(args.pty, speed=speed, prints=prints)


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
    if args.speed is not None and not _MIN_SPEED <= args.speed <= _MAX_SPEED:
        raise ConfigError("speed", f"a number from {_MIN_SPEED:g} to {_MAX_SPEED:g}", args.speed)
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


if __name__ == "__main__":
    sys.exit(main())
