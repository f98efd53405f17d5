"""Scores people with given models: rows, the clock beside them, decisions, exercise.

One path for the bundle that ships (`evaluate`) and for models refit without each person (`loso`):
the same windows, learner, gate and figures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.events import State
from training.datasets.base import EXERCISE, REST, STRESS
from training.datasets.stress_windows import SessionWindows
from training.evaluation.progress import progress
from training.metrics import reliability_bins
from training.stress import time_control
from training.stress.decisions import states_of
from training.stress.figures import participant, split_by_training, summary
from training.stress.generic_models import Generic
from training.stress.people import BaselineKind, Person, people_of
from training.stress.personal import Row, run_rows

FloatArray = NDArray[np.float64]
ModelFor = Callable[[str], Generic]
Clock = Callable[[FloatArray], FloatArray]

OTHERS_CLOCK = "table of P(stress) by minute from the other people here"
GIVEN_CLOCK = "the bundle's own table of P(stress) by minute: there is nobody else here"
_ANSWERS = (State.REST.value, State.STRESS.value)
NOT_TESTED = "no baseline, or not both rest and stress among the windows to test on"
# With fewer of a class, one window is half of what a person gains or loses, or all of it.
MIN_TEST_WINDOWS = 3
TOO_FEW_TO_TEST = (
    f"no baseline, or fewer than {MIN_TEST_WINDOWS} windows of rest or of stress to test on"
)


@dataclass(frozen=True)
class Assessment:
    """Figures as JSON knows them, and the windows behind the pictures.

    `clocks` are (n,) a row; `states` (n,) what the host said; `decisions` counts windows by
    (truth, state).
    """

    result: dict[str, Any]
    rows: list[Row]
    clocks: list[FloatArray]
    states: list[NDArray[np.str_]]
    decisions: dict[str, Counter[str]] = field(default_factory=dict)

    def headed(self, head: dict[str, Any]) -> Assessment:
        """The same with what was scored, and how, before the figures."""
        return replace(self, result={**head, **self.result})


@dataclass(frozen=True)
class Question:
    """How to score: the protocol, the baseline, and the seconds a window lasts."""

    protocol: str
    window_s: float
    baseline: BaselineKind = "guided"
    seed: int = 1

    @property
    def learned(self) -> bool:
        """Whether the host is given labels."""
        return self.protocol != "generic"


def assess(
    lab: Sequence[SessionWindows],
    exercise: Sequence[SessionWindows],
    model_for: ModelFor,
    question: Question,
    *,
    seen: Callable[[SessionWindows], bool],
    clock: Clock | None = None,
) -> Assessment:
    """Score every laboratory session, and what is said during exercise.

    Parameters
    ----------
    seen
        Whether a model in use was trained on the session's person.
    clock
        P(stress) by seconds since the start, for a single person; people in company are judged by
        a table made of the others.
    """
    people = people_of(lab, baseline=question.baseline)
    pairs = _rows(lab, model_for, question, seen)
    centers = {person.content_sha256: person.baseline.center for person in people}
    states = [
        _states(row, one, model_for(row.person), centers[one.content_sha256]) for row, one in pairs
    ]
    # One rule says what an answer is: the host's states.
    rows = [
        replace(row, answered=np.isin(said, _ANSWERS))
        for (row, _), said in zip(pairs, states, strict=True)
    ]
    clocks = [_clock_probability(row, people, clock) for row in rows]
    listed = [
        _participant(row, by_clock, said, model_for, question)
        for row, by_clock, said in zip(rows, clocks, states, strict=True)
    ]
    figures = split_by_training(
        listed, rows, lambda some, theirs: summary(some, theirs, learned=question.learned)
    )
    chosen = _chosen([row.seen_in_training for row in rows])
    moving, said = exercise_figures(exercise, model_for, question, seen=seen)
    counted = [rows[i] for i in chosen]
    decisions = _decisions(counted, [states[i] for i in chosen])
    if said:
        decisions[EXERCISE] = said
    result = {
        **figures,
        "time_only_from": OTHERS_CLOCK if len(people) > 1 else GIVEN_CLOCK,
        **_recall(rows, states, chosen),
        **moving,
        "decisions": {truth: dict(counts) for truth, counts in decisions.items()},
        "reliability": _reliability(counted),
        "participants": listed,
        "not_tested": _not_tested(lab, rows, question),
    }
    return Assessment(result, rows, clocks, states, decisions)


def _rows(
    lab: Sequence[SessionWindows],
    model_for: ModelFor,
    question: Question,
    seen: Callable[[SessionWindows], bool],
) -> list[tuple[Row, SessionWindows]]:
    pairs = []
    for one in progress(list(lab), f"stress, {question.protocol}"):
        made = run_rows(
            [one],
            question.protocol,
            model_for,
            baseline=question.baseline,
            window_s=question.window_s,
            seed=question.seed,
        )
        pairs += [
            (replace(row, seen_in_training=seen(one)), one)
            for row in made
            if not question.learned or _n_fewest(row) >= MIN_TEST_WINDOWS
        ]
    return pairs


def _n_fewest(row: Row) -> int:
    """Test windows of the rarer class."""
    return min(int((row.truth == label).sum()) for label in (0, 1))


_NO_EXERCISE: dict[str, Any] = {
    "exercise_called_stress": float("nan"),
    "exercise_called_stress_worst": float("nan"),
    "exercise_called_stress_all": float("nan"),
    "exercise_sessions": [],
}


def exercise_figures(
    sessions: Sequence[SessionWindows],
    model_for: ModelFor,
    question: Question,
    *,
    seen: Callable[[SessionWindows], bool],
) -> tuple[dict[str, Any], Counter[str]]:
    """Share of each exercise session's windows that the host would call stress, and all states.

    The whole session counts, warm-up and breaks included. `exercise_called_stress_all` leaves the
    host's other decisions out: what the network alone would say.
    """
    by_content = {one.content_sha256: one for one in sessions}
    each, said = [], []
    people = people_of(sessions, baseline=question.baseline)
    for person in progress(people, "exercise", unit="session"):
        windows, model = by_content[person.content_sha256], model_for(person.person)
        p = model.probability(person.z(model.spread, clip=model.clip), person.t_end_s)
        moving = windows.label == EXERCISE
        states = states_of(windows, p, model.thresholds, center=person.baseline.center)[moving]
        said.append(states)
        each.append(
            {
                "id": person.person,
                "seen_in_training": seen(windows),
                "kind": person.kind,
                "called_stress": float(np.mean(states == State.STRESS.value)),
                "called_stress_all": float(np.mean(p[moving] > model.thresholds.stress)),
                "n_windows": int(moving.sum()),
            }
        )
    if not each:
        return _NO_EXERCISE, Counter()
    chosen = _chosen([one["seen_in_training"] for one in each])
    shares = [each[i]["called_stress"] for i in chosen]
    figures = {
        "exercise_called_stress": float(np.mean(shares)),
        "exercise_called_stress_worst": float(np.max(shares)),
        "exercise_called_stress_all": float(
            np.mean([each[i]["called_stress_all"] for i in chosen])
        ),
        "exercise_sessions": each,
    }
    return figures, Counter(state for i in chosen for state in said[i].tolist())


def _clock_probability(row: Row, people: Sequence[Person], clock: Clock | None) -> FloatArray:
    others = [person for person in people if person.person != row.person]
    if others:
        return time_control.probability(time_control.time_table(others), row.t_end_s)
    if clock is None:
        return np.full(len(row.t_end_s), 0.5)
    return clock(row.t_end_s)


def _states(
    row: Row, windows: SessionWindows, model: Generic, center: FloatArray
) -> NDArray[np.str_]:
    """(n,) of the row's windows with the model in force."""
    p = np.full(len(windows.t_end_s), 0.5)
    p[row.window_idx] = row.p_personal
    return states_of(windows, p, model.thresholds, center=center)[row.window_idx]


def _participant(
    row: Row,
    clock: FloatArray,
    states: NDArray[np.str_],
    model_for: ModelFor,
    question: Question,
) -> dict[str, Any]:
    figures = participant(
        row, clock, threshold=model_for(row.person).thresholds.stress, learned=question.learned
    )
    counts = Counter(states.tolist())
    called = states[row.truth == 1] == State.STRESS.value
    return {
        **figures,
        "stress_recall": float(called.mean()) if called.size else float("nan"),
        "states": {state.value: counts[state.value] for state in State if counts[state.value]},
    }


def _chosen(seen: Sequence[bool]) -> list[int]:
    """Whom the figures on top are of: people nobody trained on, if there are any."""
    return [i for i, was in enumerate(seen) if not was] or list(range(len(seen)))


def _recall(
    rows: Sequence[Row], states: Sequence[NDArray[np.str_]], chosen: Sequence[int]
) -> dict[str, float]:
    """Share of stress that the host calls stress; what it does not answer counts as missed."""
    shares = [
        float(np.mean(states[i][rows[i].truth == 1] == State.STRESS.value))
        for i in chosen
        if (rows[i].truth == 1).any()
    ]
    return {"stress_recall": float(np.mean(shares)) if shares else float("nan")}


def _decisions(rows: Sequence[Row], states: Sequence[NDArray[np.str_]]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {REST: Counter(), STRESS: Counter()}
    for row, said in zip(rows, states, strict=True):
        for label, name in enumerate((REST, STRESS)):
            counts[name].update(said[row.truth == label].tolist())
    return counts


def _reliability(rows: Sequence[Row]) -> list[dict[str, float]]:
    if not rows:
        return []
    bins = reliability_bins(
        np.concatenate([row.truth for row in rows]),
        np.concatenate([row.p_personal for row in rows]),
    )
    return [{"predicted": p, "observed": o, "n_windows": n} for p, o, n in bins]


def _not_tested(
    lab: Sequence[SessionWindows], rows: Sequence[Row], question: Question
) -> list[dict[str, str]]:
    tested = {row.person for row in rows}
    return [
        {"id": one.session.person, "reason": TOO_FEW_TO_TEST if question.learned else NOT_TESTED}
        for one in lab
        if one.session.person not in tested
    ]
