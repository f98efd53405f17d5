"""Made-up participants whose stress shows in a few features, at times that differ by person."""

from __future__ import annotations

import numpy as np

from firmware_host.signals.normalise import BaselineEstimator
from firmware_host.signals.stress import CHANNELS, FEATURE_NAMES
from training.stress.detector import Scored
from training.stress.generic_models import LeaveOneOut
from training.stress.left_out import shuffled
from training.stress.people import Person

HEART_RATE = FEATURE_NAMES.index("hr_median_bpm")
WORKOUT_RISE_BPM = 30.0
GOOD = dict.fromkeys(CHANNELS, 1.0)


def make_person(rng, name, *, effect=2.0, n=150, kind="stress", dataset="made-up"):
    """A session of n windows: rest, then stress at a random stretch, then rest."""
    start = int(rng.integers(40, 90))
    y = np.zeros(n, int)
    y[start : start + 40] = 1
    if kind != "stress":
        y[:] = 2
    raw = rng.normal(size=(n, len(FEATURE_NAMES))) + rng.normal(size=len(FEATURE_NAMES)) * 5
    raw[:, :4] += effect * (y == 1)[:, None]
    motion = np.full(n, 1.0 if kind != "stress" else 0.05) + 0.02 * rng.uniform(size=n)
    if kind != "stress":
        raw[:, :4] += effect * 2
        raw[:, HEART_RATE] += WORKOUT_RISE_BPM
    estimator = BaselineEstimator()
    rest_level = raw[:30] if kind == "stress" else raw[:30] - effect * 2 * (np.arange(26) < 4)
    if kind != "stress":
        rest_level[:, HEART_RATE] -= WORKOUT_RISE_BPM
    for row in rest_level:
        estimator.add(row.astype(np.float32), GOOD)
    return Person(
        f"{dataset}/{name}",
        kind,
        f"{dataset}-{name}-{kind}",
        raw.astype(np.float32),
        np.ones((n, 4)),
        motion,
        60.0 + 10.0 * np.arange(n),
        y,
        np.where(y == 1, 1, 0),
        estimator.baseline(),
    )


def make_people(rng, n_people=8, **options):
    return [make_person(rng, f"P{i}", **options) for i in range(n_people)]


def scores_left_out(people, *, seed, shuffle=False):
    """Figures of everybody by the model without them, which `loso` trains, shuffled if asked."""
    model_for = LeaveOneOut(shuffled(people, seed) if shuffle else people, seed=seed)
    scores = []
    for person in people:
        model = model_for(person.person)
        p = model.probability(person.z(model.spread, clip=model.clip), person.t_end_s)
        scores.append(Scored(person, p).score(model.thresholds.stress))
    return scores
