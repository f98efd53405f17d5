"""Both comparisons: ``python -m bench.learning`` in the developer's environment."""

from __future__ import annotations

import argparse
import datetime
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.learning import family_costs, family_people, family_table, peers, peers_table
from bench.learning.family_ways import WAYS
from bench.rows import REPO, machine
from firmware_host.errors import RecordingError
from training.ablation.stress import SHORT
from training.datasets.registry import require_all
from training.evaluation.output import plain, require_writable, write_json, write_text

_DOCUMENT = REPO / "docs" / "studies" / "bench-learning.md"
_RESULT = REPO / "out" / "bench-learning.json"
_CACHE = REPO / "out" / "bench-learning-windows"
# Enough that a median is one; "conv" takes milliseconds a step.
_STEPS, _QUICK_STEPS = {"stress": 400, "conv": 80}, {"stress": 40, "conv": 10}
_COST_STEPS = 200


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command: 0, or 1 if a peer computed something else than we do."""
    args = _parser().parse_args(argv)
    place = args.markdown or (None if args.quick else _DOCUMENT)
    require_writable("--markdown", place)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    require_writable("--json", args.json)
    os.environ.update(peers.ONE_THREAD)
    started, load = time.monotonic(), os.getloadavg()[0]
    pythons = peers.Pythons(args.host, sys.executable, args.peers)
    with tempfile.TemporaryDirectory() as folder:
        result = _measured(pythons, Path(folder), args)
    result["facts"] = {
        **machine(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "load_at_start": load,
        "load_at_end": os.getloadavg()[0],
        "minutes": (time.monotonic() - started) / 60,
    }
    text = document(result)
    print(text)
    write_json(args.json, plain(result))
    if place:
        write_text(place, text)
    for line in result["disagreements"]:
        print(f"error: {line}", file=sys.stderr)
    return 1 if result["disagreements"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.learning", description=__doc__)
    parser.add_argument("--host", required=True, help="a host's Python interpreter")
    parser.add_argument("--peers", required=True, help="interpreter with the peers' libraries")
    parser.add_argument("--data", type=Path, required=True, help="folder of public recordings")
    parser.add_argument("--cache", type=Path, default=_CACHE, help="folder for computed windows")
    parser.add_argument("--json", type=Path, default=_RESULT, help="every figure")
    parser.add_argument(
        "--markdown", type=Path, help="the tables (default: the study, if not quick)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often everybody is run")
    parser.add_argument(
        "--quick", action="store_true", help="one round, few steps, nobody's labels"
    )
    return parser


def _measured(pythons: peers.Pythons, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    runtimes, why_not = peers.runtimes_of(pythons), _why_not(args)
    _tell("writing the files of all peers")
    peers.build(pythons, folder)
    _tell("writing the files of the family")
    facts = family_costs.build(pythons, folder)
    results, absent = peers.measure(
        peers.peers_of(pythons, runtimes),
        folder,
        n_rounds=1 if args.quick else args.rounds,
        n_steps=_QUICK_STEPS if args.quick else _STEPS,
        told=_tell,
    )
    costs = family_costs.measure(runtimes, folder, n_steps=_COST_STEPS, told=_tell)
    found = peers_table.rows(results)
    result = {
        "peers": found,
        "ratios": peers_table.ratios(results),
        "absent": absent,
        "disagreements": peers_table.disagreements(found),
        "gait": family_table.gait_rows(facts, costs),
        "why_nobody": why_not,
    }
    people = {} if why_not else _people(args)
    result["family"] = family_table.rows(WAYS, facts, costs, people)
    return result


def _why_not(args: argparse.Namespace) -> str:
    """Why nobody's labels are learned from; empty if they are."""
    if args.quick:
        return "a quick run learns from nobody's labels"
    try:
        require_all(args.data, SHORT)
    except RecordingError as err:
        return str(err)
    return ""


def _people(args: argparse.Namespace) -> dict[str, family_people.Found]:
    _tell("learning for real people")
    args.cache.mkdir(parents=True, exist_ok=True)
    return family_people.measure(args.data, args.cache, WAYS)


def document(result: Mapping[str, Any]) -> str:
    """The page: where, how, and all tables."""
    facts = result["facts"]
    lines = [
        "# Learning on the device: against its peers, and its ways against each other",
        "",
        "```",
        "make bench-learning",
        "```",
        "",
        f"{facts['date']}, {facts['cpu']} ({facts['architecture']}), Python {facts['python']}, one "
        f"thread; load of the machine {facts['load_at_start']:.1f} at the start, "
        f"{facts['load_at_end']:.1f} at the end; {facts['minutes']:.0f} minutes.",
        "",
        "## One training step against its peers",
        "",
        _PEERS_WORDS,
        "",
        *peers_table.markdown(result["peers"], result["ratios"]),
        "",
        *(f"- {line}" for line in peers_table.verdicts(result["ratios"])),
        *(f"- Not here: {name}: {reason}" for name, reason in result["absent"].items()),
        "",
        "Versions: " + ", ".join(sorted({row["version"] for row in result["peers"]})) + ".",
    ]
    lines += ["", "## The family", "", _FAMILY_WORDS, ""]
    lines += [f"No people here: {result['why_nobody']}.", ""] if result["why_nobody"] else []
    lines += family_table.markdown(result["family"])
    lines += ["", "## The gait network: what a step costs", "", _GAIT_WORDS, ""]
    lines += family_table.cost_markdown(result["gait"])
    return "\n".join(lines) + "\n"


_PEERS_WORDS = """\
Same network, weights, batches of 16 and SGD with momentum; each run in a process of its own, in
turns (one unmeasured round, then the order turned around each round). Figures are medians over
rounds, of the median over steps; step times are CPU time of the process unless headed "wall";
ratios are taken round by round, median (least to most). "Stress" is the size that ships (1,392
frozen and 510 trained values); "conv" is a test network of 59,056 frozen and 8,070 trained values,
because our own are so small that a step is mostly overhead. Our step also weighs rows, has a
learning rate for each group and a pull to the generic weights; the peers' do not. Start is from
the start of the process, with all files in memory already. Memory and start in the ratios are of
the host's own call, checks included; the step is the runtime's call, as the peers have no checks."""
_FAMILY_WORDS = """\
Stress network. Steps and multiply-accumulates (MACs) are medians over the people who got there, to
0.8 of what the best bias or the best head takes off the loss on all labelled windows, without a
pull, within 1,000 steps (people for whom that is at least 0.01). One signature trains whatever
moves, so what stands still costs as much; an exact solve is one step over all windows. People: balanced accuracy
through the gate, generic networks that never saw the person (A Stress-Predict, B PhysioNet; labels
as in [personal.md](personal.md)); helped and hurt by more than 0.01. Folds, seed and
the limit on movement are this bench's own, so the last row is not the figure of personal.md to the
digit: compare rows here. Every way but the last pulls weights at lambda 10 and the bias at 0.1,
may learn after one stress episode and is kept if nothing
held back is worse: 800 steps at 0.01, MeZO 4,000 at 0.002 (what `--method mezo` takes). The last is
what ships. MeZO is never the default: a step saves hardly any time or memory in networks of this
size, and a slope along one random direction tells little of the others."""
_GAIT_WORDS = """\
Random weights of the shipped shapes. "split" is the Edge TPU's cut with the frozen layers on the
CPU; learning does not touch them."""


def _tell(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
