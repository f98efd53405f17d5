"""Cadence from window to window: the step, not the stride or the half step; nobody's past."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.events import Activity
from firmware_host.signals.gait import HOP_S, GaitFeatures
from firmware_host.signals.stepping import CadenceTracker
from sim.gait import Gait
from sim.schedule import Bout, Piece
from sim.traits import draw_traits
from tests.unit.signals.gait_streams import turn, walk

RATE_HZ = 50.0
N_WINDOW = 250


def _stepping(spm: float, *, step: float, stride: float, half: float, rng, n: int) -> np.ndarray:
    phase = 2 * np.pi * spm / 60.0 * np.arange(n) / RATE_HZ
    periodic = step * np.sin(phase) + stride * np.sin(phase / 2 + 0.3) + half * np.sin(2 * phase)
    return 9.81 + periodic + 0.3 * rng.standard_normal(n)


def _track(signal: np.ndarray, gait: Activity) -> np.ndarray:
    tracker = CadenceTracker(sample_rate_hz=RATE_HZ)
    starts = range(0, len(signal) - N_WINDOW + 1, N_WINDOW // 2)
    return np.array([tracker.update(signal[i : i + N_WINDOW], gait) for i in starts])


@pytest.mark.parametrize(
    ("step", "stride", "half"), [(2.0, 0.2, 0.0), (1.0, 1.4, 0.0), (1.5, 0.3, 0.8), (1.0, 1.0, 0.6)]
)
@pytest.mark.parametrize(
    ("spm", "gait"),
    [
        (70.0, "walk"),
        (85.0, "walk"),
        (112.0, "walk"),
        (128.0, "walk"),
        (150.0, "run"),
        (185.0, "run"),
    ],
)
def test_cadence_when_step_stride_or_half_step_is_loudest_is_the_step_rate(
    rng, spm, gait, step, stride, half
):
    signal = _stepping(spm, step=step, stride=stride, half=half, rng=rng, n=1500)
    assert _track(signal, Activity(gait)) == pytest.approx(spm, abs=2.0)


def test_cadence_when_there_is_only_noise_is_nan(rng):
    found = _track(rng.standard_normal(2500), Activity.WALK)
    assert np.isnan(found).mean() > 0.9


def test_cadence_when_the_device_stands_still_is_nan():
    assert np.isnan(_track(np.full(500, 9.81), Activity.WALK)).all()


def test_a_walk_when_forgotten_leaves_nothing_behind(rng):
    slow = _stepping(75.0, step=1.0, stride=1.0, half=0.3, rng=rng, n=N_WINDOW)
    fast = _stepping(125.0, step=1.0, stride=1.0, half=0.3, rng=rng, n=N_WINDOW)
    tracker = CadenceTracker(sample_rate_hz=RATE_HZ)
    tracker.update(slow, Activity.WALK)
    tracker.reset()
    again = tracker.update(fast, Activity.WALK)
    assert again == CadenceTracker(sample_rate_hz=RATE_HZ).update(fast, Activity.WALK)


def test_cadence_when_the_pace_changes_follows_within_three_windows(rng):
    slow = _stepping(90.0, step=1.0, stride=1.0, half=0.3, rng=rng, n=1000)
    fast = _stepping(130.0, step=1.0, stride=1.0, half=0.3, rng=rng, n=1000)
    found = _track(np.concatenate((slow, fast)), Activity.WALK)
    assert found[:6] == pytest.approx(90.0, abs=2.0)
    assert found[9:] == pytest.approx(130.0, abs=2.0)


def test_one_window_without_a_rhythm_does_not_turn_steps_into_strides(rng):
    signal = _stepping(110.0, step=0.6, stride=1.5, half=0.0, rng=rng, n=2000)
    signal[900:1000] = 9.81 + rng.standard_normal(100)
    found = _track(signal, Activity.WALK)
    assert found[np.isfinite(found)] == pytest.approx(110.0, abs=6.0)
    assert np.isfinite(found).sum() >= len(found) - 2


def _simulated(activity: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Motion of a minute, and strides walked until each sample."""
    walker = Gait(draw_traits(seed), seed=seed)
    walked = walker.advance(Piece(0, 0, 60, Bout(0, 0, 60, activity, activity)))
    left_t_s = walked.left_t_s
    # Beyond the last contacts strides go on as they were.
    slope = (len(left_t_s) - 1) / (left_t_s[-1] - left_t_s[0])
    t_s = np.arange(len(walked.imu)) / RATE_HZ
    strides = np.interp(t_s, left_t_s, np.arange(len(left_t_s)))
    strides += slope * np.maximum(t_s - left_t_s[-1], 0.0)
    return walked.imu, strides


def _cadences(motion: np.ndarray, gait: Activity, sizes: np.ndarray) -> np.ndarray:
    features = GaitFeatures({"acc": RATE_HZ, "gyro": RATE_HZ})
    start = 0
    for size in (*sizes.tolist(), len(motion)):
        block = motion[start : start + size]
        features.feed("acc", start / RATE_HZ, block[:, :3], 0)
        features.feed("gyro", start / RATE_HZ, block[:, 3:], 0)
        start += len(block)
    ends_s = np.arange(35.0, 60.0, HOP_S)
    tracker = CadenceTracker(sample_rate_hz=RATE_HZ)
    return np.array([tracker.update(features.compute(end).acc_norm_ms2, gait) for end in ends_s])


@pytest.mark.parametrize("gait", [Activity.WALK, Activity.RUN])
def test_cadence_and_steps_of_simulated_wearers_are_their_own(gait):
    errors, step_errors = [], []
    for seed in range(12):
        motion, strides = _simulated(gait.value, seed)
        found = _cadences(motion, gait, np.array([700]))
        ends = (np.arange(35.0, 60.0, HOP_S) * RATE_HZ).astype(int) - 1
        true_spm = 120.0 * (strides[ends] - strides[ends - N_WINDOW + 1]) / ((N_WINDOW - 1) / 50.0)
        errors.append(np.abs(found - true_spm).mean())
        n_true = 2.0 * (strides[ends[-1]] - strides[ends[0] - round(HOP_S * RATE_HZ)])
        step_errors.append(abs(found.sum() / 60.0 * HOP_S / n_true - 1.0))
    # Over 5 s an arm swings up to a few hundredths of a stride early or late; over the walk it does not.
    assert max(errors) < 3.0
    assert np.mean(errors) < 1.5
    assert max(step_errors) < 0.02


def test_cadence_when_the_stream_is_cut_anywhere_is_the_same_bits(rng):
    motion, _ = _simulated("walk", 3)
    whole = _cadences(motion, Activity.WALK, np.array([3000]))
    for _ in range(3):
        cut = _cadences(motion, Activity.WALK, rng.integers(1, 90, 300))
        assert cut.tobytes() == whole.tobytes()


def test_cadence_when_the_device_is_turned_stays_the_same(rng):
    acc, gyro = walk(rng, sample_rate_hz=RATE_HZ, duration_s=60.0, cadence_spm=104.0)
    rotation = turn(rng)
    straight = _cadences(np.hstack((acc, gyro)), Activity.WALK, np.array([500]))
    turned = _cadences(np.hstack((acc @ rotation.T, gyro)), Activity.WALK, np.array([500]))
    np.testing.assert_allclose(turned, straight, rtol=1e-9)
    assert straight == pytest.approx(104.0, abs=1.0)
