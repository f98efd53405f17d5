"""What the vault holds of one wearer, as the plain data of a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from firmware_host.inference.contract import Bundle
from firmware_host.report import LedgerEntry, ReportData
from firmware_host.runtime import gather_accounts, gather_lanes, gather_scores, gather_walking
from firmware_host.runtime.drifting import misfits
from firmware_host.runtime.gather_days import day_stories
from firmware_host.runtime.gather_seen import Seen, read_vault, read_windows
from firmware_host.runtime.gather_words import empty_reasons, section_notes
from firmware_host.runtime.in_force import say_damaged
from firmware_host.runtime.later import Later, later_part
from firmware_host.runtime.truth import Truth
from firmware_host.stream.samples import Note
from firmware_host.vault.records import Vault


def gather(
    vault: Vault,
    bundle: Bundle,
    *,
    truth: Truth = (),
    local_offset_s: Callable[[float], float],
    made_utc: float,
) -> tuple[ReportData, Later | None]:
    """Everything a report shows, and the scores of the later part.

    Parameters
    ----------
    truth
        (start_utc, end_utc, label) that nobody learned from, for scoring; without rest and stress in it, the
        wearer's own labels serve.
    local_offset_s
        Seconds east of UTC at a UNIX time; asked for the end of what was recorded.
    """
    seen = read_vault(vault, bundle, truth)
    times = seen.times_utc
    start_utc, end_utc = (float(times[0]), float(times[-1])) if times.size else (made_utc, made_utc)
    later = later_part(
        seen.stored,
        seen.stress_reference[0],
        bundle.stress.time_control,
        window_s=bundle.stress.window_s,
        threshold=bundle.stress.thresholds.get("stress", 0.5),
    )
    signals = gather_lanes.signals(read_windows(vault))
    signals += gather_walking.cadence_signal(seen.activity)
    jobs = gather_accounts.ledger_rows(vault)
    states = gather_lanes.spans(seen.stress, "state", bundle.stress.hop_s)
    data = ReportData(
        title="What Signet saw, and what it learned",
        wearer=f"wearer {vault.wearer_id[:6]}",
        source=_source(seen),
        start_utc=start_utc,
        end_utc=end_utc,
        tz_offset_s=local_offset_s(end_utc),
        recorded_s=seen.recorded_s,
        made_utc=made_utc,
        made_by=f"Signet, bundle {bundle.label}",
        facts=_facts(seen, vault),
        signals=signals,
        not_worn=[(a, b) for a, b, name in states if name == "not_worn"],
        states=states,
        labels=seen.labels,
        truth=truth,
        activities=gather_lanes.spans(seen.activity, "activity", bundle.gait.hop_s),
        walking=gather_walking.walking_days(seen.activity, bundle.gait.hop_s, local_offset_s),
        days=day_stories(seen, local_offset_s),
        events=gather_lanes.instants(seen, vault),
        probability=gather_scores.probability(seen),
        outcomes=gather_scores.outcomes(later),
        outcomes_note=_outcomes_note(later),
        gait=gather_scores.gait(seen, vault),
        confusion=gather_scores.confusion(seen),
        baseline=gather_scores.baseline(seen, vault),
        ledger=jobs,
        privacy=gather_accounts.privacy(seen, vault),
        stream=gather_accounts.stream(seen.summaries),
        link=gather_accounts.link(seen.summaries),
        costs=gather_accounts.costs(seen.summaries, vault),
        empty_reasons=_reasons(seen, vault, later, jobs),
        section_notes=section_notes(seen, vault),
    )
    return data, later


def _reasons(
    seen: Seen, vault: Vault, later: Later | None, jobs: Sequence[LedgerEntry]
) -> dict[str, str]:
    n_jobs = sum(entry.decision in ("kept", "not kept") for entry in jobs)
    return empty_reasons(seen, vault, later, n_jobs=n_jobs)


def _source(seen: Seen) -> str:
    boards = [
        n["detail"].get("board") for n in seen.notes if n["what"] in (Note.SESSION, Note.SWAP)
    ]
    boards += [summary["board"] for summary in seen.summaries if not boards]
    distinct = dict.fromkeys(str(board) for board in boards if board)
    return ", ".join(distinct) or "nothing was streamed yet"


def _facts(seen: Seen, vault: Vault) -> list[tuple[str, str]]:
    bundle, n_finished = seen.bundle, len(seen.summaries)
    runs = f"{n_finished} finished"
    if seen.n_unfinished:
        runs += f", {seen.n_unfinished} cut off or still going"
    facts = [
        ("Model bundle", f"{bundle.label}, {bundle.sha256[:12]}"),
        ("Runs", runs),
    ]
    if seen.summaries and seen.summaries[-1]["firmware"]:
        facts.append(("Firmware", str(seen.summaries[-1]["firmware"])))
    if unfit := misfits(vault):
        facts.append(("No longer fits", "; ".join(f"{m.why} ({m.to_do})" for m in unfit)))
    if damaged := say_damaged(vault):
        facts.append(("Vault", damaged))
    return facts


def _outcomes_note(later: Later | None) -> str:
    if later is None:
        return ""
    return (
        "Only windows after the first learning job that learning had not seen, each scored by the models as they "
        "were at that moment. The control knows nothing but the time since the session began."
    )
