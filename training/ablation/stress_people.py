"""One change to what the stress network sees, and people scored without themselves in training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from firmware_host.signals.normalise import Baseline
from firmware_host.signals.stress import FEATURE_CHANNELS
from training.evaluation.progress import progress
from training.metrics import PersonScore
from training.splits import leave_groups_out
from training.stress.detector import Detector, Scored, fit_detector
from training.stress.people import Person, center_of, check_people_apart, spread_of

FloatArray = NDArray[np.float64]

# The pilot's half-life; shorter ones follow the stages themselves.
RUNNING_HALF_LIFE_S = 900.0
# Of the made-up drift: how fast a sensor settles on the skin.
DRIFT_S = 600.0
_DRIFT_NOISE = 0.2
_N_DRIFTING = 4

# (training people, person) -> the person as the network is to see them.
Change = Callable[[Sequence[Person], Person], Person]


def as_shipped(_train: Sequence[Person], person: Person) -> Person:
    """Deviation from the wearer's own rest."""
    return person


def not_normalised(train: Sequence[Person], person: Person) -> Person:
    """One centre and one scale for everybody, from the training people."""
    baseline = Baseline(center_of(train), spread_of(train), person.baseline.n_windows)
    return replace(person, baseline=baseline)


def running(_train: Sequence[Person], person: Person) -> Person:
    """Deviation from the wearer's own past, which is forgotten at a half-life of 15 minutes."""
    past = _forgetting_mean(np.nan_to_num(person.raw.astype(np.float64)), person.t_end_s)
    centre = np.zeros(person.raw.shape[1])
    return replace(
        person,
        raw=(person.raw - past).astype(np.float32),
        baseline=Baseline(centre, person.baseline.scale, person.baseline.n_windows),
    )


def only(*channels: str) -> Change:
    """Features of these channels; all others stand still at the wearer's rest."""
    return _keeping(np.isin(FEATURE_CHANNELS, channels))


def without(channel: str) -> Change:
    """Features of all channels but one."""
    return _keeping(np.asarray(FEATURE_CHANNELS) != channel)


def n_features(*channels: str) -> int:
    """Number of features that come from these channels."""
    return int(np.isin(FEATURE_CHANNELS, channels).sum())


def drifting(people: Sequence[Person], *, seed: int) -> list[Person]:
    """The same people and stages, but features that hold nothing except time: a control.

    Four features settle as a sensor does on the skin, each person's a little differently; the
    others are noise. Whatever a way of normalising scores on these, the clock scored.
    """
    rng = np.random.default_rng(seed)
    return [_drift(person, rng) for person in people]


def left_out(
    people: Sequence[Person], change: Change, *, n_folds: int, seed: int, what: str
) -> list[tuple[Detector, list[Person]]]:
    """(detector, the people it never saw, as they are to be seen) for each group of people.

    With as many folds as people it leaves out one at a time.
    """
    by_name = {person.person: person for person in people}
    folds = list(leave_groups_out({n: n for n in by_name}, n_folds=n_folds, seed=seed))
    made = []
    for train_names, names in progress(folds, what, unit="fold"):
        train, test = [by_name[n] for n in train_names], [by_name[n] for n in names]
        detector = _fitted(train, test, change, seed)
        made.append((detector, [change(train, person) for person in test]))
    return made


def scores_of(folds: Sequence[tuple[Detector, list[Person]]]) -> list[PersonScore]:
    """Figures of everybody over rest and stress windows, by the detector without them."""
    return [
        Scored(person, detector.probability(person)).score()
        for detector, people in folds
        for person in people
    ]


def transfer(
    train: Sequence[Person], test: Sequence[Person], change: Change, *, seed: int
) -> list[PersonScore]:
    """People of one data set scored by a detector of another."""
    detector = _fitted(train, test, change, seed)
    return scores_of([(detector, [change(train, person) for person in test])])


def _fitted(train: Sequence[Person], test: Sequence[Person], change: Change, seed: int) -> Detector:
    """A detector of some people, after the check that it will not meet them again."""
    check_people_apart(train, test)
    return fit_detector([change(train, person) for person in train], seed=seed)


def _keeping(kept: NDArray[np.bool_]) -> Change:
    def change(_train: Sequence[Person], person: Person) -> Person:
        raw = np.where(kept, person.raw, np.nan_to_num(person.baseline.center))
        return replace(person, raw=raw.astype(np.float32))

    return change


def _forgetting_mean(values: FloatArray, t_s: FloatArray) -> FloatArray:
    """(n, F) exponentially weighted mean of each row and all before it."""
    total, weight = np.zeros(values.shape[1]), 0.0
    means = np.empty_like(values)
    steps = np.diff(t_s, prepend=t_s[0])
    for i, keep in enumerate(0.5 ** (steps / RUNNING_HALF_LIFE_S)):
        total, weight = keep * total + values[i], keep * weight + 1.0
        means[i] = total / weight
    return means


def _drift(person: Person, rng: np.random.Generator) -> Person:
    raw = rng.normal(scale=_DRIFT_NOISE, size=person.raw.shape)
    settled = 1.0 - np.exp(-person.t_end_s / DRIFT_S)
    raw[:, :_N_DRIFTING] += settled[:, None] * rng.uniform(0.5, 1.5, _N_DRIFTING)
    rest = raw[_first_rest(person)]
    baseline = Baseline(rest.mean(axis=0), rest.std(axis=0), len(rest))
    return replace(
        person,
        raw=raw.astype(np.float32),
        quality=np.ones_like(person.quality),
        baseline=baseline,
    )


def _first_rest(person: Person) -> NDArray[np.bool_]:
    stages = person.stage[person.y == 0]
    first: NDArray[np.bool_] = (person.stage == stages[0]) & (person.y == 0)
    return first


@dataclass(frozen=True)
class Figures:
    """Mean, spread and worst of some people, and of each the balanced accuracy."""

    mean: float
    sd: float
    worst: float
    each: Mapping[str, float]


def figures(scores: Sequence[PersonScore]) -> Figures:
    """Over people, never over windows."""
    values = np.array([score.balanced_accuracy for score in scores])
    each = {score.person: score.balanced_accuracy for score in scores}
    sd = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return Figures(float(values.mean()), sd, float(values.min()), each)
