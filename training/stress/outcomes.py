"""What the wearer would see, in figures: stress, rest and exercise, and how often not knowing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.stress.decisions import states_of_scored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.stress.detector import Scored, StressThresholds

_NAN = float("nan")
_ANSWERS = ("rest", "stress")
# What the wearer does, as opposed to what could not be told.
_WORDS = (*_ANSWERS, "exercise", "moving")


@dataclass(frozen=True)
class Judged:
    """A session's probabilities with the thresholds that go with them."""

    scored: Scored
    thresholds: StressThresholds


@dataclass(frozen=True)
class DecisionReport:
    """What the wearer would see, not knowing included; means over people, NaN without any.

    `coverage` is the share called rest or stress. `balanced_accuracy` is over the windows that got
    a word for what the wearer does (rest, stress, exercise, moving), anything but stress counting
    as not stress, and so is `stress_recall`; `balanced_accuracy_answered` over those called rest or
    stress. `exercise_called_stress` is over all windows. `three_class` is the mean recall of rest,
    stress and exercise, where a poor signal or an unsure one counts as none of them.
    """

    coverage: float
    balanced_accuracy: float
    stress_recall: float
    balanced_accuracy_answered: float
    exercise_called_stress: float
    exercise_called_stress_worst: float
    exercise_without_gate: float
    exercise_recall: float
    lab_called_exercise: float
    three_class: float
    confusion: dict[str, dict[str, float]]


def decide(lab: Sequence[Judged], exercise: Sequence[Judged]) -> DecisionReport:
    """What the host says of people, each with thresholds in which they had no part."""
    rows = [_Said.of(one) for one in lab]
    moved = [_Said.of(one) for one in exercise]
    confusion = {
        "rest": _mean_shares([r.shares(0) for r in rows]),
        "stress": _mean_shares([r.shares(1) for r in rows]),
        "exercise": _mean_shares([r.shares(2) for r in moved]),
    }
    recall = {name: said.get(name, 0.0) for name, said in confusion.items() if said}
    called = [said.get("stress", 0.0) for said in (r.shares(2) for r in moved)]
    both = [r for r in rows if r.shares(0) and r.shares(1)]
    return DecisionReport(
        coverage=_mean([r.coverage for r in rows]),
        balanced_accuracy=_mean([r.balanced_accuracy(_WORDS) for r in both]),
        stress_recall=_mean([r.stress_recall() for r in both]),
        balanced_accuracy_answered=_mean([r.balanced_accuracy(_ANSWERS) for r in both]),
        exercise_called_stress=_mean(called),
        exercise_called_stress_worst=float(max(called)) if called else float("nan"),
        exercise_without_gate=_mean([r.without_gate for r in moved]),
        exercise_recall=_mean([r.shares(2).get("exercise", 0.0) for r in moved]),
        lab_called_exercise=_mean([r.called_exercise for r in rows]),
        three_class=_mean([recall[name] for name in confusion]) if len(recall) == 3 else _NAN,
        confusion=confusion,
    )


@dataclass(frozen=True)
class _Said:
    """One session's truth and states."""

    y: NDArray[np.int64]
    states: NDArray[np.str_]
    without_gate: float

    @classmethod
    def of(cls, judged: Judged) -> _Said:
        scored, limits = judged.scored, judged.thresholds
        known = scored.person.y >= 0
        stressed = scored.probability > limits.stress
        return cls(
            scored.person.y[known],
            states_of_scored(scored, limits)[known],
            float(stressed[known].mean()),
        )

    def shares(self, label: int) -> dict[str, float]:
        """Share of the label's windows by state; empty if it has none."""
        names, counts = np.unique(self.states[self.y == label], return_counts=True)
        return dict(zip(names.tolist(), (counts / counts.sum()).tolist(), strict=True))

    @property
    def coverage(self) -> float:
        return float(np.isin(self.states, _ANSWERS).mean())

    @property
    def called_exercise(self) -> float:
        return float((self.states == "exercise").mean())

    def stress_recall(self) -> float:
        """NaN if no stress window got a word."""
        stress = self.states[np.isin(self.states, _WORDS) & (self.y == 1)]
        return float((stress == "stress").mean()) if len(stress) else _NAN

    def balanced_accuracy(self, among: tuple[str, ...]) -> float:
        """Over the windows in these states; NaN if a class has none left."""
        keep = np.isin(self.states, among)
        stress = self.states[keep & (self.y == 1)] == "stress"
        rest = self.states[keep & (self.y == 0)] != "stress"
        return float(0.5 * (stress.mean() + rest.mean())) if len(stress) and len(rest) else _NAN


def _mean(values: Sequence[float]) -> float:
    known = [v for v in values if np.isfinite(v)]
    return float(np.mean(known)) if known else _NAN


def _mean_shares(people: Sequence[dict[str, float]]) -> dict[str, float]:
    """Mean over the people who have such windows of each state's share."""
    counted = [shares for shares in people if shares]
    names = sorted({name for shares in counted for name in shares})
    return {name: float(np.mean([s.get(name, 0.0) for s in counted])) for name in names}
