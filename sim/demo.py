"""The main job from end to end, told in plain words: ``make demo``.

Runs the ``signet`` command as a wearer would, on a simulated day or on a real recording, and prints what came of it.
Nothing is scored here that the commands themselves did not print.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sim.product import CommandError, events, figure, fresh_folder, hours, is_known, last_json

OUT = Path("out/demo")
# Somebody who responds to stress, whose band fits and who walks evenly, and whose thief walks
# otherwise: chosen for that out of two hundred, see docs/body.md.
DAY_SEED = 181


@dataclass
class Seen:
    """What the printed events add up to."""

    span_s: float = 0.0
    states: dict[str, int] = field(default_factory=dict)
    activities: dict[str, int] = field(default_factory=dict)
    wearers: list[dict[str, Any]] = field(default_factory=list)
    learned: list[dict[str, Any]] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)

    def take(self, event: dict[str, Any]) -> None:
        """Count one event."""
        kind = event["kind"]
        if kind == "summary":
            self.summary = event
        elif kind == "stress":
            self.states[event["state"]] = self.states.get(event["state"], 0) + 1
        elif kind == "activity":
            self.activities[event["activity"]] = self.activities.get(event["activity"], 0) + 1
        elif kind == "wearer":
            self.wearers.append(event)
        elif kind == "label":
            self.labels[event["label"]] = self.labels.get(event["label"], 0) + 1
        self.span_s = max(self.span_s, float(event.get("t_s", 0.0)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m sim.demo", description=__doc__)
    parser.add_argument(
        "--recording", type=Path, help="a real recording instead of a simulated day"
    )
    parser.add_argument("--labels", type=Path, help="label file beside the recording")
    parser.add_argument("--bundle", type=Path, help="another model bundle")
    parser.add_argument("--out", type=Path, default=OUT, help=f"folder, emptied first; {OUT}")
    args = parser.parse_args(argv)
    started_s = time.monotonic()
    try:
        report = _play(args)
    except CommandError as err:
        print(f"demo: {err}", file=sys.stderr)
        return err.code
    except KeyboardInterrupt:
        return 130
    print(f"\nReport with pictures: {report}   ({time.monotonic() - started_s:.0f} s in all)")
    return 0


def _play(args: argparse.Namespace) -> Path:
    fresh_folder(args.out, mark=".demo")
    shared = ["--state", str(args.out / "state"), "--key-file", str(args.out / "key")]
    if args.bundle:
        shared += ["--bundle", str(args.bundle)]
    truth: Path | None = None
    if args.recording:
        url = f"replay:{args.recording}?speed=max"
        print(f"A real recording, {args.recording.name}, through the same path as a board.")
        labels = ["--labels", str(args.labels)] if args.labels else []
    else:
        labels = []
        truth = args.out / "truth.csv"
        url = f"synthetic:?seed={DAY_SEED}&scenario=day&truth={truth}"
        _enrol_gait(shared)
    seen = Seen()
    for event in events(["run", "--device", url, *labels, *shared]):
        seen.take(event)
    _tell_day(seen)
    scored = ["--labels", str(truth)] if truth else []
    report: Path = args.out / "report.html"
    told = last_json(["report", "--out", str(report), *scored, *shared])
    _tell_learning(seen, told["later"])
    if truth:
        _tell_walking(seen, truth)
    _tell_costs(seen)
    return report


def _enrol_gait(shared: list[str]) -> None:
    print("A simulated wearer puts the band on and walks for a minute and a half ...")
    url = f"synthetic:?seed={DAY_SEED}&scenario=walk"
    enrolled = last_json(["enrol", "gait", "--device", url, *shared])
    print(f"  gait enrolled from {enrolled['n_windows']} walking windows of 5 s.")
    print("... and lives through a day, over the real wire, in virtual time.")


def _tell_day(seen: Seen) -> None:
    summary = seen.summary
    n_samples = sum(c["n_samples"] for c in summary["channels"].values())
    n_missing = sum(c["missing_samples"] for c in summary["channels"].values())
    print("\nWhat was seen")
    print(
        f"  {hours(summary['stream_s'])} of {', '.join(summary['channels'])}: {n_samples} samples, "
        f"{n_missing} missing, {summary['bad_frames']} bad frames"
    )
    n_windows = sum(seen.states.values())
    states = ", ".join(
        f"{name.replace('_', ' ')} {100 * n / n_windows:.0f} %"
        for name, n in sorted(seen.states.items(), key=lambda item: -item[1])
    )
    print(f"  stress model, of {n_windows} windows: {states or 'none'}")
    if seen.activities:
        total = sum(seen.activities.values())
        acts = ", ".join(f"{a} {100 * n / total:.0f} %" for a, n in seen.activities.items())
        print(f"  activity, of {total} windows: {acts}")
    if summary.get("seen_in_training"):
        print(
            "  Note: the bundle was trained on this very recording, so the generic figures below are\n"
            "  not those of a stranger. README says how to train without this person."
        )


def _tell_learning(seen: Seen, later: dict[str, Any] | None) -> None:
    print("\nWhat was learned")
    said = ", ".join(f"{n} × {label}" for label, n in seen.labels.items()) or "none"
    print(f"  labels heard: {said}")
    for n, job in enumerate(seen.summary["learned"], 1):
        print(
            f"  job {n}: {'kept' if job['kept'] else 'not kept'} ({job['reason']}): {job['text']}"
        )
    if not seen.summary["learned"]:
        print("  no job: not enough labels")
    if later is None:
        print("  nothing labelled came after learning, so there is no before and after")
        return
    print(
        f"\nOn the later part ({later['n_windows']} windows of {later['n_episodes']} episodes, "
        f"sure of {100 * later['coverage']:.0f} %)"
    )
    for name, key in (
        ("generic model", "generic"),
        ("personal model", "personal"),
        ("time-only control", "time_only"),
    ):
        score = later[key]
        low, high = score["interval"]
        print(
            f"  {name:<18} balanced accuracy {figure(score['balanced_accuracy'])}   "
            f"95 % {figure(low)} to {figure(high)}"
        )
    print("  Verdict: " + _verdict(later))


def _verdict(later: dict[str, Any]) -> str:
    generic, personal = (later[k]["balanced_accuracy"] for k in ("generic", "personal"))
    if not is_known(generic) or not is_known(personal):
        return "one of the two classes is missing in the later part; nothing can be said."
    gain = 100 * (personal - generic)
    low, high = later["gain_interval"]
    if not is_known(low) or low <= 0 <= high:
        return f"no clear difference for this wearer ({gain:+.1f} points, inside the noise)."
    word = "better" if gain > 0 else "worse"
    return f"personal is {abs(gain):.1f} points {word} for this wearer."


def _tell_walking(seen: Seen, truth: Path) -> None:
    spans = [line.split(",") for line in truth.read_text().splitlines()[1:]]
    own = _decisions(seen, [s for s in spans if s[2] == "walk"])
    others = _decisions(seen, [s for s in spans if s[2] == "other_person"])
    print("\nWho is walking")
    print(f"  wearer's own walks:      {own}")
    print(f"  another person's walk:   {others}")


def _decisions(seen: Seen, spans: list[list[str]]) -> str:
    counts: dict[str, int] = {}
    for event in seen.wearers:
        if any(float(a) + 10 <= event["utc"] <= float(b) for a, b, _ in spans):
            counts[event["wearer"]] = counts.get(event["wearer"], 0) + 1
    names = {"wearer": "the wearer", "other": "somebody else", "unsure": "not sure"}
    return ", ".join(f"{n} × {names[w]}" for w, n in sorted(counts.items())) or "not judged"


def _tell_costs(seen: Seen) -> None:
    summary = seen.summary
    learning = [job["peak_rss_mb"] for job in summary["learned"] if job.get("peak_rss_mb")]
    print("\nWhat it cost")
    n = summary["sockets_opened"]
    left = "nothing" if n == 0 else f"{n} sockets were opened"
    print(f"  what left the host: {left} ({n} sockets opened, counted by the interpreter)")
    learned = f", {max(learning):.0f} MB learning" if learning else ""
    print(f"  peak memory: {summary['peak_rss_mb']:.0f} MB streaming{learned}")
    print(f"  {hours(summary['stream_s'])} of wear took {summary['wall_s']:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
