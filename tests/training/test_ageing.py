"""The studies of days: each part does what its figure says."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.adaptation.drift import Part
from firmware_host.errors import RecordingError
from firmware_host.identity.self_update import WALK_WINDOWS
from firmware_host.signals.normalise import Baseline
from firmware_host.signals.stress import FEATURE_NAMES
from tests.training.test_controls import walkers as simulated_walks
from training.ageing import alarms, gait
from training.ageing.gait_alarms import gait_alarms
from training.ageing.stress import blend, run_age
from training.ageing.walkers import stream, turned, walkers
from training.gait.windows import Walks

N_FEATURES = len(FEATURE_NAMES)


def _people(n: int) -> list[Walks]:
    return simulated_walks(np.random.default_rng(8), n)


@pytest.fixture(scope="module")
def group() -> gait.Group:
    return next(iter(gait.groups(_people(12), 2, seed=0)))


def test_enrolment_later_days_and_test_share_no_window(group):
    for walker in group.walkers:
        parts = [{row.tobytes() for row in part} for part in
                 (walker.enrolment, walker.later, walker.test)]  # fmt: skip
        assert not parts[0] & parts[1]
        assert not parts[1] & parts[2]
        assert not parts[0] & parts[2]
        assert len(walker.enrolment) <= WALK_WINDOWS


def test_a_turned_walker_stays_as_far_from_the_average_person(group):
    identity, walker = group.identity, group.walkers[0]
    center, scale = identity.arrays["center"], identity.arrays["scale"]
    own = np.concatenate((walker.enrolment, walker.later)).mean(axis=0)

    def length(shift: np.ndarray) -> float:
        return float(np.linalg.norm((own + shift - center) / scale))

    assert turned(walker, group.towards[0], identity, 0.0) == pytest.approx(0.0, abs=1e-3)
    moved = [turned(walker, group.towards[0], identity, angle) for angle in (40.0, 90.0)]
    assert [length(shift) for shift in moved] == pytest.approx([length(0.0)] * 2, rel=1e-3)
    assert np.linalg.norm(moved[1]) > np.linalg.norm(moved[0]) > 0.0


def test_a_stream_repeats_a_walk_in_order_of_time(group):
    rows = stream(group.walkers[0].later, 100, t0_s=7.0)
    assert [row.t_end_s for row in rows[:3]] == [7.0, 9.5, 12.0]
    np.testing.assert_array_equal(rows[len(group.walkers[0].later)].values, rows[0].values)


def test_a_reference_as_enrolled_never_moves_and_learning_from_anything_does(group):
    fixed = gait.aged(group, 0, "as enrolled", 0.0)
    assert fixed["n_updates"] == 0.0
    assert gait.aged(group, 0, "any walk", 0.0)["n_updates"] == gait.N_DAYS


def test_an_attack_on_a_reference_that_learns_from_anything_captures_it(group):
    impostor = group.others(0)[0]
    astray = gait.attacked(group, 0, impostor, "any walk")
    assert astray["before"] < 0.5 < astray["after"]
    guarded = gait.attacked(group, 0, impostor, "follows")
    assert guarded["after"] < 0.5


def test_test_people_are_not_in_the_background(group):
    people = _people(12)
    made = list(gait.groups(people, 2, seed=0))
    tested = [walker.person for one in made for walker in one.walkers]
    assert len(tested) == len(set(tested))
    for one in made:
        assert len(one.towards) == 6


def test_everybody_with_three_parts_takes_part(group):
    assert len(walkers(_people(4), group.identity)) == 4


def _rests(rng: np.random.Generator) -> dict:
    found = {}
    for person in range(8):
        mean = rng.normal(size=N_FEATURES)
        for kind in ("stress", "aerobic", "anaerobic"):
            center = mean + 0.05 * rng.normal(size=N_FEATURES)
            found[f"p{person}", kind] = Baseline(center, np.ones(N_FEATURES), 20)
    return found


def test_alarms_are_rare_in_people_who_stay_the_same_and_sure_after_a_great_change(
    rng, monkeypatch
):
    monkeypatch.setattr(alarms, "N_WEARERS", 20)
    figures = alarms.alarm_figures(_rests(rng), seed=1)
    for half in figures.values():
        assert half["n_people"] == 4
        assert half["false_alarms_per_week"] == 0.0
        assert half["changes"]["conductance a tenth"]["said_in_four_weeks"] == 1.0
        assert 2.0 <= half["changes"]["conductance a tenth"]["median_days"] <= 10.0


def test_only_alarms_after_the_change_and_about_it_count():
    change = alarms.CHANGES["conductance a tenth"]
    said = [(3, Part.SKIN_SENSOR), (alarms.CHANGE_DAY + 1, Part.REST)]
    assert alarms._delay(said, change) is None
    assert alarms._delay([*said, (alarms.CHANGE_DAY + 4, Part.SKIN_SENSOR)], change) == 5


def test_a_blend_knows_what_either_day_knows():
    old = Baseline(np.array([1.0, np.nan, 3.0]), np.ones(3), 5)
    today = Baseline(np.array([3.0, 2.0, np.nan]), np.full(3, 3.0), 6)
    mixed = blend(old, today, 0.5)
    np.testing.assert_allclose(mixed.center, [2.0, 2.0, 3.0])
    np.testing.assert_allclose(mixed.scale, 2.0)


def test_both_data_sets_are_asked_for_before_another_one_is_read(tmp_path):
    (tmp_path / "stress-predict").mkdir()
    (tmp_path / "wisdm-watch").mkdir()
    (tmp_path / "wisdm-watch" / "1600.zip").write_bytes(b"no archive")
    expected = "expected both physionet-stress-exercise and stress-predict"
    with pytest.raises(RecordingError, match=f"{expected}, got no physionet-stress-exercise"):
        run_age(tmp_path, cache_dir=None, seed=0)


def test_one_session_tells_people_apart_only_if_days_differ_less_than_people(rng):
    assert alarms.told_apart(_rests(rng)) > 0.9
    everybody_alike = {
        key: Baseline(rng.normal(size=N_FEATURES), np.ones(N_FEATURES), 20) for key in _rests(rng)
    }
    assert 0.2 < alarms.told_apart(everybody_alike) < 0.8


def test_somebody_elses_walks_are_heard_and_the_wearers_own_are_not(group):
    figures = gait_alarms([group], seed=1)
    assert figures["false_alarms_per_week"] == 0.0
    assert figures["said_in_four_weeks"] > 0.8
    assert figures["median_days"] <= 6.0
