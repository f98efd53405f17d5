"""Takes a job's steps one after the other and says how far it is."""

from __future__ import annotations

from collections.abc import Callable

from firmware_host.adaptation.job import Job
from firmware_host.adaptation.recipe import Candidate

Progress = Callable[[str, int, int], None]


def run(job: Job, candidates: tuple[Candidate, ...], progress: Progress | None = None) -> None:
    """Run a job to its end; `progress` is told the candidate's group, its number, and how many."""
    n_told = 0
    while not job.is_done:
        n_told = _tell(progress, candidates, n_told, job.candidate + 1)
        job.advance()
    _tell(progress, candidates, n_told, len(candidates))
    if progress is not None:
        progress("done", len(candidates), len(candidates))


def _tell(
    progress: Progress | None, candidates: tuple[Candidate, ...], n_told: int, upto: int
) -> int:
    for idx in range(n_told, min(upto, len(candidates))):
        if progress is not None:
            progress(candidates[idx].groups, idx, len(candidates))
    return max(n_told, upto)
