"""Sustained effort: minutes count, moments do not."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.signals.effort import SustainedEffort, effort_of


def ends(n):
    return 60.0 + 10.0 * np.arange(n)


def test_effort_is_the_movement_itself_when_it_never_changes():
    effort = effort_of(np.full(50, 0.4), ends(50), effort_s=300.0)
    np.testing.assert_allclose(effort, 0.4)


def test_effort_stays_up_through_a_pause_and_ignores_a_burst():
    ride = np.r_[np.full(60, 0.8), np.full(6, 0.02)]
    assert effort_of(ride, ends(66), effort_s=300.0)[-1] > 0.4
    desk = np.r_[np.full(60, 0.02), np.full(3, 0.8)]
    assert effort_of(desk, ends(63), effort_s=300.0)[-1] < 0.1


def test_effort_knows_nothing_of_how_long_a_session_lasts(rng):
    motion = rng.uniform(0.01, 0.5, size=60)
    early = effort_of(motion, ends(60), effort_s=300.0)
    late = effort_of(motion, ends(60) + 7200.0, effort_s=300.0)
    np.testing.assert_allclose(early, late, rtol=1e-9)


def test_streamed_effort_equals_offline_bit_for_bit(rng):
    motion = rng.uniform(0.0, 1.0, size=40)
    effort = SustainedEffort(time_constant_s=120.0)
    live = [effort.update(m, t) for m, t in zip(motion.tolist(), ends(40).tolist(), strict=True)]
    assert live == effort_of(motion, ends(40), effort_s=120.0).tolist()


def test_effort_starts_anew_when_the_stream_was_silent():
    effort = SustainedEffort(time_constant_s=300.0)
    for k in range(60):
        effort.update(1.0, 10.0 * k)
    assert effort.update(0.02, 2000.0) == pytest.approx(0.02)
