"""What the vault says of the wearer, in words and counts, without body data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from firmware_host.adaptation import ledger
from firmware_host.adaptation.episodes import Label
from firmware_host.adaptation.labels import load_labels
from firmware_host.adaptation.samples import WINDOW_KIND
from firmware_host.inference.bundle import load_bundle
from firmware_host.inference.contract import STRESS_PLACEMENT
from firmware_host.runtime.gait_reference import gait_facts, gait_references
from firmware_host.runtime.in_force import adapter_in_force, baseline_in_force
from firmware_host.runtime.learning import MIN_REST_EPISODES, MIN_STRESS_EPISODES
from firmware_host.runtime.memory import EVENT_KIND, stored_source
from firmware_host.vault.records import Vault


def wearer_state(vault: Vault, bundle_path: Path | str) -> dict[str, Any]:
    """Everything ``signet status`` prints."""
    bundle = load_bundle(bundle_path)
    adapter = adapter_in_force(vault, bundle_sha256=bundle.sha256)
    labels = [span.label for span in load_labels(vault)]
    counts = {label.value: labels.count(label) for label in Label}
    source = stored_source(vault)
    has_baseline = baseline_in_force(vault) is not None
    placements = list(gait_references(vault))
    return {
        "bundle": bundle.label,
        "records": vault.kinds(),
        "damaged": vault.count_damaged(),
        "last_event_utc": vault.newest_utc(EVENT_KIND),
        "baseline": source.value if has_baseline and source else None,
        "gait_enrolled": bool(placements),
        "gait_placements": placements,
        "gait_of_another_bundle": [
            place
            for place in placements
            if gait_facts(vault, place).get("bundle_sha256") != bundle.sha256
        ],
        "adapter": 0 if adapter is None else adapter.version,
        "labels": counts,
        "waiting_for": _first_cause(vault, has_baseline=has_baseline, counts=counts),
        "ledger_intact": ledger.is_unbroken(vault),
    }


def _first_cause(vault: Vault, *, has_baseline: bool, counts: dict[str, int]) -> str:
    """The first thing that holds learning up, in words; empty if nothing does."""
    if vault.count(WINDOW_KIND) == 0:
        return f"a stream from the {STRESS_PLACEMENT}: no minute was seen yet (signet run)"
    if not has_baseline:
        return "ten minutes of wear, or four still ones (signet enrol baseline)"
    if counts["stress"] < MIN_STRESS_EPISODES:
        return "a label of stress (signet label stress --last 5m, or the button)"
    if counts["rest"] < MIN_REST_EPISODES:
        return f"labels of rest: {counts['rest']} of {MIN_REST_EPISODES}"
    if ledger.latest(vault, what="personalise") is None:
        return "a learning job (signet learn)"
    return ""
