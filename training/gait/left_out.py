"""`loso --task gait`: gate, whitening and thresholds trained anew without the people tested.

Error rates need people to confuse a wearer with, so groups are left out, not single people. The
gate is trained once for each group of the first division and judges its people in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import DataError
from training.datasets.bad_people import skipping_bad
from training.datasets.registry import GAIT, gait_sets
from training.evaluation.command import check_output, finish
from training.evaluation.options import at_least
from training.evaluation.progress import progress
from training.gait.assess import (
    ENROL_S,
    LONG_ENROL_S,
    Assessment,
    Group,
    result_of,
    score_group,
    walk_probability,
)
from training.gait.background import MIN_BACKGROUND, MIN_WALK_PROBABILITY, fit_background
from training.gait.card_figures import folds
from training.gait.evaluate import add_options, load_everyone
from training.gait.figures import LENGTHS, Limits, Shipped
from training.gait.gate import N_STEPS, train_gate
from training.gait.gate_figures import GateRow, gate_rows
from training.gait.identity import Scores
from training.gait.numpy_model import NumpyGaitModel
from training.gait.people import Person

if TYPE_CHECKING:
    import argparse

Single = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Plan:
    """How people are divided: into `n_folds` groups, anew for each of `n_partitions`.

    With `gate_steps` 0 there is no gate: every window of a walk counts as walking.
    """

    n_folds: int = 3
    n_partitions: int = 2
    gate_steps: int = N_STEPS
    seed: int = 0


def run_loso(data_dir: Path, dataset: str, plan: Plan) -> Assessment:
    """Figures of people that the model in question never saw.

    Rates are means over groups and divisions, `eer_*_sd` their spread; participants and pictures
    are those of the first division.
    """
    people = load_everyone(data_dir, dataset)
    require_enough(people, plan)
    names = [name for name in gait_sets(data_dir) if name != dataset]
    others = [person for name in names for person in load_everyone(data_dir, name)]
    p_walk, gate, blind = _gate(people, others, plan)
    groups = [_groups(people, p_walk, plan, partition) for partition in range(plan.n_partitions)]
    every = [group.rates() for division in groups for group in division]
    figures = {**_mean_of(every), **_spread_of(every)}
    head = {
        "task": "gait",
        "command": "loso",
        "dataset": dataset,
        "placement": GAIT[dataset].PLACEMENT,
        "protocol": "groups left out",
        "protocol_means": (
            f"{plan.n_folds} groups left out in turn, {plan.n_partitions} divisions; everybody is "
            f"enrolled on {ENROL_S:g} s (beside it {LONG_ENROL_S:g} s) and tested on later or other "
            "walks, against the others of the group"
        ),
        "trained_with": names,
        "seed": plan.seed,
        "scored_people": "unseen",
        "n_people": len(people),
        "n_seen_in_training": 0,
    }
    result = result_of(groups[0], gate, blind, figures)
    listed = [{**one, "seen_in_training": False} for one in result.pop("participants")]
    return Assessment({**head, **result, "participants": listed, "folds": every}, pooled(groups[0]))


def require_enough(people: Sequence[Person], plan: Plan) -> None:
    """Refuse too few people before anything is trained.

    Raises
    ------
    DataError
        If a group has nobody to be taken for another, or too few walkers are left to train on.
    """
    n_needed = next(n for n in count(2 * plan.n_folds)
                    if n - -(-n // plan.n_folds) >= MIN_BACKGROUND)  # fmt: skip
    needed = f"people who walk: {MIN_BACKGROUND} to train on and 2 to test in each group"
    walks = np.array([person.walks is not None and len(person.walks) > 0 for person in people])
    for partition in range(plan.n_partitions):
        for is_test in folds(len(people), plan.n_folds, plan.seed + partition):
            n_train, n_test = int((walks & ~is_test).sum()), int((walks & is_test).sum())
            if n_train < MIN_BACKGROUND or n_test < 2:
                raise DataError(
                    f"expected {n_needed} or more {needed} of {plan.n_folds}, got {int(walks.sum())} "
                    f"({n_train} to train on, {n_test} to test)"
                )


def pooled(groups: Sequence[Group]) -> dict[str, Scores]:
    """Scores of all groups together, for pictures; models and thresholds differ by group."""
    found = {}
    for length in LENGTHS:
        scores = [group.scores[length] for group in groups if length in group.scores]
        if scores:
            found[length] = Scores(
                np.concatenate([score.genuine for score in scores]),
                np.concatenate([score.impostor for score in scores]),
                float(np.mean([score.rank1 for score in scores])),
                {who: pair for score in scores for who, pair in score.per_person.items()},
            )
    return found


def _gate(
    people: Sequence[Person], others: Sequence[Person], plan: Plan
) -> tuple[dict[str, Single], list[GateRow], list[GateRow]]:
    """Judge everybody by a gate that never saw them: probability of walking, rows of the gate.

    The last are rows without a gyroscope. People of the other data sets are divided as well.
    """
    p_walk: dict[str, Single] = {}
    rows: list[GateRow] = []
    blind: list[GateRow] = []
    if not plan.gate_steps:
        walkers = [person.walks for person in people if person.walks is not None]
        return {walks.person: np.ones(len(walks), np.float32) for walks in walkers}, rows, blind
    sides = (folds(len(some), plan.n_folds, plan.seed) for some in (people, others))
    for is_test, other_is_test in progress(list(zip(*sides, strict=True)), "gate", unit="group"):
        train, test = divided(people, is_test)
        train += divided(others, other_is_test)[0]
        streams = [stream for person in train for stream in person.streams]
        infer = train_gate(streams, seed=plan.seed, n_steps=plan.gate_steps).probabilities
        theirs = [stream for person in test for stream in person.streams]
        rows += gate_rows(theirs, infer, seed=plan.seed)
        blind += gate_rows(theirs, infer, use_gyro=False, seed=plan.seed)
        p_walk |= {p.name: walk_probability(p.walks, infer) for p in test if p.walks is not None}
    return p_walk, rows, blind


def _groups(
    people: Sequence[Person], p_walk: Mapping[str, Single], plan: Plan, partition: int
) -> list[Group]:
    groups = []
    divisions = list(folds(len(people), plan.n_folds, plan.seed + partition))
    for is_test in progress(divisions, f"division {partition + 1}", unit="group"):
        train, test = divided(people, is_test)
        identity = fit_background([p.walks for p in train if p.walks], seed=plan.seed)
        shipped = Shipped(
            NumpyGaitModel(identity.arrays),
            identity.cohort,
            identity.arrays["center"],
            Limits(
                MIN_WALK_PROBABILITY,
                identity.min_periodicity,
                identity.threshold,
                identity.margin,
            ),
        )
        groups.append(score_group(test, p_walk, shipped, seed=plan.seed))
    return groups


def divided(
    people: Sequence[Person], is_test: NDArray[np.bool_]
) -> tuple[list[Person], list[Person]]:
    """People to train on, and people to test."""
    train = [person for person, out in zip(people, is_test, strict=True) if not out]
    return train, [person for person, out in zip(people, is_test, strict=True) if out]


def _mean_of(every: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean of each figure over groups; None is left out."""
    figures: dict[str, Any] = {}
    for name, first in every[0].items():
        if isinstance(first, Mapping):
            figures[name] = _mean_of([one[name] for one in every])
            continue
        known = [one[name] for one in every if one[name] is not None and np.isfinite(one[name])]
        mean = float(np.mean(known)) if known else None
        # Groups differ by one person; of how many one is told apart is said in whole people.
        figures[name] = round(mean) if name == "gallery_size" and mean is not None else mean
    return figures


def _spread_of(every: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    spread = {}
    for length in LENGTHS:
        known = [one[f"eer_{length}"] for one in every if one[f"eer_{length}"] is not None]
        value = float(np.std(known, ddof=1)) if len(known) > 1 else None
        spread[f"eer_{length}_sd_over_groups"] = value
    return spread


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `loso --task gait`."""
    add_options(parser, tuple(sorted(GAIT)))
    parser.add_argument("--folds", type=at_least(2), default=3, help="groups of people")
    parser.add_argument(
        "--partitions", type=at_least(1), default=2, help="random divisions into groups"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the command: figures, and with --json and --html files of them."""
    from training.gait.report import gait_page

    check_output(arguments)
    plan = Plan(arguments.folds, arguments.partitions, seed=arguments.seed)
    with skipping_bad(skip=arguments.skip_bad):
        made = run_loso(arguments.data, arguments.dataset, plan)
    return finish(arguments, made.result, lambda result: gait_page(result, made.scores))
