"""The stream against its peers and its aims: ``python -m bench.stream``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.rows import REPO, machine
from bench.stream import decoding, line, real_time, whole_path

_RESULT = REPO / "out" / "bench-stream.json"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command: 0, or 1 if the fast line lost something."""
    args = _parser().parse_args(argv)
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
    load = os.getloadavg()[0]
    result = _measured(args)
    result["facts"] = {**machine(), "load_at_start": load, "load_at_end": os.getloadavg()[0]}
    print(document(result))
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(result, indent=1), encoding="utf-8")
    return 0 if result["is_lossless"] else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.stream", description=__doc__)
    parser.add_argument("--peers", help="interpreter with the peers' libraries; without: ours only")
    parser.add_argument("--json", type=Path, default=_RESULT, help="every figure")
    parser.add_argument("--rounds", type=int, default=7, help="how often everybody is run")
    parser.add_argument(
        "--quick", action="store_true", help="seconds instead of minutes, says nothing of speed"
    )
    return parser


def _measured(args: argparse.Namespace) -> dict[str, Any]:
    quick = args.quick
    n_rounds = 1 if quick else args.rounds
    results, absent = decoding.measure(args.peers, n_rounds=n_rounds, quick=quick, told=_tell)
    hour_h, day_h = (0.05, 0.1) if quick else (1.0, 24.0)
    path = whole_path.measure(n_rounds=min(n_rounds, 3), hour_h=hour_h, day_h=day_h, told=_tell)
    _tell("real time")
    live = real_time.measure(1.0 if quick else 60.0)
    _tell("a fast line beside a learning job")
    # A quick run says nothing of speed: a machine with too much to do must not fail it.
    fast = line.measure(2.0, buffer_bytes=8_000_000) if quick else line.measure(60.0)
    return {
        "decoders": decoding.rows(results),
        "absent": absent,
        "path": path,
        "real_time": live,
        "line": fast,
        "is_lossless": line.is_lossless(fast),
    }


def document(result: Mapping[str, Any]) -> str:
    """All tables, and the machine they are true of."""
    facts, live, fast = result["facts"], result["real_time"], result["line"]
    lines = [
        f"{facts['cpu']} ({facts['architecture']}), Python {facts['python']}, numpy "
        f"{facts['numpy']}, load {facts['load_at_start']:.1f} to {facts['load_at_end']:.1f}. "
        "CPU time; medians over rounds, ratios round by round (least to most).",
        "",
        *decoding.markdown(result["decoders"]),
        "",
        *(f"- {_verdict(row)}" for row in result["decoders"] if "pymavlink" in row["who"]),
        *(f"- Not here: {name}: {why}" for name, why in result["absent"].items()),
        "",
        "| host | value | aim |",
        "|---|---:|---:|",
        *(f"| {what} | {value} | {aim} |" for what, value, aim in whole_path.rows(result["path"])),
        f"| all channels at real time, share of one core over {live['seconds']:g} s "
        f"| {100 * live['cpu_share']:.2f} % | |",
        f"| {fast['sent_bytes'] / fast['seconds'] / 1e3:.0f} kB/s over a terminal for "
        f"{fast['seconds']:g} s beside {fast['learner_jobs']} learning jobs "
        f"({100 * fast['learner_cpu_share']:.0f} % of a core; the host {100 * fast['host_cpu_share']:.0f} %): "
        f"frames, bytes, samples sent | {fast['sent_frames']:,}, {fast['sent_bytes']:,}, "
        f"{fast['sent_samples']:,} | |",
        f"| of them lost: bytes, samples; dropped by the board; bad frames "
        f"| {fast['sent_bytes'] - fast['came_bytes']}, {fast['sent_samples'] - fast['came_samples']}; "
        f"{fast['dropped_by_board']}; {fast['bad_frames']} | 0 |",
        f"| most that waited in the board's buffer of {fast['buffer_bytes'] / 1e3:.0f} kB; the board's own "
        f"process was kept from running for | {fast['most_pending_bytes'] / 1e3:.1f} kB; "
        f"{fast['board_stalled_s']:.2f} s | |",
    ]
    return "\n".join(lines)


def _verdict(row: Mapping[str, Any]) -> str:
    times, aim = row["ratio"]["median"], decoding.AIM
    word = "reached" if times >= aim else "missed"
    return f"{row['who']}: we are {times:.1f} times as fast, aim {aim:g}: {word}"


def _tell(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
