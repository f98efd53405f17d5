"""One change at a time: each does what it says, no more, and the tables come out whole."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

import numpy as np
import pytest

from firmware_host.signals.stress import FEATURE_CHANNELS, FEATURE_NAMES
from tests.training.test_controls import walkers
from tests.training.test_personal import _session
from tests.unit.training.synthetic_people import make_people
from training.ablation import gait_people, stress_people, stress_updates
from training.ablation.full_model import FullModel
from training.ablation.table import Table, check_output, finish, markdown
from training.stress.detector import fit_detector
from training.stress.people import people_of, spread_of

SPREAD = np.ones(len(FEATURE_NAMES))


def test_only_one_channel_is_seen_when_the_others_are_taken_away(rng):
    person = make_people(rng, n_people=1)[0]
    is_eda = np.asarray(FEATURE_CHANNELS) == "eda"
    alone = stress_people.only("eda")([], person).z(SPREAD)
    rest = stress_people.without("eda")([], person).z(SPREAD)
    shipped = person.z(SPREAD)
    np.testing.assert_array_equal(alone[:, is_eda], shipped[:, is_eda])
    assert np.abs(alone[:, ~is_eda]).max() < 1e-3
    np.testing.assert_array_equal(rest[:, ~is_eda], shipped[:, ~is_eda])
    assert np.abs(rest[:, is_eda]).max() < 1e-3


def test_one_centre_for_everybody_keeps_people_apart_when_not_normalised(rng):
    people = make_people(rng, n_people=6)
    spread = spread_of(people)
    own = np.array([p.z(spread)[:30].mean(axis=0) for p in people])
    shared = np.array(
        [stress_people.not_normalised(people, p).z(spread)[:30].mean(axis=0) for p in people]
    )
    assert shared.std(axis=0).mean() > 3 * own.std(axis=0).mean()


def test_running_normalisation_uses_no_window_that_comes_later(rng):
    person = make_people(rng, n_people=1)[0]
    whole = stress_people.running([], person).z(SPREAD)
    changed = person.raw.copy()
    changed[80:] += 50.0
    cut = stress_people.running([], replace(person, raw=changed)).z(SPREAD)
    np.testing.assert_array_equal(whole[:80], cut[:80])
    assert np.abs(whole[80:] - cut[80:]).max() > 1.0


def test_drift_control_scores_when_stages_have_their_times_and_not_when_they_have_none(rng):
    people = make_people(rng, n_people=8, effect=0.0)
    y = np.zeros(150, np.int64)
    y[70:120] = 1
    stage = np.select([np.arange(150) < 70, y == 1], [0, 1], 2)
    timed = [replace(p, y=y, stage=stage) for p in people]
    drifting = stress_people.drifting(timed, seed=1)
    folds = stress_people.left_out(drifting, stress_people.running, n_folds=4, seed=1, what="")
    with_clock = stress_people.figures(stress_people.scores_of(folds)).mean
    shuffled = [replace(p, y=rng.permutation(p.y)) for p in drifting]
    folds = stress_people.left_out(shuffled, stress_people.as_shipped, n_folds=4, seed=1, what="")
    without = stress_people.figures(stress_people.scores_of(folds)).mean
    assert with_clock > 0.6
    assert abs(without - 0.5) < 0.1


@pytest.fixture
def full(rng) -> FullModel:
    net = fit_detector(make_people(rng, n_people=3), seed=1).net
    arrays = net.arrays()
    # A hidden part that is alive, whatever the recipe makes of it.
    arrays["head_w"] = arrays["head_w"] + rng.normal(size=arrays["head_w"].shape) * 0.3
    return FullModel({name: v.astype(np.float32) for name, v in arrays.items()})


def test_gradient_of_every_weight_equals_finite_differences(full, rng):
    n_features = full.signatures["infer"].inputs["x"].shape[1]
    x = rng.normal(size=(16, n_features)).astype(np.float32)
    y = np.eye(2, dtype=np.float32)[rng.integers(0, 2, 16)]
    weight = rng.uniform(0.2, 1.0, 16).astype(np.float32)

    def loss() -> float:
        return float(full._evaluate(x, y, weight)["loss"][0])

    for name, gradient in full.gradients(x, y, weight).items():
        values = full._values[name]
        for _ in range(5):
            at = tuple(rng.integers(0, n) for n in values.shape)
            kept = values[at]
            values[at] = kept + 1e-6
            above = loss()
            values[at] = kept - 1e-6
            below = loss()
            values[at] = kept
            assert (above - below) / 2e-6 == pytest.approx(gradient[at], rel=1e-4, abs=1e-7), name


def test_every_update_learns_from_labels_and_leaves_the_generic_model_behind(rng):
    windows = [_session(f"S{i:02d}", rng, shift=0.4) for i in range(4)]
    people = people_of(windows)
    net = fit_detector(people[1:], seed=1).net
    spread = spread_of(people[1:])
    models = stress_updates.models_of(net.arrays(), spread, seed=1)
    job = stress_updates.prepare(people[0], windows[0], spread, "personal")
    before = {k: m.model.run("get_adapter") for k, m in models.items()}
    made = [stress_updates.outcome(job, models, u, seed=1) for u in stress_updates.UPDATES]
    assert len({round(one.generic, 12) for one in made}) == 1
    assert all(one.gated == one.generic for one in made if not one.kept)
    for kind, generic in models.items():
        for name, value in generic.model.run("get_adapter").items():
            np.testing.assert_array_equal(value, before[kind][name])
    summary = stress_updates.summary(made)
    assert summary["n"] == len(made)
    assert summary["worst_change"] <= summary["gain"]


def test_bytes_of_an_update_grow_with_what_moves(rng):
    net = fit_detector(make_people(rng, n_people=3), seed=1).net
    models = stress_updates.models_of(net.arrays(), SPREAD, seed=1)
    size = {u.name: stress_updates.n_bytes(models, u) for u in stress_updates.UPDATES}
    assert size["bias"] == 8
    assert size["bias"] < size["head, bias"] < size["LoRA"] < size["LoRA, head, bias"]
    assert size["LoRA, head, bias"] < size["full: every weight"]


def test_labels_of_a_test_window_change_nothing_when_learning(rng):
    windows = _session("S01", rng)
    person = people_of([windows])[0]
    job = stress_updates.prepare(person, windows, SPREAD, "earlier")
    labelled = job.evidence.everything.x
    tested = job.z[job.test]
    assert not (labelled[:, None, :] == tested[None, :, :]).all(axis=2).any()
    assert job.free[job.test].all()


@pytest.mark.parametrize("personal", ["head", "template", "lora"])
def test_walkers_are_told_apart_whatever_is_personal(rng, personal):
    setting = gait_people.Setting("x", personal=personal)
    made = gait_people.verify(walkers(rng, 9), [], setting, n_folds=3, n_partitions=1, seed=1)
    assert made.eer["5s"] < 0.1
    assert set(made.each) == {f"made-up/{i}" for i in range(9)}


def test_int8_whitening_changes_little_and_shuffled_identities_everything(rng):
    people = walkers(rng, 9)

    def verify(**options):
        setting = gait_people.Setting("x", **options)
        return gait_people.verify(people, [], setting, n_folds=3, n_partitions=1, seed=1)

    plain, small, dealt = verify(), verify(storage="int8"), verify(shuffled=True)
    assert abs(plain.eer["5s"] - small.eer["5s"]) < 0.02
    assert dealt.eer["5s"] == pytest.approx(0.5, abs=0.08)


def test_uneven_windows_count_only_when_every_window_does(rng):
    people = []
    for walks in walkers(rng, 9):
        is_uneven = np.arange(len(walks)) % 4 == 0
        noise = rng.normal(size=walks.features.shape).astype(np.float32)
        features = np.where(is_uneven[:, None], noise, walks.features)
        people.append(replace(walks, features=features, periodicity=1.0 - is_uneven))

    def eer_5s(**options):
        setting = gait_people.Setting("x", **options)
        made = gait_people.verify(people, [], setting, n_folds=3, n_partitions=1, seed=1)
        return made.eer["5s"]

    assert eer_5s() < 0.1 < eer_5s(every_window=True)


def test_tables_are_written_with_their_command_on_top(tmp_path):
    table = Table(
        "one", "One", "How to read it.", {"name": "", "gain": "gain", "n": "people"},
        [{"name": "a", "gain": 0.0123, "n": 3, "each": {"p": 0.1}}, {"name": "b", "gain": None}],
    )  # fmt: skip
    arguments = argparse.Namespace(
        json=tmp_path / "a.json", markdown=tmp_path / "a.md", html=tmp_path / "a.html"
    )
    check_output(arguments)
    shown = finish(arguments, "stress", [table], {"seed": 1, "A": "some, 3 people"})
    assert json.loads(arguments.json.read_text()) == shown
    text = arguments.markdown.read_text()
    assert text == markdown("stress", [table], {"seed": 1, "A": "some, 3 people"})
    assert text.startswith("# Ablation: stress\n\n```\npython -m training ablate --task stress")
    assert "| a | +0.012 | 3 |" in text
    assert "| b | – | – |" in text
    page = arguments.html.read_text()
    assert "How to read it." in page
    assert "+0.012" in page
