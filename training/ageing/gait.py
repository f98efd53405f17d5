"""`age --task gait`: a gait reference over time: as enrolled, following, and led astray on purpose.

People, whitening, others and thresholds are of people who are not tested. Verification, proof and
learning are the host's own code; days pass by calling it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_host.errors import EnrolmentError
from firmware_host.identity.enrolment import Enrolled, enrol
from firmware_host.identity.self_update import MAX_WALKS, SURE, WALK_WINDOWS, WalkWatch, follow
from firmware_host.identity.verification import N_WINDOWS, Anchor, Verifier
from firmware_host.identity.walking import WalkingGate
from firmware_host.signals.gait import HOP_S
from training.ageing.gait_alarms import gait_alarms
from training.ageing.walkers import FloatArray, Walker, stream, turned, walkers
from training.datasets.registry import GAIT
from training.evaluation.options import at_least, seed
from training.evaluation.output import plain, require_writable, write_json
from training.evaluation.progress import progress
from training.gait.background import Identity, fit_background
from training.gait.card_figures import folds
from training.gait.evaluate import load_everyone
from training.gait.numpy_model import NumpyGaitModel

if TYPE_CHECKING:
    import argparse

    from training.gait.windows import Walks

ANGLES = (0.0, 50.0, 70.0)
N_DAYS = 6
# Of an impostor: a quarter of an hour a day, an hour in all.
ATTACK_DAYS, ATTACK_WINDOWS = 4, 360
_GATE = WalkingGate(min_walk=0.5, min_periodicity=0.0)
# A walk of a day: enough for a proof and a minute to learn from.
_DAY_WINDOWS = 2 * WALK_WINDOWS + 2 * N_WINDOWS
# Share of somebody's half minutes from which on he is let in.
_LET_IN = 0.5
RULES = ("as enrolled", "follows", "any accepted walk", "any walk")


@dataclass(eq=False)
class Reference:
    """One wearer's reference under a rule of following; days pass by `day`."""

    model: NumpyGaitModel
    identity: Identity
    anchor: Enrolled
    rule: str
    current: Enrolled = field(init=False)
    n_updates: int = 0
    _walks: list[FloatArray] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.current = self.anchor

    def verifier(self) -> Verifier:
        """The host's verification by this reference; an older model state is put back first."""
        self.model.run("set_adapter", **self.current.adapter)
        veto = self.current is not self.anchor and self.rule == "follows"
        return Verifier(
            self.model,
            _GATE,
            threshold=self.identity.threshold,
            margin=self.identity.margin,
            fill=self.identity.arrays["center"],
            anchor=Anchor(self.model, self.anchor.adapter, self.current.adapter) if veto else None,
        )

    def scores(self, rows: FloatArray) -> FloatArray:
        """Scores of every whole half minute (11 windows) of a walk."""
        verifier = self.verifier()
        results = [verifier.add(row, 1.0) for row in stream(rows, len(rows), t0_s=0.0)]
        whole = [r.score for r in results if r.n_windows >= N_WINDOWS]
        return np.array(whole or [results[-1].score], np.float32)

    def accepts(self, rows: FloatArray) -> float:
        """Share of half minutes at or above the threshold."""
        return float(np.mean(self.scores(rows) >= self.identity.threshold))

    def day(self, parts: Sequence[tuple[FloatArray, int]], seed: int) -> None:
        """One wear: walks of (rows, number of windows), one after another; then what is learned."""
        found = self._found(parts)
        if found is None:
            return
        self._walks = [*self._walks, found][-MAX_WALKS:]
        made = self._learned(np.random.default_rng(seed))
        if made is not None:
            self.current = made
            self.n_updates += 1

    def _found(self, parts: Sequence[tuple[FloatArray, int]]) -> FloatArray | None:
        """The first walk of the day to learn from."""
        if self.rule == "as enrolled":
            return None
        verifier = self.verifier()
        watch = WalkWatch(limit=self.identity.threshold + self.identity.margin + SURE)
        watch.contact(is_on=True)
        t_s, rows = 0.0, parts[-1][0]
        for own, n_windows in parts:
            for row in stream(own, n_windows, t0_s=t_s):
                walk = watch.add(row, verifier.add(row, 1.0))
                if walk is not None and self.rule == "follows":
                    return walk.features
            t_s += n_windows * HOP_S
        if self.rule == "any walk":
            return rows[:WALK_WINDOWS]
        if self.rule == "any accepted walk" and self.accepts(rows) >= _LET_IN:
            return rows[:WALK_WINDOWS]
        return None

    def _learned(self, rng: np.random.Generator) -> Enrolled | None:
        fill, cohort = self.identity.arrays["center"], self.identity.cohort
        try:
            if self.rule == "follows":
                return follow(self.model, self.anchor, self._walks, cohort, fill=fill, rng=rng)
            rows = np.concatenate(self._walks)
            return enrol(self.model, rows, cohort, threshold=0.0, fill=fill, rng=rng)
        except EnrolmentError:
            return None


@dataclass(frozen=True, eq=False)
class Group:
    """Test people of one division, and what was fitted on the others."""

    identity: Identity
    walkers: list[Walker]
    towards: list[FloatArray]

    @cached_property
    def anchors(self) -> list[Enrolled]:
        """Everybody's reference as it was enrolled."""
        return [self._enrol(idx) for idx in range(len(self.walkers))]

    def enrolled(self, idx: int, rule: str) -> Reference:
        """Reference of one walker on the first day."""
        model = NumpyGaitModel(self.identity.arrays)
        return Reference(model, self.identity, self.anchors[idx], rule)

    def _enrol(self, idx: int) -> Enrolled:
        return enrol(
            NumpyGaitModel(self.identity.arrays),
            self.walkers[idx].enrolment,
            self.identity.cohort,
            threshold=self.identity.threshold,
            fill=self.identity.arrays["center"],
            rng=np.random.default_rng(idx),
        )

    def others(self, idx: int) -> list[Walker]:
        """Everybody else of the group."""
        return [walker for i, walker in enumerate(self.walkers) if i != idx]


def groups(people: Sequence[Walks], n_folds: int, seed: int) -> Iterator[Group]:
    """Each group of people left out in turn."""
    for is_test in folds(len(people), n_folds, seed):
        background = [w for w, out in zip(people, is_test, strict=True) if not out]
        identity = fit_background(background, seed=seed)
        tested = walkers([w for w, out in zip(people, is_test, strict=True) if out], identity)
        means = [walks.features.mean(axis=0) for walks in background]
        yield Group(identity, tested, means)


def aged(group: Group, idx: int, rule: str, degrees: float) -> dict[str, float]:
    """A wearer whose walk turns by so much over the days, and everybody else at the end."""
    reference, walker = group.enrolled(idx, rule), group.walkers[idx]
    towards = group.towards[idx % len(group.towards)]
    for day in range(1, N_DAYS + 1):
        shift = turned(walker, towards, group.identity, degrees * day / N_DAYS)
        reference.day([(walker.later + shift, _DAY_WINDOWS)], seed=day)
    shift = turned(walker, towards, group.identity, degrees)
    let_in = [reference.accepts(other.test) for other in group.others(idx)]
    return {
        "frr": 1.0 - reference.accepts(walker.test + shift),
        "far": float(np.mean(let_in)),
        "worst_other": float(np.max(let_in)),
        "n_updates": float(reference.n_updates),
    }


def attacked(group: Group, idx: int, impostor: Walker, rule: str) -> dict[str, float]:
    """Somebody else walks a quarter of an hour a day in the wearer's band, handed over without a trace.

    Each day the wearer's own proof comes first and the band never seems to leave the skin.
    """
    reference, walker = group.enrolled(idx, rule), group.walkers[idx]
    before = {"impostor": reference.accepts(impostor.test), "own": reference.accepts(walker.test)}
    proof = (walker.later, WALK_WINDOWS + N_WINDOWS)
    for day in range(1, ATTACK_DAYS + 1):
        reference.day([proof, (impostor.later, ATTACK_WINDOWS)], seed=day)
    return {
        "before": before["impostor"],
        "after": reference.accepts(impostor.test),
        "frr_before": 1.0 - before["own"],
        "frr_after": 1.0 - reference.accepts(walker.test),
        "n_updates": float(reference.n_updates),
    }


def run_age(data_dir: Path, dataset: str, *, n_folds: int, n_partitions: int, seed: int) -> Any:
    """Figures of every rule: ageing by angle, and attacks."""
    people = [person.walks for person in load_everyone(data_dir, dataset)]
    people = [walks for walks in people if walks is not None and len(walks) > 1]
    made = [g for p in range(n_partitions) for g in groups(people, n_folds, seed + p)]
    result: dict[str, Any] = {
        "task": "gait",
        "command": "age",
        "dataset": dataset,
        "seed": seed,
        "n_people": len({walker.person for group in made for walker in group.walkers}),
        "n_days": N_DAYS,
        "attack_minutes": ATTACK_DAYS * ATTACK_WINDOWS * HOP_S / 60.0,
        "alarms": gait_alarms(made, seed=seed),
        "ageing": {},
        "attack": {},
    }
    for rule in progress(list(RULES), "rules", unit="rule"):
        result["ageing"][rule] = {f"{a:g}": _ageing(made, rule, a) for a in ANGLES}
        result["attack"][rule] = _attack(made, rule)
    return result


def _ageing(made: Sequence[Group], rule: str, degrees: float) -> dict[str, float]:
    rows = [aged(g, i, rule, degrees) for g in made for i in range(len(g.walkers))]
    return {
        "frr": _mean(rows, "frr"),
        "frr_worst": float(np.max([row["frr"] for row in rows])),
        "far": _mean(rows, "far"),
        "far_worst": float(np.max([row["worst_other"] for row in rows])),
        "n_updates": _mean(rows, "n_updates"),
    }


def _attack(made: Sequence[Group], rule: str) -> dict[str, float]:
    rows = [
        attacked(group, i, impostor, rule)
        for group in made
        for i in range(len(group.walkers))
        for impostor in group.others(i)
    ]
    was_in = np.array([row["before"] >= _LET_IN for row in rows])
    is_in = np.array([row["after"] >= _LET_IN for row in rows])
    rise = np.array([row["after"] - row["before"] for row in rows])
    return {
        "n_pairs": len(rows),
        "let_in_before": int(was_in.sum()),
        "captured": int((is_in & ~was_in).sum()),
        "shut_out": int((was_in & ~is_in).sum()),
        "largest_rise": float(rise.max()),
        "n_learned_from": sum(row["n_updates"] > 0 for row in rows),
        "frr_before": _mean(rows, "frr_before"),
        "frr_after": _mean(rows, "frr_after"),
    }


def _mean(rows: Sequence[dict[str, float]], name: str) -> float:
    return float(np.mean([row[name] for row in rows]))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `age --task gait`."""
    parser.add_argument("--dataset", required=True, choices=sorted(GAIT))
    parser.add_argument("--data", required=True, type=Path, metavar="DIR")
    parser.add_argument("--folds", type=at_least(2), default=3, help="groups of people")
    parser.add_argument("--partitions", type=at_least(1), default=1, help="divisions into groups")
    parser.add_argument("--seed", type=seed, default=0)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures to this file")
    parser.set_defaults(html=None)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the command."""
    require_writable("--json", arguments.json)
    result = run_age(
        arguments.data,
        arguments.dataset,
        n_folds=arguments.folds,
        n_partitions=arguments.partitions,
        seed=arguments.seed,
    )
    known: dict[str, Any] = plain(result)
    if arguments.json:
        write_json(arguments.json, known)
    return known
