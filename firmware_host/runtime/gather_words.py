"""Why a section of the report is empty, and what to keep in mind where it is not."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from firmware_host.adaptation.samples import BASELINE_POINTER
from firmware_host.report.scales import print_count
from firmware_host.runtime.gait_reference import gait_references
from firmware_host.runtime.gather_scores import WHO_WALKS, unscored_states
from firmware_host.runtime.gather_seen import Seen
from firmware_host.runtime.in_force import baseline_in_force
from firmware_host.runtime.later import Later
from firmware_host.runtime.memory import stored_source
from firmware_host.runtime.pipeline import MODEL_OFF_NOTE
from firmware_host.vault.records import Vault

_NOTHING = "Nothing was streamed yet; signet run does that."
_ONE_DAY = "There is one day only: the time line below shows it."
_NOT_FINISHED = "No run has finished here: a run writes its counters at its end, and one that was cut off never did."
_STATE_WORDS = {
    "not_worn": "the band was not on the skin",
    "poor_signal": "the signal was not readable",
    "learning_baseline": "there was no baseline yet",
}
_SEEN_IN_TRAINING = (
    "The model was trained on this very recording, so figures of the model as shipped are not those "
    "of a stranger."
)


def empty_reasons(seen: Seen, vault: Vault, later: Later | None, *, n_jobs: int) -> dict[str, str]:
    """One sentence a section, used where it has nothing to show."""
    reasons = {
        "timeline": _NOTHING,
        "days": _ONE_DAY if seen.stored else _NOTHING,
        "probability": _no_probability(seen),
        "outcomes": _no_outcomes(later, n_jobs),
        "gait": _no_gait(seen, vault),
        "confusion": _no_confusion(seen),
        "baseline": "No baseline yet: ten minutes of wear give one, or four still ones (signet enrol baseline).",
        "ledger": "Nothing was learned yet: a job needs a label of stress and two of rest.",
    }
    without_runs = _NOTHING if not seen.stored else _NOT_FINISHED
    return reasons | dict.fromkeys(("privacy", "stream", "costs"), without_runs)


def _model_off(seen: Seen, model: str) -> str:
    whys = [
        str(note["detail"]["why"])
        for note in seen.notes
        if note["what"] == MODEL_OFF_NOTE and note["detail"]["model"] == model
    ]
    return f"The {model} model could not run on this board: {whys[-1]}." if whys else ""


def _no_probability(seen: Seen) -> str:
    if not seen.stored:
        return _NOTHING
    if not seen.stress:
        return _model_off(seen, "stress") or "No window was complete: the first one takes a minute."
    counts = unscored_states(seen.stress)
    parts = [f"{_STATE_WORDS.get(state, state)} in {n}" for state, n in sorted(counts.items())]
    return f"No window was scored, of {len(seen.stress)}: {', '.join(parts)}."


def _no_outcomes(later: Later | None, n_jobs: int) -> str:
    if n_jobs == 0:
        return "Nothing to compare: no learning job has run."
    if later is None:
        return (
            "Nothing to compare: no labelled window came after learning that learning had not seen."
        )
    return (
        f"Nothing to compare: the {later.n_windows} labelled windows after learning are all of one class, "
        "and an accuracy needs both rest and stress."
    )


def _no_gait(seen: Seen, vault: Vault) -> str:
    if not seen.stored:
        return _NOTHING
    if off := _model_off(seen, "gait"):
        return off
    if not gait_references(vault):
        return (
            "No gait scores: nobody is enrolled; a minute of walking does it (signet enrol gait)."
        )
    return "No gait scores: there was not enough steady walking, or the board has no gyroscope."


def _no_confusion(seen: Seen) -> str:
    if not any(name in ("rest", "stress") for _, _, name in (*seen.labels, *seen.truth)):
        return "No truth to compare with: there is no label of rest or stress."
    return "No truth to compare with: no decided window lies whole inside a label."


def section_notes(seen: Seen, vault: Vault) -> dict[str, str]:
    """What a section's figures rest on."""
    notes = {"baseline": _baseline_note(vault)}
    if seen.summaries:
        notes["stream"] = _stream_note(seen)
        notes["costs"] = "Of the last finished run, except where a line says otherwise."
    if seen.wearer:
        notes["gait"] = _gait_note(seen)
    if any(summary.get("seen_in_training") for summary in seen.summaries):
        notes["outcomes"] = notes["confusion"] = _SEEN_IN_TRAINING
    return {name: text for name, text in notes.items() if text}


def _gait_note(seen: Seen) -> str:
    parts = []
    if not any(name in WHO_WALKS for _, _, name in seen.truth):
        parts.append(
            "Nobody said who walked, so these are decisions and no figures of merit. A label file with "
            "walk and other_person shows how good they are."
        )
    worn = [summary["placement"] for summary in seen.summaries if "placement" in summary]
    if len(set(worn)) > 1:
        places = " and the ".join(sorted(set(worn)))
        parts.append(
            f"Runs at the {places} are shown together; the threshold is that of the {worn[-1]}, where "
            "the last run was worn."
        )
    return " ".join(parts)


def _baseline_note(vault: Vault) -> str:
    stored, source = baseline_in_force(vault), stored_source(vault)
    if stored is None:
        return ""
    record_id = vault.pointer(BASELINE_POINTER)
    assert record_id is not None
    day = datetime.fromtimestamp(vault.get(record_id).t_utc, UTC).date()
    how = {
        "guided": "the wearer sat still or said it was rest",
        "quiet": "found without labels in the first calm minutes of wear",
    }.get("" if source is None else source.value, "found by a learning job")
    n = stored.baseline.n_windows
    n_unknown = sum(not math.isfinite(center) for center in stored.baseline.center.tolist())
    left_out = f" {n_unknown} features had no readable rest and are left out." if n_unknown else ""
    return f"From {n} windows of rest on {day} (UTC): {how}.{left_out}"


def _stream_note(seen: Seen) -> str:
    n = len(seen.summaries)
    last = (
        "Counters of the finished run." if n == 1 else f"Counters of the last of {n} finished runs."
    )
    hours = sum(float(s["stream_s"]) for s in seen.summaries) / 3600.0
    samples = sum(c["n_samples"] for s in seen.summaries for c in s["channels"].values())
    missing = sum(c["missing_samples"] for s in seen.summaries for c in s["channels"].values())
    total = f"In all: {hours:.1f} h of stream, {print_count(samples)} samples, {print_count(missing)} missing."
    open_runs = ""
    if seen.n_unfinished:
        open_runs = " A run that was cut off, or still goes, is not among them."
    return f"{last} {total if n > 1 else ''}{open_runs}".strip()
