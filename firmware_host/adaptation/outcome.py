"""What came of a learning job, for people and for the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from firmware_host.adaptation.budget import Budget, Used
from firmware_host.adaptation.choice import Choice, Trial
from firmware_host.adaptation.episodes import LeftOut
from firmware_host.adaptation.prepare import ModelFacts, Prepared, TooLittle
from firmware_host.adaptation.recipe import Candidate

MODEL = "stress"
NOTHING_NEW = "nothing_new"
CHANGED_MEANWHILE = "changed_meanwhile"
PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job did: kept or not, the reason in a word and in a sentence, and the details.

    `set_aside` says what else than windows was not used, and why; `n_steps` counts over all calls.
    """

    kept: bool
    reason: str
    text: str
    group: str = ""
    adapter_id: int | None = None
    ledger_id: int | None = None
    n_calibration: int = 0
    n_held_back: int = 0
    different_episode: bool = False
    left_out: Mapping[LeftOut, int] = field(default_factory=dict)
    set_aside: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    n_steps: int = 0


def outcome(job: Prepared, reason: str, text: str, *, kept: bool = False, **rest: Any) -> Outcome:
    """Outcome of a job that had enough to learn from."""
    return Outcome(
        kept=kept,
        reason=reason,
        text=text,
        n_calibration=job.evidence.n_calibration,
        n_held_back=len(job.evidence.fresh),
        different_episode=job.split.different_episode,
        left_out=job.left_out,
        set_aside=job.set_aside,
        **rest,
    )


def refused(found: TooLittle) -> Outcome:
    """Outcome where there was too little to begin."""
    return Outcome(
        kept=False,
        reason=found.refusal.reason.value,
        text=found.refusal.text,
        n_calibration=sum(len(episode) for episode in found.built.episodes),
        left_out=found.built.left_out,
        set_aside=found.set_aside,
    )


def entry(
    job: Prepared,
    choice: Choice,
    facts: ModelFacts,
    *,
    candidates: tuple[Candidate, ...],
    seed: int,
    n_steps: int,
) -> dict[str, Any]:
    """The job's line in the ledger: all that the same data, seed and bundle give again."""
    return {
        "what": "personalise",
        "model": MODEL,
        "bundle_sha256": facts.bundle_sha256,
        "runtime": facts.runtime,
        "data_sha256": job.data_sha256,
        "n_calibration": job.evidence.n_calibration,
        "n_held_back": len(job.evidence.fresh),
        "n_episodes": [len(job.split.calibration), len(job.split.held_back)],
        "different_episode": job.split.different_episode,
        "n_stories": job.split.n_stories,
        "left_out": dict(job.left_out),
        "set_aside": list(job.set_aside),
        "seed": seed,
        "candidates": [asdict(candidate) for candidate in candidates],
        "n_steps": n_steps,
        "trials": [_trial(trial) for trial in choice.trials],
        "kept": choice.changed,
        "group": choice.groups,
        "reason": choice.decision.reason.value,
        "text": choice.decision.text,
    }


def used_facts(used: Used, budget: Budget) -> dict[str, Any]:
    """What varies from run to run: time, energy by proxy, bytes, resumes, and the last call's limits."""
    limits = {"s": budget.seconds, "j": budget.joules, "bytes": budget.n_bytes}
    return {
        "wall_s": round(used.wall_s, 3),
        "cpu_s": round(used.cpu_s, 3),
        "joules_proxy": round(used.cpu_s * budget.core_w, 3),
        "core_w": budget.core_w,
        "vault_bytes": used.n_bytes,
        "n_resumes": used.n_resumes,
        "budget": {name: limit for name, limit in limits.items() if limit},
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "group": trial.groups,
        "kept": trial.decision.kept,
        "reason": trial.decision.reason.value,
        "loss_before": trial.loss_before,
        "loss_after": trial.loss_after,
        **trial.decision.figures,
    }
