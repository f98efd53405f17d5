"""Takes a job's steps one after the other, keeps checkpoints, and pauses when it must."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from firmware_host.adaptation.budget import Budget, Meter, Used
from firmware_host.adaptation.checkpoint import Keeper
from firmware_host.adaptation.job import Job
from firmware_host.adaptation.recipe import Candidate

# Told the candidate's group, its number, and how many there are; at last "done".
Progress = Callable[[str, int, int], None]
# A checkpoint is 6 kB sealed, 13 kB of writing to the disk: a job of 1600 steps writes 33 of them, and a
# kill loses 50 steps at most, some 10 ms on a PC.
CHECKPOINT_STEPS = 50


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a job is run, which never changes what comes of it.

    Parameters
    ----------
    budget
        Limits of this call.
    checkpoint_steps
        Steps between checkpoints.
    may_go_on
        Asked before every step: why to pause, or None. It must answer at once.
    progress
        Told which candidate is next.
    """

    budget: Budget = field(default_factory=Budget)
    checkpoint_steps: int = CHECKPOINT_STEPS
    may_go_on: Callable[[], str | None] = lambda: None
    progress: Progress | None = None


class Runner:
    """Runs one job as far as it may go; `before` is what its earlier calls used."""

    def __init__(self, conduct: Conduct, meter: Meter, keeper: Keeper, before: Used) -> None:
        self._conduct, self._meter, self._keeper, self._before = conduct, meter, keeper, before

    def used(self) -> Used:
        """What the job took so far, over all calls."""
        return self._before.plus(self._meter.used())

    def run(self, job: Job, candidates: tuple[Candidate, ...]) -> str | None:
        """Step until the job is done (None) or must pause (the cause, in words).

        A pause leaves a checkpoint; one before the first step of a new job leaves nothing.

        Raises
        ------
        AdaptationError
            `budget` if the budget is too small for a single step.
        """
        # A checkpoint, and the one of the pause after it: then the adapter and its entry fit as well.
        reserve = 2 * job.max_state_bytes
        n_told, n_here = 0, 0
        while not job.is_done:
            cause = self._conduct.may_go_on()
            if cause is None and n_here == 0:
                self._meter.require_one_step(reserve_bytes=reserve)
                self._save(job)
            elif cause is None:
                # Never before the first step, or a budget just large enough would begin for ever.
                cause = self._meter.spent(reserve_bytes=reserve)
            if cause is not None:
                if n_here:
                    self._save(job, durable=True)
                return cause
            n_told = self._tell(candidates, n_told, job.candidate + 1)
            job.advance()
            n_here += 1
            if job.n_steps % self._conduct.checkpoint_steps == 0 and not job.is_done:
                self._save(job)
        self._tell(candidates, n_told, len(candidates), done=True)
        return None

    def _save(self, job: Job, *, durable: bool = False) -> None:
        self._keeper.save(job.state(), self.used(), durable=durable)

    def _tell(
        self, candidates: tuple[Candidate, ...], n_told: int, upto: int, *, done: bool = False
    ) -> int:
        progress, n = self._conduct.progress, len(candidates)
        if progress is None:
            return n_told
        for idx in range(n_told, min(upto, n)):
            progress(candidates[idx].groups, idx, n)
        if done:
            progress("done", n, n)
        return max(n_told, upto)
