"""Figures of rows that were counted by hand, and the page made of them."""

from __future__ import annotations

import itertools
import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from tests.unit.training.synthetic_people import make_person
from training.datasets.base import Session, Stage
from training.datasets.stress_windows import SessionWindows
from training.evaluation.output import plain
from training.splits import LeakError
from training.stress import left_out
from training.stress.assess import MIN_TEST_WINDOWS, TOO_FEW_TO_TEST, Question, assess
from training.stress.figures import participant, split_by_training, summary
from training.stress.generic_models import LeaveOneOut
from training.stress.left_out import Material, check_each_apart
from training.stress.people import people_of
from training.stress.personal import Row
from training.stress.report import stress_page

TOP_KEYS = {
    "balanced_accuracy", "balanced_accuracy_sd", "macro_f1", "auc", "ece", "coverage",
    "time_only_balanced_accuracy", "worst", "worst_person", "n_people", "n_below_0_6",
    "balanced_accuracy_answered", "intervals_95", "participants", "scored_people", "reasons",
    "exercise_called_stress", "exercise_called_stress_worst", "stress_recall", "not_tested",
}  # fmt: skip
PERSON_KEYS = {
    "id", "generic", "personal", "kept", "reason", "n_windows", "n_rest", "n_stress", "auc", "ece",
    "coverage", "seen_in_training", "recall", "false_alarm", "macro_f1",
}  # fmt: skip


def make_row(person="A/1", *, generic, personal=None, truth=(0, 0, 1, 1), seen=False, kept=False):
    n = len(truth)
    generic = np.array(generic, float)
    return Row(
        person, seen, kept, "better" if kept else "no_labels", "head" if kept else "",
        np.array(truth), generic, generic if personal is None else np.array(personal, float),
        60.0 + 10 * np.arange(n), np.ones(n, bool), np.array(truth), np.arange(n),
    )  # fmt: skip


def figures_of(rows, *, learned=False):
    clock = [np.full(len(row.truth), 0.9) for row in rows]
    people = [
        participant(row, c, threshold=0.5, learned=learned)
        for row, c in zip(rows, clock, strict=True)
    ]
    top = split_by_training(people, rows, lambda p, r: summary(p, r, learned=learned))
    return plain({**top, "participants": people})


def test_person_is_hand_counted_when_small():
    row = replace(
        make_row(generic=[0.1, 0.7, 0.9, 0.8]), answered=np.array([True, False, True, True])
    )
    (one,) = figures_of([row])["participants"]
    assert set(one) >= PERSON_KEYS
    assert one["generic"] == one["balanced_accuracy"] == 0.75
    assert one["personal"] is None
    assert (one["recall"], one["false_alarm"], one["coverage"]) == (1.0, 0.5, 0.75)
    assert one["balanced_accuracy_answered"] == 1.0
    assert one["time_only_balanced_accuracy"] == 0.5
    assert (one["n_windows"], one["n_rest"], one["n_stress"]) == (4, 2, 2)


def test_gain_and_harm_are_counted_by_person_when_the_host_learned():
    right, wrong = [0.1, 0.1, 0.9, 0.9], [0.1, 0.1, 0.1, 0.1]
    rows = [
        make_row("A/1", generic=wrong, personal=right, kept=True),
        make_row("A/2", generic=right, personal=wrong, kept=True),
        make_row("A/3", generic=right),
    ]
    figures = figures_of(rows, learned=True)
    assert (figures["n_helped"], figures["n_hurt"], figures["n_kept"]) == (1, 1, 2)
    assert figures["gain"] == pytest.approx(0.0)
    assert figures["balanced_accuracy_generic"] == pytest.approx((0.5 + 1 + 1) / 3)
    assert (figures["worst_gain"], figures["worst_gain_person"]) == (-0.5, "A/2")
    assert figures["noise"] == 0.01


def test_people_of_the_training_are_kept_apart_when_others_are_there():
    right, wrong = [0.1, 0.1, 0.9, 0.9], [0.9, 0.9, 0.1, 0.1]
    figures = figures_of(
        [make_row("A/1", generic=right, seen=True), make_row("A/2", generic=wrong)]
    )
    assert figures["scored_people"] == "unseen"
    assert (figures["balanced_accuracy"], figures["n_people"]) == (0.0, 1)
    assert figures["people_in_training"]["balanced_accuracy"] == 1.0


def test_result_says_so_when_everybody_was_in_the_training():
    figures = figures_of([make_row(generic=[0.1, 0.1, 0.9, 0.9], seen=True)])
    assert figures["scored_people"] == "all were in the training"
    assert figures["n_seen_in_training"] == 1


def test_spread_is_null_with_a_reason_when_there_is_one_person():
    figures = figures_of([make_row(generic=[0.1, 0.1, 0.9, 0.9])])
    assert figures["balanced_accuracy_sd"] is None
    assert figures["intervals_95"]["balanced_accuracy"] is None
    assert figures["reasons"]["balanced_accuracy_sd"] == "needs two people"
    json.dumps(figures, allow_nan=False)


def make_windows(rng, name, *, kind="stress"):
    """The windows of a made-up person, as if cut from a recording."""
    person = make_person(rng, name, kind=kind)
    turns = np.flatnonzero(np.diff(person.y)) + 1
    edges = [0, *turns.tolist(), len(person.y)]
    label = {0: "rest", 1: "stress", 2: "exercise"}
    stages, stage = [], np.full(len(person.y), -1)
    for i, (a, b) in enumerate(itertools.pairwise(edges)):
        stages.append(Stage(f"part-{i}", label[int(person.y[a])], 10.0 * a, 10.0 * b))
        # A window lasts as long as six hops.
        stage[a : b - 5] = i
    n = len(person.y)
    return SessionWindows(
        Session("made-up", name, kind, None, tuple(stages)), person.content_sha256,
        person.t_end_s, person.raw, person.quality, person.motion, np.ones(n, bool),
        np.zeros(n), stage,
    )  # fmt: skip


@pytest.fixture(scope="module")
def material():
    rng = np.random.default_rng(3)
    lab = [make_windows(rng, f"P{i}") for i in range(4)]
    moving = [make_windows(rng, f"P{i}", kind="aerobic") for i in range(2)]
    return Material(lab, moving, {})


@pytest.fixture(scope="module")
def model_for(material):
    """Each person's model is fitted once for all tests."""
    return LeaveOneOut(people_of(material.lab), seed=1)


def _assessed(material, model_for, protocol, n=4):
    question = Question(protocol, 60.0)
    return assess(
        material.lab[:n], material.exercise, model_for, question, seen=lambda _one: False
    ).headed(
        {"dataset": "made-up", "protocol": protocol, "protocol_means": "as asked",
         "window_s": 60.0, "baseline": "guided"}
    )  # fmt: skip


def test_every_promised_key_is_there_when_people_are_assessed(material, model_for):
    result = plain(_assessed(material, model_for, "generic").result)
    assert set(result) >= TOP_KEYS
    assert all(set(one) >= PERSON_KEYS for one in result["participants"])
    assert result["balanced_accuracy"] > 0.8
    assert result["n_people"] == 4
    assert 0 <= result["time_only_balanced_accuracy"] <= 1
    assert result["exercise_called_stress"] <= result["exercise_called_stress_all"]
    for truth in ("rest", "stress", "exercise"):
        assert sum(result["decisions"][truth].values()) > 0
    for one in result["participants"]:
        assert sum(one["states"].values()) == one["n_windows"]
    json.dumps(result, allow_nan=False)


def test_labels_are_learned_from_and_compared_when_the_protocol_says_so(material, model_for):
    result = plain(_assessed(material, model_for, "personal").result)
    assert set(result) >= {"balanced_accuracy_generic", "gain", "n_helped", "n_hurt", "noise"}
    assert all(one["personal"] is not None for one in result["participants"])
    assert result["n_people"] == 4


def test_person_with_two_windows_of_a_class_is_not_tested_when_learning_is_judged(
    material, model_for
):
    for n_stress, n_tested in ((9, 2), (11, 3)):
        short, is_tested = _with_stress(material.lab[0], n_stress), n_tested >= MIN_TEST_WINDOWS
        some = replace(material, lab=[short, *material.lab[1:]])
        made = _assessed(some, model_for, "personal")
        names = [one["id"] for one in made.result["participants"]]
        assert (short.session.person in names) == is_tested
        if is_tested:
            assert made.result["participants"][0]["n_stress"] == n_tested
        listed = [] if is_tested else [{"id": short.session.person, "reason": TOO_FEW_TO_TEST}]
        assert made.result["not_tested"] == listed


def _with_stress(windows, n_stress):
    """Only the first windows of stress; half of them, less six that touch both halves, test."""
    stage = windows.stage.copy()
    stage[np.flatnonzero(windows.label == "stress")[n_stress:]] = -1
    return replace(windows, stage=stage)


def test_people_who_could_not_learn_are_counted_apart():
    right = [0.1, 0.1, 0.9, 0.9]
    rows = [
        replace(make_row("A/1", generic=right), reason="no_data"),
        replace(make_row("A/2", generic=right), reason="one_class"),
        replace(make_row("A/3", generic=right), reason="no_better"),
        make_row("A/4", generic=right, kept=True),
    ]
    figures = figures_of(rows, learned=True)
    assert (figures["n_kept"], figures["n_no_data"]) == (1, 2)


def test_page_warns_beside_the_curves_when_windows_are_few(material, model_for):
    short = _with_stress(material.lab[0], 9)
    for lab, is_warned in (([short, *material.lab[1:]], True), (material.lab, False)):
        made = _assessed(replace(material, lab=lab), model_for, "generic")
        words, _ = _texts(stress_page(plain(made.result), made))
        assert (
            "1 of 4 people have fewer than 10 windows of rest or of stress" in words
        ) == is_warned
        assert "stress stress" not in words


def test_page_says_who_could_not_learn(material, model_for):
    made = _assessed(material, model_for, "personal")
    result = plain({**made.result, "n_no_data": 2})
    words, _ = _texts(stress_page(result, made))
    assert "Of 4 people 2 could not be learned from" in words
    assert "2 could not learn" in words


def _texts(page):
    root = ET.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    pictures = [one for one in root.iter("svg") if one.get("role") == "img"]
    for picture in pictures:
        assert picture.find("title").text
        assert picture.find("desc").text
    return "".join(root.itertext()), len(pictures)


@pytest.mark.parametrize(("protocol", "n"), [("generic", 4), ("personal", 4), ("generic", 1)])
def test_page_is_whole_when_rendered(material, model_for, protocol, n):
    made = _assessed(material, model_for, protocol, n)
    words, n_pictures = _texts(stress_page(plain(made.result), made))
    assert "Balanced accuracy" in words
    assert "clock" in words
    assert n_pictures >= 8
    assert "<script" not in stress_page(plain(made.result), made)
    assert ("One person is no sample" in words) == (n == 1)


def test_page_says_why_when_nothing_could_be_tested(material, model_for):
    only_rest = replace(material.lab[0], stage=np.full(len(material.lab[0].stage), -1))
    nothing = replace(material, lab=[only_rest], exercise=[])
    made = _assessed(nothing, model_for, "generic", 1)
    result = plain(made.result)
    assert result["balanced_accuracy"] is None
    assert result["reasons"]["balanced_accuracy"]
    words, _ = _texts(stress_page(result, made))
    assert "Nobody could be tested" in words
    assert result["not_tested"][0]["reason"] in words


def test_leak_is_refused_when_a_recording_has_a_second_name(material):
    twin = replace(material.lab[0], session=replace(material.lab[0].session, participant="Q"))
    with pytest.raises(LeakError):
        check_each_apart([*material.lab, twin], [])


def test_score_falls_to_chance_when_labels_are_shuffled(material):
    plain_score = left_out._score(material, [], Question("generic", 60.0)).result
    shuffled = left_out._score(material, [], Question("generic", 60.0), shuffle=True).result
    assert plain_score["balanced_accuracy"] > 0.8
    assert abs(shuffled["balanced_accuracy"] - 0.5) < 0.2
