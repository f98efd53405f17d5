"""The learning job: from stored windows and labels to an adapter in force, or to a reason why not.

Evidence (`prepare`) -> steps (`job`, run by `runner`) -> choice (`choice`, by the gate) -> adapter,
ledger and pointer in one transaction. A cut at any moment leaves the old state or the new one, and
a checkpoint that the next call goes on from. The same vault, model, settings and seed give the same
adapter, byte for byte, however often the job was cut.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Any

from firmware_host import __version__
from firmware_host.adaptation import checkpoint, ledger
from firmware_host.adaptation.adapters import (
    Adapter,
    apply_adapter,
    load_usable,
    pointer_name,
    put_adapter,
)
from firmware_host.adaptation.budget import Meter, Used
from firmware_host.adaptation.checkpoint import Keeper
from firmware_host.adaptation.choice import Choice
from firmware_host.adaptation.evidence import Evidence
from firmware_host.adaptation.job import Job
from firmware_host.adaptation.outcome import (
    CHANGED_MEANWHILE,
    MODEL,
    NOTHING_NEW,
    PAUSED,
    Outcome,
    entry,
    outcome,
    refused,
    used_facts,
)
from firmware_host.adaptation.prepare import ModelFacts, Prepared, prepare
from firmware_host.adaptation.recipe import CANDIDATES, Candidate
from firmware_host.adaptation.runner import Conduct, Runner
from firmware_host.adaptation.samples import BASELINE_KIND, BASELINE_POINTER, baseline_payload
from firmware_host.inference.base import SignatureModel
from firmware_host.vault.pack import pack
from firmware_host.vault.records import Vault


@dataclass(frozen=True, slots=True)
class _Order:
    """One call: whose vault, which model, what to try, and how it may be run."""

    vault: Vault
    model: SignatureModel
    facts: ModelFacts
    candidates: tuple[Candidate, ...]
    seed: int
    now_utc: float
    conduct: Conduct
    meter: Meter


def personalise(
    vault: Vault,
    model: SignatureModel,
    facts: ModelFacts,
    *,
    seed: int,
    now_utc: float,
    candidates: tuple[Candidate, ...] = CANDIDATES,
    conduct: Conduct | None = None,
) -> Outcome:
    """Learn from what the vault holds, keep it only if the gate agrees, and write down either.

    Goes on with the unfinished job, if there is one of the same inputs. What is damaged, or of
    another bundle, is set aside and said. The model is left with the
    weights that are in force afterwards; where nothing was trained, and after an error or a pause,
    with those it had.

    Raises
    ------
    AdaptationError
        `budget` if the budget is too small for one step.
    VaultError, StorageError
        If the vault cannot be read or written; what was in force before still is.
    """
    conduct = conduct or Conduct()
    meter = Meter(conduct.budget, lambda: vault.bytes_written)
    order = _Order(vault, model, facts, candidates, seed, now_utc, conduct, meter)
    job = prepare(vault, facts, now_utc=now_utc)
    if not isinstance(job, Prepared):
        _drop_unfinished(vault, ["the labels or the windows"], now_utc)
        return refused(job)
    current, unusable = load_usable(vault, MODEL, bundle_sha256=facts.bundle_sha256)
    if unusable:
        job = replace(job, set_aside=(*job.set_aside, unusable))
    run_sha256 = _run_hash(job, facts, candidates, seed)
    last = ledger.latest(vault, what="personalise")
    # Where the adapter does not open, the same labels have to make it again.
    if not unusable and last is not None and last.facts["run_sha256"] == run_sha256:
        _drop_unfinished(vault, ["the labels or the settings"], now_utc)
        return outcome(job, NOTHING_NEW, "no new labelled windows since the last update")
    before = model.run("get_adapter")
    try:
        done = _run(order, job, current, run_sha256, vault.pointer(pointer_name(MODEL)))
    except BaseException:
        model.run("set_adapter", **before)
        raise
    if done.reason == PAUSED:
        model.run("set_adapter", **before)
    return done


def _run(
    order: _Order, job: Prepared, current: Adapter | None, run_sha256: str, adapter_id: int | None
) -> Outcome:
    inputs = _inputs(order, job, adapter_id)
    found = checkpoint.load(order.vault)
    changed = [] if found is None else found.changed(inputs)
    if changed or (found is None and checkpoint.has_unfinished(order.vault)):
        # Who may not begin must not throw away what another job has done.
        if (cause := order.conduct.may_go_on()) is not None:
            return _paused(job, cause, n_steps=0)
        _drop_unfinished(order.vault, changed, order.now_utc)
        found = None
    steps = Job(
        order.model,
        _evidence(job, current),
        current=None if current is None else current.arrays,
        candidates=order.candidates,
        seed=order.seed,
    )
    keeper = Keeper(order.vault, inputs, found, now_utc=order.now_utc)
    earlier = Used()
    if found is not None:
        earlier = replace(found.used, n_resumes=found.used.n_resumes + 1)
        steps.restore(found.state)
    runner = Runner(order.conduct, order.meter, keeper, earlier)
    cause = runner.run(steps, order.candidates)
    if cause is not None:
        return _paused(job, cause, n_steps=steps.n_steps)
    choice = steps.choice()
    facts = entry(
        job,
        choice,
        order.facts,
        candidates=order.candidates,
        seed=order.seed,
        n_steps=steps.n_steps,
    )
    facts |= {"run_sha256": run_sha256, "used": used_facts(runner.used(), order.conduct.budget)}
    return _write(order, job, choice, facts, adapter_id)


def _paused(job: Prepared, cause: str, *, n_steps: int) -> Outcome:
    """One reason for machines; for people, whether there is something to go on with."""
    done = f"paused: {cause}; {n_steps} steps done, the next signet learn goes on"
    return outcome(job, PAUSED, done if n_steps else f"not begun: {cause}", n_steps=n_steps)


def _drop_unfinished(vault: Vault, changed: list[str], now_utc: float) -> None:
    if not checkpoint.has_unfinished(vault):
        return
    why = f"{' and '.join(changed)} changed meanwhile" if changed else "its checkpoint was damaged"
    text = f"an unfinished job was dropped: {why}"
    with vault.transaction():
        checkpoint.drop(vault)
        facts = {"what": "job_dropped", "model": MODEL, "text": text, "changed": changed}
        ledger.append(vault, facts, now_utc=now_utc)


def _evidence(job: Prepared, current: Adapter | None) -> Evidence:
    if current is None:
        return job.evidence
    return replace(job.evidence, fresh=job.held_back_utc >= current.created_utc)


def _inputs(order: _Order, job: Prepared, adapter_id: int | None) -> dict[str, Any]:
    recipe = {"candidates": [asdict(one) for one in order.candidates], "seed": order.seed}
    return {
        "data_sha256": job.data_sha256,
        "bundle_sha256": order.facts.bundle_sha256,
        "runtime": order.facts.runtime,
        "recipe_sha256": hashlib.sha256(pack({}, recipe)).hexdigest(),
        "adapter_id": adapter_id,
        "signet": __version__,
    }


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


def _write(
    order: _Order,
    job: Prepared,
    choice: Choice,
    facts: dict[str, Any],
    adapter_id: int | None,
) -> Outcome:
    vault, now_utc = order.vault, order.now_utc
    with vault.transaction():
        checkpoint.drop(vault)
        if vault.pointer(pointer_name(MODEL)) != adapter_id:
            # The wearer went back while this ran: theirs is the last word.
            now, _ = load_usable(vault, MODEL, bundle_sha256=order.facts.bundle_sha256)
            apply_adapter(order.model, None if now is None else now.arrays)
            return outcome(job, CHANGED_MEANWHILE, "the adapter was changed while learning")
        baseline_id = _baseline_id(vault, job, now_utc)
        new_id = _put(vault, choice, order.facts.bundle_sha256, baseline_id, now_utc)
        links = {"adapter_id": new_id, "baseline_id": baseline_id}
        ledger_id = ledger.append(vault, {**facts, **links}, now_utc=now_utc)
    return outcome(
        job,
        choice.decision.reason.value,
        choice.decision.text,
        kept=choice.changed,
        group=choice.groups,
        adapter_id=new_id,
        ledger_id=ledger_id,
        figures=choice.decision.figures,
        n_steps=facts["n_steps"],
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
