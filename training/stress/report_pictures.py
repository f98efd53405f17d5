"""Sections of a stress evaluation's page that are pictures: people, curves, coverage, exercise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from firmware_host.events import State
from firmware_host.report.canvas import HALF_PX, figure
from training.evaluation.curve_pictures import Curve, draw_reliability_counts, draw_roc
from training.evaluation.curves import mean_roc, roc_curve
from training.evaluation.page import Section, side_by_side
from training.evaluation.people_pictures import (
    Mark,
    Series,
    bar_key,
    diamond_key,
    draw_person_bars,
    draw_shares,
    line_key,
)
from training.evaluation.words import number, of_people, share, short_name, starred
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
# Below so many windows of a class a person's curve has steps of more than ten points.
_FEW_WINDOWS = 10


def people_section(
    result: Mapping[str, Any], people: Sequence[Mapping[str, Any]], *, learned: bool
) -> Section:
    """Balanced accuracy of every person beside what the clock alone scores."""
    names = [starred(one) for one in people]
    series = [
        Series("generic", "bar-before" if learned else "bar-after", of_people(people, "generic"))
    ]
    if learned:
        series.append(Series("personal", "bar-after", of_people(people, "personal")))
    clock = result["time_only_balanced_accuracy"]
    clocks = of_people(people, "time_only_balanced_accuracy")
    marks = [
        Mark(0.5, "threshold"),
        Mark(np.nan if clock is None else clock, "clock"),
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


def curve_section(result: Mapping[str, Any], made: Assessment) -> Section:
    """ROC curves and reliability of the people that the figures on top are of."""
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


def coverage_section(people: Sequence[Mapping[str, Any]]) -> Section:
    """What became of each person's windows: answered, and why not."""
    names = [starred(one) for one in people]
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


def exercise_section(result: Mapping[str, Any]) -> Section:
    """Share of each exercise session that was called stress."""
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


def _said(one: Mapping[str, Any], states: Sequence[State]) -> float:
    return sum(one["states"].get(s.value, 0) for s in states) / max(one["n_windows"], 1)


def _counts(was_seen: bool, result: Mapping[str, Any]) -> bool:
    """Whether a person is one of those that the figures on top are of."""
    return not was_seen or result["scored_people"] != "unseen"
