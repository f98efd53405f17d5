"""Several days in a row, checked against what was true: ``make week``.

Runs the ``signet`` command as a wearer would through a scenario of days: enrol, wear, label, compare,
be robbed of the band for an afternoon. Then every claim that Signet makes is held against the
simulator's own account of it, and one that does not hold fails the command.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from firmware_host.errors import SignetError
from sim.host import HISTORY
from sim.product import CommandError, events, fresh_folder, last_json
from sim.schedule import load_scenario
from sim.truth import TruthRow
from sim.week_claims import Claim, HostRow, Week, claims

OUT = Path("out/week")
SCENARIO = "week"
# The same wearer as in the demo.
SEED = 181
_CONFIG = "[device]\ncue_on_stress = true\n\n[enrolment]\nfollow = true\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the week; 1 if a claim does not hold."""
    parser = argparse.ArgumentParser(prog="python -m sim.week", description=__doc__)
    parser.add_argument("--scenario", default=SCENARIO, help="a scenario of several days")
    parser.add_argument("--seed", type=int, default=SEED, help=f"which people; {SEED}")
    parser.add_argument("--bundle", type=Path, help="another model bundle")
    parser.add_argument("--out", type=Path, default=OUT, help=f"folder, emptied first; {OUT}")
    args = parser.parse_args(argv)
    started_s = time.monotonic()
    try:
        found = _play(args)
    except CommandError as err:
        print(f"week: {err}", file=sys.stderr)
        return err.code
    except SignetError as err:
        print(f"week: {err}", file=sys.stderr)
        return err.exit_code
    except KeyboardInterrupt:
        return 130
    for claim in found:
        print(claim.line())
    n_wrong = sum(not claim.holds for claim in found)
    print(f"\n{len(found) - n_wrong} of {len(found)} claims hold.")
    print(f"The story: {args.out / 'report.html'}   ({time.monotonic() - started_s:.0f} s in all)")
    return 1 if n_wrong else 0


def _play(args: argparse.Namespace) -> list[Claim]:
    fresh_folder(args.out, mark=".week")
    schedule = load_scenario(args.scenario)
    config = args.out / "signet.toml"
    config.write_text(_CONFIG, encoding="ascii")
    shared = ["--state", str(args.out / "state"), "--key-file", str(args.out / "key")]
    shared += ["--config", str(config)]
    model = ["--bundle", str(args.bundle)] if args.bundle else []
    walk = f"synthetic:?seed={args.seed}&scenario=walk"
    last_json(["enrol", "gait", "--device", walk, *model, *shared])
    week = Week(schedule)
    for first, last in _parts(schedule.bouts[-1].day):
        truth, host = args.out / f"truth-{first}.csv", args.out / f"host-{first}"
        url = f"synthetic:?seed={args.seed}&scenario={args.scenario}&days={first}-{last}"
        url += f"&truth={truth}&host={host}"
        week.said += events(["run", "--device", url, *model, *shared])
        rows = list(_truth(truth))
        week.truth += rows
        week.host += _history(host / HISTORY, schedule.start_utc)
        week.n_compared += _compare(rows, shared)
    _finish(week, args.out, model, shared)
    return claims(week)


def _parts(n_days: int) -> list[tuple[int, int]]:
    """Runs of two days, so that a run goes on over a night and the next begins with a vault."""
    firsts = list(range(1, max(n_days, 2), 2))
    lasts = [*(first - 1 for first in firsts[1:]), n_days]
    return list(zip(firsts, lasts, strict=True))


def _truth(path: Path) -> Iterator[TruthRow]:
    """Rows of a run, the nights before its first day left out."""
    with path.open(encoding="utf-8") as file:
        rows = [TruthRow(float(a), float(b), label) for a, b, label in list(csv.reader(file))[1:]]
    started = False
    for row in rows:
        started = started or row.label != "charging"
        if started:
            yield row


def _history(path: Path, start_utc: float) -> Iterator[HostRow]:
    with path.open(encoding="ascii") as file:
        for row in csv.DictReader(file):
            yield HostRow(
                start_utc + float(row["t_s"]),
                float(row["soc_c"]),
                float(row["battery_percent"] or 100.0),
                mains=row["mains"] == "1",
                throttled=row["throttled"] == "1",
                busy_cores=float(row["busy_cores"]),
            )


def _compare(rows: Iterable[TruthRow], shared: list[str]) -> int:
    """In the evening: each stressful stretch was more stressful than the rest after it."""
    n, stressful = 0, None
    for row in rows:
        middle_utc = (row.start_utc + row.end_utc) / 2
        if row.label == "stress":
            stressful = middle_utc
        elif row.label == "rest" and stressful is not None:
            moments = ["--more", f"{stressful:.0f}", "--less", f"{middle_utc:.0f}"]
            last_json(["prefer", *moments, *shared])
            n, stressful = n + 1, None
    return n


def _finish(week: Week, out: Path, model: list[str], shared: list[str]) -> None:
    """The report, scored against the truth, and what the vault holds."""
    truth = out / "truth.csv"
    lines = [f"{row.start_utc:.3f},{row.end_utc:.3f},{row.label}" for row in week.truth]
    truth.write_text("\n".join(["start_utc,end_utc,label", *lines]) + "\n", encoding="ascii")
    report = out / "report.html"
    command = ["report", "--out", str(report), "--labels", str(truth), *model, *shared]
    week.told = last_json(command)
    week.given = last_json(["prefer", "--list", *shared])


if __name__ == "__main__":
    sys.exit(main())
