"""Movement features: the same at any sample rate and any orientation."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.signals.imu import ACC_FALLBACK, SecondsTrack, acc_features

RATES_HZ = (20.0, 25.0, 32.0, 50.0, 64.0, 104.0, 110.0)


def swing(rate_hz, amplitude=2.0, seconds=60):
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    x = np.zeros((len(t), 3))
    x[:, 2] = 9.81
    x[:, 0] = amplitude * np.sin(2 * np.pi * 1.7 * t)
    return x


def features_of(x, rate_hz):
    track = SecondsTrack(sample_rate_hz=rate_hz, span_s=100)
    track.feed(x)
    return acc_features(track.window(len(x), 60))


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_movement_is_the_same_when_sampled_at_any_rate(rate_hz):
    reference, motion = features_of(swing(1000.0), 1000.0)
    ours, our_motion = features_of(swing(rate_hz), rate_hz)
    np.testing.assert_allclose(ours, reference, atol=0.05)
    assert our_motion == pytest.approx(motion, rel=0.05)


def test_movement_is_the_same_when_the_sensor_is_turned(rng):
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    x = swing(50.0) + 0.1 * rng.normal(size=(3000, 3))
    straight, motion = features_of(x, 50.0)
    turned, turned_motion = features_of(x @ turn.T, 50.0)
    np.testing.assert_allclose(turned, straight, atol=1e-9)
    assert turned_motion == pytest.approx(motion)


def test_motion_is_low_when_a_gesture_is_short_and_high_when_kept_up():
    still, busy = swing(50.0, amplitude=0.0), swing(50.0)
    gesture = still.copy()
    gesture[:500] = busy[:500]
    assert features_of(gesture, 50.0)[1] < 0.05
    assert features_of(busy, 50.0)[1] > 1.0


def test_seconds_are_the_same_when_chunked(rng):
    x = rng.normal(size=(3300, 3))
    whole = SecondsTrack(sample_rate_hz=104.0, span_s=100)
    whole.feed(x)
    for size in (1, 17, 104, 1000):
        track = SecondsTrack(sample_rate_hz=104.0, span_s=100)
        for i in range(0, len(x), size):
            track.feed(x[i : i + size])
        np.testing.assert_array_equal(track.window(3300, 30), whole.window(3300, 30))


def test_second_is_missing_when_a_sample_of_it_is():
    track = SecondsTrack(sample_rate_hz=50.0, span_s=100)
    track.feed(np.ones((75, 3)))
    track.skip(10)
    track.feed(np.ones((215, 3)))
    rows = track.window(300, 6)
    assert np.isnan(rows[:, 3]).tolist() == [False, True, False, False, False, False]


def test_posture_change_is_its_angle_when_the_arm_turns_each_second():
    x = np.zeros((3000, 3))
    second = np.arange(3000) // 50
    x[second % 2 == 0, 0] = 9.81
    x[second % 2 == 1, 1] = 9.81
    features, motion = features_of(x, 50.0)
    assert np.exp(features[2]) == pytest.approx(9.81 * np.sqrt(2), rel=0.01)
    assert motion == pytest.approx(0.0, abs=1e-9)


def test_features_fall_back_when_there_is_almost_nothing():
    assert features_of(swing(50.0, seconds=5), 50.0) == (ACC_FALLBACK, 0.0)


def test_memory_is_bounded_when_hours_pass():
    track = SecondsTrack(sample_rate_hz=20.0, span_s=100)
    for _ in range(1000):
        track.feed(np.ones((200, 3)))
    assert len(track._rows) <= 102
