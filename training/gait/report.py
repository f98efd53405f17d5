"""The page of a gait evaluation: its head, what to read first, and which sections follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.evaluation.page import Page, render
from training.evaluation.words import (
    TRAINED_ON_GAIT,
    capitalised,
    interval,
    left_out_words,
    number,
    share,
)
from training.gait.figures import LENGTHS
from training.gait.identity import Scores
from training.gait.report_pictures import (
    cadence_section,
    coverage_section,
    error_section,
    people_section,
    score_section,
)
from training.gait.report_tables import gate_section, table_section


def gait_page(result: Mapping[str, Any], scores: Mapping[str, Scores]) -> str:
    """The page of one evaluation; `result` are its figures as JSON knows them.

    `scores` by length of the probe are those behind the figures on top; empty without walks.
    """
    about_wearers = [] if result["protocol"] == "cadence" else [
        error_section(result, scores),
        score_section(result, scores),
        people_section(result),
        gate_section(result),
        coverage_section(result),
    ]  # fmt: skip
    sections = [*about_wearers, cadence_section(result), table_section(result)]
    return render(
        Page(
            title=f"Gait: {result['dataset']}",
            lead=f"{capitalised(result['protocol_means'])}.",
            facts=_facts(result),
            caveats=_caveats(result),
            cards=_cards(result),
            sections=[section for section in sections if section is not None],
        )
    )


def _facts(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    n_all, n_seen = len(result["participants"]), result["n_seen_in_training"]
    facts = [
        ("People", f"{n_all}, of them {n_seen} in the model's training"),
        ("Figures are of", result["scored_people"]),
    ]
    if result.get("placement"):
        facts.append(("Worn on", f"the {result['placement']}"))
    if result["protocol"] == "cadence":
        facts.append(("Model", "none: cadence is measured, not learned"))
    elif "bundle" in result:
        facts.append(("Bundle", f"{result['bundle']}, {result['bundle_sha256'][:16]}"))
    else:
        facts.append(("Model", "trained anew without each group of people"))
    return facts


def _caveats(result: Mapping[str, Any]) -> list[str]:
    caveats = []
    if result["n_seen_in_training"] and result["scored_people"] != "unseen":
        caveats.append(f"{capitalised(TRAINED_ON_GAIT)}.")
    n = result.get("gallery_size") or 0
    if n > 1:
        at_threshold = "false accepts and rejects at the model's own threshold"
        is_unseen = result["scored_people"] == "unseen"
        caveats.append(
            f"Rank 1 is among {n} people and grows easier with fewer. The equal error rate uses a "
            "threshold fitted to these very scores"
            + (f"; {at_threshold} are what a wearer gets." if is_unseen else ".")
        )
        caveats.append(
            f"The host judges {share(result['coverage'])} of walking windows, the even ones the gate is "
            f"sure of. With every window, the equal error rate after 5 s is "
            f"{share(result['all_windows']['eer_5s'])}."
        )
    caveats += left_out_words(result.get("not_enrolled", []), "not enrolled")
    caveats += [f"Not measured: {names}: {why}." for names, why in _by_reason(result["reasons"])]
    if result["protocol"] != "cadence":
        caveats.append(
            "One session a person: nobody came back on another day, in other shoes. It tells a "
            "household apart and is no access control."
        )
    return caveats


def _by_reason(reasons: Mapping[str, str]) -> list[tuple[str, str]]:
    """Reasons with the names of the figures they take away."""
    grouped: dict[str, list[str]] = {}
    for name, why in reasons.items():
        grouped.setdefault(why, []).append(name)
    return [(", ".join(names), why) for why, names in grouped.items()]


def _cards(result: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    if result["protocol"] == "cadence":
        return _cadence_cards(result)
    spans = result.get("intervals_95", {})
    n = result.get("gallery_size")
    return [
        *(
            (
                f"Equal error, {length.rstrip('s')} s",
                share(result[f"eer_{length}"]),
                interval(spans.get(f"eer_{length}"), share),
            )
            for length in LENGTHS
        ),
        *(
            (
                f"Rejected, {length.rstrip('s')} s",
                share(result[f"frr_{length}"]),
                f"the wearer; others accepted {share(result[f'far_{length}'])}; both at the "
                "model's own threshold",
            )
            for length in (LENGTHS[0], LENGTHS[-1])
        ),
        ("Rank 1, 30 s", share(result["rank1_30s"]), f"among {n}" if n else ""),
        (
            "Activity, macro F1",
            number(result["gate_macro_f1"]),
            f"walk {share((result['gate_recall'] or {}).get('walk'))}",
        ),
        (
            "Cadence error",
            _spm(result["cadence_mae_spm"]),
            "mean absolute" if result["cadence_mae_spm"] is not None else "no reference here",
        ),
    ]


def _cadence_cards(result: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    error = result["step_count_error"]
    return [
        (
            "Cadence error",
            _spm(result["cadence_mae_spm"]),
            f"mean absolute, {result['cadence_over']}",
        ),
        ("Everybody", _spm(result["cadence_mae_spm_everybody"]), "mean absolute, all walks"),
        ("Bias", _spm(result["cadence_bias_spm"]), "host minus reference"),
        ("Worst walk", _spm(result["cadence_worst_spm"]), ""),
        ("Walks", number(result["n_bouts"]), f"{result['n_bouts_answered']} with an answer"),
        ("Steps", share(error), "counted too many, or too few" if error is not None else ""),
    ]


def _spm(value: float | None) -> str:
    return "–" if value is None else f"{number(value)} spm"
