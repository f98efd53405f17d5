"""The gait recipe: on imagined walkers, and, where the recordings are there, on real ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from firmware_host.errors import DataError
from firmware_host.events import Activity
from firmware_host.identity.background import Background
from firmware_host.signals.gait_features import N_FEATURES
from tests.unit.signals.gait_streams import G_MS2, walk
from training.datasets import motionsense
from training.datasets.motion import MotionRecording
from training.gait.card_figures import folds
from training.gait.identity import (
    fit_distribution,
    fit_identity,
    score_trials,
    split_walk,
)
from training.gait.numpy_model import NumpyGaitModel
from training.gait.verification_metrics import eer
from training.gait.windows import Walks, stream_of, walks_of, windows_of

LABELS = tuple(activity.value for activity in Activity)


def _recording(rng, *, rate_hz=20.0, duration_s=20.0, activity=Activity.WALK, person="1"):
    acc, gyro = walk(rng, sample_rate_hz=rate_hz, duration_s=duration_s)
    if activity is Activity.STILL:
        acc, gyro = acc * 0.01 + np.array([0.0, 0.0, G_MS2]), gyro * 0.01
    return MotionRecording("made-up", person, "wlk_1", activity, rate_hz, acc, gyro)


@pytest.fixture
def walkers(rng) -> list[Walks]:
    """Twelve people with 70 windows each: own centre, own noise, in two trials."""
    people = []
    for i in range(12):
        centre = rng.normal(size=N_FEATURES)
        features = centre + rng.normal(scale=0.8, size=(70, N_FEATURES))
        trial = np.repeat(["wlk_7", "wlk_8"], 35)
        start_s = np.tile(2.5 * np.arange(35), 2).astype(np.float32)
        people.append(
            Walks(
                f"made-up/{i}",
                features.astype(np.float32),
                rng.uniform(0.3, 1.0, 70).astype(np.float32),
                np.zeros((70, 100, 6), np.float32),
                trial,
                start_s,
            )
        )
    return people


def test_stream_of_a_recording_joins_its_windows_without_a_seam(rng):
    recording = _recording(rng, rate_hz=20.0, duration_s=22.0)
    stream = stream_of(recording, LABELS)
    assert stream.values.shape == (400, 6)
    assert stream.windows().shape == (4, 100, 6)
    assert stream.activity == 1
    norm = np.linalg.norm(recording.acc_ms2, axis=1)
    np.testing.assert_allclose(stream.values[:, 0], norm[:400], atol=1e-4)


def test_windows_of_a_recording_are_those_of_the_stream_they_lie_in(rng):
    recording = _recording(rng, rate_hz=50.0, duration_s=21.0)
    ends = [window.t_end_s for window in windows_of(recording, hop_s=2.5)]
    np.testing.assert_allclose(np.diff(ends), 2.5)
    assert len(ends) == 7


def test_walks_when_there_is_no_gyroscope_have_nan_there(rng):
    walks = walks_of("made-up/1", [_recording(rng)], hop_s=2.5, use_gyro=False)
    assert np.isnan(walks.features).any()
    assert not np.isnan(walks.features[:, :50]).any()


def test_split_keeps_enrolment_and_probe_apart_in_time(walkers):
    trial = split_walk(walkers[0], min_periodicity=0.0, enrol_s=30.0)
    assert len(trial.enrolment) == 11
    assert len(trial.probe) == 18
    assert not (trial.enrolment[:, None] == trial.probe[None]).all(axis=2).any()


def test_split_when_there_is_one_trial_probes_from_a_minute_on(walkers):
    only = walkers[0].pick(walkers[0].trial == "wlk_7")
    trial = split_walk(only, min_periodicity=0.0)
    np.testing.assert_array_equal(trial.enrolment, only.features[:11])
    np.testing.assert_array_equal(trial.probe, only.features[24::2])
    later = split_walk(only, min_periodicity=0.0, enrol_s=60.0)
    np.testing.assert_array_equal(later.probe, only.features[28::2])


def test_split_when_windows_are_not_periodic_enrols_longer(walkers):
    walks = walkers[0]
    few = split_walk(walks, min_periodicity=float(np.quantile(walks.periodicity[:35], 0.5)))
    assert len(few.enrolment) >= 11


def test_whitening_shrinks_the_direction_in_which_people_vary_most(walkers, rng):
    loud = rng.normal(size=N_FEATURES) / np.sqrt(N_FEATURES)
    for walks in walkers:
        walks.features[:] += rng.normal(scale=30.0, size=(70, 1)) * loud
    arrays = fit_identity(walkers, seed=0)
    direction = loud / arrays["scale"]
    direction = direction / np.linalg.norm(direction)
    strongest = np.abs(arrays["directions"] @ direction).argmax()
    assert arrays["shrink"][strongest] > 0.7
    gram = arrays["directions"] @ arrays["directions"].T
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-4)


def test_verification_when_people_differ_is_nearly_perfect(walkers):
    background, test = walkers[:8], walkers[8:]
    arrays = fit_identity(background, seed=0)
    cohort = fit_distribution(background, arrays).draw(seed=1)
    trials = [split_walk(walks, min_periodicity=0.4) for walks in test]
    scores = score_trials(
        trials, lambda: NumpyGaitModel(arrays), cohort, fill=arrays["center"], seed=2
    )
    assert eer(scores["5s"].genuine, scores["5s"].impostor) < 0.05
    assert scores["10s"].rank1 > 0.95


def test_distribution_is_nobody_but_has_everybodys_moments(walkers):
    arrays = fit_identity(walkers, seed=0)
    background = fit_distribution(walkers, arrays)
    packed = Background.of(background.arrays("wrist"), "wrist")
    cohort = packed.draw(n=2000, seed=1)
    every = np.concatenate([walks.features for walks in walkers])
    nearest = min(np.abs(every - row).max(axis=1).min() for row in cohort[:50])
    assert nearest > 0.5
    np.testing.assert_allclose(cohort.mean(axis=0), every.mean(axis=0), atol=0.25)
    np.testing.assert_allclose(cohort.std(axis=0), every.std(axis=0), rtol=0.25)
    # Not only each feature by itself: the walkers' main direction is the drawn ones' too.
    main = np.linalg.svd(every - every.mean(axis=0), full_matrices=False)[2][0]
    expected, received = (np.std((rows - rows.mean(axis=0)) @ main) for rows in (every, cohort))
    assert received == pytest.approx(expected, rel=0.15)


def test_distribution_when_drawn_with_the_same_seed_is_the_same(walkers):
    background = fit_distribution(walkers, fit_identity(walkers, seed=0))
    np.testing.assert_array_equal(background.draw(n=9, seed=3), background.draw(n=9, seed=3))
    assert not np.array_equal(background.draw(n=9, seed=3), background.draw(n=9, seed=4))


def test_embedding_when_enrolled_has_unit_length(walkers):
    model = NumpyGaitModel(fit_identity(walkers, seed=0))
    embedding = model.embed(walkers[0].features)["embedding"]
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1.0, atol=1e-5)


@pytest.mark.needs_tf
def test_gate_when_trained_a_little_tells_still_from_walking(rng):
    from training.gait.gate import train_gate

    kinds = (Activity.WALK, Activity.STILL)
    streams = [
        stream_of(_recording(rng, duration_s=40.0, activity=kind, person=str(i)), LABELS)
        for i in range(4)
        for kind in kinds
    ]
    gate = train_gate(streams, seed=1, n_steps=80)
    again = train_gate(streams, seed=1, n_steps=80)
    for name, value in gate.weights.items():
        np.testing.assert_array_equal(value, again.weights[name])
    test = [stream_of(_recording(rng, duration_s=40.0, activity=kind), LABELS) for kind in kinds]
    walking, still = (gate.probabilities(stream.windows()).argmax(axis=1) for stream in test)
    assert np.mean(walking == LABELS.index("walk")) > 0.8
    assert np.mean(still == LABELS.index("still")) > 0.8


@pytest.mark.needs_tf
@pytest.mark.needs_data
def test_real_people_when_held_out_are_not_in_the_model(data_dir):
    from training.gait.people import load_people

    people = load_people(data_dir, ["motionsense"], hold_out={"motionsense/1"})
    names = {person.name for person in people}
    assert "motionsense/1" not in names
    assert "motionsense/2" in names
    with pytest.raises(DataError, match="motionsense/999"):
        load_people(data_dir, ["motionsense"], hold_out={"motionsense/999"})


@pytest.mark.needs_data
def test_real_pockets_are_told_apart_and_turning_the_phone_changes_nothing(data_dir, rng):
    dataset = motionsense.index(data_dir)
    own, turned = [], []
    for name in list(dataset.people)[:12]:
        walking = [r for r in dataset.load(name) if r.activity is Activity.WALK]
        walking.sort(key=lambda r: (len(r.trial), r.trial))
        own.append(walks_of(name, walking, hop_s=2.5))
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        turn *= np.sign(np.linalg.det(turn))
        turned.append(walks_of(name, [_turned(r, turn) for r in walking], hop_s=2.5))
    for before, after in zip(own, turned, strict=True):
        np.testing.assert_allclose(after.features, before.features, atol=2e-3)
    background, test = own[:6], own[6:]
    arrays = fit_identity(background, seed=0)
    cohort = fit_distribution(background, arrays).draw(seed=0)
    trials = [split_walk(walks, min_periodicity=0.6) for walks in test]
    scores = score_trials(
        trials, lambda: NumpyGaitModel(arrays), cohort, fill=arrays["center"], seed=0
    )["5s"]
    assert eer(scores.genuine, scores.impostor) < 0.06
    assert scores.rank1 > 0.95


def _turned(recording: MotionRecording, turn: np.ndarray) -> MotionRecording:
    return replace(
        recording,
        acc_ms2=recording.acc_ms2 @ turn.T,
        gyro_rads=recording.gyro_rads @ turn.T,
    )


def test_everyone_is_in_one_fold():
    every = np.stack(list(folds(10, 3, 0)))
    assert (every.sum(axis=0) == 1).all()
