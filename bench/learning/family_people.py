"""What each way does for real people, and how far it is to one loss, by generic models of others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.learning.family_models import Generics
from bench.learning.family_ways import Way
from firmware_host.adaptation import exact
from firmware_host.adaptation.adapters import apply_adapter
from firmware_host.adaptation.batches import BatchShape, LabelledWindows, balanced, mean_loss
from firmware_host.adaptation.evidence import Labelled
from firmware_host.adaptation.learner import LearnResult, Pace, Training
from firmware_host.adaptation.ways import MezoTraining
from firmware_host.inference.base import SignatureModel
from training.ablation import stress as ablation
from training.ablation import stress_people as see
from training.ablation import stress_updates as learn
from training.evaluation.progress import progress

SEED, N_FOLDS = 0, 11
# How much of what the best bias, or the best head, takes off the loss is to be reached, where that
# is worth the name.
GOALS = ("bias", "head")
SHARE, LEAST_LOSS = 0.8, 0.01
MAX_STEPS = 1000


@dataclass(frozen=True)
class Reached:
    """Steps of one wearer to each goal, None if `MAX_STEPS` did not do, or NaN if it is no goal.

    `n_windows` and `n_rounds` are of an exact solve.
    """

    steps: Mapping[str, float | None]
    n_windows: int = 0
    n_rounds: int = 0


@dataclass
class Found:
    """Of one way: outcomes by "set, protocol", and steps to the loss of each person in reach."""

    outcomes: dict[str, list[learn.Outcome]]
    reached: list[Reached]


def measure(
    data: Path, cache: Path, ways: Sequence[Way], *, n_folds: int = N_FOLDS
) -> dict[str, Found]:
    """Way -> what came of it, over everybody who can be learned from and tested.

    The generic network never saw the person. Labels as the ablation divides them.

    Raises
    ------
    RecordingError
        If a data set is missing.
    """
    material = ablation.load(data, cache, n_folds=n_folds, seed=SEED)
    everyone = material.everyone()
    folds = see.left_out(everyone, see.as_shipped, n_folds=n_folds, seed=SEED, what="leaving out")
    ways = [way for way in ways if not way.same_as]
    found = {way.name: Found({}, []) for way in ways}
    generics = Generics(seed=SEED)
    pairs = [(detector, person) for detector, people in folds for person in people]
    for detector, person in progress(pairs, "learning"):
        for protocol in ablation.PROTOCOLS:
            windows = material.windows[person.person]
            job = learn.prepare(person, windows, detector.spread, protocol)
            if job is None:
                continue
            key = f"{ablation.SHORT[person.dataset]}, {protocol}"
            for way in ways:
                models = {"adapters": generics.of(detector, way.backbone)}
                one = learn.outcome(job, models, way.update, seed=SEED, gate_only=True)
                found[way.name].outcomes.setdefault(key, []).append(one)
                if protocol == "personal" and len(way.candidates) == 1:
                    generic = models["adapters"].model
                    found[way.name].reached.append(reached(generic, way, job.evidence.everything))
    return found


def reached(model: SignatureModel, way: Way, labelled: Labelled) -> Reached:
    """How far it is for one wearer."""
    rows = (labelled.x, labelled.y, np.ones_like(labelled.weight))
    windows = balanced(*rows, n_features=BatchShape.of(model).n_features)
    apply_adapter(model, None)
    start = mean_loss(model, windows)
    goals = {}
    for goal in GOALS:
        apply_adapter(model, None)
        best = _solved(model, rows, linear=goal == "head").loss_after
        goals[goal] = start - SHARE * (start - best) if start - best >= LEAST_LOSS else math.nan
    apply_adapter(model, None)
    if way.candidates[0].steps == 0:
        with _counting_solves() as count:
            result = _solved(model, rows, linear=way.candidates[0].groups == "head")
        done = {g: 1.0 if result.loss_after <= goal else None for g, goal in goals.items()}
        steps = {g: math.nan if math.isnan(goals[g]) else n for g, n in done.items()}
        return Reached(steps, len(windows), count())
    return Reached(_steps_to(model, windows, way, goals))


def _solved(model: SignatureModel, rows: tuple[Any, Any, Any], *, linear: bool) -> LearnResult:
    anchor = 2.0 if linear else 0.02
    return exact.solve(model, *rows, linear=linear, anchor=anchor, bias_anchor=0.02)


def _steps_to(
    model: SignatureModel, windows: LabelledWindows, way: Way, goals: Mapping[str, float]
) -> dict[str, float | None]:
    moves = way.candidates[0]
    pace = Pace(moves.groups, MAX_STEPS, moves.learning_rate, 0.0, None, settle=False)
    kind = MezoTraining if moves.way == "mezo" else Training
    training = kind(model, windows, pace, SEED)
    training.rest()
    found: dict[str, float | None] = {
        name: math.nan if math.isnan(goal) else None for name, goal in goals.items()
    }
    for step in range(MAX_STEPS):
        waiting = [name for name, steps in found.items() if steps is None]
        if not waiting:
            break
        loss = mean_loss(model, windows)
        found |= {name: float(step) for name in waiting if loss <= goals[name]}
        training.step(step)
    return found


@contextmanager
def _counting_solves() -> Iterator[Callable[[], int]]:
    """Count the rounds of Newton's method: each solves one system."""
    solve, n_solved = np.linalg.solve, [0]

    def counted(*arguments: Any) -> Any:
        n_solved[0] += 1
        return solve(*arguments)

    np.linalg.solve = counted
    try:
        yield lambda: n_solved[0]
    finally:
        np.linalg.solve = solve


def solve_macs(one: Reached, *, infer_macs: int, n_unknowns: int) -> int:
    """Multiply-accumulates of an exact solve: every window once, and the rounds."""
    per_row = 2 * n_unknowns + n_unknowns**2
    per_round = one.n_windows * per_row + n_unknowns**3 // 3
    return one.n_windows * infer_macs + one.n_rounds * per_round


def summary(outcomes: Mapping[str, Sequence[learn.Outcome]]) -> dict[str, dict[str, Any]]:
    """Gain over people through the gate, by "set, protocol"."""
    found = {}
    for key, people in sorted(outcomes.items()):
        gains = np.array([one.gated - one.generic for one in people])
        found[key] = {
            "n": len(people),
            "gain": float(gains.mean()),
            "helped": int((gains > learn.NOISE).sum()),
            "hurt": int((gains < -learn.NOISE).sum()),
            "worst": float(gains.min()),
            "kept": sum(one.kept for one in people),
        }
    return found
