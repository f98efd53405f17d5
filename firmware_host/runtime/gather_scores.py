"""The report's figures: probability, before and after, truth, gait, and the wearer's own rest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.report import (
    BeforeAfter,
    Confusion,
    FeatureShift,
    GaitScores,
    ProbabilityTrack,
)
from firmware_host.runtime.feature_words import FEATURE_WORDS
from firmware_host.runtime.gait_reference import gait_facts, gait_references
from firmware_host.runtime.gather_seen import STRESS_NAMES, Event, FloatArray, Seen, column
from firmware_host.runtime.in_force import baseline_in_force
from firmware_host.runtime.later import Later
from firmware_host.runtime.pipeline import ADAPTER_NOTE
from firmware_host.runtime.truth import span_indices
from firmware_host.signals.stress import FEATURE_NAMES
from firmware_host.vault.records import Vault

# Names in a label file that say who walks: the wearer in three ways, or somebody else.
SOMEBODY_ELSE = "other_person"
WHO_WALKS = ("walk", "run", "stairs", SOMEBODY_ELSE)
_N_BINS = 10
# A bin of fewer windows says nothing about a share.
_MIN_BIN = 10


def probability(seen: Seen) -> ProbabilityTrack | None:
    """Both probabilities of every scored window."""
    rows = [e for e in seen.stress if e["p_generic"] is not None]
    if not rows:
        return None
    swaps = [e for e in seen.notes if e["what"] == ADAPTER_NOTE and e["detail"]["version"]]
    has_adapter = any(e["adapter"] for e in rows)
    return ProbabilityTrack(
        column(rows, "utc"),
        column(rows, "p_generic"),
        column(rows, "p_personal") if has_adapter else None,
        seen.bundle.stress.thresholds.get("stress", 0.5),
        [(e["utc"], f"adapter {e['detail']['version']}") for e in swaps],
    )


def outcomes(later: Later | None) -> list[BeforeAfter]:
    """Generic against personal on what came after learning."""
    if later is None or math.isnan(later.generic.balanced_accuracy):
        return []
    n_decided = round(later.coverage * later.n_windows)
    # The table of decisions leaves the unsure ones out, so the two counts differ.
    counted = (
        f"{later.n_windows} windows after learning, {later.n_episodes} episodes; all count by the likelier class, "
        f"also the {later.n_windows - n_decided} on which the model was unsure"
    )
    generic, personal, clock = later.generic, later.personal, later.time_only
    return [
        BeforeAfter(
            "Balanced accuracy",
            generic.balanced_accuracy,
            personal.balanced_accuracy,
            generic.interval,
            personal.interval,
            control=clock.balanced_accuracy,
            n=counted,
            gain_interval=later.gain_interval,
        ),
        BeforeAfter(
            "Area under the ROC curve", generic.auc, personal.auc, control=clock.auc, n=counted
        ),
    ]


def confusion(seen: Seen) -> Confusion | None:
    """Decisions on windows that lie whole inside a span of rest or stress, and how sure they were."""
    reference, source = seen.stress_reference
    rows = [
        e
        for e in seen.stress
        if e["p_personal"] is not None and e["state"] not in ("moving", "exercise")
    ]
    inside = span_indices(column(rows, "utc"), seen.bundle.stress.window_s, reference, STRESS_NAMES)
    truths = [(e, reference[i][2]) for e, i in zip(rows, inside.tolist(), strict=True) if i >= 0]
    counts = np.zeros((2, 2))
    for event, truth in truths:
        if event["state"] in STRESS_NAMES:
            counts[STRESS_NAMES.index(truth), STRESS_NAMES.index(event["state"])] += 1
    if not counts.sum():
        return None
    p_stress = column([event for event, _ in truths], "p_personal")
    is_stress = np.array([truth == "stress" for _, truth in truths])
    n_decided = int(counts.sum())
    decided = (
        f"{n_decided} of {len(truths)} windows decided, before and after learning; the {len(truths) - n_decided} on "
        "which the model was unsure are not in this table"
    )
    return Confusion(
        STRESS_NAMES, counts, _reliability(p_stress, is_stress), f"{source}; {decided}"
    )


def _reliability(p: FloatArray, is_stress: NDArray[np.bool_]) -> list[tuple[float, float, int]]:
    which = np.minimum((p * _N_BINS).astype(np.int64), _N_BINS - 1)
    bins = []
    for idx in range(_N_BINS):
        inside = which == idx
        n = int(np.count_nonzero(inside))
        if n >= _MIN_BIN:
            bins.append((float(p[inside].mean()), float(is_stress[inside].mean()), n))
    return bins


def gait(seen: Seen, vault: Vault) -> GaitScores | None:
    """Verification scores by who walked; without ground truth nobody knows, and nothing is claimed."""
    if not seen.wearer:
        return None
    contract, enrolled = seen.bundle.gait, _enrolled(seen, vault)
    scores, n_windows = column(seen.wearer, "score"), column(seen.wearer, "n_windows")
    length_s = contract.window_s + (n_windows - 1.0) * contract.hop_s
    inside = span_indices(column(seen.wearer, "utc"), length_s, seen.truth, WHO_WALKS)
    known = inside >= 0
    other = np.array([i >= 0 and seen.truth[i][2] == SOMEBODY_ELSE for i in inside.tolist()])
    return GaitScores(
        scores[known & ~other],
        scores[other],
        _threshold(seen, enrolled),
        _shipped(seen, enrolled, "verification_margin", 0.0),
        scores[~known],
        truth_from="the label file given for this report",
        probe="mean over up to 30 s of walking, so neighbours overlap",
    )


def _enrolled(seen: Seen, vault: Vault) -> Mapping[str, Any]:
    """What is noted with the enrolment where the last run was worn, else with the only one there is."""
    placements = list(gait_references(vault))
    worn = [summary["placement"] for summary in seen.summaries if "placement" in summary][-1:]
    place = next((name for name in (*worn, *placements) if name in placements), "")
    return gait_facts(vault, place)


def _threshold(seen: Seen, enrolled: Mapping[str, Any]) -> float:
    """Of the enrolment in force; it may have its own."""
    return float(enrolled.get("threshold", _shipped(seen, enrolled, "verification", math.nan)))


def _shipped(seen: Seen, enrolled: Mapping[str, Any], name: str, otherwise: float) -> float:
    """The bundle's own limit for where the wearer enrolled, or the first place it knows."""
    gait = seen.bundle.gait
    placement = enrolled.get("placement", gait.placements[0])
    return gait.thresholds.get(f"{placement}_{name}", otherwise)


def baseline(seen: Seen, vault: Vault) -> list[FeatureShift]:
    """How the wearer at rest differs from other people at rest."""
    stored = baseline_in_force(vault)
    if stored is None:
        return []
    norm = seen.bundle.stress.normalisation
    center = stored.baseline.center.tolist()
    rows = zip(FEATURE_NAMES, center, norm.center, norm.spread, strict=True)
    return [
        _shift(name, own, people, spread)
        for name, own, people, spread in rows
        if math.isfinite(own)
    ]


def _shift(name: str, own: float, people: float, spread: float) -> FeatureShift:
    words = FEATURE_WORDS[name]
    return FeatureShift(
        words.name, (own - people) / spread, words.value(own), words.value(people), words.unit
    )


def unscored_states(stress: Sequence[Event]) -> dict[str, int]:
    """Counts of the states that came without a probability."""
    counts: dict[str, int] = {}
    for event in stress:
        if event["p_generic"] is None:
            counts[event["state"]] = counts.get(event["state"], 0) + 1
    return counts
