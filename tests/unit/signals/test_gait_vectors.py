"""Motion as vectors: what a turn of the device changes (nothing) and what a mirror changes."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.signals.gait_vectors import VECTOR_NAMES, vector_features
from tests.unit.signals.gait_streams import walk

STEP_S = 60.0 / 112.0


def _window(rng, start=500):
    acc, gyro = walk(rng, sample_rate_hz=50.0, duration_s=30.0)
    return acc[start : start + 250], gyro[start : start + 250]


def _turn(rng) -> np.ndarray:
    matrix, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return matrix * np.sign(np.linalg.det(matrix))


def test_vectors_when_the_device_is_turned_stay_the_same(rng):
    acc, gyro = _window(rng)
    expected = vector_features(acc, gyro, STEP_S)
    for _ in range(5):
        turn = _turn(rng)
        received = vector_features(acc @ turn.T, gyro @ turn.T, STEP_S)
        np.testing.assert_allclose(received, expected, atol=1e-9)


def test_vectors_when_the_motion_is_mirrored_differ(rng):
    acc, gyro = _window(rng)
    mirror = np.diag([1.0, -1.0, 1.0])
    # Rotation is a pseudovector: a mirror turns it the other way as well.
    mirrored = vector_features(acc @ mirror, -gyro @ mirror, STEP_S)
    assert np.abs(mirrored - vector_features(acc, gyro, STEP_S)).max() > 0.2


def test_vectors_when_the_window_starts_later_hardly_change(rng):
    acc, gyro = walk(rng, sample_rate_hz=50.0, duration_s=30.0)
    first, later = (
        vector_features(acc[start : start + 250], gyro[start : start + 250], STEP_S)
        for start in (500, 517)
    )
    bound = np.array([0.6 if "spread" in name else 0.35 for name in VECTOR_NAMES])
    assert (np.abs(later - first) < bound).mean() > 0.98


def test_vectors_have_one_unique_name_each_and_are_finite(rng):
    values = vector_features(*_window(rng), STEP_S)
    assert values.shape == (302,) == (len(set(VECTOR_NAMES)),)
    still = vector_features(np.tile([0.0, 0.0, 9.81], (250, 1)), np.zeros((250, 3)), STEP_S)
    assert np.isfinite(values).all()
    assert np.isfinite(still).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_vectors_when_gravity_is_on_one_axis_have_a_frame(rng, axis):
    acc = rng.normal(size=(250, 3))
    acc[:, axis] += 9.81
    assert np.isfinite(vector_features(acc, rng.normal(size=(250, 3)), STEP_S)).all()
