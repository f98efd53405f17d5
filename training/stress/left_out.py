"""`loso --task stress`: the model refit without each person, then scored as `evaluate` scores.

The recipe is the one that ships: people of the other data sets that lie beside this one are in
every training set, which the variant `own_set_only` leaves out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_host.errors import RecordingError
from firmware_host.signals.stress import WINDOW_S
from training.datasets.bad_people import skipping_bad
from training.datasets.registry import STRESS, is_there
from training.datasets.stress_windows import SessionWindows
from training.evaluation.command import finish
from training.evaluation.options import seed
from training.splits import WindowKey, check_apart
from training.stress.assess import Assessment, Question, assess
from training.stress.evaluate import add_options, asked, check_options, stress_windows
from training.stress.generic_models import Generic, LeaveOneOut
from training.stress.people import BaselineKind, people_of
from training.stress.recipe import DEFAULT_SEED

if TYPE_CHECKING:
    import argparse

    from training.stress.people import Person

_BRIEF = (
    "balanced_accuracy",
    "balanced_accuracy_sd",
    "worst",
    "worst_person",
    "macro_f1",
    "auc",
    "ece",
    "coverage",
    "n_people",
    "n_below_0_6",
    "gain",
)
# Nobody is called this: a model without them is one of everybody.
_NOBODY = ""


@dataclass(frozen=True)
class Material:
    """Windows of the data set that is tested and of the others, their exercise apart."""

    lab: list[SessionWindows]
    exercise: list[SessionWindows]
    beside: dict[str, list[SessionWindows]]
    exercise_beside: list[SessionWindows] = field(default_factory=list)

    def others(self) -> list[SessionWindows]:
        """Laboratory sessions of the other data sets."""
        return [one for windows in self.beside.values() for one in windows]


def run_loso(
    data_dir: Path,
    dataset: str,
    question: Question,
    *,
    cache_dir: Path | None = None,
    shuffle: bool = False,
    variants: bool = True,
) -> Assessment:
    """Figures of people that the model in question never saw.

    Parameters
    ----------
    shuffle
        Train on each person's labels in random order: every figure must fall to chance.
    variants
        Also train on the data set alone, on each other one alone, and with the other baseline.
    """
    material = _material(data_dir, dataset, question.window_s, cache_dir)
    made = _score(material, material.others(), question, shuffle=shuffle)
    head = {
        "task": "stress",
        "command": "loso",
        "dataset": dataset,
        **asked(question.protocol, question.window_s, question.baseline),
        "trained_with": sorted(material.beside),
        "seed": question.seed,
        "shuffled_labels": shuffle,
    }
    made = made.headed(head)
    if not variants:
        return made
    found = dict(_variants(material, question, shuffle=shuffle))
    return replace(made, result={**made.result, "variants": found})


def _material(data_dir: Path, dataset: str, window_s: float, cache_dir: Path | None) -> Material:
    lab, exercise = stress_windows(data_dir, dataset, window_s=window_s, cache_dir=cache_dir)
    names = [name for name in STRESS if name != dataset and is_there(data_dir, name)]
    found = {
        name: stress_windows(data_dir, name, window_s=window_s, cache_dir=cache_dir)
        for name in names
    }
    beside = {name: windows for name, (windows, _) in found.items()}
    exercise_beside = [one for _, moving in found.values() for one in moving]
    if len(lab) + sum(len(windows) for windows in beside.values()) < 2:
        raise RecordingError(data_dir, "at least two people, to train without one", "one")
    return Material(lab, exercise, beside, exercise_beside)


def _score(
    material: Material,
    others: Sequence[SessionWindows],
    question: Question,
    *,
    shuffle: bool = False,
) -> Assessment:
    """Leave each person out in turn; `others` are always in training."""
    check_each_apart(material.lab, others)
    train = _people([*material.lab, *others], question.baseline)
    model_for = LeaveOneOut(
        shuffled(train, question.seed) if shuffle else train,
        seed=question.seed,
        exercise=_people([*material.exercise, *material.exercise_beside], question.baseline),
    )
    return assess(material.lab, material.exercise, model_for, question, seen=lambda _one: False)


def _people(windows: Sequence[SessionWindows], baseline: BaselineKind) -> list[Person]:
    return people_of(windows, baseline=baseline)


def check_each_apart(lab: Sequence[SessionWindows], others: Sequence[SessionWindows]) -> None:
    """Raise if somebody who is left out would stay in training under another name.

    Raises
    ------
    LeakError
        With the first person or recording found on both sides.
    """
    for one in lab:
        train = [o for o in (*lab, *others) if o.session.person != one.session.person]
        check_apart((key for other in train for key in _keys(other)), _keys(one))


def _keys(windows: SessionWindows) -> list[WindowKey]:
    name, content = windows.session.person, windows.content_sha256
    ends = windows.t_end_s
    return [WindowKey(name, content, float(ends[0]) - windows.window_s, float(ends[-1]))]


def shuffled(people: Sequence[Person], seed: int) -> list[Person]:
    """The same people with their rest and stress labels in random order: the control."""
    rng = np.random.default_rng(seed)
    mixed = []
    for person in people:
        y = person.y.copy()
        scored = np.isin(y, (0, 1))
        y[scored] = rng.permutation(y[scored])
        mixed.append(replace(person, y=y))
    return mixed


def _variants(
    material: Material, question: Question, *, shuffle: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    plain = replace(material, exercise=[])
    yield "own_set_only", _brief(_score(plain, [], question, shuffle=shuffle))
    for name, windows in material.beside.items():
        model = _trained_on(windows, material.lab, question, shuffle=shuffle)
        made = assess(plain.lab, [], model, question, seen=lambda _one: False)
        yield f"trained_on_{name}", _brief(made)
    other: BaselineKind = "unlabelled" if question.baseline == "guided" else "guided"
    turned = replace(question, baseline=other)
    yield f"{other}_baseline", _brief(_score(plain, material.others(), turned, shuffle=shuffle))


def _trained_on(
    windows: Sequence[SessionWindows],
    tested: Sequence[SessionWindows],
    question: Question,
    *,
    shuffle: bool,
) -> Callable[[str], Generic]:
    check_each_apart(tested, windows)
    people = _people(windows, question.baseline)
    source = LeaveOneOut(shuffled(people, question.seed) if shuffle else people,
                         seed=question.seed)  # fmt: skip
    return lambda _name: source(_NOBODY)


def _brief(made: Assessment) -> dict[str, Any]:
    return {name: made.result[name] for name in _BRIEF if name in made.result}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `loso --task stress`."""
    add_options(parser)
    parser.add_argument("--seed", type=seed, default=DEFAULT_SEED)
    parser.add_argument("--shuffle", action="store_true", help="shuffled-label control")
    parser.add_argument(
        "--no-variants", action="store_true", help="leave out training on other sets of people"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the command: figures, and with --json and --html files of them."""
    from training.stress.report import stress_page

    check_options(arguments)
    question = Question(
        arguments.protocol,
        WINDOW_S if arguments.window_s is None else arguments.window_s,
        arguments.baseline,
        arguments.seed,
    )
    with skipping_bad(skip=arguments.skip_bad):
        made = run_loso(
            arguments.data,
            arguments.dataset,
            question,
            cache_dir=arguments.cache,
            shuffle=arguments.shuffle,
            variants=not arguments.no_variants,
        )
    return finish(arguments, made.result, lambda result: stress_page(result, made))
