"""What the vault holds of one wearer, as the plain data of a report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation import ledger
from firmware_host.adaptation.samples import (
    WINDOW_KIND,
    load_labels,
)
from firmware_host.inference.contract import Bundle
from firmware_host.report import (
    BeforeAfter,
    ChannelHealth,
    Confusion,
    GaitScores,
    HostCost,
    LedgerEntry,
    Privacy,
    ProbabilityTrack,
    ReportData,
    Signal,
)
from firmware_host.runtime.later import Later, Truth, later_part
from firmware_host.runtime.memory import stored_events, stored_summaries
from firmware_host.signals.stress import FEATURE_NAMES
from firmware_host.vault.pack import unpack
from firmware_host.vault.records import Vault

Event = Mapping[str, Any]
# The host's aim while streaming and while learning, in MB.
AIM_STREAMING_MB, AIM_LEARNING_MB = 64.0, 80.0


def gather(
    vault: Vault, bundle: Bundle, *, truth: Truth = (), tz_offset_s: float, made_utc: float
) -> tuple[ReportData, Later | None]:
    """Everything a report shows, and the scores of the later part.

    Parameters
    ----------
    truth
        (start_utc, end_utc, label) that nobody learned from, for scoring; empty: the wearer's own labels.
    """
    events = list(stored_events(vault))
    labels = [(s.start_utc, s.end_utc, s.label.value) for s in load_labels(vault)]
    later = later_part(
        events, truth or labels, bundle.stress.time_control, window_s=bundle.stress.window_s
    )
    stress = [e for e in events if e["kind"] == "stress"]
    start_utc, end_utc = _range(events)
    summaries = stored_summaries(vault)
    data = ReportData(
        title="What Signet saw, and what it learned",
        wearer=f"wearer {vault.wearer_id[:6]}",
        source=str(summaries[-1]["board"]) if summaries else "no finished run",
        start_utc=start_utc,
        end_utc=end_utc,
        tz_offset_s=tz_offset_s,
        made_utc=made_utc,
        made_by=f"Signet, bundle {bundle.label}",
        facts=_facts(bundle, summaries),
        signals=_signals(vault),
        not_worn=_runs(stress, "state", bundle.stress.hop_s, only="not_worn"),
        states=_state_spans(stress, bundle.stress.hop_s),
        labels=labels,
        truth=list(truth),
        activities=_activity_spans(events, bundle.gait.hop_s),
        events=_notes(events),
        probability=_probability(stress, events, bundle),
        outcomes=_outcomes(later),
        outcomes_note=_outcomes_note(later),
        gait=_gait(events, bundle),
        confusion=_confusion(stress, truth or labels, bundle.stress.window_s),
        ledger=[_ledger_row(entry) for entry in ledger.entries(vault)],
        privacy=_privacy(vault, summaries),
        stream=_stream(summaries),
        link=_link(summaries),
        costs=_costs(summaries),
    )
    return data, later


def _range(events: Sequence[Event]) -> tuple[float, float]:
    times = [float(e["utc"]) for e in events if e["utc"] is not None]
    return (min(times), max(times)) if times else (0.0, 0.0)


def _facts(bundle: Bundle, summaries: Sequence[Event]) -> list[tuple[str, str]]:
    facts = [("model bundle", f"{bundle.label} ({bundle.placement}), {bundle.sha256[:12]}")]
    if summaries:
        facts.append(("board", f"{summaries[-1]['board']}, {summaries[-1]['firmware']}"))
    return facts


def _signals(vault: Vault) -> list[Signal]:
    """Curves of the stored windows: waveforms are not kept, their minute by minute features are."""
    rows = [(r.t_utc, unpack(r.payload)[0]) for r in vault.iterate(WINDOW_KIND)]
    if not rows:
        return []
    t_utc = np.array([t for t, _ in rows])
    features = np.array([arrays["features"] for _, arrays in rows], dtype=np.float64)
    quality = np.array([arrays["quality"] for _, arrays in rows])
    motion = np.array([arrays["facts"][1] for _, arrays in rows])

    def column(name: str, trusted: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.where(trusted, features[:, FEATURE_NAMES.index(name)], np.nan)

    pulse, skin, warmth = quality[:, 0] >= 0.5, quality[:, 1] >= 0.5, quality[:, 2] >= 0.5
    eda = np.exp(column("log_eda_level", skin))
    return [
        Signal("Heart rate", "bpm", t_utc, column("hr_median_bpm", pulse), note="60 s median"),
        Signal("Skin conductance", "µS", t_utc, eda, note="60 s level"),
        Signal("Skin temperature", "°C", t_utc, column("temp_mean", warmth), note="60 s mean"),
        Signal("Movement", "m/s²", t_utc, motion, note="60 s mean"),
    ]


def _runs(
    events: Sequence[Event], key: str, hop_s: float, *, only: str | None = None
) -> list[tuple[float, float]]:
    return [(a, b) for a, b, name in _spans(events, key, hop_s) if only in (None, name)]


def _spans(events: Sequence[Event], key: str, hop_s: float) -> list[tuple[float, float, str]]:
    """Equal neighbours joined; each event speaks of the hop before its time."""
    spans: list[tuple[float, float, str]] = []
    for event in events:
        start, end, name = event["utc"] - hop_s, event["utc"], str(event[key])
        if spans and spans[-1][2] == name and start - spans[-1][1] < hop_s:
            spans[-1] = (spans[-1][0], end, name)
        else:
            spans.append((max(start, spans[-1][1] if spans else start), end, name))
    return spans


def _state_spans(stress: Sequence[Event], hop_s: float) -> list[tuple[float, float, str]]:
    return _spans(stress, "state", hop_s)


def _activity_spans(events: Sequence[Event], hop_s: float) -> list[tuple[float, float, str]]:
    return _spans([e for e in events if e["kind"] == "activity"], "activity", hop_s)


def _notes(events: Sequence[Event]) -> list[tuple[float, str]]:
    told = {"session", "reboot", "swap", "baseline", "adapter", "learned", "silence", "model_off"}
    return [
        (e["utc"], " ".join([e["what"], *(f"{k} {v}" for k, v in e["detail"].items())]))
        for e in events
        if e["kind"] == "stream" and e["what"] in told
    ]


def _probability(
    stress: Sequence[Event], events: Sequence[Event], bundle: Bundle
) -> ProbabilityTrack | None:
    rows = [e for e in stress if e["p_generic"] is not None]
    if not rows:
        return None
    swaps = [e for e in events if e["kind"] == "stream" and e["what"] == "adapter"]
    learned = [(e["utc"], f"adapter {e['detail']['version']}") for e in swaps]
    return ProbabilityTrack(
        [e["utc"] for e in rows],
        [e["p_generic"] for e in rows],
        [e["p_personal"] for e in rows] if learned else None,
        bundle.stress.thresholds.get("stress", 0.5),
        learned,
    )


def _outcomes(later: Later | None) -> list[BeforeAfter]:
    if later is None or math.isnan(later.generic.balanced_accuracy):
        return []
    counted = f"{later.n_windows} windows, {later.n_episodes} episodes"
    rows = [
        ("Balanced accuracy", "balanced_accuracy", True),
        ("Area under the ROC curve", "auc", False),
    ]
    return [
        BeforeAfter(
            name,
            getattr(later.generic, key),
            getattr(later.personal, key),
            later.generic.interval if has_interval else None,
            later.personal.interval if has_interval else None,
            control=getattr(later.time_only, key),
            n=counted,
        )
        for name, key, has_interval in rows
    ]


def _outcomes_note(later: Later | None) -> str:
    if later is None:
        return ""
    return (
        "Only windows after the first learning job, each scored by the models as they were at that moment. "
        "The control knows nothing but the time since the session began."
    )


def _gait(events: Sequence[Event], bundle: Bundle) -> GaitScores | None:
    rows = [e for e in events if e["kind"] == "wearer"]
    if not rows:
        return None
    return GaitScores(
        [e["score"] for e in rows if e["wearer"] == "wearer"],
        [e["score"] for e in rows if e["wearer"] != "wearer"],
        bundle.gait.thresholds["verification"],
        others_from="walking in this stream that was not taken for the wearer's",
        probe="mean over the last walking windows",
    )


def _confusion(stress: Sequence[Event], truth: Truth, window_s: float) -> Confusion | None:
    names = ["rest", "stress"]
    counts = np.zeros((2, 2))
    for event in stress:
        if event["state"] not in names:
            continue
        for start_utc, end_utc, label in truth:
            if label in names and start_utc <= event["utc"] - window_s and event["utc"] <= end_utc:
                counts[names.index(label), names.index(event["state"])] += 1
    if not counts.sum():
        return None
    return Confusion(names, counts, truth_from="labels; windows the model committed itself on")


def _ledger_row(entry: ledger.Entry) -> LedgerEntry:
    facts = entry.facts
    kept = facts.get("kept")
    episodes = facts.get("n_episodes") or [0, 0]
    source = (
        f"{facts.get('n_calibration', 0)} windows of {episodes[0]} episodes, judged on "
        f"{facts.get('n_held_back', 0)} of {episodes[1]}"
    )
    return LedgerEntry(
        entry.t_utc,
        str(facts.get("what", "")),
        source,
        "kept" if kept else ("rolled back" if kept is False else "done"),
        reason=str(facts.get("text", "")),
        method=str(facts.get("group", "")),
        data_hash=str(facts.get("data_sha256", "")),
        seed=facts.get("seed"),
    )


def _privacy(vault: Vault, summaries: Sequence[Event]) -> Privacy:
    n_sockets = sum(int(s.get("sockets_opened", 0)) for s in summaries)
    evidence = [
        f"Sockets opened by the {len(summaries)} finished runs, counted by the interpreter: {n_sockets}.",
        "No destination is configured, and a test fails if a default run opens a socket.",
    ]
    stored = [(f"{n} × {kind}", "encrypted") for kind, n in vault.kinds().items()]
    if not summaries or n_sockets:
        # Without a count, or with a board on the network, nothing is claimed.
        return Privacy(stored=stored)
    return Privacy(evidence=evidence, stored=stored)


def _stream(summaries: Sequence[Event]) -> list[ChannelHealth]:
    if not summaries:
        return []
    return [
        ChannelHealth(
            name,
            str(c["unit"]),
            c["declared_hz"],
            math.nan if c["measured_hz"] is None else c["measured_hz"],
            c["n_samples"],
            c["n_gaps"],
            c["missing_samples"] / c["declared_hz"],
        )
        for name, c in summaries[-1]["channels"].items()
    ]


def _link(summaries: Sequence[Event]) -> list[tuple[str, int]]:
    keys = ("n_frames", "bad_frames", "oversize", "skipped_bytes", "bad_payloads", "links_lost")
    return [(key, int(summaries[-1].get(key, 0))) for key in keys] if summaries else []


def _costs(summaries: Sequence[Event]) -> list[HostCost]:
    if not summaries:
        return []
    last = summaries[-1]
    costs = [
        HostCost("Peak memory, streaming", last["peak_rss_mb"], "MB", AIM_STREAMING_MB),
        HostCost("Stream time", last["stream_s"], "s"),
        HostCost("Real time", last["wall_s"], "s"),
    ]
    learned = [r["peak_rss_mb"] for r in last["learned"] if r.get("peak_rss_mb")]
    if learned:
        costs.append(HostCost("Peak memory, learning", max(learned), "MB", AIM_LEARNING_MB))
    return costs
