"""Controls: what must fall to chance does, and what only knows the clock is found out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firmware_host.events import Activity
from firmware_host.signals.gait import HOP_S
from firmware_host.signals.gait_features import N_FEATURES
from firmware_host.signals.normalise import BaselineEstimator
from firmware_host.signals.stress import WINDOW_S
from tests.training.test_personal import _session
from tests.unit.training.synthetic_people import GOOD, make_people, scores_left_out
from training.datasets import motionsense
from training.datasets.registry import STRESS
from training.datasets.stress_windows import load_windows
from training.gait.identity import fit_distribution, fit_identity, score_trials, split_walk
from training.gait.numpy_model import NumpyGaitModel
from training.gait.verification_metrics import eer
from training.gait.windows import Walks, walks_of
from training.metrics import summarise
from training.splits import LeakError
from training.stress import calibration_split
from training.stress.calibration_split import divide
from training.stress.people import people_of
from training.stress.time_control import time_only_scores

# Shuffled, a model points somewhere by chance, and people point there together: one run of ten
# people strays by up to 0.1. Over five runs that averages out.
N_SHUFFLES = 5
CHANCE = pytest.approx(0.5, abs=0.06)


def shuffled_mean(people) -> float:
    runs = [scores_left_out(people, seed=seed, shuffle=True) for seed in range(N_SHUFFLES)]
    return float(np.mean([score.balanced_accuracy for run in runs for score in run]))


def accuracy(people) -> float:
    return summarise(scores_left_out(people, seed=1)).balanced_accuracy


def clock(people) -> float:
    return summarise(time_only_scores(people)).balanced_accuracy


def test_stress_falls_to_chance_when_labels_are_shuffled(rng):
    people = make_people(rng, n_people=10)
    assert accuracy(people) > 0.85
    assert shuffled_mean(people) == CHANCE


@pytest.mark.needs_data
@pytest.mark.parametrize("dataset", ["stress-predict", "physionet-stress-exercise"])
def test_stress_of_real_people_falls_to_chance_when_labels_are_shuffled(
    data_dir: Path, dataset: str
):
    lab = [session for session in STRESS[dataset](data_dir) if session.kind == "stress"]
    people = [p for p in people_of(load_windows(lab[:10])) if p.has_both_classes()]
    assert len(people) >= 8
    assert accuracy(people) > 0.62
    assert shuffled_mean(people) == CHANCE


def drifting(rng, *, effect: float):
    """People on one timetable whose first feature creeps up, with or without anything bodily."""
    people = []
    for person in make_people(rng, n_people=8, effect=effect):
        y = np.zeros(len(person.y), np.int64)
        y[90:140] = 1
        raw = rng.normal(size=person.raw.shape) * 0.5
        raw[:, 0] += 4.0 * (1.0 - np.exp(-person.t_end_s / 1200.0))
        raw[:, 1] += effect * (y == 1)
        stage = np.select([np.arange(len(y)) < 90, y == 1], [0, 1], 2)
        raw = raw.astype(np.float32)
        baseline = BaselineEstimator()
        for row in raw[:30]:
            baseline.add(row, GOOD)
        people.append(replace(person, raw=raw, y=y, stage=stage, baseline=baseline.baseline()))
    return people


def test_clock_control_exposes_a_feature_that_only_drifts(rng):
    people = drifting(rng, effect=0.0)
    # A figure to be proud of, were it not for the line beside it.
    assert accuracy(people) > 0.7
    assert clock(people) > accuracy(people)


def test_clock_control_stays_below_when_stress_comes_at_any_time(rng):
    people = make_people(rng, n_people=8, n=240)
    scattered = []
    for person in people:
        y = np.zeros(240, np.int64)
        starts = np.sort(rng.choice(np.arange(30, 220, 20), 4, replace=False))
        for start in starts:
            y[start : start + 12] = 1
        raw = person.raw.copy()
        raw[:, :4] += 2.0 * ((y == 1).astype(np.float32) - (person.y == 1))[:, None]
        scattered.append(replace(person, raw=raw, y=y, stage=np.where(y == 1, 1, 0)))
    assert accuracy(scattered) > clock(scattered) + 0.15


def test_labels_after_a_test_window_are_refused(rng, monkeypatch):
    windows = _session("S01", rng)
    assert divide(windows, "earlier", window_s=WINDOW_S) is not None
    earlier = calibration_split._earlier

    def late(*args):
        division = earlier(*args)
        return replace(division, test=np.flatnonzero(np.isin(windows.stage, (0, 1))))

    monkeypatch.setattr(calibration_split, "_earlier", late)
    with pytest.raises(LeakError, match="before the test starts"):
        divide(windows, "earlier", window_s=WINDOW_S)


def test_labels_that_touch_a_test_window_are_refused(rng, monkeypatch):
    windows = _session("S01", rng)
    halves = calibration_split._halves

    def early(*args):
        division = halves(*args)
        return replace(division, test=np.flatnonzero(windows.stage >= 0))

    monkeypatch.setattr(calibration_split, "_halves", early)
    with pytest.raises(LeakError, match="shared seconds"):
        divide(windows, "personal", window_s=WINDOW_S)


def walkers(rng, n_people: int = 12) -> list[Walks]:
    """People with 70 windows each, one trial, own centre and own noise."""
    start_s = 2.5 * np.arange(70, dtype=np.float32)
    return [
        Walks(
            f"made-up/{i}",
            (rng.normal(size=N_FEATURES) + rng.normal(scale=0.8, size=(70, N_FEATURES))).astype(
                np.float32
            ),
            np.ones(70, np.float32),
            np.zeros((70, 100, 6), np.float32),
            np.full(70, "wlk"),
            start_s,
        )
        for i in range(n_people)
    ]


def dealt(people: list[Walks], rng) -> list[Walks]:
    """The same windows, each given to somebody at random."""
    order = rng.permutation(sum(len(walks) for walks in people))
    features = np.concatenate([walks.features for walks in people])[order]
    parts = np.split(features, np.cumsum([len(walks) for walks in people])[:-1])
    return [replace(walks, features=part) for walks, part in zip(people, parts, strict=True)]


def verification_eer(people: list[Walks]) -> float:
    half = len(people) // 2
    arrays = fit_identity(people[:half], seed=1)
    cohort = fit_distribution(people[:half], arrays).draw(seed=1, n=256)
    trials = [split_walk(walks, min_periodicity=0.0) for walks in people[half:]]
    scores = score_trials(
        trials, lambda: NumpyGaitModel(arrays), cohort, fill=arrays["center"], seed=1
    )["5s"]
    return eer(scores.genuine, scores.impostor)


def test_verification_falls_to_chance_when_identities_are_shuffled(rng):
    people = walkers(rng)
    assert verification_eer(people) < 0.1
    assert verification_eer(dealt(people, rng)) == pytest.approx(0.5, abs=0.06)


@pytest.mark.needs_data
def test_verification_of_real_walkers_falls_to_chance_when_identities_are_shuffled(data_dir, rng):
    dataset = motionsense.index(data_dir)
    people = []
    for name in list(dataset.people)[:12]:
        walking = [r for r in dataset.load(name) if r.activity is Activity.WALK]
        people.append(walks_of(name, walking, hop_s=HOP_S))
    assert verification_eer(people) < 0.2
    assert verification_eer(dealt(people, rng)) == pytest.approx(0.5, abs=0.08)


def test_probe_is_refused_when_it_overlaps_enrolment(rng):
    walks = walkers(rng, n_people=1)[0]
    assert len(split_walk(walks, min_periodicity=0.0).probe)
    with pytest.raises(LeakError, match="shared seconds"):
        split_walk(walks, min_periodicity=0.0, probe_from_s=0.0, pause_s=-10.0)
