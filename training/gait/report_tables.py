"""Sections of a gait evaluation's page that are tables: rates, activities, everybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firmware_host.report.markup import Markup
from firmware_host.report.tables import heat_table, table
from training.evaluation.page import Section
from training.evaluation.words import interval, number, share, starred
from training.gait.figures import LENGTHS


def rate_table(result: Mapping[str, Any]) -> Markup:
    """Every error rate by length of the probe."""
    spans = result.get("intervals_95", {})
    rows = []
    for length in LENGTHS:
        rows.append(
            [
                f"{length.rstrip('s')} s",
                share(result[f"eer_{length}"]),
                interval(spans.get(f"eer_{length}"), share),
                share(result[f"frr_{length}"]),
                share(result[f"far_{length}"]),
                share(result[f"rank1_{length}"]),
                *(share((result.get(name) or {}).get(f"eer_{length}"))
                  for name in ("enrolled_60s", "all_windows")),
            ]
        )  # fmt: skip
    heads = ("Probe", "Equal error", "Over people", "Wearer rejected", "Other accepted", "Rank 1",
             "Enrolled on 60 s", "No window left out")  # fmt: skip
    caption = "Rejected and accepted at the bundle's own threshold; the last two are equal error"
    return table(caption, heads, rows, kinds=("", *"nnnnnnn"))


def gate_section(result: Mapping[str, Any]) -> Section:
    """Activities against what the gate said."""
    labels, counts = result.get("gate_labels"), result.get("gate_confusion")
    if not labels or result["gate_macro_f1"] is None:
        return Section(
            "gate", "What the wearer does", None, empty="No activities are labelled here."
        )
    rows = [(name, row) for name, row in zip(labels, counts, strict=True) if sum(row)]
    content = heat_table("Truth in rows, the host's word in columns, share of the row",
                         labels, rows)  # fmt: skip
    saying = (
        f"Macro F1 {number(result['gate_macro_f1'])} with still counted as other, "
        f"{number(result.get('gate_macro_f1_five'))} of all five; smoothed as on the host, in "
        "shuffled bouts of 45 s."
    )
    return Section("gate", "What the wearer does", content, saying)


def table_section(result: Mapping[str, Any]) -> Section:
    """Everybody's figures; columns that nobody has are left out."""
    columns = (
        ("Equal error 5 s", "eer_5s", share),
        ("Equal error 30 s", "eer_30s", share),
        ("Rejected 5 s", "frr_5s", share),
        ("Rejected 30 s", "frr_30s", share),
        ("Accepted 5 s", "far_5s", share),
        ("Accepted 30 s", "far_30s", share),
        ("Windows used", "coverage", share),
        ("Probes", "n_probes_5s", number),
        ("Activity F1", "gate_macro_f1", number),
        ("Walk found", "gate_walk_recall", share),
        ("Walks", "n_bouts", number),
        ("Cadence error, spm", "cadence_mae_spm", number),
        ("Bias, spm", "cadence_bias_spm", number),
        ("Worst, spm", "cadence_worst_spm", number),
        ("Steps, reference", "n_steps_reference", number),
        ("Steps, too many", "step_count_error", share),
    )
    people = result["participants"]
    used = [c for c in columns if any(one.get(c[1]) is not None for one in people)]
    rows = [[starred(one), *(words(one.get(name)) for _, name, words in used)] for one in people]
    caption = "Everybody; * in the training" if result["n_seen_in_training"] else "Everybody"
    content = table(caption, ("Person", *(head for head, *_ in used)), rows,
                    kinds=("", *"n" * len(used)))  # fmt: skip
    return Section("table", "Every person", content if rows else None, empty="Nobody is here.")
