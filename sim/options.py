"""Options of ``python -m sim``."""

from __future__ import annotations

import argparse
from pathlib import Path

from sim.command import DEFAULT_SCENARIO, DEFAULT_SEED, Parser, add_pty, number, seed
from sim.fault_plan import FAULT_HELP
from sim.recorded import add_options
from sim.ring import DEFAULT_RING_BYTES
from sim.schedule import scenario_names

# An ordinary crystal: a tenth of a second in an hour and a half.
DEFAULT_DRIFT_PPM = 20.0
DEFAULT_TEXT_HZ = 50.0
MIN_TEXT_HZ, MAX_TEXT_HZ = 0.1, 1000.0
# More than a year; far beyond, only making the schedule takes for ever.
_MAX_HOURS = 10_000.0
_KIB = 1024
# The PSRAM of a large ESP32-S3.
_MAX_RING_KIB = 8192

_hours = number(
    float, lambda value: 0 < value <= _MAX_HOURS, f"a number above 0, at most {_MAX_HOURS:g}"
)
_ring_kib = number(
    int,
    lambda value: 0 <= value <= _MAX_RING_KIB,
    f"KiB, a whole number from 0 to {_MAX_RING_KIB}",
)
_text_hz = number(
    float,
    lambda value: MIN_TEXT_HZ <= value <= MAX_TEXT_HZ,
    f"lines a second from {MIN_TEXT_HZ:g} to {MAX_TEXT_HZ:g}",
)


def build_parser() -> argparse.ArgumentParser:
    """Command line of the simulator."""
    parser = Parser(
        prog="python -m sim",
        description="A simulated wearer, or a recording worn again, behind a board's serial line.",
        epilog=FAULT_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    line = parser.add_mutually_exclusive_group(required=True)
    add_pty(line)
    line.add_argument("--tcp", type=int, metavar="PORT", help="a server on 127.0.0.1; 0: any port")
    line.add_argument("--stdio", action="store_true", help="lock-step with a parent, virtual time")
    line.add_argument("--list", action="store_true", help="say what each scenario is, and end")
    parser.add_argument(
        "--recording", type=Path, metavar="FILE", help="E4 zip or folder, .edf .xdf .csv, or .mcap"
    )
    parser.add_argument(
        "--seed", type=seed, default=DEFAULT_SEED, help="which person and chance (default: 7)"
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
        "--fault", default="", metavar="SPEC", help="such as corrupt=1e-4,unplug=60:10, see below"
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
