"""Pictures stay readable with unknown values, one person, one walk and equal values."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from firmware_host.report.canvas import NARROW_PX, WIDE_PX, Variant
from training.evaluation.curve_pictures import (
    Curve,
    draw_agreement,
    draw_by_length,
    draw_det,
    draw_reliability_counts,
    draw_roc,
)
from training.evaluation.people_pictures import Mark, Series, draw_person_bars, draw_shares
from training.evaluation.words import interval, left_out_words, number, share

VARIANTS = [Variant(WIDE_PX, "w"), Variant(NARROW_PX, "n")]


def parsed(drawing):
    height, shapes = drawing
    root = ET.fromstring(f"<svg>{shapes}</svg>")
    for one in root.iter("text"):
        assert 0 <= float(one.get("y", "0")) <= height
    return root


def words_of(root):
    return ["".join(one.itertext()) for one in root.iter("text")]


@pytest.mark.parametrize("variant", VARIANTS)
def test_unknown_values_are_named_when_bars_are_drawn(variant):
    series = [Series("generic", "a", [0.7, np.nan]), Series("personal", "b", [0.8, np.nan])]
    marks = [Mark(0.5, "threshold"), Mark(np.nan, "clock")]
    root = parsed(
        draw_person_bars(["S01", "S02"], series, variant, diamonds=[np.nan, 0.4], marks=marks)
    )
    words = words_of(root)
    assert words.count("not measurable") == 1
    assert "0.80" in words
    assert len([one for one in root.iter("rect") if one.get("class") in ("a", "b")]) == 2
    assert [one.get("class") for one in root.iter("line")].count("clock") == 0


def test_bars_stay_inside_the_picture_when_values_are_the_largest():
    root = parsed(draw_person_bars(["S01"], [Series("x", "bar", [1.0])], VARIANTS[0]))
    bar = next(one for one in root.iter("rect") if one.get("class") == "bar")
    assert float(bar.get("x")) + float(bar.get("width")) <= WIDE_PX - 50


def test_shares_fill_the_row_when_they_add_up():
    parts = [Series("answered", "a", [0.75]), Series("unsure", "b", [0.25]), Series("no", "c", [0])]
    rects = list(parsed(draw_shares(["S01"], parts, VARIANTS[0])).iter("rect"))
    assert [one.get("class") for one in rects] == ["a", "b"]
    first, second = ((float(r.get("x")), float(r.get("width"))) for r in rects)
    assert first[0] + first[1] == pytest.approx(second[0], abs=0.2)
    assert first[1] == pytest.approx(3 * second[1], rel=0.01)


def test_labels_do_not_lie_on_each_other_when_lines_meet():
    x = np.arange(3.0)
    lines = [
        Curve("a", "c-personal", x, np.array([0.05, 0.03, 0.011])),
        Curve("b", "c-third", x, np.array([0.09, 0.031, 0.010])),
    ]
    root = parsed(draw_by_length((5, 10, 30), lines, VARIANTS[0], words="length"))
    places = [(float(t.get("x")), float(t.get("y"))) for t in root.iter("text")
              if re.fullmatch(r"\d+\.\d %", "".join(t.itertext()))]  # fmt: skip
    assert len(places) == 6
    for i, (x1, y1) in enumerate(places):
        for x2, y2 in places[:i]:
            assert abs(x1 - x2) > 30 or abs(y1 - y2) >= 11


def test_curves_end_where_their_scores_end_when_rates_are_zero():
    curve = Curve("5s", "curve", np.array([1.0, 0.1, 0.0]), np.array([0.0, 0.1, 1.0]))
    root = parsed(draw_det([curve], [(0.1, 0.1, "equal")], VARIANTS[0]))
    assert len(list(root.iter("circle"))) == 1
    assert not list(root.iter("path"))


def test_box_says_why_when_there_is_no_curve_to_draw():
    perfect = Curve("5s", "curve", np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0]))
    assert "no errors" in words_of(parsed(draw_det([perfect], [(0.0, 0.0, "5s")], VARIANTS[0])))
    wrong = Curve("5s", "curve", np.array([0.3, 0.2, 0.1]), np.array([0.1, 0.2, 0.3]))
    assert "no errors" not in words_of(parsed(draw_det([wrong], [(0.2, 0.2, "5s")], VARIANTS[0])))
    empty = Curve("a", "thin", np.zeros(0), np.zeros(0))
    assert "no curve: rest or stress is missing" in words_of(parsed(draw_roc([empty], VARIANTS[0])))
    some = Curve("a", "thin", np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    assert not any("no curve" in w for w in words_of(parsed(draw_roc([some], VARIANTS[0]))))


def test_labels_at_the_origin_stand_apart_when_both_axes_begin_there():
    curve = Curve("5s", "curve", np.array([0.3, 0.2, 0.1]), np.array([0.1, 0.2, 0.3]))
    for drawing in (draw_det([curve], [], VARIANTS[1]), draw_roc([curve], VARIANTS[1])):
        texts = [t for t in parsed(drawing).iter("text") if t.text in ("0", "0.1")]
        upper, lower = sorted(float(t.get("y")) for t in texts)[-2:]
        assert lower - upper >= 14


def test_difference_axis_is_named_with_its_unit():
    drawing = draw_agreement(np.array([100.0, 90.0]), np.array([101.0, 92.0]), "spm", VARIANTS[0])
    assert "host minus reference, spm" in words_of(parsed(drawing))


@pytest.mark.parametrize("variant", VARIANTS)
def test_small_data_is_drawn_when_there_is_one_of_everything(variant):
    parsed(draw_agreement(np.array([100.0]), np.array([101.0]), "spm", variant))
    parsed(draw_reliability_counts([(0.5, 1.0, 3)], variant))
    parsed(draw_reliability_counts([], variant))
    parsed(draw_roc([Curve("a", "thin", np.zeros(0), np.zeros(0))], variant))


def test_figures_are_printed_as_people_read_them():
    assert [number(v) for v in (None, 0.5, -0.25, 3, 12.345)] == [
        "–",
        "0.500",
        "−0.250",
        "3",
        "12.3",
    ]
    assert share(None) == "–"
    assert interval(None) == "no interval"
    assert interval([0.1, 0.2]) == "95 %: 0.100 to 0.200"


def test_people_left_out_for_one_reason_share_a_sentence():
    people = [
        {"id": "a/S01", "reason": "cut"},
        {"id": "a/S02", "reason": "too short"},
        {"id": "a/S03", "reason": "cut"},
    ]
    assert left_out_words(people, "not scored") == [
        "S01, S03 are not scored: cut.",
        "S02 is not scored: too short.",
    ]
