"""Smoothing of activities: one odd window is ignored, a lasting change is followed."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.signals.gait_smoothing import ActivitySmoother

WALK = np.array([0.02, 0.90, 0.02, 0.04, 0.02])
MAYBE_STAIRS = np.array([0.02, 0.35, 0.02, 0.59, 0.02])
STILL = np.array([0.95, 0.01, 0.01, 0.01, 0.02])


def test_update_when_one_window_doubts_keeps_the_activity():
    smoother = ActivitySmoother(5, hop_s=5.0)
    for _ in range(4):
        smoother.update(WALK)
    assert smoother.update(MAYBE_STAIRS).argmax() == 1
    assert smoother.update(WALK).argmax() == 1


@pytest.mark.parametrize(("hop_s", "n_windows"), [(5.0, 2), (2.5, 2)])
def test_update_when_the_activity_changes_follows_with_the_second_window(hop_s, n_windows):
    smoother = ActivitySmoother(5, hop_s=hop_s)
    for _ in range(20):
        smoother.update(WALK)
    for _ in range(n_windows):
        state = smoother.update(STILL)
    assert state.argmax() == 0


def test_update_gives_probabilities(rng):
    smoother = ActivitySmoother(5, hop_s=2.5)
    for row in rng.dirichlet(np.ones(5), 200):
        state = smoother.update(row)
        assert state.sum() == pytest.approx(1.0)
        assert (state > 0).all()


def test_update_when_evidence_is_not_finite_drifts_back_to_not_knowing():
    smoother = ActivitySmoother(5, hop_s=5.0)
    smoother.update(WALK)
    for _ in range(30):
        state = smoother.update(np.full(5, np.nan))
    np.testing.assert_allclose(state, 0.2, atol=1e-3)


def test_reset_forgets(rng):
    smoother, fresh = ActivitySmoother(5, hop_s=5.0), ActivitySmoother(5, hop_s=5.0)
    smoother.update(WALK)
    smoother.reset()
    np.testing.assert_array_equal(smoother.update(STILL), fresh.update(STILL))
