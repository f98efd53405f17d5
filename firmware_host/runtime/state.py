"""What the vault says of the wearer, in words and counts, without body data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from firmware_host.adaptation import ledger
from firmware_host.adaptation.episodes import Label
from firmware_host.adaptation.labels import load_labels
from firmware_host.inference.bundle import load_bundle
from firmware_host.runtime.drifting import misfits
from firmware_host.runtime.gait_reference import gait_facts, gait_references
from firmware_host.runtime.in_force import adapter_in_force, baseline_in_force
from firmware_host.runtime.live import is_going_on, live_health
from firmware_host.runtime.memory import EVENT_KIND, stored_source
from firmware_host.runtime.waiting import Waiting
from firmware_host.vault.records import Vault


def wearer_state(vault: Vault, bundle_path: Path | str, waiting: Waiting) -> dict[str, Any]:
    """Everything ``signet status`` prints; `waiting` is what a look at vault and host gave."""
    bundle = load_bundle(bundle_path)
    adapter = adapter_in_force(vault, bundle_sha256=bundle.sha256)
    labels = [span.label for span in load_labels(vault)]
    counts = {label.value: labels.count(label) for label in Label}
    source = stored_source(vault)
    has_baseline = baseline_in_force(vault) is not None
    placements = list(gait_references(vault))
    return {
        "bundle": bundle.label,
        "weights": bundle.stored,
        "records": vault.kinds(),
        "damaged": vault.count_damaged(),
        "last_event_utc": vault.newest_utc(EVENT_KIND),
        "stream": _stream(vault),
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
        "no_longer_fits": [
            {"part": m.part.value, "why": m.why, "to_do": m.to_do} for m in misfits(vault)
        ],
        "waiting_for": waiting.lines()[0],
        "learning": waiting.facts(),
        "host": waiting.readings.words(),
        "ledger_intact": ledger.is_unbroken(vault),
    }


def _stream(vault: Vault) -> dict[str, Any] | None:
    """How the stream of the latest run does or did; None if there was none."""
    health = live_health(vault)
    if health is None:
        return None
    return {**health, "is_going_on": is_going_on(health)}
