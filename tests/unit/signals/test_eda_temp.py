"""Skin conductance and temperature features on inputs with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.signals.eda import (
    EDA_FALLBACK,
    EDA_FEATURE_NAMES,
    FLOOR_USIEMENS,
    TEMP_FALLBACK,
    EdaTrack,
    eda_features,
    scr_rises,
    slope_per_minute,
    temp_features,
)

RATE_HZ = 4.0
LEAD = 20


def scr(t, at_s, height):
    """A response: rises over about a second, decays over five."""
    since = t - at_s
    shape = np.where(since > 0, np.exp(-since / 5.0) - np.exp(-since / 0.7), 0.0)
    return height * shape / 0.66


def track(x):
    eda = EdaTrack(sample_rate_hz=RATE_HZ, span_samples=1000)
    eda.feed(x.tolist())
    return eda


def features_of(x):
    eda = track(x)
    n = len(x)
    values = eda_features(
        eda.level(n - 240 - LEAD, n), eda.phasic(n - 240 - LEAD, n), LEAD, sample_rate_hz=RATE_HZ
    )
    return dict(zip(EDA_FEATURE_NAMES, values, strict=True))


def seconds(n_s=120.0):
    return np.arange(round(n_s * RATE_HZ)) / RATE_HZ


def test_responses_are_counted_when_they_stand_out():
    t = seconds()
    x = 2.0 + sum(scr(t, at_s, 0.3) for at_s in (70, 85, 100, 110))
    found = features_of(x)
    assert found["scr_count"] == 4
    assert found["scr_count_relative"] == 4
    assert np.exp(found["log_scr_sum"]) == pytest.approx(1.2, rel=0.15)


def test_small_response_counts_once_when_relative_to_a_high_level():
    t = seconds()
    found = features_of(10.0 + scr(t, 90, 0.03))
    assert found["scr_count"] == 1
    assert found["scr_count_relative"] == 0


def test_response_before_the_window_is_not_counted_when_its_tail_is_inside():
    t = seconds()
    assert features_of(2.0 + scr(t, 50, 0.5))["scr_count"] == 0


def test_nothing_is_counted_when_the_level_is_constant_or_falls():
    assert features_of(np.full(480, 3.0))["scr_count"] == 0
    assert features_of(5.0 - 0.01 * seconds())["scr_count"] == 0


def test_level_and_slope_are_exact_when_the_input_is_a_ramp():
    x = 1.0 + seconds() * 0.6 / 60.0
    found = features_of(x)
    level = np.exp(found["log_eda_level"]) - FLOOR_USIEMENS
    assert level == pytest.approx(1.9, abs=0.02)
    assert found["eda_relative_slope"] == pytest.approx(0.6 / (level + FLOOR_USIEMENS), rel=1e-3)


def test_phasic_part_vanishes_when_the_level_is_constant():
    eda = track(np.full(480, 3.0))
    np.testing.assert_allclose(eda.phasic(240, 480), 0.0, atol=1e-9)


def test_missing_samples_stay_missing_when_skipped():
    eda = EdaTrack(sample_rate_hz=RATE_HZ, span_samples=100)
    eda.feed([1.0] * 10)
    eda.skip(5)
    eda.feed([2.0] * 10)
    assert np.isnan(eda.level(10, 15)).all()
    np.testing.assert_allclose(eda.level(15, 25), 2.0)


def test_tonic_level_starts_anew_when_the_hole_is_long():
    eda = EdaTrack(sample_rate_hz=RATE_HZ, span_samples=1000)
    eda.feed([1.0] * 100)
    eda.skip(200)
    eda.feed([9.0] * 10)
    np.testing.assert_allclose(eda.phasic(300, 310), 0.0, atol=1e-9)


def test_features_fall_back_when_the_window_is_nearly_empty():
    empty = np.full(260, np.nan)
    assert eda_features(empty, empty, LEAD, sample_rate_hz=RATE_HZ) == EDA_FALLBACK
    assert temp_features(np.full(240, np.nan), sample_rate_hz=RATE_HZ) == TEMP_FALLBACK
    assert all(np.isfinite(EDA_FALLBACK))


def test_features_are_finite_when_every_other_sample_is_missing(rng):
    x = 2 + rng.normal(size=260).cumsum() * 0.01
    x[::2] = np.nan
    assert np.isfinite(eda_features(x, x - 2, LEAD, sample_rate_hz=RATE_HZ)).all()
    assert len(scr_rises(x, LEAD, sample_rate_hz=RATE_HZ)) == 0


def test_negative_conductance_stays_finite_when_the_electrode_is_open():
    x = np.full(260, -0.02)
    assert np.isfinite(eda_features(x, np.zeros(260), LEAD, sample_rate_hz=RATE_HZ)).all()


def test_temperature_is_the_mean_when_it_rises():
    x = 33.0 + np.arange(240) / 240.0
    assert temp_features(x, sample_rate_hz=RATE_HZ) == (pytest.approx(x.mean()),)


def test_slope_is_unbiased_when_samples_are_missing():
    x = 33.0 + np.arange(240) / 240.0
    x[50:150] = np.nan
    slope = slope_per_minute(x, np.isfinite(x), sample_rate_hz=RATE_HZ)
    assert slope == pytest.approx(1.0)
