"""The recipe that ships: nested choices, calibrated probabilities, exercise beside stress."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from firmware_host.signals.stress import FEATURE_NAMES
from tests.unit.training.synthetic_people import make_people, make_person
from training.metrics import expected_calibration_error
from training.stress.decisions import states_of_scored
from training.stress.detector import Scored, StressThresholds
from training.stress.network import sigmoid
from training.stress.outcomes import Judged, decide
from training.stress.recipe import (
    calibrated,
    fit_calibration,
    fit_recipe,
    leave_recipes_out,
    out_of_fold,
)


def test_nothing_chosen_depends_on_the_labels_of_who_is_left_out(rng):
    people = make_people(rng, n_people=5)
    lab, _ = leave_recipes_out(people, [], seed=1)
    turned = [replace(people[0], y=np.where(people[0].y == 1, 0, 1)), *people[1:]]
    again, _ = leave_recipes_out(turned, [], seed=1)
    assert lab[0].thresholds == again[0].thresholds
    np.testing.assert_array_equal(lab[0].scored.probability, again[0].scored.probability)
    assert lab[1].thresholds != again[1].thresholds


def test_folds_leave_out_whole_people_and_their_exercise(rng):
    people = make_people(rng, n_people=7)
    workouts = [make_person(rng, f"P{i}", kind="aerobic") for i in (0, 3, 9)]
    lab, moving = out_of_fold(people, workouts, seed=1)
    assert sorted(s.person.person for s in lab) == sorted(p.person for p in people)
    # P9 is nobody's: no detector without them would be one of the folds.
    assert sorted(s.person.person for s in moving) == ["made-up/P0", "made-up/P3"]


def scored_with(rng, slope, offset, *, name="P", dataset="made-up", n=4000):
    """A session whose truth follows sigmoid(slope log_odds + offset)."""
    log_odds = rng.normal(0.0, 2.0, size=n)
    y = (rng.uniform(size=n) < sigmoid(slope * log_odds + offset)).astype(int)
    person = replace(make_person(rng, name, n=n, dataset=dataset), y=y)
    return Scored(person, sigmoid(log_odds), log_odds)


def test_calibration_finds_slope_and_offset_when_they_are_known(rng):
    found = fit_calibration([scored_with(rng, 0.6, -1.2, name=f"P{i}") for i in range(5)])
    assert found.slope == pytest.approx(0.6, abs=0.05)
    assert found.offset == pytest.approx(-1.2, abs=0.08)
    fresh = scored_with(rng, 0.6, -1.2)
    before = expected_calibration_error(fresh.person.y, fresh.probability)
    after = expected_calibration_error(fresh.person.y, calibrated(fresh, found).probability)
    assert after < 0.04 < before


def test_data_sets_weigh_the_same_in_calibration_however_many_people_they_have(rng):
    many = [scored_with(rng, 1.0, 0.0, name=f"P{i}", dataset="big") for i in range(9)]
    few = [scored_with(rng, 1.0, -2.0, dataset="small")]
    assert fit_calibration([*many, *few]).offset == pytest.approx(-0.9, abs=0.15)


def test_undecided_point_is_where_the_detector_is_when_calibrated(rng):
    recipe = fit_recipe(make_people(rng, n_people=5), seed=1)
    assert recipe.thresholds.stress == pytest.approx(recipe.calibration.probability(0.0), abs=1e-3)


def test_effort_keeps_exercise_from_being_stress_when_chosen(rng):
    people = make_people(rng, n_people=6)
    workouts = [make_person(rng, f"P{i}", kind="aerobic") for i in range(6)]
    report = decide(*leave_recipes_out(people, workouts, seed=1))
    assert report.exercise_called_stress <= 0.05 < 0.5 < report.exercise_without_gate
    assert report.exercise_recall > 0.9
    assert report.lab_called_exercise < 0.1
    assert report.stress_recall > 0.6
    assert report.three_class > 0.7
    for said in report.confusion.values():
        assert sum(said.values()) == pytest.approx(1.0)


def test_exercise_needs_no_recordings_of_it_to_be_left_out(rng):
    report = decide(*leave_recipes_out(make_people(rng, n_people=4), [], seed=1))
    assert report.lab_called_exercise == 0.0
    assert np.isnan(report.exercise_called_stress)
    assert np.isnan(report.three_class)


def test_states_are_asked_in_the_order_of_the_host(rng):
    person = make_person(rng, "P", n=5)
    quality = np.ones((5, 4))
    quality[0, 1] = 0.1
    motion = np.array([2.0, 2.0, 0.4, 0.01, 0.01])
    spaced = 60.0 + 500.0 * np.arange(5)
    center = np.zeros(person.raw.shape[1])
    raw = np.zeros_like(person.raw)
    raw[:, FEATURE_NAMES.index("hr_median_bpm")] = [40.0, 40.0, 40.0, 40.0, 0.0]
    resting = replace(person.baseline, center=center)
    person = replace(
        person, quality=quality, motion=motion, t_end_s=spaced, raw=raw, baseline=resting
    )
    limits = StressThresholds(0.3, 0.05, 0.4, 0.25, effort_ms2=0.5)
    scored = Scored(person, np.array([0.9, 0.9, 0.9, 0.33, 0.9]))
    said = states_of_scored(scored, limits).tolist()
    assert said == ["poor_signal", "exercise", "moving", "unsure", "stress"]


def test_busy_hands_are_no_exercise_while_the_heart_rests(rng):
    person = make_person(rng, "P", n=3)
    raw = np.zeros_like(person.raw)
    raw[:, FEATURE_NAMES.index("hr_median_bpm")] = [14.0, 15.0, np.nan]
    resting = replace(person.baseline, center=np.zeros(raw.shape[1]))
    busy = replace(
        person, quality=np.ones((3, 4)), motion=np.full(3, 2.0), raw=raw, baseline=resting
    )
    limits = StressThresholds(0.3, 0.05, 0.4, 0.25, effort_ms2=0.5)
    said = states_of_scored(Scored(busy, np.full(3, 0.9)), limits).tolist()
    assert said == ["moving", "exercise", "moving"]


def test_report_counts_an_undecided_window_as_none_of_the_three(rng):
    person = make_person(rng, "P")
    p = np.where(person.y == 1, 0.9, 0.1)
    p[person.y == 1] = np.where(np.arange((person.y == 1).sum()) % 2, 0.9, 0.5)
    report = decide([Judged(Scored(person, p), StressThresholds())], [])
    assert report.stress_recall == report.balanced_accuracy == pytest.approx(1.0)
    assert report.balanced_accuracy_answered == pytest.approx(1.0)
    assert report.confusion["stress"] == {"stress": 0.5, "unsure": 0.5}
