"""Learning jobs as commands run them: open what is needed, learn, say what came of it."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np

from firmware_host.adaptation.outcome import Outcome
from firmware_host.adaptation.personalise import personalise
from firmware_host.adaptation.prepare import ModelFacts
from firmware_host.adaptation.recipe import candidates_of
from firmware_host.adaptation.runner import Conduct
from firmware_host.inference.base import SignatureModel, runs_on
from firmware_host.inference.bundle import load_bundle, open_model
from firmware_host.inference.contract import Bundle
from firmware_host.runtime.learning import lower_priority
from firmware_host.runtime.summary import peak_rss_mb
from firmware_host.vault.lock import learning
from firmware_host.vault.records import Vault


def model_facts(bundle: Bundle, model: SignatureModel) -> ModelFacts:
    """What the learning job needs to know of a bundle and of what runs it."""
    return ModelFacts(
        bundle_sha256=bundle.sha256,
        spread=np.asarray(bundle.stress.normalisation.spread, dtype=np.float64),
        window_s=bundle.stress.window_s,
        max_motion_ms2=bundle.stress.thresholds["max_motion_ms2"],
        runtime=what_runs(model),
    )


def what_runs(model: SignatureModel) -> str:
    """What besides the file decides about the bytes of a result: runtime, kernels, delegate, machine."""
    return f"{runs_on(model)}, {platform.machine()}"


def learn_stress(
    vault: Vault,
    *,
    bundle: Path | str,
    runtime: str,
    seed: int,
    now_utc: float,
    conduct: Conduct,
    method: str = "recipe",
    micro_batches: bool = False,
    delegate: str = "auto",
) -> tuple[Outcome, float]:
    """One job on the vault's labels, at low priority; the outcome and this process's peak RSS in MB.

    ``method`` and ``micro_batches`` are as in the settings. Goes on with the job that was paused or
    cut, if there is one.

    Raises
    ------
    SignetError
        If the bundle or the vault is not usable, or another process learns; nothing changed then.
    """
    lower_priority()
    loaded = load_bundle(bundle)
    model = open_model(loaded, loaded.stress, runtime=runtime, delegate=delegate)
    facts = model_facts(loaded, model)
    with learning(vault.directory):
        outcome = personalise(
            vault,
            model,
            facts,
            seed=seed,
            now_utc=now_utc,
            candidates=candidates_of(method, micro_batches=micro_batches),
            conduct=conduct,
        )
    return outcome, peak_rss_mb()
