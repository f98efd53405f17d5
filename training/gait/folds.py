"""Evaluate the gait recipe on people it was not trained on: gate, and verification of the wearer."""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.signals.gait import WINDOW_S
from firmware_host.signals.gait_smoothing import ActivitySmoother
from training.gait.gate import LABELS, N_STEPS, GateWeights, train_gate
from training.gait.identity import Scores, split_walk
from training.gait.train import (
    DATASETS,
    MIN_WALK_PROBABILITY,
    Identity,
    Person,
    fit_background,
    load_people,
)
from training.gait.verification_metrics import eer, error_rates
from training.gait.windows import Stream, Walks

FloatArray = NDArray[np.float64]

# Windows of one activity before the next, for the smoothed figures: 45 s.
_BOUT = 9


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
    folds of the first partition, argmax window by window, and `gate_*_smoothed` after the causal
    filter on a stream of 45 s bouts. `end_to_end_*` are for walks as the host finds them: windows
    that the gate of the same fold takes for walking. `gate_steps` 0 leaves the gate out.
    """
    people = load_people(Path(data_dir), [dataset])
    others = [] if gate_steps == 0 else load_people(Path(data_dir), set(DATASETS) - {dataset})
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
    """Confusions summed over folds, and which walking windows of each person the gate accepts.

    People of the other dataset are split into folds as well.
    """
    plain, smooth, blind = (np.zeros((len(LABELS), len(LABELS))) for _ in range(3))
    accepted: dict[str, NDArray[np.bool_]] = {}
    pairs = zip(folds(len(people), n_folds, seed), folds(len(others), n_folds, seed), strict=True)
    for is_test, other_is_test in pairs:
        train, test = _sides(people, is_test)
        train += _sides(others, other_is_test)[0]
        gate = train_gate([s for p in train for s in p.streams], seed=seed, n_steps=n_steps)
        for person in test:
            _count(person.streams, gate, seed, plain, smooth, blind)
            if person.walks is not None:
                walk = gate.probabilities(person.walks.inv)[:, LABELS.index("walk")]
                accepted[person.name] = walk >= MIN_WALK_PROBABILITY
    walking = [float(np.mean(chosen)) for chosen in accepted.values()]
    figures = {
        "gate_macro_f1": macro_f1(plain),
        "gate_recall": recalls(plain),
        "gate_macro_f1_smoothed": macro_f1(smooth),
        "gate_recall_smoothed": recalls(smooth),
        "gate_macro_f1_without_gyro": macro_f1(blind),
        "gate_recall_without_gyro": recalls(blind),
        "gate_walk_accepted_median": float(np.median(walking)),
        "gate_walk_accepted_worst": float(np.min(walking)),
    }
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


def _count(
    streams: Sequence[Stream],
    gate: GateWeights,
    seed: int,
    plain: FloatArray,
    smooth: FloatArray,
    blind: FloatArray,
) -> None:
    """Add one person's windows to the three confusions (true, predicted)."""
    streams = [stream for stream in streams if stream.n_windows]
    windows = np.concatenate([stream.windows() for stream in streams])
    true = np.concatenate([np.full(s.n_windows, s.activity) for s in streams])
    probabilities = gate.probabilities(windows)
    np.add.at(plain, (true, probabilities.argmax(axis=1)), 1)
    windows[:, :, 3:] = 0.0
    np.add.at(blind, (true, gate.probabilities(windows).argmax(axis=1)), 1)
    order = _bouts([s.n_windows for s in streams], np.random.default_rng(seed))
    smoother = ActivitySmoother(len(LABELS), hop_s=WINDOW_S)
    for idx in order:
        smooth[true[idx], smoother.update(probabilities[idx]).argmax()] += 1


def _bouts(lengths: Sequence[int], rng: np.random.Generator) -> NDArray[np.int64]:
    """Every window once, in bouts of 45 s of one recording, the bouts in random order.

    Smoothing inside recordings of one activity would flatter itself: it has to pay for delays.
    """
    starts = np.concatenate(([0], np.cumsum(lengths)))
    bouts = [
        np.arange(first, min(first + _BOUT, end))
        for start, end in itertools.pairwise(starts)
        for first in range(start, end, _BOUT)
    ]
    return np.concatenate([bouts[i] for i in rng.permutation(len(bouts))])


def macro_f1(confusion: FloatArray) -> float:
    """Mean F1 over the classes that occur; confusion (true, predicted)."""
    total = confusion.sum(axis=0) + confusion.sum(axis=1)
    occurs = confusion.sum(axis=1) > 0
    return float(np.mean(2.0 * np.diag(confusion)[occurs] / total[occurs]))


def recalls(confusion: FloatArray) -> dict[str, float]:
    """Recall of each class that occurs."""
    rows = zip(LABELS, confusion, range(len(LABELS)), strict=True)
    return {name: float(row[i] / row.sum()) for name, row, i in rows if row.sum()}


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
