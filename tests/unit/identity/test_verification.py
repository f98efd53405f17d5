"""Verification: a running mean over walking windows, and what it is called."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.events import Wearer
from firmware_host.identity.enrolment import N_WINDOWS as ENROL_WINDOWS
from firmware_host.identity.enrolment import enrol
from firmware_host.identity.verification import FORGET_AFTER_S, Verifier, decide
from firmware_host.identity.walking import WalkingGate
from tests.unit.identity.fake_walks import N_FEATURES, FakeWindow, World

GATE = WalkingGate(min_walk=0.5, min_periodicity=0.4)
FILL = np.zeros(N_FEATURES, np.float32)


class Echo:
    """A model whose score is the first feature."""

    def run(self, signature: str, **arrays: np.ndarray) -> dict[str, np.ndarray]:
        assert signature == "embed"
        return {"score": arrays["features"][:, :1]}


def _window(t_end_s: float, score: float, **changes: float) -> FakeWindow:
    values = np.zeros(N_FEATURES, np.float32)
    values[0] = score
    return FakeWindow(t_end_s, values, **changes)


def _verifier(**options) -> Verifier:
    options = {"threshold": 1.0, "margin": 0.5, "fill": FILL, "n_windows": 3, **options}
    return Verifier(Echo(), GATE, **options)


def test_score_is_the_mean_of_the_last_windows():
    verifier = _verifier()
    scores = [
        verifier.add(_window(2.5 * i, value), 0.9).score for i, value in enumerate([1, 3, 5, 9])
    ]
    assert scores == pytest.approx([1.0, 2.0, 3.0, 17 / 3])


def test_decision_when_there_is_one_window_only_is_unsure():
    verifier = _verifier()
    assert verifier.add(_window(5.0, 9.0), 0.9).decision is Wearer.UNSURE
    second = verifier.add(_window(7.5, 9.0), 0.9)
    assert (second.decision, second.n_windows) == (Wearer.WEARER, 2)


@pytest.mark.parametrize(
    ("score", "expected"),
    [(1.6, Wearer.WEARER), (1.4, Wearer.UNSURE), (0.6, Wearer.UNSURE), (0.4, Wearer.OTHER)],
)
def test_decision_when_near_the_threshold_is_unsure(score, expected):
    assert decide(score, 5, 1.0, 0.5) is expected


def test_decision_when_there_is_no_margin_accepts_at_the_threshold():
    assert decide(1.0, 5, 1.0, 0.0) is Wearer.WEARER
    assert decide(0.999, 5, 1.0, 0.0) is Wearer.OTHER


@pytest.mark.parametrize(
    ("changes", "walk"), [({"periodicity": 0.1}, 0.9), ({"missing": 0.5}, 0.9), ({}, 0.2)]
)
def test_window_when_unusable_changes_nothing(changes, walk):
    verifier = _verifier()
    verifier.add(_window(5.0, 4.0), 0.9)
    before = verifier.add(_window(7.5, 4.0), 0.9)
    after = verifier.add(_window(10.0, -50.0, **changes), walk)
    assert not after.used
    assert (after.score, after.decision, after.n_windows) == (
        before.score,
        before.decision,
        before.n_windows,
    )


def test_score_when_the_walk_was_long_ago_is_forgotten():
    verifier = _verifier()
    for t_end_s in (5.0, 7.5, 10.0):
        verifier.add(_window(t_end_s, 9.0), 0.9)
    stale = verifier.add(_window(10.0 + FORGET_AFTER_S + 1.0, 0.0), 0.0)
    assert (stale.n_windows, stale.decision) == (0, Wearer.UNSURE)


def test_score_when_time_starts_over_is_forgotten():
    verifier = _verifier()
    verifier.add(_window(500.0, 9.0), 0.9)
    assert verifier.add(_window(5.0, -3.0), 0.9).score == -3.0


def test_reset_forgets():
    verifier = _verifier()
    verifier.add(_window(5.0, 9.0), 0.9)
    verifier.reset()
    assert verifier.add(_window(7.5, 1.0), 0.9).n_windows == 1


def test_features_when_the_gyroscope_is_missing_are_filled():
    fill = np.full(N_FEATURES, 7.0, np.float32)
    window = _window(5.0, 0.0)
    window.values[:] = np.nan
    assert _verifier(fill=fill).add(window, 0.9).score == 7.0


def test_wearer_and_stranger_are_told_apart_after_enrolment(rng):
    world = World(rng)
    model = world.model()
    enrol(
        model,
        world.features(0, ENROL_WINDOWS),
        world.cohort(),
        threshold=4.0,
        fill=FILL,
        rng=rng,
    )
    options = {"threshold": 4.0, "margin": 0.1, "fill": FILL}
    own, stranger = Verifier(model, GATE, **options), Verifier(model, GATE, **options)
    own_said = [own.add(window, 0.9) for window in world.windows(0, 20)]
    other_said = [stranger.add(window, 0.9) for window in world.windows(1, 20)]
    assert own_said[-1].decision is Wearer.WEARER
    assert other_said[-1].decision is Wearer.OTHER
