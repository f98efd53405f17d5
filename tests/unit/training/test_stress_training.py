"""From people to what a bundle holds, and a bundle's file scored like the arrays it came from."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from firmware_host.errors import SignalError
from firmware_host.inference.bundle import load_bundle
from firmware_host.signals.stress import FEATURE_NAMES
from tests.bundles import write_bundle
from tests.unit.training.synthetic_people import make_people, make_person
from training.stress.data import StressData
from training.stress.detector import Detector, fit_detector
from training.stress.evaluate import run_evaluate
from training.stress.generic_models import generic_of_bundle, table_model
from training.stress.people import center_of
from training.stress.train import train_on


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(4)
    lab = {
        name: make_people(rng, n_people=4, dataset=name)
        for name in ("stress-predict", "physionet-stress-exercise")
    }
    workouts = [
        make_person(rng, f"P{i}", kind="aerobic", dataset="physionet-stress-exercise")
        for i in range(3)
    ]
    return StressData(lab, workouts)


@pytest.fixture(scope="module")
def trained(data):
    return train_on(data, 3, held_out=["stress-predict/S99"])


def test_everything_a_bundle_needs_is_there_when_trained(trained):
    assert trained.feature_names == FEATURE_NAMES
    assert trained.spread.shape == (26,)
    assert (trained.spread > 0).all()
    assert np.isfinite(trained.center).all()
    assert all(a.dtype == np.float32 and np.isfinite(a).all() for a in trained.weights.values())
    assert len(trained.trained_on) == 8 + 3
    assert trained.held_out == ["stress-predict/S99"]
    json.dumps([trained.figures, trained.decisions], allow_nan=False)


def test_figures_leave_each_person_out_when_reported(trained):
    for figures in trained.figures.values():
        assert figures["n_people"] == len(figures["participants"]) == 4
        assert figures["balanced_accuracy"] > 0.8
        assert 0 <= figures["time_only_balanced_accuracy"] <= 1
    assert "trained_on_stress-predict" in trained.figures["physionet-stress-exercise"]


def test_training_gives_the_same_bytes_when_repeated(data, trained):
    again = train_on(data, 3)
    for name, array in trained.weights.items():
        assert array.tobytes() == again.weights[name].tobytes()
    assert again.thresholds == trained.thresholds


def test_bundle_scores_like_its_arrays_when_evaluated(data, tmp_path):
    bundle = load_bundle(write_bundle(tmp_path))
    people = data.everyone()
    net = fit_detector(people, seed=1).net
    spread = np.asarray(bundle.stress.normalisation.spread, np.float64)
    shipped = generic_of_bundle(bundle.path)
    generic = replace(shipped, model=table_model(net.arrays(), seed=1))
    ours = generic.probability(people[0].z(spread), people[0].t_end_s)
    theirs = Detector(net, spread).probability(people[0])
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.needs_tf
def test_exported_network_gives_the_fitted_logits_when_run(data):
    from models.stress import StressNet
    from training.stress.artifacts import stress_weights

    rng = np.random.default_rng(1)
    detector = fit_detector(data.everyone(), seed=1)
    network = StressNet(stress_weights(detector.net.arrays(), rng))
    z = data.everyone()[0].z(detector.spread)[:20]
    logits = np.concatenate([network.infer(z[i : i + 1])["logits"] for i in range(20)])
    fitted = detector.net.logit(z.astype(np.float64))
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], fitted, atol=1e-4)


@pytest.mark.needs_tf
def test_card_rows_and_thresholds_are_complete_when_converted(trained):
    from training.stress.artifacts import figure_rows, threshold_table

    table = threshold_table(trained)
    assert set(table) == {
        "stress",
        "unsure_low",
        "unsure_high",
        "min_quality",
        "min_pulse_quality",
        "max_motion_ms2",
        "max_effort_ms2",
    }
    assert table["unsure_low"] <= table["stress"] <= table["unsure_high"]
    rows = figure_rows(trained)
    assert any("exercise called stress" in row for row in rows)
    assert any("the clock alone" in row for row in rows)


@pytest.mark.needs_data
def test_people_are_marked_as_seen_when_the_bundle_knows_them(data_dir, tmp_path):
    real, few = data_dir / "stress-predict", tmp_path / "stress-predict"
    (few / "e4").mkdir(parents=True)
    names = ["S01", *(p.stem for p in sorted((real / "e4").glob("*.zip"))[1:3])]
    for name in names:
        (few / "e4" / f"{name}.zip").symlink_to(real / "e4" / f"{name}.zip")
    (few / "labels.csv.gz").symlink_to(real / "labels.csv.gz")
    result = run_evaluate(
        tmp_path, "stress-predict", write_bundle(tmp_path), cache_dir=tmp_path / "cache"
    ).result
    marked = {p["id"].split("/")[1]: p["seen_in_training"] for p in result["participants"]}
    assert marked == {name: name == "S01" for name in names}
    assert (result["people_in_training"]["n_people"], result["n_people"]) == (1, 2)


def _with_center(person, center):
    baseline = replace(person.baseline, center=np.asarray(center, np.float64))
    return replace(person, baseline=baseline)


def test_typical_rest_counts_each_person_once_when_sessions_differ_in_number(data):
    first, second = data.everyone()[:2]
    people = [_with_center(first, np.full(26, v)) for v in (0.0, 2.0)]
    center = center_of([*people, _with_center(second, np.full(26, 5.0))])
    np.testing.assert_allclose(center, np.full(26, 3.0))


def test_typical_rest_leaves_out_what_was_unreadable_when_one_channel_was(data):
    first, second = data.everyone()[:2]
    unknown = np.where(np.arange(26) < 10, np.nan, 1.0)
    center = center_of([_with_center(first, unknown), _with_center(second, np.full(26, 3.0))])
    np.testing.assert_allclose(center, np.where(np.arange(26) < 10, 3.0, 2.0))


def test_typical_rest_is_refused_when_nobody_has_a_feature(data):
    with pytest.raises(SignalError, match="hr_median_bpm at rest in any of 1 people"):
        center_of([_with_center(data.everyone()[0], np.full(26, np.nan))])
