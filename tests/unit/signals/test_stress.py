"""The streaming extractor: same windows for any chunking, nothing from the future, always finite."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_host.errors import SignalError
from firmware_host.recording.e4 import E4Archive
from firmware_host.signals.stress import (
    CHANNELS,
    FEATURE_CHANNELS,
    FEATURE_NAMES,
    StressFeatures,
)

RATES_HZ = {"bvp": 64.0, "eda": 4.0, "temp": 4.0, "acc": 32.0}
DURATION_S = 180.0
ENDS_S = (60.0, 90.0, 120.0, 173.0, 180.0)


def synthetic(seed=3, rates_hz=RATES_HZ, duration_s=DURATION_S):
    rng = np.random.default_rng(seed)
    t = {name: np.arange(round(duration_s * rate)) / rate for name, rate in rates_hz.items()}
    made = {
        "bvp": lambda t: 30 * np.sin(2 * np.pi * 1.2 * t) + 3 * rng.normal(size=len(t)),
        "eda": lambda t: 2 + 0.2 * np.sin(t / 7) + 0.01 * rng.normal(size=len(t)),
        "temp": lambda t: 33 + t / 600,
        "acc": lambda t: np.array([0, 0, 9.81]) + 0.3 * rng.normal(size=(len(t), 3)),
    }
    return {name: made[name](t[name]).reshape(len(t[name]), -1) for name in rates_hz}


def stream(signals, chunk_s, rates_hz=RATES_HZ, ends_s=ENDS_S, lost=(), window_s=60.0):
    """Windows of a live stream; `lost` are (channel, start_s, end_s) that never arrive."""
    extractor = StressFeatures(rates_hz, window_s=window_s)
    windows, due, t_s = [], list(ends_s), 0.0
    gaps = dict.fromkeys(rates_hz, 0)
    total_s = max(len(x) / rates_hz[n] for n, x in signals.items())
    while due:
        for name, x in signals.items():
            rate = rates_hz[name]
            for i in _cuts(name, rate, t_s, min(t_s + chunk_s, total_s), lost):
                lo, hi, is_lost = i
                if is_lost:
                    gaps[name] += hi - lo
                elif hi > lo:
                    extractor.feed(name, lo / rate, x[lo:hi], gaps[name])
                    gaps[name] = 0
        t_s += chunk_s
        while due and due[0] <= t_s:
            windows.append(extractor.compute(due.pop(0)))
    return windows


def _cuts(name, rate, start_s, end_s, lost):
    edges = {start_s, end_s}
    for channel, lo, hi in lost:
        if channel == name:
            edges |= {e for e in (lo, hi) if start_s < e < end_s}
    ordered = sorted(edges)
    for lo, hi in itertools.pairwise(ordered):
        middle = (lo + hi) / 2
        is_lost = any(c == name and a <= middle < b for c, a, b in lost)
        yield round(lo * rate), round(hi * rate), is_lost


def assert_same(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.features, b.features)
        assert (a.t_end_s, a.quality, a.motion, a.worn, a.missing) == (
            b.t_end_s, b.quality, b.motion, b.worn, b.missing,
        )  # fmt: skip


def test_names_are_fixed_when_counted():
    assert len(FEATURE_NAMES) == len(FEATURE_CHANNELS) == len(set(FEATURE_NAMES)) == 26
    assert [FEATURE_CHANNELS.count(c) for c in CHANNELS] == [11, 9, 1, 5]


@settings(max_examples=12, deadline=None)
@given(chunk_s=st.floats(0.05, 30.0), window_s=st.sampled_from((30.0, 60.0)))
def test_windows_are_the_same_bits_when_chunked(chunk_s, window_s):
    signals = synthetic()
    lost = (("bvp", 70.0, 72.5), ("acc", 100.0, 100.25))
    chunked = stream(signals, chunk_s, lost=lost, window_s=window_s)
    assert_same(chunked, stream(signals, 1.0, lost=lost, window_s=window_s))


def test_rates_mean_the_same_when_the_window_is_half_as_long():
    signals = synthetic()
    seconds = np.arange(len(signals["eda"])) / RATES_HZ["eda"]
    # One response every five seconds.
    signals["eda"] = (2.0 + 0.2 * np.sin(2 * np.pi * seconds / 5.0))[:, None]
    half, whole = (stream(signals, 1.0, window_s=w)[-1] for w in (30.0, 60.0))
    for name in ("hr_median_bpm", "scr_count", "log_scr_sum", "log_movement", "bvp_quality"):
        i = FEATURE_NAMES.index(name)
        assert half.features[i] == pytest.approx(whole.features[i], abs=0.05), name
    assert whole.features[FEATURE_NAMES.index("scr_count")] == pytest.approx(12.0)


def test_window_sees_nothing_before_its_start_when_it_is_short():
    calm, shaken = synthetic(), synthetic()
    shaken["acc"][: round(140 * RATES_HZ["acc"])] += 5.0
    shaken["temp"][: round(140 * RATES_HZ["temp"])] += 3.0
    ours, theirs = (stream(s, 1.0, ends_s=(180.0,), window_s=30.0) for s in (calm, shaken))
    assert_same(ours, theirs)


@pytest.mark.parametrize("window_s", [5.0, 600.0, 30.5])
def test_window_is_refused_when_it_cannot_be_that_long(window_s):
    with pytest.raises(SignalError, match="whole seconds"):
        StressFeatures(RATES_HZ, window_s=window_s)


def test_window_does_not_see_the_future_when_more_was_fed():
    signals = synthetic()
    extractor = StressFeatures(RATES_HZ)
    for start_s in range(0, 110, 10):
        for name, x in signals.items():
            lo, hi = (round(s * RATES_HZ[name]) for s in (start_s, start_s + 10))
            extractor.feed(name, start_s, x[lo:hi])
    late = [extractor.compute(end_s) for end_s in (60.0, 90.0)]
    assert_same(late, stream(signals, 1.0)[:2])


def test_sine_is_72_bpm_when_the_window_is_full():
    window = stream(synthetic(), 1.0)[1]
    named = dict(zip(FEATURE_NAMES, window.features, strict=True))
    assert named["hr_median_bpm"] == pytest.approx(72.0, abs=0.5)
    assert window.quality == pytest.approx(dict.fromkeys(CHANNELS, 1.0), abs=0.05)
    assert window.worn
    assert window.missing == 0.0
    assert window.motion == pytest.approx(0.3 * np.sqrt(3), rel=0.2)


@pytest.mark.parametrize("channel", CHANNELS)
def test_features_are_finite_and_trust_is_gone_when_a_channel_is_absent(channel):
    rates_hz = {n: r for n, r in RATES_HZ.items() if n != channel}
    for window in stream(synthetic(rates_hz=rates_hz), 1.0, rates_hz=rates_hz):
        assert np.isfinite(window.features).all()
        assert window.quality[channel] == 0.0


def test_features_are_finite_when_nothing_came_yet():
    window = StressFeatures(RATES_HZ).compute(0.0)
    assert np.isfinite(window.features).all()
    assert window.missing == 1.0
    assert not window.worn
    assert max(window.quality.values()) == 0.0


def test_lost_samples_lower_quality_when_a_third_is_gone():
    signals = synthetic()
    lost = tuple((name, 130.0, 150.0) for name in CHANNELS)
    full, holed = stream(signals, 1.0)[-1], stream(signals, 1.0, lost=lost)[-1]
    assert holed.missing == pytest.approx(1 / 3, abs=0.01)
    for name in CHANNELS:
        assert holed.quality[name] < full.quality[name] - 0.3
    assert np.isfinite(holed.features).all()
    # What is left says the same: nothing was filled in.
    assert holed.features[0] == pytest.approx(full.features[0], abs=0.5)


def test_nan_equals_a_declared_gap_when_samples_are_invalid():
    signals = synthetic()
    lost = (("bvp", 130.0, 140.0), ("eda", 130.0, 140.0), ("temp", 130.0, 140.0))
    declared = stream(signals, 1.0, lost=lost)
    for name, lo, hi in lost:
        signals[name][round(lo * RATES_HZ[name]) : round(hi * RATES_HZ[name])] = np.nan
    assert_same(stream(signals, 1.0), declared)


def test_device_is_not_worn_when_it_lies_on_a_table():
    signals = synthetic()
    rng = np.random.default_rng(0)
    signals["eda"][:] = 0.0
    signals["bvp"][:] = rng.normal(size=signals["bvp"].shape)
    windows = stream(signals, 1.0)
    assert not any(w.worn for w in windows)
    # Noise in the pulse band must not pass for a pulse.
    assert max(w.quality["bvp"] for w in windows) < 0.6


def test_device_is_worn_when_only_the_skin_is_dry():
    signals = synthetic()
    signals["eda"][:] = 0.0
    assert stream(signals, 1.0)[-1].worn


def test_unknown_channel_is_ignored_when_fed():
    extractor = StressFeatures({**RATES_HZ, "gyro": 50.0})
    extractor.feed("gyro", 0.0, np.zeros((10, 3)))
    assert extractor.compute(60.0).missing == 1.0


def test_wrong_axes_are_refused_when_fed():
    with pytest.raises(SignalError, match="axes"):
        StressFeatures(RATES_HZ).feed("acc", 0.0, np.zeros((10, 2)))


def test_board_without_any_channel_is_refused_when_built():
    with pytest.raises(SignalError, match="none of them"):
        StressFeatures({"gyro": 50.0})


def test_windows_agree_when_the_board_samples_at_other_rates():
    rates_hz = {"bvp": 100.0, "eda": 8.0, "temp": 1.0, "acc": 104.0}
    ours = stream(synthetic(rates_hz=rates_hz), 1.0, rates_hz=rates_hz)[1]
    theirs = stream(synthetic(), 1.0)[1]
    # The noise is another at another rate: a third of a beat a minute comes from it.
    for name, near in (
        ("hr_median_bpm", 0.4), ("log_eda_level", 0.05), ("temp_mean", 0.05), ("log_movement", 0.05),
    ):  # fmt: skip
        i = FEATURE_NAMES.index(name)
        assert ours.features[i] == pytest.approx(theirs.features[i], abs=near), name


@pytest.mark.needs_data
def test_real_recording_gives_plausible_windows_when_streamed(data_dir):
    archive = E4Archive(sorted((data_dir / "stress-predict" / "e4").glob("*.zip"))[2])
    signals = {n: c.values[: round(300 * c.rate_hz)] for n, c in archive.channels.items()}
    ends_s = tuple(float(s) for s in range(120, 301, 30))
    windows = stream(signals, 1.0, ends_s=ends_s)
    assert_same(stream(signals, 7.3, ends_s=ends_s), windows)
    features = np.array([w.features for w in windows])
    assert np.isfinite(features).all()
    assert ((features[:, 1] > 45) & (features[:, 1] < 130)).all()
    assert all(w.worn and w.missing < 0.02 for w in windows)
