"""Kill a learning job at every step, go on, and compare: ``python -m bench.killed``, ``make kill-test``.

A wearer's vault with two stories is learned from with the shipped bundle, once without a break and
then with one death for every step, each by SIGKILL and each in a process of its own: before a step,
while its checkpoint is being written, or right after; and around the last write of all. Adapter and
ledger entry must come out the same, byte for byte. Nothing is measured, so nothing depends on the
machine but the time it takes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from firmware_host.adaptation import checkpoint, ledger
from firmware_host.adaptation.adapters import ADAPTER_KIND
from firmware_host.adaptation.episodes import Label, LabelSpan
from firmware_host.adaptation.labels import put_label
from firmware_host.adaptation.outcome import Outcome
from firmware_host.adaptation.runner import Conduct
from firmware_host.adaptation.samples import WINDOW_KIND, put_baseline, window_payload
from firmware_host.runtime.jobs import learn_stress
from firmware_host.signals.normalise import Baseline
from firmware_host.signals.stress import CHANNELS, FEATURE_NAMES, StressWindow
from firmware_host.vault.records import Vault

T0_UTC = 1_767_600_000.0
HOWS = ("before", "torn", "written")
_STAGE_S, _HOP_S, _WINDOW_S = 240.0, 10.0, 60.0
_STORY = (Label.REST, Label.STRESS, Label.REST, Label.STRESS, Label.REST)
# Two opposite kinds of stress: no line tells them from rest, so the layers below the head must learn.
_APART = 2.0


def make_wearer(folder: Path) -> float:
    """Write a vault (``state``) and its key (``key``) to learn from; the time at its end."""
    rng = np.random.default_rng(0)
    n = len(FEATURE_NAMES)
    directions = {label: rng.normal(size=n) for label in (Label.STRESS, Label.REST)}
    now_utc = T0_UTC
    with Vault.create(folder / "state", folder / "key") as vault:
        put_baseline(vault, Baseline(np.zeros(n), np.ones(n), 20), now_utc=now_utc)
        for label in _STORY:
            start_utc, now_utc = now_utc, now_utc + _STAGE_S
            ends = np.arange(start_utc + _WINDOW_S, now_utc + 1e-6, _HOP_S)
            sides = _APART * np.resize([1.0, -1.0], len(ends))[:, None] * directions[label]
            rows = (sides + rng.normal(0.0, 0.5, (len(ends), n))).astype(np.float32)
            vault.put_many(WINDOW_KIND, [_window(*pair) for pair in zip(ends, rows, strict=True)])
            span = LabelSpan(label, start_utc, now_utc)
            put_label(vault, span, source="bench", now_utc=now_utc)
    return now_utc


def _window(end_utc: float, features: np.ndarray) -> tuple[bytes, float]:
    trust = dict.fromkeys(CHANNELS, 1.0)
    window = StressWindow(end_utc - T0_UTC, features, trust, 0.0, True, 0.0)
    return window_payload(window, session=1), float(end_utc)


class MortalVault(Vault):
    """Dies by SIGKILL inside, or right after, the writing it was told of."""

    dies: str = ""
    at_step: Callable[[], bool] = staticmethod(lambda: False)

    def replace(self, *record: Any, **options: Any) -> None:
        """Write a checkpoint; torn is written but not committed."""
        is_last = self.at_step()
        with self.transaction(durable=False):
            super().replace(*record, **options)
            if is_last and self.dies == "torn":
                _die()
        if is_last and self.dies == "written":
            _die()

    def put(self, kind: str, *record: Any, **options: Any) -> int:
        """Store a record; the ledger's is the last one of a job."""
        record_id = super().put(kind, *record, **options)
        if kind == ledger.LEDGER_KIND and self.dies == "torn":
            _die()
        return record_id


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def learn(folder: Path, *, bundle: str, now_utc: float, at: int = 0, how: str = "") -> Outcome:
    """One call of the job, in this process; it dies at step ``at``, the first being 1."""
    with MortalVault.open(folder / "state", folder / "key") as vault:
        found = checkpoint.load(vault)
        done = 0 if found is None else found.state.n_steps

        def before_step() -> None:
            nonlocal done
            if at and done + 1 == at and how == "before":
                _die()
            done += 1

        vault.dies, vault.at_step = how, lambda: bool(at) and done == at
        # To die at a checkpoint there must be one after this very step.
        conduct = Conduct(may_go_on=before_step, checkpoint_steps=50 if how == "before" else 1)
        outcome, _ = learn_stress(
            vault, bundle=bundle, runtime="auto", seed=1, now_utc=now_utc, conduct=conduct
        )
    if how == "written":
        _die()
    return outcome


def result(folder: Path) -> tuple[list[bytes], dict[str, Any]]:
    """Adapters, and the one ledger entry without what may vary."""
    with Vault.open(folder / "state", folder / "key") as vault:
        (entry,) = ledger.entries(vault)
        facts = {key: value for key, value in entry.facts.items() if key != "used"}
        if checkpoint.has_unfinished(vault):
            raise RuntimeError("expected no checkpoint after the end of a job, got one")
        return [record.payload for record in vault.iterate(ADAPTER_KIND)], facts


class KillTest:
    """A wearer, what an uninterrupted job makes of it, and jobs that are killed."""

    def __init__(self, folder: Path, bundle: str) -> None:
        self._folder, self._bundle = folder, bundle
        self._now_utc = make_wearer(folder / "wearer")
        whole = self._copy("whole")
        self._expect(whole, at=0, how="")
        self.expected = result(whole)
        self.n_steps = int(self.expected[1]["n_steps"])
        self.n_kills = 0

    def killed_at(self, steps: Sequence[tuple[int, str]]) -> bool:
        """Kill one job at several steps, in order, let it end, and compare."""
        folder = self._copy("killed")
        for at, how in steps:
            self._expect(folder, at=at, how=how)
            self.n_kills += 1
        self._expect(folder, at=0, how="")
        same = result(folder) == self.expected
        shutil.rmtree(folder)
        return same

    def _copy(self, name: str) -> Path:
        return Path(shutil.copytree(self._folder / "wearer", self._folder / name))

    def _expect(self, folder: Path, *, at: int, how: str) -> None:
        """Run a call in a process of its own, which must die if it was told to, and else end well."""
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            try:
                learn(folder, bundle=self._bundle, now_utc=self._now_utc, at=at, how=how)
            except BaseException:
                os._exit(1)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code != (-signal.SIGKILL if how else 0):
            msg = f"step {at} ({how or 'no kill'}): expected another end, got code {code}"
            raise RuntimeError(msg)


def plan(n_steps: int, *, n_jobs: int, only: int = 0) -> list[list[tuple[int, str]]]:
    """Which job dies where: every step once, dealt out to the jobs in turn, so that each dies often.

    ``only`` takes so many steps, evenly. Two more jobs die around the one write at the end.
    """
    steps = range(1, n_steps + 1)
    wanted = [steps[round(i)] for i in np.linspace(0, n_steps - 1, only)] if only else list(steps)
    # After the last step there is no checkpoint any more to die at.
    deaths = [
        (at, "before" if at == n_steps else HOWS[idx % len(HOWS)]) for idx, at in enumerate(wanted)
    ]
    jobs = [deaths[first::n_jobs] for first in range(min(n_jobs, len(deaths)))]
    return [*jobs, [(n_steps + 1, "torn")], [(n_steps + 1, "written")]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the kill test; 0 if every job came out the same."""
    parser = argparse.ArgumentParser(prog="python -m bench.killed", description=__doc__)
    parser.add_argument("--bundle", default="", help="another model bundle")
    parser.add_argument("--only", type=int, default=0, metavar="N", help="N of the steps, evenly")
    parser.add_argument(
        "--jobs", type=int, default=100, metavar="N", help="jobs that the kills are dealt out to"
    )
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        test = KillTest(Path(folder), args.bundle)
        jobs = plan(test.n_steps, n_jobs=args.jobs, only=args.only)
        n_same = 0
        for idx, job in enumerate(jobs, 1):
            n_same += test.killed_at(job)
            if sys.stderr.isatty():
                print(f"\r{idx} of {len(jobs)} jobs", end="", file=sys.stderr, flush=True)
    facts = {
        "steps": test.n_steps,
        "group": test.expected[1]["group"],
        "kills": test.n_kills,
        "jobs": len(jobs),
        "same": n_same,
        "seconds": round(time.monotonic() - started_s, 1),
    }
    if args.json:
        print(json.dumps(facts))
    else:
        print(
            f"{facts['kills']} kills in {len(jobs)} jobs of {test.n_steps} steps "
            f"({facts['group']}): {n_same} of {len(jobs)} ended with the same bytes, "
            f"{facts['seconds']} s"
        )
    return 0 if n_same == len(jobs) else 1


if __name__ == "__main__":
    raise SystemExit(main())
