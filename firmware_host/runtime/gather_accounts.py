"""The report's accounts: what was learned from what, what is kept, how stream and host did."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from firmware_host.adaptation import ledger
from firmware_host.adaptation.adapters import ADAPTER_KIND, history
from firmware_host.adaptation.labels import LABEL_KIND, LABEL_REMOVED_KIND
from firmware_host.adaptation.ledger import LEDGER_KIND
from firmware_host.adaptation.outcome import MODEL
from firmware_host.adaptation.preferences import PREFERENCE_KIND
from firmware_host.adaptation.samples import BASELINE_KIND, WINDOW_KIND
from firmware_host.report import ChannelHealth, HostCost, LedgerEntry, LedgerScore, Privacy
from firmware_host.report.scales import print_count
from firmware_host.runtime.drifting import DRIFT_KIND
from firmware_host.runtime.gait_following import WALK_KIND
from firmware_host.runtime.gait_reference import GAIT_KIND
from firmware_host.runtime.gather_seen import Event, Seen
from firmware_host.runtime.live import LIVE_KIND
from firmware_host.runtime.memory import EVENT_KIND, SOURCE_KIND, SUMMARY_KIND
from firmware_host.vault.records import Vault
from firmware_host.words import counted

# The host's aim while streaming and while learning, in MB.
AIM_STREAMING_MB, AIM_LEARNING_MB = 64.0, 80.0

_KIND_WORDS = {
    EVENT_KIND: "result or note: state, activity, who walked, the stream's own",
    WINDOW_KIND: "minute as 26 figures; no waveform is kept",
    LABEL_KIND: "label by the wearer",
    LABEL_REMOVED_KIND: "note that a label was taken back",
    BASELINE_KIND: "baseline: the wearer at rest",
    SOURCE_KIND: "note on where a baseline came from",
    ADAPTER_KIND: "adapter: what was learned of stress",
    GAIT_KIND: "gait reference: what was learned of walking",
    LEDGER_KIND: "ledger entry",
    SUMMARY_KIND: "counts of a finished run",
    LIVE_KIND: "state of the latest run's stream",
    DRIFT_KIND: "state of the drift monitor",
    WALK_KIND: "sure walk that the gait reference follows",
    PREFERENCE_KIND: "comparison or answer by the wearer",
}
_SEALED = "encrypted; only sort, time and size can be read without the key"
_GROUP_WORDS = {
    "bias": "bias",
    "head": "head",
    "lora+head": "adapter and head",
    "generic": "back to the model as shipped",
}
_LINK_WORDS = {
    "n_frames": "Frames read",
    "bad_frames": "Frames with a wrong checksum",
    "oversize": "Frames longer than allowed",
    "skipped_bytes": "Bytes skipped to find the next frame",
    "bad_payloads": "Frames with a payload that makes no sense",
    "unknown_kinds": "Frames of a kind this host does not know",
    "foreign_messages": "Messages that came before their session was announced",
    "unknown_streams": "Blocks of a stream that was not announced",
    "links_lost": "Times the link was lost",
}
_UNIT_WORDS = {"uS": "µS", "degC": "°C", "m/s2": "m/s²"}
_NOTE_WORDS = {
    "reboot": "Reboots of the board",
    "swap": "Changes of board",
    "clock_jump": "Jumps of the board's clock",
    "clock_step": "Steps of the host's clock",
}
_WHAT_WORDS = {
    "baseline": "rest of the day",
    "revert_baseline": "rest before, again",
    "gait_self_update": "gait reference, from a sure walk",
    "revert_gait": "gait reference before, again",
    "job_dropped": "unfinished learning job",
}


def ledger_rows(vault: Vault) -> list[LedgerEntry]:
    """Every job and every way back."""
    versions = {adapter.id: adapter.version for adapter in history(vault, MODEL)}
    return [_ledger_row(entry, versions) for entry in ledger.entries(vault)]


def _ledger_row(entry: ledger.Entry, versions: Mapping[int, int]) -> LedgerEntry:
    facts = entry.facts
    if facts.get("what") == "revert":
        to_id = facts.get("to_id")
        to = "the model as shipped" if to_id is None else _adapter(to_id, versions)
        reason = f"the wearer went back from {_adapter(facts.get('from_id'), versions)} to {to}"
        return LedgerEntry(entry.t_utc, "stress model", "–", "rolled back", reason=reason)
    if facts.get("what") != "personalise":
        what = str(facts.get("what", ""))
        decision = "not taken" if facts.get("kept") is False else "done"
        if what == "job_dropped":
            decision = "dropped"
        told = str(facts.get("text", ""))
        return LedgerEntry(entry.t_utc, _WHAT_WORDS.get(what, what), "–", decision, reason=told)
    group = str(facts.get("group", ""))
    kept_id = facts.get("adapter_id")
    return LedgerEntry(
        entry.t_utc,
        "stress model" if kept_id is None else f"stress model, {_adapter(kept_id, versions)}",
        _learned_from(facts),
        "kept" if facts.get("kept") else "not kept",
        reason=str(facts.get("text", "")),
        method=_GROUP_WORDS.get(group, group),
        scores=_scores(facts, group),
        data_hash=str(facts.get("data_sha256", "")),
        seed=facts.get("seed"),
        steps=_steps(facts, group),
    )


def _steps(facts: Mapping[str, Any], group: str) -> int | None:
    """Steps of the update that the entry tells of; None for one that was solved for exactly."""
    for tried in facts.get("candidates", []):
        way = tried.get("way", "labels")
        name = tried["groups"] if way == "labels" else f"{tried['groups']}, {way}"
        if name == group and tried["steps"]:
            return int(tried["steps"])
    return None


def _adapter(record_id: Any, versions: Mapping[int, int]) -> str:
    return f"adapter {versions[record_id]}" if record_id in versions else "an adapter"


def _learned_from(facts: Mapping[str, Any]) -> str:
    trained, held_back = facts.get("n_episodes") or (0, 0)
    learned = f"{facts.get('n_calibration', 0)} windows of {trained} episodes"
    judged = f"judged on {facts.get('n_held_back', 0)} windows"
    if facts.get("different_episode"):
        return f"{learned}; {judged} of {held_back} other episodes"
    return f"{learned}; {judged} held back from the same episodes"


def _scores(facts: Mapping[str, Any], group: str) -> list[LedgerScore]:
    """What the gate saw of the update that the entry tells of."""
    trials = [t for t in facts.get("trials", []) if t["group"] == group and "n_windows" in t]
    if not trials:
        return []
    # Two candidates may move the same group: the one that was kept counts, else the first.
    told = next((t for t in trials if t.get("kept")), trials[0])
    return [
        LedgerScore(name, *(_number(told.get(f"{who}_{key}")) for who in _WHO))
        for name, key in (("balanced accuracy", "balanced_accuracy"), ("log loss", "log_loss"))
    ]


_WHO = ("generic", "current", "candidate")


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def privacy(seen: Seen, vault: Vault) -> Privacy:
    """What was counted of ways out, and what the vault holds."""
    stored = [
        (f"{print_count(n)} × {_KIND_WORDS.get(kind, kind.replace('_', ' '))}", _SEALED)
        for kind, n in vault.kinds().items()
    ]
    n_runs, n_open = len(seen.summaries), seen.n_unfinished
    if not n_runs:
        text = "No run has finished here, so nobody has counted sockets yet."
        return Privacy(uncounted=text if n_open else "", stored=stored)
    n_sockets = sum(int(s.get("sockets_opened", 0)) for s in seen.summaries)
    runs = "The finished run" if n_runs == 1 else f"The {n_runs} finished runs"
    opened = f"{runs} opened {counted(n_sockets, 'socket')}, as counted by the interpreter."
    if n_local := sum(int(s.get("sockets_local", 0)) for s in seen.summaries):
        opened += f" {n_local} more, to this machine's service manager, cannot leave it."
    evidence = [opened, "This version has no code that sends results anywhere."]
    if n_sockets:
        return Privacy(
            evidence=[opened],
            uncounted="A board on the network needs one; what passed through was not recorded.",
            stored=stored,
        )
    if n_open:
        missing = f"{counted(n_open, 'run')} left no count: cut off, or still going."
        return Privacy(evidence=evidence, uncounted=missing, stored=stored)
    return Privacy(evidence=evidence, stored=stored)


def stream(summaries: Sequence[Event]) -> list[ChannelHealth]:
    """Channels of the last finished run."""
    if not summaries:
        return []
    return [
        ChannelHealth(
            name,
            _UNIT_WORDS.get(c["unit"], str(c["unit"])),
            c["declared_hz"],
            _number(c["measured_hz"]),
            c["n_samples"],
            c["n_gaps"],
            c["missing_samples"] / c["declared_hz"] if c["declared_hz"] else 0.0,
            c.get("board_dropped", 0),
        )
        for name, c in summaries[-1]["channels"].items()
    ]


def link(summaries: Sequence[Event]) -> list[tuple[str, int]]:
    """Counters of the last finished run; of the rare ones only those that counted."""
    if not summaries:
        return []
    last = summaries[-1]
    notes = last.get("notes", {})
    rare = [(words, int(notes[key])) for key, words in _NOTE_WORDS.items() if notes.get(key)]
    return [*((words, int(last.get(key, 0))) for key, words in _LINK_WORDS.items()), *rare]


def costs(summaries: Sequence[Event], vault: Vault) -> list[HostCost]:
    """What the last finished run took, and what is on the disk."""
    if not summaries:
        return []
    last = summaries[-1]
    found = [HostCost("Peak memory, streaming", last["peak_rss_mb"], "MB", AIM_STREAMING_MB)]
    learned = [_learning_mb(summary) for summary in summaries]
    if any(map(math.isfinite, learned)):
        # The last run that learned: most runs do not.
        when = next(i for i in reversed(range(len(learned))) if math.isfinite(learned[i]))
        note = "a process of its own" + ("" if when == len(learned) - 1 else "; in an earlier run")
        found.append(
            HostCost("Peak memory, learning", learned[when], "MB", AIM_LEARNING_MB, note=note)
        )
    stream_h = last["stream_s"] / 3600.0
    found += [
        HostCost("Stream handled", stream_h, "h"),
        HostCost("Host time it took", last["wall_s"], "s", note="learning waited for included"),
        HostCost("Vault on the disk", _disk_mb(vault), "MB", note="all runs together"),
    ]
    return found


def _learning_mb(summary: Event) -> float:
    peaks = [float(job["peak_rss_mb"]) for job in summary["learned"] if job.get("peak_rss_mb")]
    return max(peaks, default=math.nan)


def _disk_mb(vault: Vault) -> float:
    return sum(p.stat().st_size for p in vault.directory.glob("*") if p.is_file()) / 1e6
