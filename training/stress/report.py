"""The page of a stress evaluation: its head, what to read first, and which sections follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.evaluation.page import Page, render
from training.evaluation.words import (
    TRAINED_ON_STRESS,
    capitalised,
    interval,
    left_out_words,
    number,
    share,
    short_name,
)
from training.stress.assess import Assessment
from training.stress.report_pictures import (
    coverage_section,
    curve_section,
    exercise_section,
    people_section,
)
from training.stress.report_tables import decision_section, table_section, variant_section

# Honest figures of unseen people stay below; what lies above has usually seen the answer.
_LEAK = 0.9


def stress_page(result: Mapping[str, Any], made: Assessment) -> str:
    """The page of one evaluation; `result` are its figures as JSON knows them."""
    people = sorted(result["participants"], key=lambda one: -_or(one["balanced_accuracy"], -1.0))
    learned = result["protocol"] != "generic"
    sections = [
        people_section(result, people, learned=learned),
        curve_section(result, made),
        decision_section(result),
        coverage_section(people),
        exercise_section(result),
        table_section(result, people, learned=learned),
    ]
    if result.get("variants"):
        sections.append(variant_section(result))
    return render(
        Page(
            title=f"Stress: {result['dataset']}",
            lead=f"Protocol {result['protocol']}: {result['protocol_means']}.",
            facts=_facts(result),
            caveats=_caveats(result, learned=learned),
            cards=_cards(result, learned=learned),
            sections=sections,
        )
    )


def _facts(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    n_all, n_seen = len(result["participants"]), result["n_seen_in_training"]
    facts = [
        ("People", f"{n_all}, of them {n_seen} in the model's training"),
        ("Figures are of", result["scored_people"]),
        ("Windows", f"{result['window_s']:g} s"),
        ("Baseline", result["baseline"]),
    ]
    if "bundle" in result:
        facts.append(("Bundle", f"{result['bundle']}, {result['bundle_sha256'][:16]}"))
    else:
        facts.append(("Model", "trained anew without each person"))
    return facts


def _caveats(result: Mapping[str, Any], *, learned: bool) -> list[str]:
    clock, accuracy = result["time_only_balanced_accuracy"], result["balanced_accuracy"]
    caveats = []
    if result["n_seen_in_training"] and result["scored_people"] != "unseen":
        caveats.append(f"{capitalised(TRAINED_ON_STRESS)}.")
    if clock is not None:
        beats = accuracy is not None and clock >= accuracy
        caveats.append(
            f"A clock that knows nothing but the minute of the session scores {number(clock)}. "
            + (
                "It beats the sensors: in this protocol the order of the tasks alone tells stress, "
                "so these recordings cannot show how well the body does. The model is never given "
                "the time."
                if beats
                else "What the model scores above that is what it may owe to the body."
            )
        )
    if accuracy is not None and accuracy > _LEAK:
        caveats.append("Above 0.90 look for a leak first: unseen people are rarely that easy.")
    if learned and result["protocol"] == "personal":
        caveats.append(
            "Labels and test share a stage, minutes apart: daily life is harder than this."
        )
    if learned and result["n_no_data"]:
        caveats.append(
            f"Of {result['n_people']} people {result['n_no_data']} could not be learned from, their "
            "labels leaving too few usable windows or one class: gain 0 there means the host could "
            "not learn, not that it tried and was no better."
        )
    if (result["n_people"] or 0) < 2:
        caveats.append("One person is no sample: spread and intervals are left out.")
    caveats += left_out_words(result["not_tested"], "not scored")
    caveats.append("Tasks in a laboratory, young healthy adults, one session each; no daily life.")
    return caveats


def _cards(result: Mapping[str, Any], *, learned: bool) -> list[tuple[str, str, str]]:
    spans = result["intervals_95"]
    sd = result["balanced_accuracy_sd"]
    cards = [
        (
            "Balanced accuracy",
            number(result["balanced_accuracy"]),
            f"{interval(spans['balanced_accuracy'])}; SD {number(sd)}",
        ),
        ("Worst person", number(result["worst"]), short_name(result["worst_person"] or "–")),
        ("The clock alone", number(result["time_only_balanced_accuracy"]), "the control"),
        ("AUC", number(result["auc"]), interval(spans["auc"])),
        ("Calibration error", number(result["ece"]), "over all windows, 10 bins"),
        (
            "Answered",
            share(result["coverage"]),
            f"then {number(result['balanced_accuracy_answered'])}",
        ),
    ]
    if learned:
        cards[3] = (
            "Gain by learning",
            f"{100 * _or(result['gain'], np.nan):+.1f}".replace("-", "−"),
            f"points; {result['n_helped']} helped, {result['n_hurt']} hurt, "
            f"{result['n_no_data']} could not learn",
        )
    return cards


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
