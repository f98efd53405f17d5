"""Beats and intervals: a sine of 1.2 Hz is 72 beats a minute, noise is not a pulse."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.signals.bvp import Beat, BeatDetector
from firmware_host.signals.ibi import (
    FALLBACK,
    FEATURE_NAMES,
    IntervalTracker,
    ibi_features,
    sorted_quantile,
)


def pulse(rate_hz, beat_hz=1.2, seconds=60.0):
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return 20.0 * np.sin(2 * np.pi * beat_hz * t)


def intervals_of(x, rate_hz):
    beats = BeatDetector(sample_rate_hz=rate_hz).feed(x.tolist(), 0)
    return IntervalTracker(sample_rate_hz=rate_hz).feed(beats)


@pytest.mark.parametrize("rate_hz", [25.0, 50.0, 64.0, 100.0, 128.0])
@pytest.mark.parametrize("beat_hz", [0.8, 1.2, 2.5])
def test_sine_gives_its_rate_when_sampled_at_any_rate(rate_hz, beat_hz):
    found = intervals_of(pulse(rate_hz, beat_hz), rate_hz)
    settled = np.array([i.ibi_s for i in found[3:]])
    assert all(i.accepted for i in found[3:])
    assert 60 / settled.mean() == pytest.approx(60 * beat_hz, rel=0.005)
    # Parabolic interpolation: far finer than one sample.
    assert settled.std() < 0.25 / rate_hz
    assert len(found) >= 60 * beat_hz - 6


def test_amplitude_is_peak_to_trough_when_in_band():
    found = intervals_of(pulse(64.0, 1.6), 64.0)
    assert found[-1].amplitude == pytest.approx(40.0, rel=0.05)


def test_beats_are_the_same_when_chunked(rng):
    x = (pulse(64.0) + 3 * rng.normal(size=3840)).tolist()
    whole = BeatDetector(sample_rate_hz=64.0).feed(x, 0)
    for size in (1, 13, 640):
        detector = BeatDetector(sample_rate_hz=64.0)
        parts = [b for i in range(0, len(x), size) for b in detector.feed(x[i : i + size], i)]
        assert parts == whole


def test_beat_is_known_after_its_peak_and_soon_when_found():
    beats = BeatDetector(sample_rate_hz=64.0).feed(pulse(64.0).tolist(), 0)
    delays_s = np.array([(b.known_at - b.peak) / 64.0 for b in beats])
    assert delays_s.min() > 0
    assert delays_s.max() < 0.5


def test_no_beats_are_found_when_the_line_is_flat():
    assert BeatDetector(sample_rate_hz=64.0).feed([123.0] * 3840, 0) == []


def test_beats_end_when_the_pulse_stops():
    x = np.concatenate([pulse(64.0), np.zeros(64 * 60)])
    beats = BeatDetector(sample_rate_hz=64.0).feed(x.tolist(), 0)
    assert max(b.peak for b in beats) < 64 * 75


def test_no_interval_spans_a_hole_when_samples_are_missing():
    detector = BeatDetector(sample_rate_hz=64.0)
    tracker = IntervalTracker(sample_rate_hz=64.0)
    x = pulse(64.0, seconds=20.0).tolist()
    before = tracker.feed(detector.feed(x, 0))
    detector.skip()
    hole = 64 * 30
    after = tracker.feed(detector.feed(x, len(x) + hole))
    assert after[0].peak - 64 * after[0].ibi_s > len(x) + hole
    assert max(i.ibi_s for i in before + after) < 1.0


def test_slow_rate_is_refused_when_beats_would_be_coarse():
    with pytest.raises(ValueError, match="at least"):
        BeatDetector(sample_rate_hz=10.0)


def test_interval_is_rejected_when_a_beat_is_missed_or_doubled():
    peaks = np.cumsum([0.8] * 20 + [1.55] + [0.8] * 5 + [0.4, 0.4] + [0.8] * 5) * 64
    beats = [Beat(p, int(p) + 5, 1.0, False) for p in peaks]
    found = IntervalTracker(sample_rate_hz=64.0).feed(beats)
    rejected = [round(i.ibi_s, 2) for i in found if not i.accepted]
    assert rejected == [1.55, 0.4, 0.4]


@pytest.mark.parametrize("ibi_s", [0.2, 1.7, 5.0])
def test_interval_is_rejected_when_no_heart_beats_so(ibi_s):
    beats = [Beat(64 * ibi_s * i, 0, 1.0, False) for i in range(30)]
    assert not any(i.accepted for i in IntervalTracker(sample_rate_hz=64.0).feed(beats))


def test_features_are_closed_form_when_intervals_alternate():
    ibi_s = np.array([0.8, 0.9] * 20)
    accepted = np.ones(40, bool)
    values = ibi_features(np.cumsum(ibi_s), ibi_s, accepted, np.full(40, 50.0), window_s=60.0)
    named = dict(zip(FEATURE_NAMES, values, strict=True))
    assert named["hr_median_bpm"] == pytest.approx((75 + 60 / 0.9) / 2)
    assert named["log_rmssd"] == pytest.approx(np.log(0.1 + 1e-3))
    assert named["log_sdnn"] == pytest.approx(np.log(0.05 + 1e-3))
    assert named["pnn50"] == 1.0
    assert named["pulse_amplitude_variation"] == pytest.approx(0.0, abs=1e-12)
    assert named["bvp_quality"] == pytest.approx(34.0 / 60.0)


def test_differences_skip_rejected_intervals_when_computed():
    ibi_s = np.array([0.8] * 10 + [1.5] + [0.8] * 10)
    accepted = ibi_s < 1.0
    values = ibi_features(np.cumsum(ibi_s), ibi_s, accepted, np.ones(21), window_s=60.0)
    assert dict(zip(FEATURE_NAMES, values, strict=True))["pnn50"] == 0.0


def test_features_fall_back_when_too_few_intervals_are_accepted():
    none = np.zeros(0)
    assert ibi_features(none, none, none > 0, none, window_s=60.0) == FALLBACK
    five = np.full(5, 0.8)
    few = ibi_features(np.cumsum(five), five, np.ones(5, bool), np.ones(5), window_s=60.0)
    assert few[:-1] == FALLBACK[:-1]
    assert few[-1] == pytest.approx(4.0 / 60.0)


def test_quantile_equals_numpy_when_interpolated(rng):
    x = np.sort(rng.normal(size=37))
    for share in (0.0, 0.1, 0.5, 0.9, 1.0):
        assert sorted_quantile(x, share) == pytest.approx(np.quantile(x, share))
