"""What ships, and all that is chosen on the way: the detector, its calibration, its thresholds.

Whatever is chosen rests on people of the training set, each scored by a detector that was fitted
without them; so a person left out of `fit_recipe` is left out of every choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.inference.contract import Calibration
from training.splits import leave_one_out
from training.stress.detector import (
    Detector,
    Scored,
    StressThresholds,
    choose_thresholds,
    fit_detector,
)
from training.stress.network import sigmoid
from training.stress.outcomes import Judged
from training.stress.people import check_people_apart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.stress.people import Person

    FloatArray = NDArray[np.float64]

DEFAULT_SEED = 20261121
# Of five folds each detector still sees four fifths of the people it will see in the end.
N_FOLDS = 5
_NEWTON_STEPS = 30


@dataclass(frozen=True)
class Recipe:
    """One fitted model with everything that turns its log-odds into a word."""

    detector: Detector
    calibration: Calibration
    thresholds: StressThresholds

    def score(self, person: Person) -> Scored:
        """Calibrated P(stress) of a session."""
        log_odds = self.detector.log_odds(person, ema_s=self.thresholds.ema_s)
        return calibrated(Scored(person, sigmoid(log_odds), log_odds), self.calibration)


def fit_recipe(people: Sequence[Person], exercise: Sequence[Person] = (), *, seed: int) -> Recipe:
    """Fit the detector on everybody, calibration and thresholds on folds of the same people.

    Parameters
    ----------
    people, exercise
        Laboratory sessions, and exercise sessions of the same people; others' are ignored.
    """
    lab, moving = out_of_fold(people, exercise, seed=seed)
    calibration = fit_calibration(lab)
    lab, moving = ([calibrated(s, calibration) for s in part] for part in (lab, moving))
    thresholds = choose_thresholds(lab, moving, calibration.probability(0.0))
    return Recipe(fit_detector(people, seed=seed), calibration, thresholds)


def fit_without(
    name: str, people: Sequence[Person], exercise: Sequence[Person] = (), *, seed: int
) -> Recipe:
    """The recipe of everybody but one person ("dataset/participant"), who had no part in it.

    Raises
    ------
    LeakError
        If a recording of theirs would stay in training under another name.
    """
    train = [person for person in people if person.person != name]
    check_people_apart(train, [person for person in people if person.person == name])
    return fit_recipe(train, exercise, seed=seed)


def leave_recipes_out(
    people: Sequence[Person], exercise: Sequence[Person], *, seed: int
) -> tuple[list[Judged], list[Judged]]:
    """Every session judged by a recipe in which its person had no part, exercise beside."""
    lab, moving = [], []
    for _, name in leave_one_out(sorted({person.person for person in people})):
        recipe = fit_without(name, people, exercise, seed=seed)
        for part, sessions in ((lab, people), (moving, exercise)):
            held = [person for person in sessions if person.person == name]
            part.extend(Judged(recipe.score(person), recipe.thresholds) for person in held)
    return lab, moving


def out_of_fold(
    people: Sequence[Person], exercise: Sequence[Person], *, seed: int
) -> tuple[list[Scored], list[Scored]]:
    """Every session scored by a detector fitted without its person; folds mix the data sets."""
    # Sorted names put each data set's people next to each other: dealing them out in turn gives
    # every fold its share of both.
    names = sorted({person.person for person in people})
    fold_of = {name: i % min(N_FOLDS, len(names)) for i, name in enumerate(names)}
    lab, moving = [], []
    for fold in sorted(set(fold_of.values())):
        train = [person for person in people if fold_of[person.person] != fold]
        detector = fit_detector(train or people, seed=seed)
        for part, sessions in ((lab, people), (moving, exercise)):
            for person in sessions:
                if fold_of.get(person.person) == fold:
                    log_odds = detector.log_odds(person)
                    part.append(Scored(person, sigmoid(log_odds), log_odds))
    return lab, moving


def fit_calibration(lab: Sequence[Scored]) -> Calibration:
    """Slope and offset that turn log-odds of unseen people into probabilities.

    Each data set weighs the same and, in it, each person: how often people are under stress differs
    from protocol to protocol, and none of them is daily life.

    References
    ----------
    Platt 1999, Probabilistic outputs for support vector machines.
    """
    x, y, weight = [], [], []
    n_people = {s.person.dataset: 0 for s in lab}
    for scored in lab:
        n_people[scored.person.dataset] += 1
    for scored in lab:
        truth = scored.person.y[scored.mask]
        x.append(scored.log_odds[scored.mask])
        y.append(truth)
        n = len(truth) * n_people[scored.person.dataset] * len(n_people)
        weight.append(np.full(len(truth), 1.0 / max(n, 1)))
    slope, offset = _logistic(np.concatenate(x), np.concatenate(y), np.concatenate(weight))
    # A detector that learned nothing may come out upside down; it is not turned around.
    return Calibration(max(slope, 0.05), offset)


def calibrated(scored: Scored, calibration: Calibration) -> Scored:
    """The same session with calibrated probabilities."""
    p = sigmoid(calibration.slope * scored.log_odds + calibration.offset)
    return Scored(scored.person, p, scored.log_odds)


def _logistic(x: FloatArray, y: NDArray, weight: FloatArray) -> tuple[float, float]:
    """Weighted maximum likelihood of y = sigmoid(slope x + offset), by Newton's method."""
    rows = np.column_stack([x, np.ones(len(x))])
    w = np.array([1.0, 0.0])
    for _ in range(_NEWTON_STEPS):
        p = sigmoid(rows @ w)
        gradient = rows.T @ (weight * (p - y))
        hessian = (rows * (weight * p * (1 - p))[:, None]).T @ rows + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        w = w - step * min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-12))
    return float(w[0]), float(w[1])
