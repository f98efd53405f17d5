"""Leaving people out: finds an effect that is there, none that is not, and never leaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.training.synthetic_people import make_people, make_person
from training.metrics import summarise
from training.splits import LeakError
from training.stress import loso as stress_loso
from training.stress.detector import Scored
from training.stress.loso import cross_dataset, leave_each_out, load_people
from training.stress.time_control import N_BINS, probability, time_table


def figures(people, **options):
    lab, _ = leave_each_out(people, [], seed=1, **options)
    return summarise([s.score() for s in lab])


def test_effect_is_found_when_people_share_it(rng):
    assert figures(make_people(rng)).balanced_accuracy > 0.85


def test_score_falls_to_chance_when_labels_are_shuffled(rng):
    people = make_people(rng)
    assert abs(figures(people, shuffle=True).balanced_accuracy - 0.5) < 0.12


def test_score_is_chance_when_there_is_no_effect(rng):
    assert abs(figures(make_people(rng, effect=0.0)).balanced_accuracy - 0.5) < 0.1


def test_score_does_not_depend_on_the_test_labels_when_left_out(rng):
    people = make_people(rng, n_people=4)
    lab, _ = leave_each_out(people, [], seed=1)
    y = people[0].y
    turned = [replace(people[0], y=np.where(y == 1, 0, 1)), *people[1:]]
    again, _ = leave_each_out(turned, [], seed=1)
    np.testing.assert_array_equal(lab[0].probability, again[0].probability)


def test_leak_is_refused_when_a_test_recording_is_in_training_under_another_name(rng):
    people = make_people(rng, n_people=3)
    copy = replace(people[0], person="made-up/Q")
    with pytest.raises(LeakError, match="both sides"):
        leave_each_out([*people, copy], [], seed=1)
    with pytest.raises(LeakError, match="no person"):
        cross_dataset(people, people[:1], seed=1)


def test_exercise_is_scored_without_its_person_when_given(rng):
    people = make_people(rng, n_people=4)
    workout = make_person(rng, "P2", kind="aerobic")
    _, moving = leave_each_out(people, [], seed=1, exercise=[workout])
    assert [s.person.person for s in moving] == ["made-up/P2"]


def test_clock_scores_high_when_stress_is_always_at_the_same_minute(rng):
    people = make_people(rng, effect=0.0)
    fixed = np.zeros(150, int)
    fixed[60:100] = 1
    on_time = [replace(p, y=fixed) for p in people]
    scores = stress_loso.time_only_scores(on_time)
    assert summarise(scores).balanced_accuracy > 0.95


def test_time_table_is_a_probability_when_minutes_are_empty(rng):
    table = time_table(make_people(rng, n_people=3))
    assert table.shape == (N_BINS,)
    assert ((table > 0) & (table < 1)).all()
    assert probability(table, np.array([1e6])) == table[-1]
    assert table[-1] == 0.5


def test_person_z_of_rest_is_near_zero_when_normalised(rng):
    person = make_person(rng, "P")
    scored = Scored(person, np.full(150, 0.5))
    z = person.z(np.ones(26))
    assert abs(z[:30].mean()) < 0.1
    assert scored.mask.all()


@pytest.mark.needs_data
def test_real_people_score_above_chance_and_shuffled_ones_do_not_when_left_out(data_dir, tmp_path):
    everyone = [s.person for s in stress_loso.DATASETS["stress-predict"](data_dir)]
    data = load_people(
        data_dir, cache_dir=tmp_path, only="stress-predict", hold_out=frozenset(everyone[10:])
    )
    people = data.lab["stress-predict"]
    assert [p.person for p in people] == everyone[:10]
    assert figures(people).balanced_accuracy > 0.62
    assert figures(people, shuffle=True).balanced_accuracy < 0.6
