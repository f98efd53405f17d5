"""A day of virtual time with every fault there is, counted on both sides: ``make soak``.

Runs ``signet run`` through a simulated day in which every fault scenario has a stretch of its own and
all of them strike together in the last one. Then everything that the host says is held against what
was done to the line, to the sample; a row that does not hold fails the command.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from firmware_host.errors import SignetError
from sim.product import CommandError
from sim.soak_checks import Row, as_dict, rows
from sim.soak_day import LEAST_HOURS, soak_stretches
from sim.soak_run import SEED, Soak, run_soak

OUT = Path("out/soak")
HOURS = 24.0
_MOST_HOURS = 1000.0
_RINGS = {"with": (64,), "without": (0,), "both": (64, 0)}
_MARKS = {True: "ok   ", False: "WRONG"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the day, once with and once without a ring on the board; 1 if a row does not hold."""
    args = _parser().parse_args(argv)
    holds = True
    try:
        for ring_kib in _RINGS[args.ring]:
            holds &= _run(args, ring_kib)
    except CommandError as err:
        print(f"soak: {err}", file=sys.stderr)
        return err.code
    except SignetError as err:
        print(f"soak: {err}", file=sys.stderr)
        return err.exit_code
    except KeyboardInterrupt:
        return 130
    return 0 if holds else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sim.soak",
        description="A virtual day with every fault, counted on both sides.",
    )
    parser.add_argument("--hours", type=_hours, default=HOURS, help=f"virtual time; {HOURS:g}")
    parser.add_argument("--ring", choices=_RINGS, default="both", help="a board with a ring; both")
    parser.add_argument("--learn", action="store_true", help="let the host learn on the way")
    parser.add_argument("--seed", type=int, default=SEED, help=f"which person and chance; {SEED}")
    parser.add_argument("--out", type=Path, default=OUT, help=f"folder, emptied first; {OUT}")
    parser.add_argument("--json", action="store_true", help="one JSON object for each run")
    return parser


def _hours(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not LEAST_HOURS <= value <= _MOST_HOURS:
        msg = f"expected {LEAST_HOURS:.3f} to {_MOST_HOURS:g}, got {text[:40]!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def _run(args: argparse.Namespace, ring_kib: int) -> bool:
    name = "with" if ring_kib else "without"
    stretches = soak_stretches(args.hours)
    args.out.mkdir(parents=True, exist_ok=True)
    soak = run_soak(
        args.out / f"{name}-ring",
        stretches,
        ring_kib=ring_kib,
        learns=args.learn,
        seed=args.seed,
        progress=_Bar(f"{name} a ring", stretches[-1].end_s),
    )
    found = rows(soak)
    if args.json:
        print(json.dumps({"ring_kib": ring_kib, **as_dict(soak, found)}))
    else:
        _say(soak, found, name)
    return all(row.holds for row in found)


def _say(soak: Soak, found: list[Row], name: str) -> None:
    print(
        f"\n{soak.duration_s / 3600:g} h, a board {name} a ring: what was done | what the host says"
    )
    for row in found:
        print(f"{_MARKS[row.holds]} {row.name:<28} {row.injected}  |  {row.seen}")
    done = soak.truth.get("counts", {})
    print("done to it:", " ".join(f"{what}={n}" for what, n in done.items()))
    n_wrong = sum(not row.holds for row in found)
    print(
        f"{len(found) - n_wrong} of {len(found)} rows hold; {soak.cpu_s:.0f} s of CPU in {soak.wall_s:.0f} s"
    )


class _Bar:
    """How far the run has come, on a terminal."""

    def __init__(self, name: str, whole_s: float) -> None:
        self._name = name
        self._whole_s = whole_s
        self._is_shown = sys.stderr.isatty()

    def __call__(self, passed_s: float) -> None:
        """Show that ``passed_s`` virtual seconds are over."""
        if not self._is_shown:
            return
        share = min(max(passed_s / self._whole_s, 0.0), 1.0)
        bar = "#" * round(30 * share)
        sys.stderr.write(f"\r{self._name:<15} [{bar:<30}] {passed_s / 3600:5.1f} h")
        sys.stderr.write("\r\033[K" if share == 1.0 else "")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
