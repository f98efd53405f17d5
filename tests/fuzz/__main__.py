"""Fuzz every reader of foreign bytes: ``python -m tests.fuzz [TARGET ...] [--minutes M]``, or ``make fuzz``.

Prints a line a target: runs, branches reached, the most memory it took, and what escaped. An input that got through is
kept beside what was learned; put it into ``tests/fuzz/corpus/TARGET`` together with the mend.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.fuzz.runner import NO_GUIDE, REPO, Outcome, fuzz, has_guide
from tests.fuzz.targets import CORPUS, corpus_of, targets

_ROW = "{:<14} {:>10} {:>8} {:>5} {:>4}  {}"


def main() -> int:
    """Fuzz what was named, or everything, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="TARGET", help=", ".join(targets()))
    parser.add_argument("--minutes", type=float, default=10.0, help="for all of them together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=REPO / "out" / "fuzz", help="what it learns")
    parser.add_argument("--seeds", action="store_true", help="write the committed seeds anew")
    said = parser.parse_args()
    unknown = sorted(set(said.names) - set(targets()))
    if unknown:
        parser.error(f"unknown {', '.join(unknown)}; there are {', '.join(targets())}")
    if said.seeds:
        write_seeds()
        return 0
    if not has_guide():
        print(NO_GUIDE)
        return 2
    chosen = [targets()[name] for name in said.names or targets()]
    seconds = max(1, round(said.minutes * 60 / len(chosen)))
    print(_ROW.format("target", "runs", "branches", "MB", "s", "escaped"), flush=True)
    done = []
    for outcome in fuzz(chosen, seconds=seconds, seed=said.seed, keep=said.out):
        done.append(outcome)
        _print_row(outcome)
    n_escaped = sum(bool(outcome.escaped) for outcome in done)
    runs = sum(outcome.runs for outcome in done)
    where = f": {said.out}/*-escaped*" if n_escaped else ""
    print(f"{runs:,} runs over {len(done)} targets, {n_escaped} with an escape{where}")
    return 1 if n_escaped else 0


def _print_row(done: Outcome) -> None:
    told = done.escaped or "nothing"
    numbers = f"{done.runs:,}", done.branches, done.peak_mb, f"{done.took_s:.0f}"
    print(_ROW.format(done.name, *numbers, told), flush=True)


def write_seeds() -> None:
    """Make the committed seeds anew, by the writers of today."""
    for target in targets().values():
        folder = CORPUS / target.name
        folder.mkdir(parents=True, exist_ok=True)
        for old in corpus_of(target):
            if old.name.startswith("seed-"):
                old.unlink()
        for name, content in target.seeds().items():
            (folder / f"seed-{name}").write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
