"""The learning job: from stored windows and labels to an adapter in force, or to a reason why not.

Windows and labels -> baseline -> model inputs -> split -> candidates -> gate -> adapter, ledger and
pointer in one transaction. A cut at any moment leaves the old state or the new one. The same
vault, model, settings and seed give the same adapter, byte for byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from firmware_host.adaptation import ledger
from firmware_host.adaptation.adapters import (
    Adapter,
    apply_adapter,
    load_current,
    pointer_name,
    put_adapter,
)
from firmware_host.adaptation.choice import Choice, Trial
from firmware_host.adaptation.episodes import EpisodeSet, LeftOut, Refusal
from firmware_host.adaptation.evidence import Evidence
from firmware_host.adaptation.job import Job
from firmware_host.adaptation.prepare import ModelFacts, Prepared, prepare
from firmware_host.adaptation.recipe import CANDIDATES, Candidate
from firmware_host.adaptation.runner import Progress, run
from firmware_host.adaptation.samples import BASELINE_KIND, BASELINE_POINTER, baseline_payload
from firmware_host.inference.base import SignatureModel
from firmware_host.vault.pack import pack
from firmware_host.vault.records import Vault

MODEL = "stress"
NOTHING_NEW = "nothing_new"
CHANGED_MEANWHILE = "changed_meanwhile"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job did: kept or not, the reason in a word and in a sentence, and the details."""

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
    figures: Mapping[str, float] = field(default_factory=dict)


def personalise(
    vault: Vault,
    model: SignatureModel,
    facts: ModelFacts,
    *,
    seed: int,
    now_utc: float,
    candidates: tuple[Candidate, ...] = CANDIDATES,
    progress: Progress | None = None,
) -> Outcome:
    """Learn from what the vault holds, keep it only if the gate agrees, and write down either.

    The model is left with the weights that are in force afterwards; where nothing was trained, and
    after an error, with those it had.

    Raises
    ------
    AdaptationError
        `foreign_adapter` if the adapter in force belongs to another bundle.
    VaultError, StorageError
        If the vault cannot be read or written; what was in force before still is.
    """
    job = prepare(vault, facts)
    if not isinstance(job, Prepared):
        return _refused(*job)
    current = load_current(vault, MODEL, bundle_sha256=facts.bundle_sha256)
    run_sha256 = _run_hash(job, facts, candidates, seed)
    last = ledger.latest(vault, what="personalise")
    if last is not None and last.facts["run_sha256"] == run_sha256:
        return _outcome(job, NOTHING_NEW, "no new labelled windows since the last update")
    before = model.run("get_adapter")
    try:
        steps = Job(
            model,
            _evidence(job, current),
            current=None if current is None else current.arrays,
            candidates=candidates,
            seed=seed,
        )
        run(steps, candidates, progress)
        choice = steps.choice()
        entry = _entry(job, choice, facts, candidates, seed) | {"run_sha256": run_sha256}
        return _write(vault, model, job, choice, entry, current, now_utc)
    except BaseException:
        model.run("set_adapter", **before)
        raise


def _evidence(job: Prepared, current: Adapter | None) -> Evidence:
    if current is None:
        return job.evidence
    return replace(job.evidence, fresh=job.held_back_utc >= current.created_utc)


def _run_hash(
    job: Prepared, facts: ModelFacts, candidates: tuple[Candidate, ...], seed: int
) -> str:
    meta = {
        "data": job.data_sha256,
        "bundle": facts.bundle_sha256,
        "candidates": [asdict(candidate) for candidate in candidates],
        "seed": seed,
    }
    return hashlib.sha256(pack({}, meta)).hexdigest()


def _entry(
    job: Prepared,
    choice: Choice,
    facts: ModelFacts,
    candidates: tuple[Candidate, ...],
    seed: int,
) -> dict[str, Any]:
    return {
        "what": "personalise",
        "model": MODEL,
        "bundle_sha256": facts.bundle_sha256,
        "data_sha256": job.data_sha256,
        "n_calibration": job.evidence.n_calibration,
        "n_held_back": len(job.evidence.fresh),
        "n_episodes": [len(job.split.calibration), len(job.split.held_back)],
        "different_episode": job.split.different_episode,
        "n_stories": job.split.n_stories,
        "left_out": dict(job.left_out),
        "seed": seed,
        "budget": [asdict(candidate) for candidate in candidates],
        "trials": [_trial(trial) for trial in choice.trials],
        "kept": choice.changed,
        "group": choice.groups,
        "reason": choice.decision.reason.value,
        "text": choice.decision.text,
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


def _write(
    vault: Vault,
    model: SignatureModel,
    job: Prepared,
    choice: Choice,
    entry: dict[str, Any],
    current: Adapter | None,
    now_utc: float,
) -> Outcome:
    with vault.transaction():
        if vault.pointer(pointer_name(MODEL)) != (None if current is None else current.id):
            # The wearer went back while this ran: theirs is the last word.
            now = load_current(vault, MODEL, bundle_sha256=entry["bundle_sha256"])
            apply_adapter(model, None if now is None else now.arrays)
            return _outcome(job, CHANGED_MEANWHILE, "the adapter was changed while learning")
        baseline_id = _baseline_id(vault, job, now_utc)
        adapter_id = _put(vault, choice, entry["bundle_sha256"], baseline_id, now_utc)
        links = {"adapter_id": adapter_id, "baseline_id": baseline_id}
        ledger_id = ledger.append(vault, {**entry, **links}, now_utc=now_utc)
    return _outcome(
        job,
        choice.decision.reason.value,
        choice.decision.text,
        kept=choice.changed,
        group=choice.groups,
        adapter_id=adapter_id,
        ledger_id=ledger_id,
        figures=choice.decision.figures,
    )


def _baseline_id(vault: Vault, job: Prepared, now_utc: float) -> int:
    if job.baseline_id is not None:
        return job.baseline_id
    # The live path must normalise as the job did, so its baseline becomes the wearer's.
    baseline_id = vault.put(BASELINE_KIND, baseline_payload(job.baseline), now_utc)
    vault.set_pointer(BASELINE_POINTER, baseline_id)
    return baseline_id


def _put(
    vault: Vault, choice: Choice, bundle_sha256: str, baseline_id: int, now_utc: float
) -> int | None:
    if not choice.changed:
        return None
    if choice.arrays is None:
        vault.set_pointer(pointer_name(MODEL), None)
        return None
    return put_adapter(
        vault,
        choice.arrays,
        model=MODEL,
        bundle_sha256=bundle_sha256,
        group=choice.groups,
        baseline_id=baseline_id,
        now_utc=now_utc,
    )


def _outcome(job: Prepared, reason: str, text: str, *, kept: bool = False, **rest: Any) -> Outcome:
    return Outcome(
        kept=kept,
        reason=reason,
        text=text,
        n_calibration=job.evidence.n_calibration,
        n_held_back=len(job.evidence.fresh),
        different_episode=job.split.different_episode,
        left_out=job.left_out,
        **rest,
    )


def _refused(refusal: Refusal, built: EpisodeSet) -> Outcome:
    n_windows = sum(len(episode) for episode in built.episodes)
    return Outcome(
        kept=False,
        reason=refusal.reason.value,
        text=refusal.text,
        n_calibration=n_windows,
        left_out=built.left_out,
    )
