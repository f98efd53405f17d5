"""Which update wins: the candidates' probabilities on held-back windows, compared by the gate.

No model takes part here: a resumed job decides from stored probabilities what it would have decided
without the break.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation.episodes import MIN_CLASS_WINDOWS
from firmware_host.adaptation.evidence import Comparisons, Evidence
from firmware_host.adaptation.gate import (
    BEST_NAME,
    GENERIC_NAME,
    IN_FORCE_NAME,
    Decision,
    GateReason,
    Scores,
    agreement,
    decide,
    decide_compared,
    score,
)
from firmware_host.adaptation.recipe import Candidate
from firmware_host.inference.base import FloatArray

GENERIC = "generic"
_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Learned:
    """What a candidate came to: (n,) P(stress) of the held-back windows, and its losses.

    `margins` (m,) are between the windows of held-back comparisons, empty without any; `failed` says
    how it diverged; there are no probabilities then.
    """

    p_stress: FloatArray
    loss_before: float = _NAN
    loss_after: float = _NAN
    failed: str = ""
    margins: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one candidate."""

    groups: str
    decision: Decision
    loss_before: float
    loss_after: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Every trial, the one that was chosen, and the candidate to train once more on everything.

    `chosen` None keeps the weights in force; `winner` None with a choice means the generic ones.
    """

    trials: tuple[Trial, ...]
    chosen: Trial | None
    winner: int | None

    @property
    def telling(self) -> Trial:
        """The chosen trial; without one the safest candidate's, which came nearest."""
        return self.chosen or next(trial for trial in self.trials if trial.groups != GENERIC)


@dataclass(frozen=True, slots=True)
class Choice:
    """The weights to use from now on and how they were found.

    `arrays` None stands for the generic model; `changed` says whether it differs from before.
    """

    changed: bool
    groups: str
    decision: Decision
    arrays: Mapping[str, FloatArray] | None = field(repr=False)
    trials: tuple[Trial, ...]


def can_be_judged(evidence: Evidence) -> bool:
    """Whether there are windows enough that the weights in force never learned from."""
    y = evidence.held_back_y[evidence.fresh]
    return int(np.bincount(y, minlength=2).min()) >= MIN_CLASS_WINDOWS


def choose(
    evidence: Evidence,
    candidates: tuple[Candidate, ...],
    learned: Mapping[int, Learned],
    *,
    p_generic: FloatArray,
    p_current: FloatArray | None,
    margins_generic: FloatArray,
) -> Verdict:
    """Let the gate compare, in order: a later candidate must beat the best so far, not just the start.

    Parameters
    ----------
    learned
        By position in `candidates`; those that need more stories than there are have none.
    p_generic, p_current
        (n,) P(stress) of the held-back windows by the generic weights, and by those in force where
        they can be judged.
    margins_generic
        (m,) between the windows of held-back comparisons, by the generic weights.
    """
    court = _Court(evidence.held_back_y, p_generic)
    pairs = evidence.comparisons
    compared = None if pairs is None else _Compared(pairs, margins_generic)
    in_force = None if p_current is None else _InForce(evidence, p_generic, p_current)
    trials: list[Trial] = []
    chosen: Trial | None = None
    winner: int | None = None
    if in_force is not None:
        # The generic weights themselves are the safest candidate once something was learned.
        trials.append(Trial(GENERIC, in_force.against(p_generic), _NAN, _NAN))
        if trials[0].decision.kept:
            in_force, chosen = None, trials[0]
    best = court.generic
    for idx, candidate in enumerate(candidates):
        if candidate.way == "comparisons" and compared is None:
            # Most wearers never compare; a line about it in every job would tell them nothing.
            continue
        trial, scores = _try(court, candidate, learned.get(idx), best, in_force, compared)
        trials.append(trial)
        if trial.decision.kept:
            best, chosen, winner = scores, trial, idx
            if compared is not None:
                compared.best = learned[idx].margins
    return Verdict(tuple(trials), chosen, winner)


class _Court:
    """Held-back windows, all or only the fresh ones, and the generic weights' scores on them."""

    def __init__(self, truth: NDArray[np.int64], generic: FloatArray) -> None:
        self._truth = truth
        self.generic = score(truth, generic)

    def score(self, p_stress: FloatArray) -> Scores:
        return score(self._truth, p_stress)

    def decide(
        self, best: Scores, p_stress: FloatArray, *, against: str = "", min_gain: float = 0.0
    ) -> tuple[Decision, Scores]:
        scores = self.score(p_stress)
        decision = decide(
            generic=self.generic,
            current=best,
            candidate=scores,
            against=against or self.name(best),
            min_gain=min_gain,
        )
        return decision, scores

    def name(self, best: Scores) -> str:
        """What the best so far is called: the generic weights until a candidate beat them."""
        return GENERIC_NAME if best is self.generic else BEST_NAME


class _InForce:
    """The weights in force, judged only on windows that they never learned from."""

    def __init__(self, evidence: Evidence, p_generic: FloatArray, p_current: FloatArray) -> None:
        self._fresh = evidence.fresh
        truth = evidence.held_back_y[self._fresh]
        self._court = _Court(truth, p_generic[self._fresh])
        self._scores = score(truth, p_current[self._fresh])

    def against(self, p_stress: FloatArray) -> Decision:
        """Compare with (n,) probabilities of all held-back windows."""
        p_fresh = p_stress[self._fresh]
        return self._court.decide(self._scores, p_fresh, against=IN_FORCE_NAME)[0]


class _Compared:
    """Held-back comparisons, and what the best weights so far make of them."""

    def __init__(self, comparisons: Comparisons, generic: FloatArray) -> None:
        self._weight = comparisons.held_back.weight
        self._n = round(float(self._weight.sum()))
        self.best = generic

    def decide(self, court: _Court, best: Scores, learned: Learned) -> tuple[Decision, Scores]:
        scores = court.score(learned.p_stress)
        decision = decide_compared(
            generic=court.generic,
            current=best,
            candidate=scores,
            against=court.name(best),
            agreed=agreement(self.best, self._weight, self._n),
            agrees=agreement(learned.margins, self._weight, self._n),
        )
        return decision, scores


def _try(
    court: _Court,
    candidate: Candidate,
    learned: Learned | None,
    best: Scores,
    in_force: _InForce | None,
    compared: _Compared | None,
) -> tuple[Trial, Scores]:
    if learned is None:
        needed = f"{candidate.min_stories} stress episodes with the rest after them"
        text = f"an update of '{candidate.name}' needs labels of {needed}"
        return _untried(candidate, GateReason.NEEDS_ANOTHER_EPISODE, text)
    if learned.failed:
        return _untried(candidate, GateReason.DIVERGED, learned.failed)
    if candidate.way == "comparisons" and compared is not None:
        decision, scores = compared.decide(court, best, learned)
    else:
        decision, scores = court.decide(best, learned.p_stress, min_gain=candidate.min_gain)
    if decision.kept and in_force is not None:
        against = in_force.against(learned.p_stress)
        decision = decision if against.kept else against
    return Trial(candidate.name, decision, learned.loss_before, learned.loss_after), scores


def _untried(candidate: Candidate, reason: GateReason, text: str) -> tuple[Trial, Scores]:
    decision = Decision(kept=False, reason=reason, text=text, figures={})
    return Trial(candidate.name, decision, _NAN, _NAN), Scores(_NAN, _NAN, 0)
