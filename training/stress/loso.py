"""Leaving people out of the plain detector, data set by data set; the recipe is in `recipe`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_host.signals.stress import WINDOW_S
from training.datasets.registry import STRESS as DATASETS
from training.datasets.registry import is_there
from training.datasets.stress_windows import load_windows
from training.metrics import PersonScore, score_person
from training.splits import check_apart, leave_one_out
from training.stress import time_control
from training.stress.detector import Detector, Scored, fit_detector
from training.stress.people import BaselineKind, Person, people_of

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_SEED = 20261121


@dataclass(frozen=True)
class StressData:
    """People by dataset: laboratory sessions (rest and stress) and exercise sessions."""

    lab: dict[str, list[Person]]
    exercise: list[Person]

    def everyone(self) -> list[Person]:
        """All laboratory sessions of all datasets."""
        return [person for people in self.lab.values() for person in people]


def load_people(
    data_dir: Path,
    *,
    cache_dir: Path | None = None,
    baseline: BaselineKind = "guided",
    only: str | None = None,
    hold_out: frozenset[str] = frozenset(),
    window_s: float = WINDOW_S,
) -> StressData:
    """People of every stress dataset under `data_dir` (of `only` that one if it is given).

    `hold_out` names people ("dataset/participant") whose sessions are not even opened.
    """
    lab: dict[str, list[Person]] = {}
    exercise: list[Person] = []
    for name, list_sessions in DATASETS.items():
        if only not in (None, name) or not (name == only or is_there(data_dir, name)):
            continue
        sessions = [s for s in list_sessions(Path(data_dir)) if s.person not in hold_out]
        windows = load_windows(sessions, cache_dir=cache_dir, window_s=window_s)
        people = people_of(windows, baseline=baseline)
        lab[name] = [p for p in people if p.kind == "stress" and _has_both_classes(p)]
        exercise += [p for p in people if p.kind != "stress"]
    return StressData(lab, exercise)


def leave_each_out(
    test: Sequence[Person],
    others: Sequence[Person],
    *,
    seed: int,
    exercise: Sequence[Person] = (),
    shuffle: bool = False,
) -> tuple[list[Scored], list[Scored]]:
    """Score each test person (and their exercise sessions) by a detector trained on the rest.

    All sessions of a person are left out together. `others` are always in training: people of
    another dataset.
    """
    names = list(dict.fromkeys(person.person for person in test))
    lab, moving = [], []
    for _, name in leave_one_out(names):
        held = [person for person in test if person.person == name]
        train = [person for person in test if person.person != name] + list(others)
        detector = _apart(train, held, seed=seed, shuffle=shuffle)
        lab += [Scored(person, detector.probability(person)) for person in held]
        moving += [Scored(p, detector.probability(p)) for p in exercise if p.person == name]
    return lab, moving


def time_only_scores(people: Sequence[Person]) -> list[PersonScore]:
    """The clock's score on each person, its table made from the other people."""
    scores = []
    for person in people:
        table = time_control.time_table([p for p in people if p.person != person.person])
        mask = (person.y == 0) | (person.y == 1)
        p = time_control.probability(table, person.t_end_s[mask])
        scores.append(score_person(person.person, person.y[mask], p, 0.5))
    return scores


def cross_dataset(
    train: Sequence[Person], test: Sequence[Person], *, seed: int, shuffle: bool = False
) -> list[PersonScore]:
    """Score every person of one dataset by a detector trained on another."""
    detector = _apart(train, test, seed=seed, shuffle=shuffle)
    return [Scored(p, detector.probability(p)).score() for p in test]


def _apart(
    train: Sequence[Person], test: Sequence[Person], *, seed: int, shuffle: bool
) -> Detector:
    """Fit only after the leak check passed."""
    everything = [p.keys(p.y >= 0) for p in train]
    check_apart(
        (key for keys in everything for key in keys),
        (key for p in test for key in p.keys(p.y >= 0)),
    )
    return fit_detector(train, seed=seed, shuffle=shuffle)


def _has_both_classes(person: Person) -> bool:
    return bool((person.y == 0).any() and (person.y == 1).any())
