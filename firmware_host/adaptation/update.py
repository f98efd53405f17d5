"""Choose an update: train candidates in turn, keep the best that the gate lets through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation.adapters import apply_adapter, read_adapter
from firmware_host.adaptation.batches import probabilities
from firmware_host.adaptation.episodes import MIN_CLASS_WINDOWS
from firmware_host.adaptation.exact import solve
from firmware_host.adaptation.gate import Decision, GateReason, Scores, decide, score
from firmware_host.adaptation.learner import Groups, LearnResult, learn
from firmware_host.errors import AdaptationError, AdaptationReason
from firmware_host.inference.base import FloatArray, SignatureModel

Progress = Callable[[str, int, int], None]
GENERIC = "generic"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to update: what moves, how far, by how much it must be better, and after what.

    `anchor` is the pull to the generic values in units of the mean loss: 2 lambda / 10 for a MAP
    estimate with prior precision lambda on the logit and total calibration weight 10;
    `bias_anchor` the one of the bias alone, if it differs. `min_gain` is the share by which the
    held-back log loss must fall; `min_stories` the number of labelled stress episodes with a
    labelled rest after them. With `by_window` every window of a class weighs the same, else every
    episode of it. `steps` 0 solves for "bias" or "head" exactly, without a learning rate.
    """

    groups: Groups
    steps: int
    learning_rate: float
    anchor: float
    min_gain: float
    min_stories: int = 1
    bias_anchor: float | None = None
    by_window: bool = False

    def __post_init__(self) -> None:
        if self.steps == 0 and self.groups not in ("bias", "head"):
            raise ValueError(f"steps: expected at least 1 for {self.groups!r}, got 0")


# How they were chosen and what they do to people is in docs/studies/personal.md. With one stressor
# only a large and plain error may be corrected: a bias at lambda 3 that takes a fifth off the loss.
# After two, whatever loses nothing on what is held back: weights at lambda 10 with a free bias
# (0.1); a nearly free bias alone (0.3), for whom weights do not help; and the layers below, only
# for more than the last few windows' worth of noise.
CANDIDATES = (
    Candidate("bias", 0, 0.0, anchor=0.6, min_gain=0.2),
    Candidate("head", 0, 0.0, 2.0, 0.0, min_stories=2, bias_anchor=0.02, by_window=True),
    Candidate("bias", 0, 0.0, anchor=0.06, min_gain=0.0, min_stories=2, by_window=True),
    # Fewer or smaller steps stop short of the estimate and give away a point or two.
    Candidate("lora+head", 800, 0.01, 2.0, 0.05, min_stories=2, bias_anchor=0.02, by_window=True),
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """Windows for or against an update.

    x (n, F), y (n,) 0 rest or 1 stress, weight (n,) such that every episode of a class counts the
    same.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    weight: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a wearer's labels offer: parts to learn from, parts to judge by, and all.

    `turns` are pairs of (calibration, held back), `n_stories` as in `Split`; `everything` is what
    the chosen update learns from again once it passed. `fresh` (n,) marks, over the held-back
    windows of all turns in order, those that the weights in force never learned from: only these
    may speak for them.
    """

    turns: tuple[tuple[Labelled, Labelled], ...]
    everything: Labelled
    n_stories: int
    fresh: NDArray[np.bool_]

    @property
    def held_back_x(self) -> NDArray[np.float32]:
        """(n, F) held-back windows of all turns."""
        joined: NDArray[np.float32] = np.concatenate([held_back.x for _, held_back in self.turns])
        return joined

    @property
    def held_back_y(self) -> NDArray[np.int64]:
        """(n,) their labels."""
        joined: NDArray[np.int64] = np.concatenate([held_back.y for _, held_back in self.turns])
        return joined

    @property
    def n_calibration(self) -> int:
        """Windows that the first turn learns from."""
        return len(self.turns[0][0].y)


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one candidate."""

    groups: str
    decision: Decision
    loss_before: float
    loss_after: float


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


def choose_update(
    model: SignatureModel,
    evidence: Evidence,
    *,
    current: Mapping[str, FloatArray] | None,
    candidates: tuple[Candidate, ...] = CANDIDATES,
    seed: int,
    progress: Progress | None = None,
) -> Choice:
    """Train every candidate from the generic weights, let the gate compare, and train the best again.

    A later candidate must beat the best so far, not just the start. Each one begins at the
    generic weights, so the result depends on the data and the seed, not on the order of past jobs.
    What passed is trained once more on everything labelled: the held-back part has done its work.
    The model is left with the chosen weights; after an error with those it had.

    Parameters
    ----------
    current
        Weights in force, None for the generic ones.
    """
    before = model.run("get_adapter")
    try:
        trainer = _Trainer(model, evidence, seed)
        choice = _try_all(trainer, current, candidates, progress or _silent)
        apply_adapter(model, choice.arrays)
    except BaseException:
        model.run("set_adapter", **before)
        raise
    return choice


class _Court:
    """Held-back windows, all or only the fresh ones, and the generic weights' scores on them."""

    def __init__(self, truth: NDArray[np.int64], generic: FloatArray) -> None:
        self._truth = truth
        self.generic = score(truth, generic)

    def decide(
        self, best: Scores, p_stress: FloatArray, min_gain: float = 0.0
    ) -> tuple[Decision, Scores]:
        scores = score(self._truth, p_stress)
        decision = decide(generic=self.generic, current=best, candidate=scores, min_gain=min_gain)
        return decision, scores


class _Trainer:
    """Trains candidates from the generic weights, turn by turn or on everything."""

    def __init__(self, model: SignatureModel, evidence: Evidence, seed: int) -> None:
        self.model = model
        self.evidence = evidence
        self._seed = seed

    def learn(self, candidate: Candidate, windows: Labelled) -> LearnResult:
        apply_adapter(self.model, None)
        weight = np.ones_like(windows.weight) if candidate.by_window else windows.weight
        labelled = (self.model, windows.x, windows.y, weight)
        if candidate.steps == 0:
            return solve(
                *labelled,
                linear=candidate.groups == "head",
                anchor=candidate.anchor,
                bias_anchor=candidate.bias_anchor or candidate.anchor,
            )
        return learn(
            *labelled,
            groups=candidate.groups,
            steps=candidate.steps,
            learning_rate=candidate.learning_rate,
            anchor=candidate.anchor,
            bias_anchor=candidate.bias_anchor,
            settle=True,
            seed=self._seed,
        )

    def p_stress(self, x: NDArray[np.float32]) -> FloatArray:
        """(n,) by the weights that the model holds."""
        return probabilities(self.model, x)[:, 1]

    def p_of(self, arrays: Mapping[str, FloatArray] | None) -> FloatArray:
        """(n,) of the held-back windows, by given weights."""
        apply_adapter(self.model, arrays)
        return self.p_stress(self.evidence.held_back_x)

    def p_learned(self, candidate: Candidate) -> tuple[FloatArray, LearnResult]:
        """(n,) of the held-back windows, each by weights that learned from the other side only."""
        parts = []
        for calibration, held_back in self.evidence.turns:
            learned = self.learn(candidate, calibration)
            parts.append(self.p_stress(held_back.x))
        return np.concatenate(parts), learned


class _InForce:
    """The weights in force, judged only on windows that they never learned from."""

    def __init__(self, trainer: _Trainer, current: Mapping[str, FloatArray]) -> None:
        self._fresh = trainer.evidence.fresh
        self._generic = trainer.p_of(None)[self._fresh]
        self._court = _Court(trainer.evidence.held_back_y[self._fresh], self._generic)
        self._scores = score(
            trainer.evidence.held_back_y[self._fresh], trainer.p_of(current)[self._fresh]
        )

    @staticmethod
    def can_be_judged(evidence: Evidence) -> bool:
        y = evidence.held_back_y[evidence.fresh]
        return int(np.bincount(y, minlength=2).min()) >= MIN_CLASS_WINDOWS

    def against_generic(self) -> Decision:
        return self._court.decide(self._scores, self._generic)[0]

    def against(self, p_stress: FloatArray) -> Decision:
        """Compare with (n,) probabilities of all held-back windows."""
        return self._court.decide(self._scores, p_stress[self._fresh])[0]


def _try_all(
    trainer: _Trainer,
    current: Mapping[str, FloatArray] | None,
    candidates: tuple[Candidate, ...],
    progress: Progress,
) -> Choice:
    in_force, trials = None, list[Trial]()
    chosen: Trial | None = None
    winner: Candidate | None = None
    arrays = current
    if current is not None and _InForce.can_be_judged(trainer.evidence):
        in_force = _InForce(trainer, current)
        # The generic weights themselves are the safest candidate once something was learned.
        trials.append(Trial(GENERIC, in_force.against_generic(), float("nan"), float("nan")))
        if trials[-1].decision.kept:
            in_force, arrays, chosen = None, None, trials[-1]
    court = _Court(trainer.evidence.held_back_y, trainer.p_of(None))
    best = court.generic
    for n_done, candidate in enumerate(candidates):
        progress(candidate.groups, n_done, len(candidates))
        trial, scores = _try(trainer, court, candidate, best, in_force)
        trials.append(trial)
        if trial.decision.kept:
            best, chosen, winner = scores, trial, candidate
    if winner is not None:
        trainer.learn(winner, trainer.evidence.everything)
        arrays = read_adapter(trainer.model)
    progress("done", len(candidates), len(candidates))
    # Nothing passed: say why of the safest candidate, which came nearest to what may pass.
    telling = chosen or next(trial for trial in trials if trial.groups != GENERIC)
    return Choice(chosen is not None, telling.groups, telling.decision, arrays, tuple(trials))


def _try(
    trainer: _Trainer, court: _Court, candidate: Candidate, best: Scores, in_force: _InForce | None
) -> tuple[Trial, Scores]:
    if trainer.evidence.n_stories < candidate.min_stories:
        needed = f"{candidate.min_stories} stress episodes with the rest after them"
        text = f"an update of '{candidate.groups}' needs labels of {needed}"
        return _untried(candidate, GateReason.NEEDS_ANOTHER_EPISODE, text)
    try:
        p_stress, learned = trainer.p_learned(candidate)
    except AdaptationError as err:
        if err.reason is not AdaptationReason.DIVERGED:
            raise
        return _untried(candidate, GateReason.DIVERGED, str(err))
    decision, scores = court.decide(best, p_stress, candidate.min_gain)
    if decision.kept and in_force is not None:
        against = in_force.against(p_stress)
        decision = decision if against.kept else against
    return Trial(candidate.groups, decision, learned.loss_before, learned.loss_after), scores


def _untried(candidate: Candidate, reason: GateReason, text: str) -> tuple[Trial, Scores]:
    nan = float("nan")
    decision = Decision(kept=False, reason=reason, text=text, figures={})
    return Trial(candidate.groups, decision, nan, nan), Scores(nan, nan, 0)


def _silent(_stage: str, _n_done: int, _n_total: int) -> None:
    """Tell nobody."""
