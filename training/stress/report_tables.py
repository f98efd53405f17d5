"""Sections of a stress evaluation's page that are tables: decisions, everybody, other training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from firmware_host.events import State
from firmware_host.report.markup import Markup, element
from firmware_host.report.tables import heat_table, mark, table
from training.evaluation.page import Section, stacked
from training.evaluation.words import number, share, starred, with_interval


def decision_section(result: Mapping[str, Any]) -> Section:
    """Truth against the host's word."""
    decisions = {truth: said for truth, said in result["decisions"].items() if said}
    states = [state for state in State if any(state.value in said for said in decisions.values())]
    if not decisions:
        return Section("decisions", "What the host says", None, empty="No window was scored.")
    rows = [(truth, [said.get(s.value, 0) for s in states]) for truth, said in decisions.items()]
    heads = [state.value.replace("_", " ") for state in states]
    caption = "Truth in rows, the host's word in columns, share of the row"
    content = heat_table(caption, heads, rows)
    saying = (
        f"With its own thresholds. It calls {share(result['stress_recall'])} of a person's "
        "stress windows stress; what it does not answer counts as missed."
    )
    return Section("decisions", "What the host says", content, saying)


def table_section(
    result: Mapping[str, Any], people: Sequence[Mapping[str, Any]], *, learned: bool
) -> Section:
    """Everybody's figures, best first, and the means with their intervals."""
    heads = ["Person", "Generic"]
    heads += ["Personal", "Learned"] if learned else []
    heads += ["Clock", "AUC", "ECE", "Recall", "False alarms", "Answered", "Then", "Rest", "Stress"]
    rows = []
    for one in people:
        cells: list[Markup | str] = [starred(one), number(one["generic"])]
        if learned:
            cells += [number(one["personal"]), _learned_words(one)]
        cells += [
            number(one["time_only_balanced_accuracy"]), number(one["auc"]), number(one["ece"]),
            number(one["recall"]), number(one["false_alarm"]), share(one["coverage"]),
            number(one["balanced_accuracy_answered"]),
            str(one["n_rest"]), str(one["n_stress"]),
        ]  # fmt: skip
        rows.append(cells)
    kinds = ["", "n", *(["n", "t"] if learned else []), *"nnnnnnnnn"]
    caption = "Everybody, best first" + ("; * in the training" if result["n_seen_in_training"]
                                         else "")  # fmt: skip
    return Section(
        "table",
        "Every person, and the means",
        stacked(table(caption, heads, rows, kinds=kinds), _means(result, learned=learned)),
    )


def _means(result: Mapping[str, Any], *, learned: bool) -> Markup:
    spans = result["intervals_95"]
    names = {
        "balanced_accuracy": "Balanced accuracy",
        "macro_f1": "Macro F1",
        "auc": "AUC",
        "coverage": "Answered",
        "balanced_accuracy_answered": "Balanced accuracy, answered windows",
        "time_only_balanced_accuracy": "Balanced accuracy of the clock",
    }
    rows = [[words, *with_interval(result[key], spans[key])] for key, words in names.items()]
    rows.append(["Calibration error, all windows", number(result["ece"]), "–"])
    if learned:
        rows.append(["Gain by learning", *with_interval(result["gain"], spans["gain"])])
    return element(
        "div",
        table(f"Means over people ({result['scored_people']})", ("Figure", "Mean", "95 % interval"),
              rows, kinds=("", "n", "n")),
    )  # fmt: skip


def variant_section(result: Mapping[str, Any]) -> Section:
    """The same people scored by models trained otherwise."""
    every = {"as above": result, **result["variants"]}
    rows = [
        [
            name.replace("_", " "),
            number(one["balanced_accuracy"]),
            number(one["balanced_accuracy_sd"]),
            number(one["worst"]),
            number(one["auc"]),
            number(one["ece"]),
            str(one["n_below_0_6"]),
        ]
        for name, one in every.items()
    ]
    heads = ("Trained", "Balanced accuracy", "SD", "Worst", "AUC", "ECE", "People below 0.6")
    content = table("The same people, other training", heads, rows, kinds=("", *"nnnnnn"))
    saying = "What carries over between data sets counts more than what wins within one."
    return Section("variants", "Other ways to train", content, saying)


def _learned_words(one: Mapping[str, Any]) -> Markup:
    if one["kept"]:
        return mark(f"kept: {one['group']}", "good")
    return element("span", f"not kept: {one['reason'].replace('_', ' ')}")
