"""What was learned when, from what, at what cost and with what result: the ledger in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from firmware_host.adaptation import checkpoint, ledger
from firmware_host.adaptation.adapters import history
from firmware_host.adaptation.outcome import MODEL
from firmware_host.errors import VaultError
from firmware_host.vault.records import Vault
from firmware_host.words import counted

_SHOWN_HASH = 12
_UNITS = {"s": "s", "j": "J", "bytes": "bytes"}
_WHO = ("generic", "current", "candidate")


def history_rows(vault: Vault) -> list[dict[str, Any]]:
    """Every entry, oldest first, and a job that waits to be gone on with, last.

    `lines` say more for people: version, data, seed, bundle, runtime, cost, scores; `facts` is the
    entry itself.
    """
    versions = {adapter.id: adapter.version for adapter in history(vault, MODEL)}
    rows = [_row(entry, versions) for entry in ledger.entries(vault)]
    return rows + _unfinished(vault)


def _row(entry: ledger.Entry, versions: Mapping[int, int]) -> dict[str, Any]:
    facts = entry.facts
    kept = facts.get("kept")
    return {
        "id": entry.id,
        "when": _when(entry.t_utc),
        "what": str(facts.get("what", "")),
        "decision": "" if kept is None else ("kept" if kept else "not kept"),
        "text": str(facts.get("text", "")) or _reverted(facts),
        "version": versions.get(facts.get("adapter_id") or 0),
        "lines": _lines(facts, versions) if facts.get("what") == "personalise" else [],
        "facts": facts,
    }


def _reverted(facts: Mapping[str, Any]) -> str:
    if facts.get("what") != "revert":
        return ""
    version = facts.get("to_version")
    to = "the generic model" if facts.get("to_id") is None else f"adapter {version or 'before'}"
    return f"the wearer went back to {to}"


def _lines(facts: Mapping[str, Any], versions: Mapping[int, int]) -> list[str]:
    version = versions.get(facts.get("adapter_id") or 0)
    made = f"adapter {version}, {facts.get('group')}" if version else "no new adapter"
    used = facts.get("used", {})
    n_resumes = used.get("n_resumes", 0)
    cost = (
        f"{facts.get('n_steps', '?')} steps, {_resumed(n_resumes)}, "
        f"{used.get('wall_s', 0):.1f} s, {used.get('joules_proxy', 0):.1f} J by proxy, "
        f"{used.get('vault_bytes', 0)} bytes written; budget {_budget(used.get('budget', {}))}"
    )
    told = [
        f"{made}; data {_short(facts, 'data_sha256')}, seed {facts.get('seed')}, "
        f"bundle {_short(facts, 'bundle_sha256')}, {facts.get('runtime') or 'unknown runtime'}",
        cost if used else "cost not written down",
    ]
    if facts.get("set_aside"):
        told.append(f"set aside: {'; '.join(facts['set_aside'])}")
    scores = [_score(trial) for trial in facts.get("trials", [])]
    return told + (
        ["on held-back windows, generic / best so far / with it:", *scores] if scores else []
    )


def _resumed(n_resumes: int) -> str:
    if n_resumes == 0:
        return "without a break"
    return f"with {counted(n_resumes, 'break')}"


def _score(trial: Mapping[str, Any]) -> str:
    why = "let through" if trial.get("kept") else str(trial.get("reason", "")).replace("_", " ")
    text = f"{trial['group']}: {why}"
    names = (("log loss", "log_loss"), ("balanced accuracy", "balanced_accuracy"))
    for name, key in names:
        values = [trial.get(f"{who}_{key}") for who in _WHO]
        if all(isinstance(value, float) for value in values):
            text += f", {name} " + " / ".join(f"{value:.3f}" for value in values)
    return text


def _budget(limits: Mapping[str, float]) -> str:
    said = [f"{limits[key]:.10g} {unit}" for key, unit in _UNITS.items() if key in limits]
    return ", ".join(said) or "none"


def _unfinished(vault: Vault) -> list[dict[str, Any]]:
    try:
        found = checkpoint.load(vault)
    except VaultError:
        return []
    if found is None:
        return []
    text = f"{found.state.n_steps} steps done; the next signet learn goes on"
    row = {"id": found.id, "when": _when(found.t_utc), "what": "unfinished", "decision": ""}
    return [{**row, "text": text, "version": None, "lines": [], "facts": dict(found.inputs)}]


def _short(facts: Mapping[str, Any], key: str) -> str:
    return str(facts.get(key, ""))[:_SHOWN_HASH]


def _when(utc: float) -> str:
    return datetime.fromtimestamp(utc).astimezone().isoformat(timespec="seconds")
