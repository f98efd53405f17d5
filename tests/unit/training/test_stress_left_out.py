"""Leaving people out: finds an effect that is there, none that is not, and never leaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.training.synthetic_people import make_people, make_person, scores_left_out
from training.datasets.registry import STRESS
from training.metrics import summarise
from training.splits import LeakError
from training.stress.data import load_people
from training.stress.detector import Scored, cross_dataset
from training.stress.generic_models import LeaveOneOut
from training.stress.recipe import leave_recipes_out
from training.stress.time_control import N_BINS, probability, time_only_scores, time_table


def accuracy(people):
    return summarise(scores_left_out(people, seed=1)).balanced_accuracy


def test_effect_is_found_when_people_share_it(rng):
    assert accuracy(make_people(rng)) > 0.85


def test_score_is_chance_when_there_is_no_effect(rng):
    assert abs(accuracy(make_people(rng, effect=0.0)) - 0.5) < 0.1


def test_leak_is_refused_when_a_test_recording_is_in_training_under_another_name(rng):
    people = make_people(rng, n_people=3)
    copy = replace(people[0], person="made-up/Q")
    with pytest.raises(LeakError, match="both sides"):
        LeaveOneOut([*people, copy], seed=1)(people[0].person)
    with pytest.raises(LeakError, match="both sides"):
        leave_recipes_out([*people, copy], [], seed=1)
    with pytest.raises(LeakError, match="no person"):
        cross_dataset(people, people[:1], seed=1)


def test_exercise_is_scored_without_its_person_when_given(rng):
    people = make_people(rng, n_people=4)
    workout = make_person(rng, "P2", kind="aerobic")
    _, moving = leave_recipes_out(people, [workout], seed=1)
    assert [one.scored.person.person for one in moving] == ["made-up/P2"]


def test_clock_scores_high_when_stress_is_always_at_the_same_minute(rng):
    people = make_people(rng, effect=0.0)
    fixed = np.zeros(150, int)
    fixed[60:100] = 1
    on_time = [replace(p, y=fixed) for p in people]
    scores = time_only_scores(on_time)
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
def test_people_held_out_are_not_loaded(data_dir, tmp_path):
    (first, *others) = [session.person for session in STRESS["stress-predict"](data_dir)]
    root = data_dir / "stress-predict"
    data = load_people(root, cache_dir=tmp_path, hold_out=frozenset({first, *others[3:]}))
    assert [p.person for p in data.lab["stress-predict"]] == others[:3]
