"""A learning job as small steps: training every candidate, and the one that wins once more.

weigh -> candidate by candidate, turn by turn, step by step -> choice -> the winner on everything.
The order is fixed, nothing is drawn but from the seed, and `JobState` is all that a step needs of
the ones before it. A job that is stopped after any step and goes on from its state, in another
process or on another day, ends with the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property

import numpy as np

from firmware_host.adaptation.adapters import apply_adapter, read_adapter
from firmware_host.adaptation.batches import probabilities
from firmware_host.adaptation.choice import Choice, Learned, Verdict, can_be_judged, choose
from firmware_host.adaptation.evidence import Compared, Comparisons, Evidence, Labelled
from firmware_host.adaptation.gate import Decision, GateReason
from firmware_host.adaptation.job_state import NONE, JobState, Task
from firmware_host.adaptation.recipe import CANDIDATES, Candidate
from firmware_host.adaptation.trainings import Steps, begin, solve_exactly
from firmware_host.adaptation.ways import margins
from firmware_host.errors import AdaptationError, AdaptationReason
from firmware_host.inference.base import FloatArray, SignatureModel, find_signature


class Job:
    """Takes one step at a time; `state` after any of them is enough for `restore` in a new job.

    Parameters
    ----------
    current
        Weights in force, None for the generic ones.
    """

    def __init__(
        self,
        model: SignatureModel,
        evidence: Evidence,
        *,
        current: Mapping[str, FloatArray] | None,
        candidates: tuple[Candidate, ...] = CANDIDATES,
        seed: int,
    ) -> None:
        self._model, self._evidence, self._current = model, evidence, current
        self._candidates, self._seed = candidates, seed
        self._state = JobState()
        self._training: Steps | None = None
        self._final: Mapping[str, FloatArray] | None = None
        self._failed_at_last = ""
        self._tasks = tuple(
            Task(idx, turn)
            for idx, candidate in enumerate(candidates)
            if evidence.n_stories >= candidate.min_stories
            and (candidate.way != "comparisons" or evidence.comparisons is not None)
            for turn in range(len(evidence.turns))
        )

    @property
    def is_done(self) -> bool:
        """Whether the choice is made."""
        return bool(len(self._state.p_generic)) and self._task is None

    @property
    def n_steps(self) -> int:
        """Steps done, over all calls."""
        return self._state.n_steps

    @property
    def max_state_bytes(self) -> int:
        """Upper bound of a state at rest: weights and momentum, probabilities, and small change."""
        specs = find_signature(self._model.signatures, "get_adapter").outputs.values()
        n_held_back = len(self._evidence.fresh)
        n_numbers = sum(math.prod(spec.shape) for spec in specs)
        n_pairs = 0 if self._pairs is None else len(self._pairs.held_back.weight)
        n_scores = (n_held_back + n_pairs) * (len(self._candidates) + 2)
        return 4096 + 4 * (n_numbers + n_scores)

    @property
    def candidate(self) -> int:
        """Position of the candidate that is next; their number once only the last training is left."""
        tried = self._state.task < len(self._tasks)
        return self._tasks[self._state.task].candidate if tried else len(self._candidates)

    def advance(self) -> None:
        """Take one step; what diverges is written down as such and passed over."""
        if not len(self._state.p_generic):
            self._weigh()
        elif self._task is not None:
            self._train_or_give_up(self._task)
        else:
            raise ValueError("expected a job with steps left, got one that is done")
        self._state.n_steps += 1

    def state(self) -> JobState:
        """Copy of where it stands."""
        now = self._state
        adapter = self._model.run("get_adapter") if now.step else None
        return JobState(
            now.n_steps,
            now.task,
            now.step,
            now.loss_before,
            adapter,
            now.p_generic,
            now.p_current,
            now.margins_generic,
            dict(now.learned),
        )

    def restore(self, state: JobState) -> None:
        """Go on from a state of an equal job: same model, evidence, candidates and seed."""
        self._state = state
        self._training = None
        if state.adapter is not None:
            self._model.run("set_adapter", **state.adapter)

    def choice(self) -> Choice:
        """What came of it, once done; the model is left with the chosen weights."""
        verdict = self._verdict
        changed, arrays = verdict.chosen is not None, self._current
        decision = verdict.telling.decision
        if self._failed_at_last:
            changed = False
            decision = Decision(False, GateReason.DIVERGED, self._failed_at_last, decision.figures)
        elif changed:
            arrays = self._final
        apply_adapter(self._model, arrays)
        return Choice(changed, verdict.telling.groups, decision, arrays, verdict.trials)

    @property
    def _task(self) -> Task | None:
        """The training that is next, None once there is none."""
        now = self._state
        if now.task < len(self._tasks):
            return self._tasks[now.task]
        winner = self._verdict.winner
        return Task(winner, None) if now.task == len(self._tasks) and winner is not None else None

    @cached_property
    def _verdict(self) -> Verdict:
        now = self._state
        return choose(
            self._evidence,
            self._candidates,
            {idx: self._joined(idx) for idx in {task.candidate for task in self._tasks}},
            p_generic=now.p_generic,
            p_current=now.p_current if len(now.p_current) else None,
            margins_generic=now.margins_generic,
        )

    def _joined(self, candidate: int) -> Learned:
        """One candidate's turns in a row; the losses are those of the last."""
        turns = [one for (idx, _), one in sorted(self._state.learned.items()) if idx == candidate]
        last = turns[-1]
        p_stress = np.concatenate([one.p_stress for one in turns])
        margins = turns[0].margins
        return Learned(p_stress, last.loss_before, last.loss_after, last.failed, margins)

    def _weigh(self) -> None:
        """Generic weights on all that is held back, and those in force where they can be judged."""
        x = self._evidence.held_back_x
        if self._current is not None and can_be_judged(self._evidence):
            apply_adapter(self._model, self._current)
            self._state.p_current = self._p_stress(x)
        apply_adapter(self._model, None)
        self._state.p_generic = self._p_stress(x)
        self._state.margins_generic = self._margins()

    def _train_or_give_up(self, task: Task) -> None:
        try:
            self._train(task)
        except AdaptationError as err:
            if err.reason is not AdaptationReason.DIVERGED:
                raise
            self._give_up(task, str(err))

    def _train(self, task: Task) -> None:
        candidate, now = self._candidates[task.candidate], self._state
        if now.step == 0:
            # Always from the generic weights: the order of past jobs must not matter.
            apply_adapter(self._model, None)
        if candidate.steps == 0:
            self._finish(task, *solve_exactly(self._model, candidate, self._labelled(task)))
            return
        training = self._training = self._training or self._begin(candidate, task)
        if now.step == 0:
            training.rest()
            now.loss_before = training.loss()
        training.step(now.step)
        now.step += 1
        if now.step == candidate.steps:
            loss_after = training.loss()
            training.checked(now.loss_before, loss_after)
            self._finish(task, now.loss_before, loss_after)

    def _begin(self, candidate: Candidate, task: Task) -> Steps:
        labelled, pairs = self._labelled(task), self._compared(task)
        return begin(self._model, candidate, labelled, pairs, seed=self._seed)

    def _compared(self, task: Task) -> Compared | None:
        if self._pairs is None:
            return None
        return self._pairs.everything if task.turn is None else self._pairs.turns[task.turn]

    def _labelled(self, task: Task) -> Labelled:
        everything = self._evidence.everything
        return everything if task.turn is None else self._evidence.turns[task.turn][0]

    def _finish(self, task: Task, loss_before: float, loss_after: float) -> None:
        if task.turn is None:
            self._final = read_adapter(self._model)
        else:
            p_stress = self._p_stress(self._evidence.turns[task.turn][1].x)
            learned = Learned(p_stress, loss_before, loss_after, margins=self._margins())
            self._state.learned[task.candidate, task.turn] = learned
        self._next(self._state.task + 1)

    def _give_up(self, task: Task, why: str) -> None:
        if task.turn is None:
            self._failed_at_last = why
            self._next(self._state.task + 1)
            return
        self._state.learned[task.candidate, task.turn] = Learned(NONE, failed=why)
        later = (i for i, one in enumerate(self._tasks) if one.candidate > task.candidate)
        self._next(next(later, len(self._tasks)))

    def _next(self, task: int) -> None:
        self._state.task, self._state.step, self._training = task, 0, None

    @property
    def _pairs(self) -> Comparisons | None:
        return self._evidence.comparisons

    def _margins(self) -> FloatArray:
        """(m,) of the held-back comparisons, by the weights that the model holds."""
        return NONE if self._pairs is None else margins(self._model, self._pairs.held_back)

    def _p_stress(self, x: FloatArray) -> FloatArray:
        """(n,) by the weights that the model holds."""
        return probabilities(self._model, x)[:, 1]


def choose_update(
    model: SignatureModel,
    evidence: Evidence,
    *,
    current: Mapping[str, FloatArray] | None,
    candidates: tuple[Candidate, ...] = CANDIDATES,
    seed: int,
) -> Choice:
    """Run a whole job in one go; the model is left with the choice, after an error as it was."""
    before = model.run("get_adapter")
    try:
        job = Job(model, evidence, current=current, candidates=candidates, seed=seed)
        while not job.is_done:
            job.advance()
        return job.choice()
    except BaseException:
        model.run("set_adapter", **before)
        raise
