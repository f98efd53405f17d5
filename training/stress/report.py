"""The page of a stress evaluation: everybody's figures, curves, decisions, caveats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from firmware_host.events import State
from firmware_host.report.canvas import HALF_PX, figure
from firmware_host.report.markup import Markup, element
from firmware_host.report.tables import heat_table, mark, table
from training.evaluation.curve_pictures import Curve, draw_reliability_counts, draw_roc
from training.evaluation.curves import mean_roc, roc_curve
from training.evaluation.page import Page, Section, render, side_by_side, stacked
from training.evaluation.people_pictures import (
    Mark,
    Series,
    bar_key,
    diamond_key,
    draw_person_bars,
    draw_shares,
    line_key,
)
from training.evaluation.words import (
    TRAINED_ON_STRESS,
    interval,
    left_out_words,
    number,
    share,
    short_name,
    with_interval,
)
from training.stress.assess import Assessment
from training.stress.personal import Row

# State -> words, and the style class of its bar; what the host said comes first.
_SAID = (
    ("answered", "bar-ink", (State.REST, State.STRESS)),
    ("unsure", "f-unsure", (State.UNSURE,)),
    ("exercise", "f-exercise", (State.EXERCISE,)),
    ("moving", "f-moving", (State.MOVING,)),
    ("poor signal", "f-poor", (State.POOR_SIGNAL,)),
    ("not worn", "f-off", (State.NOT_WORN, State.LEARNING_BASELINE)),
)
# Honest figures of unseen people stay below; what lies above has usually seen the answer.
_LEAK = 0.9
# Below so many windows of a class a person's curve has steps of more than ten points.
_FEW_WINDOWS = 10


def stress_page(result: Mapping[str, Any], made: Assessment) -> str:
    """The page of one evaluation; `result` are its figures as JSON knows them."""
    people = sorted(result["participants"], key=lambda one: -_or(one["balanced_accuracy"], -1.0))
    learned = result["protocol"] != "generic"
    sections = [
        _people_section(result, people, learned=learned),
        _curve_section(result, made),
        _decision_section(result),
        _coverage_section(people),
        _exercise_section(result),
        _table_section(result, people, learned=learned),
    ]
    if result.get("variants"):
        sections.append(_variant_section(result))
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
        caveats.append(f"{TRAINED_ON_STRESS[:1].upper()}{TRAINED_ON_STRESS[1:]}.")
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


def _people_section(
    result: Mapping[str, Any], people: Sequence[Mapping[str, Any]], *, learned: bool
) -> Section:
    names = [short_name(one["id"]) + _star(one) for one in people]
    series = [Series("generic", "bar-before" if learned else "bar-after", _of(people, "generic"))]
    if learned:
        series.append(Series("personal", "bar-after", _of(people, "personal")))
    clocks = _of(people, "time_only_balanced_accuracy")
    marks = [
        Mark(0.5, "threshold"),
        Mark(_or(result["time_only_balanced_accuracy"], np.nan), "clock"),
    ]
    keys = [
        *(bar_key(one) for one in series),
        diamond_key("the clock alone, same person"),
        line_key("clock", "the clock alone, mean"),
        line_key("threshold", "a coin"),
    ]
    picture = figure(
        "people",
        "Balanced accuracy of every person",
        f"One row a person, best first. Mean {number(result['balanced_accuracy'])}, worst "
        f"{number(result['worst'])}; the table below gives every number.",
        lambda variant: draw_person_bars(names, series, variant, diamonds=clocks, marks=marks),
        caption="* in the model's training." if result["n_seen_in_training"] else "",
        keys=keys,
    )
    saying = "Mean of the recall of rest and of stress, over every test window, sure or not."
    if learned:
        saying += f" Helped or hurt means {result['helped_or_hurt_means']}."
    return Section("people", "Person by person", picture if people else None, saying,
                   "Nobody could be tested.")  # fmt: skip


def _curve_section(result: Mapping[str, Any], made: Assessment) -> Section:
    rows = [row for row in made.rows if _counts(row.seen_in_training, result)]
    if not rows:
        return Section("curves", "Curves", None, empty="Nobody could be tested.")
    each = [roc_curve(row.truth, row.p_personal) for row in rows]
    curves = [
        Curve(short_name(row.person), "thin", fpr, tpr)
        for row, (fpr, tpr) in zip(rows, each, strict=True)
    ]
    curves.append(Curve("mean", "c-personal", *mean_roc(each)))
    roc = figure(
        "roc",
        "ROC curves",
        f"A thin curve a person and their mean; mean area {number(result['auc'])}.",
        lambda variant: draw_roc(curves, variant),
        wide_px=HALF_PX,
        caption="Recall of stress, upwards, against rest called stress.",
        keys=[line_key("thin", "one person"), line_key("c-personal", "mean over people")],
    )
    bins = [(b["predicted"], b["observed"], b["n_windows"]) for b in result["reliability"]]
    reliability = figure(
        "reliability",
        "Predicted probability against observed share of stress",
        f"A dot a bin, and the windows in it; calibration error {number(result['ece'])}.",
        lambda variant: draw_reliability_counts(bins, variant),
        wide_px=HALF_PX,
        caption="On the dashed diagonal a probability can be taken at its word. Area of a dot: "
        "windows. All people together.",
    )
    return Section("curves", "Curves", side_by_side(roc, reliability), _few_words(rows))


def _few_words(rows: Sequence[Row]) -> str:
    """A warning if some people's curves rest on a handful of windows."""
    few = [row for row in rows
           if min(int((row.truth == label).sum()) for label in (0, 1)) < _FEW_WINDOWS]  # fmt: skip
    if not few:
        return ""
    return (
        f"{len(few)} of {len(rows)} people have fewer than {_FEW_WINDOWS} windows of rest or of "
        "stress: their curves, and bins with few windows, are mostly chance."
    )


def _decision_section(result: Mapping[str, Any]) -> Section:
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


def _coverage_section(people: Sequence[Mapping[str, Any]]) -> Section:
    names = [short_name(one["id"]) + _star(one) for one in people]
    parts = [
        Series(name, kind, [_said(one, states) for one in people]) for name, kind, states in _SAID
    ]
    used = [part for part in parts if part is parts[0] or any(v > 0 for v in part.values)]
    picture = figure(
        "coverage",
        "What became of each person's windows",
        "One bar a person from 0 to 100 %: answered, and why not.",
        lambda variant: draw_shares(names, used, variant),
        keys=[bar_key(part) for part in used],
    )
    return Section("coverage", "Answered, and why not", picture if people else None,
                   "The number is the share that got an answer.", "Nobody was tested.")  # fmt: skip


def _exercise_section(result: Mapping[str, Any]) -> Section:
    sessions = result["exercise_sessions"]
    if not sessions:
        empty = "This data set has no exercise sessions."
        return Section("exercise", "Exercise called stress", None, empty=empty)
    order = sorted(sessions, key=lambda one: -one["called_stress"])
    names = [f"{short_name(one['id'])} {one['kind'][:5]}" for one in order]
    series = [
        Series("the network alone", "bar-before", [one["called_stress_all"] for one in order]),
        Series("as the host decides", "bar-after", [one["called_stress"] for one in order]),
    ]
    picture = figure(
        "exercise",
        "Share of exercise called stress",
        f"Mean {share(result['exercise_called_stress'])}, worst "
        f"{share(result['exercise_called_stress_worst'])} of a session.",
        lambda variant: draw_person_bars(names, series, variant, percent=True),
        keys=[bar_key(one) for one in series],
    )
    saying = (
        f"Whole sessions, warm-up and breaks included: {share(result['exercise_called_stress'])} on "
        f"average, {share(result['exercise_called_stress_worst'])} in the worst, at a stress recall "
        f"of {share(result['stress_recall'])} in the laboratory."
    )
    return Section("exercise", "Exercise called stress", picture, saying)


def _table_section(
    result: Mapping[str, Any], people: Sequence[Mapping[str, Any]], *, learned: bool
) -> Section:
    heads = ["Person", "Generic"]
    heads += ["Personal", "Learned"] if learned else []
    heads += ["Clock", "AUC", "ECE", "Recall", "False alarms", "Answered", "Then", "Rest", "Stress"]
    rows = []
    for one in people:
        cells: list[Markup | str] = [short_name(one["id"]) + _star(one), number(one["generic"])]
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


def _variant_section(result: Mapping[str, Any]) -> Section:
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


def _said(one: Mapping[str, Any], states: Sequence[State]) -> float:
    return sum(one["states"].get(s.value, 0) for s in states) / max(one["n_windows"], 1)


def _counts(was_seen: bool, result: Mapping[str, Any]) -> bool:
    """Whether a person is one of those that the figures on top are of."""
    return not was_seen or result["scored_people"] != "unseen"


def _star(one: Mapping[str, Any]) -> str:
    return "*" if one["seen_in_training"] else ""


def _of(people: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [_or(one[name], np.nan) for one in people]


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
