"""Figures that a bundle's card states about gait, each for people the model in question never saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from training.evaluation.progress import progress
from training.gait.background import MIN_BACKGROUND, N_FOLDS, fit_background
from training.gait.gate import train_gate
from training.gait.gate_figures import GateRow, gate_figures, gate_rows
from training.gait.identity import split_walk
from training.gait.people import Person
from training.gait.verification_metrics import equal_error, error_rates
from training.gait.windows import Walks


def folds(n_people: int, n_folds: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """(n_people,) True for the people of each fold in turn; everyone is in one."""
    order = np.random.default_rng(seed).permutation(n_people)
    for fold in range(n_folds):
        is_test = np.zeros(n_people, bool)
        is_test[order[fold::n_folds]] = True
        yield is_test


def gate_card(people: Sequence[Person], *, seed: int) -> dict[str, str]:
    """Rows about the gate by data set: thirds of everyone left out in turn, as the device decides."""
    if len(people) < MIN_BACKGROUND:
        return {}
    rows: list[GateRow] = []
    divisions = list(folds(len(people), N_FOLDS, seed))
    for is_test in progress(divisions, "gate of unseen people", unit="group"):
        train = [s for p, out in zip(people, is_test, strict=True) if not out for s in p.streams]
        test = [s for p, out in zip(people, is_test, strict=True) if out for s in p.streams]
        rows += gate_rows(test, train_gate(train, seed=seed).probabilities, seed=seed)
    found: dict[str, str] = {}
    for name in sorted({row.person.partition("/")[0] for row in rows}):
        own = [row for row in rows if row.person.startswith(f"{name}/")]
        found |= _gate_words(name, gate_figures(own))
    return found


def _gate_words(dataset: str, figures: dict) -> dict[str, str]:
    recall = ", ".join(f"{name} {share:.0%}" for name, share in figures["gate_recall"].items())
    words = {
        f"activity, {dataset}: macro-F1 of four classes; of five": (
            f"{figures['gate_macro_f1']:.2f}; {figures['gate_macro_f1_five']:.2f}"
        ),
        f"activity, {dataset}: found (recall)": recall,
    }
    if figures["gate_walk_recall_mean"] is not None:
        words[f"activity, {dataset}: walking found, mean over people; worst person"] = (
            f"{figures['gate_walk_recall_mean']:.0%}; {figures['gate_walk_recall_worst']:.0%}"
        )
    return words


def verification_card(placement: str, walks: Sequence[Walks], seed: int) -> dict[str, str]:
    """Rows about verification: thirds of the people left out in turn, threshold of the other two."""
    rates = []
    for fold in range(N_FOLDS):
        others = [w for i, w in enumerate(walks) if i % N_FOLDS != fold]
        if len(others) < MIN_BACKGROUND:
            return {}
        identity = fit_background(others, seed=seed)
        trials = [
            split_walk(w, min_periodicity=identity.min_periodicity) for w in walks[fold::N_FOLDS]
        ]
        scores = identity.score(trials, seed=seed)["10s"]
        rates.append(
            (
                equal_error(scores.genuine, scores.impostor),
                error_rates(scores.genuine, scores.impostor, identity.threshold),
            )
        )
    equal = [50.0 * (e.frr + e.far) for e, _ in rates]
    return {
        f"{placement} verification, equal error rate, 10 s": _percent(equal),
        f"{placement} verification, false rejects, 10 s": _percent(
            [100.0 * r.frr for _, r in rates]
        ),
        f"{placement} verification, false accepts, 10 s": _percent(
            [100.0 * r.far for _, r in rates]
        ),
    }


def _percent(values: Sequence[float]) -> str:
    return f"{np.mean(values):.1f} % (folds {min(values):.1f} to {max(values):.1f} %)"
