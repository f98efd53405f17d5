"""Walking windows: any chunking, any rate, any orientation; gaps and missing sensors are said."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.errors import SignalError
from firmware_host.signals.gait import GaitFeatures, GaitWindow
from firmware_host.signals.gait_features import FEATURE_NAMES, GYRO_FEATURES, N_FEATURES
from tests.unit.signals.gait_streams import G_MS2, turn, walk


def _feed(extractor: GaitFeatures, channel: str, values: np.ndarray, rate_hz: float, sizes) -> None:
    start = 0
    for size in sizes:
        if start >= len(values):
            return
        extractor.feed(channel, start / rate_hz, values[start : start + size], 0)
        start += size
    extractor.feed(channel, start / rate_hz, values[start:], 0)


def _window(acc: np.ndarray, gyro: np.ndarray | None, rate_hz: float, t_end_s: float) -> GaitWindow:
    rates = {"acc": rate_hz} if gyro is None else {"acc": rate_hz, "gyro": rate_hz}
    extractor = GaitFeatures(rates)
    extractor.feed("acc", 0.0, acc, 0)
    if gyro is not None:
        extractor.feed("gyro", 0.0, gyro, 0)
    return extractor.compute(t_end_s)


@pytest.mark.parametrize("rate_hz", [20.0, 32.0, 50.0, 104.0])
def test_windows_when_the_stream_is_cut_anywhere_are_the_same_bits(rng, rate_hz):
    acc, gyro = walk(rng, sample_rate_hz=rate_hz, duration_s=25.0)
    ends = (5.0, 7.5, 22.5)
    whole = [_window(acc, gyro, rate_hz, end) for end in ends]
    for _ in range(4):
        extractor = GaitFeatures({"acc": rate_hz, "gyro": rate_hz})
        _feed(extractor, "acc", acc, rate_hz, rng.integers(1, 90, 400))
        _feed(extractor, "gyro", gyro, rate_hz, rng.integers(1, 90, 400))
        for end, expected in zip(ends, whole, strict=True):
            got = extractor.compute(end)
            assert got.inv.tobytes() == expected.inv.tobytes()
            assert got.features().tobytes() == expected.features().tobytes()
            assert got.rhythm == expected.rhythm


def test_window_when_more_came_after_its_end_does_not_look_at_it(rng):
    acc, gyro = walk(rng, sample_rate_hz=50.0, duration_s=20.0)
    early = _window(acc[:500], gyro[:500], 50.0, 10.0)
    late = _window(acc, gyro, 50.0, 10.0)
    assert early.inv.tobytes() == late.inv.tobytes()
    assert early.features().tobytes() == late.features().tobytes()


def test_window_when_the_device_is_turned_stays_the_same(rng):
    acc, gyro = walk(rng, sample_rate_hz=50.0, duration_s=15.0)
    rotation = turn(rng)
    straight = _window(acc, gyro, 50.0, 12.5)
    turned = _window(acc @ rotation.T, gyro @ rotation.T, 50.0, 12.5)
    np.testing.assert_allclose(turned.inv, straight.inv, atol=1e-5)
    np.testing.assert_allclose(turned.features(), straight.features(), atol=1e-4)


@pytest.mark.parametrize("rate_hz", [25.0, 32.0, 50.0, 64.0, 100.0])
def test_window_when_sampled_at_another_rate_is_nearly_the_same(rng, rate_hz):
    reference = _window(*walk(rng, sample_rate_hz=40.0, duration_s=15.0), 40.0, 12.5)
    other = _window(*walk(rng, sample_rate_hz=rate_hz, duration_s=15.0), rate_hz, 12.5)
    assert other.cadence_spm == pytest.approx(reference.cadence_spm, abs=1.0)
    assert other.periodicity == pytest.approx(reference.periodicity, abs=0.05)
    spread = reference.inv.std(axis=0) + 0.1
    assert np.all(np.abs(other.inv.std(axis=0) - reference.inv.std(axis=0)) < 0.25 * spread)


def test_channels_when_still_show_gravity_and_nothing_else():
    acc = np.tile([0.0, G_MS2, 0.0], (500, 1))
    window = _window(acc, np.zeros((500, 3)), 50.0, 10.0)
    np.testing.assert_allclose(window.inv[:, 0], G_MS2, rtol=1e-6)
    np.testing.assert_allclose(window.inv[:, 1:], 0.0, atol=1e-5)
    assert window.periodicity == 0.0
    assert np.isnan(window.cadence_spm)
    assert np.isfinite(window.features()).all()


def test_window_when_there_is_no_gyroscope_says_so(rng):
    acc, gyro = walk(rng, sample_rate_hz=32.0, duration_s=15.0)
    with_gyro, without = _window(acc, gyro, 32.0, 12.5), _window(acc, None, 32.0, 12.5)
    assert with_gyro.has_gyro
    assert not without.has_gyro
    assert not without.inv[:, 3:].any()
    assert np.array_equal(without.inv[:, :3], with_gyro.inv[:, :3])
    assert np.array_equal(np.isnan(without.features()), GYRO_FEATURES)
    kept = ~GYRO_FEATURES
    assert np.array_equal(without.features()[kept], with_gyro.features()[kept])


def test_window_when_the_gyroscope_falls_silent_does_without_it(rng):
    acc, gyro = walk(rng, sample_rate_hz=50.0, duration_s=15.0)
    assert not _window(acc, gyro[:500], 50.0, 12.5).has_gyro
    assert _window(acc, gyro[:500], 50.0, 10.0).has_gyro


def test_window_when_samples_are_missing_gives_their_share(rng):
    acc, _ = walk(rng, sample_rate_hz=50.0, duration_s=20.0)
    extractor = GaitFeatures({"acc": 50.0})
    extractor.feed("acc", 0.0, acc[:400], 0)
    extractor.feed("acc", 9.0, acc[450:], 50)
    assert extractor.compute(8.0).missing == 0.0
    assert extractor.compute(10.0).missing == pytest.approx(0.2, abs=0.01)
    assert extractor.compute(15.0).missing == 0.0
    assert GaitFeatures({"acc": 50.0}).compute(5.0).missing == 1.0


def test_rows_when_not_finite_count_as_missing(rng):
    acc, _ = walk(rng, sample_rate_hz=50.0, duration_s=10.0)
    acc[300:350, 1] = np.nan
    window = _window(acc, None, 50.0, 10.0)
    assert window.missing == pytest.approx(0.2, abs=0.01)
    assert np.isfinite(window.inv).all()


def test_feed_when_blocks_drift_by_the_boards_clock_keeps_a_smooth_signal(rng):
    true_rate_hz = 49.5
    acc, _ = walk(rng, sample_rate_hz=true_rate_hz, duration_s=30.0, cadence_spm=110.0)
    extractor = GaitFeatures({"acc": 50.0})
    for start in range(0, len(acc), 10):
        extractor.feed("acc", start / true_rate_hz, acc[start : start + 10], 0)
    window = extractor.compute(25.0)
    assert window.cadence_spm == pytest.approx(110.0, abs=1.0)
    assert window.missing == 0.0


def test_feed_when_time_goes_back_asks_for_a_new_extractor(rng):
    acc, _ = walk(rng, sample_rate_hz=50.0, duration_s=10.0)
    extractor = GaitFeatures({"acc": 50.0})
    extractor.feed("acc", 0.0, acc, 0)
    with pytest.raises(SignalError, match="went back"):
        extractor.feed("acc", 2.0, acc, 0)


def test_feed_when_the_channel_is_another_ignores_it():
    extractor = GaitFeatures({"acc": 50.0, "eda": 4.0})
    extractor.feed("eda", 0.0, np.zeros((4, 1)), 0)
    extractor.feed("gyro", 0.0, np.zeros((4, 3)), 0)
    assert extractor.compute(5.0).missing == 1.0


@pytest.mark.parametrize(
    ("rates_hz", "said"),
    [({"eda": 4.0}, "none"), ({"acc": 10.0}, "19 to 111"), ({"acc": 50.0, "gyro": 200.0}, "gyro")],
)
def test_extractor_when_rates_do_not_fit_refuses(rates_hz, said):
    with pytest.raises(SignalError, match=said):
        GaitFeatures(rates_hz)


def test_feed_when_there_are_not_three_axes_refuses():
    with pytest.raises(SignalError, match=r"\(n, 3\)"):
        GaitFeatures({"acc": 50.0}).feed("acc", 0.0, np.zeros((5, 2)), 0)


def test_features_have_one_unique_name_each(rng):
    acc, gyro = walk(rng, sample_rate_hz=50.0, duration_s=10.0)
    features = _window(acc, gyro, 50.0, 10.0).features()
    assert features.shape == (N_FEATURES,) == (len(set(FEATURE_NAMES)),)
    assert features.dtype == np.float32
    assert features[FEATURE_NAMES.index("rhythm.cadence_spm")] == pytest.approx(112.0, abs=1.0)


def test_coupling_when_the_window_starts_elsewhere_in_the_stride_stays_the_same(rng):
    acc, gyro = walk(rng, sample_rate_hz=50.0, duration_s=30.0)
    coupling = np.array(["coupling" in name for name in FEATURE_NAMES])
    windows = [_window(acc, gyro, 50.0, end).features()[coupling] for end in (20.0, 20.3, 21.1)]
    np.testing.assert_allclose(windows[1], windows[0], atol=0.12)
    np.testing.assert_allclose(windows[2], windows[0], atol=0.12)
    mirrored = _window(acc[::-1], gyro[::-1], 50.0, 20.0).features()[coupling]
    assert np.abs(mirrored - windows[0]).max() > 0.5


def test_features_when_a_faster_board_hears_a_rattle_ignore_it(rng):
    acc, gyro = walk(rng, sample_rate_hz=100.0, duration_s=15.0)
    rattle = 2.0 * np.sin(2 * np.pi * 40.0 * np.arange(len(acc)) / 100.0)[:, None]
    quiet, loud = _window(acc, gyro, 100.0, 12.5), _window(acc + rattle, gyro, 100.0, 12.5)
    spread = np.array(["log_change" in name or "log_sd" in name for name in FEATURE_NAMES])
    difference = np.abs(loud.features() - quiet.features())[spread]
    assert difference.max() < 0.35


def test_feed_when_the_sensor_runs_twice_as_fast_as_declared_goes_on(rng):
    acc, _ = walk(rng, sample_rate_hz=100.0, duration_s=30.0, cadence_spm=110.0)
    extractor = GaitFeatures({"acc": 50.0})
    for start in range(0, len(acc), 10):
        extractor.feed("acc", start / 100.0, acc[start : start + 10], 0)
    assert extractor.compute(29.0).missing == 0.0
