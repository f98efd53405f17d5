"""Evaluate the gait recipe on people it was not trained on: gate, and verification of the wearer."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.datasets.registry import gait_sets
from training.gait.gate import LABELS, N_STEPS, train_gate
from training.gait.gate_figures import GateRow, gate_figures, gate_rows
from training.gait.identity import Scores, split_walk
from training.gait.people import Person, load_people
from training.gait.train import MIN_WALK_PROBABILITY, Identity, fit_background
from training.gait.verification_metrics import eer, error_rates
from training.gait.windows import Walks

FloatArray = NDArray[np.float64]


def run(
    data_dir: Path,
    dataset: str,
    *,
    seed: int = 0,
    n_folds: int = 3,
    n_partitions: int = 2,
    gate_steps: int = N_STEPS,
) -> dict[str, Any]:
    """Figures over folds of people; every test person is unseen by gate, whitening and threshold.

    Rates are 0..1. `eer_*`, `rank1_*` are means over folds and partitions, `*_sd` their spread;
    `frr_*`, `far_*` at the threshold carried over from background people. `gate_*` come from the
    folds of the first partition, as `gate_figures` says. `end_to_end_*` are for walks as the host finds them: windows
    that the gate of the same fold takes for walking. `gate_steps` 0 leaves the gate out.
    """
    people = load_people(Path(data_dir), [dataset])
    other_sets = set(gait_sets(data_dir)) - {dataset} if gate_steps else set()
    others = load_people(Path(data_dir), other_sets)
    result: dict[str, Any] = {"dataset": dataset, "participants": len(people)}
    if gate_steps:
        figures, accepted = _gate_figures(people, others, seed, n_folds, gate_steps)
        result |= figures | _end_to_end_figures(people, accepted, seed, n_folds)
    return result | _identity_figures(people, seed, n_folds, n_partitions)


def folds(n_people: int, n_folds: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """(n_people,) True for the people of each fold in turn; everyone is in one."""
    order = np.random.default_rng(seed).permutation(n_people)
    for fold in range(n_folds):
        is_test = np.zeros(n_people, bool)
        is_test[order[fold::n_folds]] = True
        yield is_test


def _sides(
    people: Sequence[Person], is_test: NDArray[np.bool_]
) -> tuple[list[Person], list[Person]]:
    train = [person for person, out in zip(people, is_test, strict=True) if not out]
    return train, [person for person, out in zip(people, is_test, strict=True) if out]


def _identity_figures(
    people: Sequence[Person], seed: int, n_folds: int, n_partitions: int
) -> dict[str, Any]:
    rates: dict[str, list[float]] = {}
    rejects: dict[str, list[float]] = {}
    used: dict[str, float] = {}
    for partition in range(n_partitions):
        for is_test in folds(len(people), n_folds, seed + partition):
            train, test = _sides(people, is_test)
            identity = fit_background([p.walks for p in train if p.walks], seed=seed)
            walks = [p.walks for p in test if p.walks]
            scores = _score(walks, identity, seed)
            for name, score in scores.items():
                _collect(rates, name, score, identity.threshold)
            for person, (genuine, _) in scores["5s"].per_person.items():
                rejects.setdefault(person, []).append(float(np.mean(genuine < identity.threshold)))
            used |= {
                w.person: float(np.mean(w.periodicity >= identity.min_periodicity)) for w in walks
            }
    figures = {name: float(np.nanmean(values)) for name, values in rates.items()}
    figures |= {f"{n}_sd": float(np.nanstd(v)) for n, v in rates.items() if n.startswith("eer")}
    worst = sorted((float(np.mean(v)) for v in rejects.values()), reverse=True)
    return {
        **figures,
        "worst_frr_5s": worst[0],
        "people_frr_over_half_5s": sum(value > 0.5 for value in worst),
        "people_enrolled": len(rejects),
        "windows_used_median": float(np.median(list(used.values()))),
        "windows_used_worst": float(min(used.values())),
    }


def _score(walks: Sequence[Walks], identity: Identity, seed: int) -> dict[str, Scores]:
    trials = [split_walk(w, min_periodicity=identity.min_periodicity) for w in walks]
    return identity.score(trials, seed=seed)


def _collect(rates: dict[str, list[float]], name: str, score: Scores, threshold: float) -> None:
    at = error_rates(score.genuine, score.impostor, threshold)
    found = {
        "eer": eer(score.genuine, score.impostor),
        "rank1": score.rank1,
        "frr": at.frr,
        "far": at.far,
    }
    for kind, value in found.items():
        rates.setdefault(f"{kind}_{name}", []).append(value)


def _gate_figures(
    people: Sequence[Person], others: Sequence[Person], seed: int, n_folds: int, n_steps: int
) -> tuple[dict[str, Any], dict[str, NDArray[np.bool_]]]:
    """Figures over every fold's test people, and which walking windows of each the gate accepts.

    People of the other dataset are split into folds as well.
    """
    rows: list[GateRow] = []
    blind: list[GateRow] = []
    accepted: dict[str, NDArray[np.bool_]] = {}
    pairs = zip(folds(len(people), n_folds, seed), folds(len(others), n_folds, seed), strict=True)
    for is_test, other_is_test in pairs:
        train, test = _sides(people, is_test)
        train += _sides(others, other_is_test)[0]
        gate = train_gate([s for p in train for s in p.streams], seed=seed, n_steps=n_steps)
        streams = [stream for person in test for stream in person.streams]
        rows += gate_rows(streams, gate.probabilities, seed=seed)
        blind += gate_rows(streams, gate.probabilities, use_gyro=False, seed=seed)
        for person in test:
            if person.walks is not None:
                walk = gate.probabilities(person.walks.inv)[:, LABELS.index("walk")]
                accepted[person.name] = walk >= MIN_WALK_PROBABILITY
    walking = [float(np.mean(chosen)) for chosen in accepted.values()]
    figures = gate_figures(rows)
    without_gyro = gate_figures(blind)
    figures["gate_participants"] = figures.pop("participants")
    kept = ("gate_macro_f1", "gate_recall", "gate_macro_f1_five", "gate_recall_five")
    figures |= {f"{name}_without_gyro": without_gyro[name] for name in kept}
    figures["gate_walk_accepted_median"] = float(np.median(walking))
    figures["gate_walk_accepted_worst"] = float(np.min(walking))
    return figures, accepted


def _end_to_end_figures(
    people: Sequence[Person], accepted: dict[str, NDArray[np.bool_]], seed: int, n_folds: int
) -> dict[str, Any]:
    """Verification over windows that the gate accepted, folds as those of the gate."""
    rates: dict[str, list[float]] = {}
    n_enrolled = 0
    for is_test in folds(len(people), n_folds, seed):
        train, test = _sides(people, is_test)
        identity = fit_background([p.walks for p in train if p.walks], seed=seed)
        walks = [p.walks.pick(accepted[p.name]) for p in test if p.walks and accepted[p.name].any()]
        scores = _score(walks, identity, seed)
        n_enrolled += len(scores["5s"].per_person)
        for name, score in scores.items():
            _collect(rates, name, score, identity.threshold)
    wanted = {name: v for name, v in rates.items() if name.startswith(("eer", "frr", "far"))}
    figures = {f"end_to_end_{name}": float(np.nanmean(v)) for name, v in wanted.items()}
    return {**figures, "end_to_end_enrolled": n_enrolled}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--dataset", default="wisdm-watch")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    print(json.dumps(run(chosen.data_dir, chosen.dataset, seed=chosen.seed), sort_keys=True))


if __name__ == "__main__":
    main()
