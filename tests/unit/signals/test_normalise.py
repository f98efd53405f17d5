"""Resting baseline, z values, trust; and the smoothing of log-odds."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.signals.normalise import (
    CLIP,
    RAMP_FROM,
    RAMP_TO,
    Baseline,
    BaselineEstimator,
    feature_trust,
    normalise,
    normalise_rows,
)
from firmware_host.signals.smoothing import LogitEma
from firmware_host.signals.stress import CHANNELS, FEATURE_CHANNELS, FEATURE_NAMES

N = len(FEATURE_NAMES)
GOOD = dict.fromkeys(CHANNELS, 1.0)
SPREAD = np.full(N, 2.0)


def estimate(rows, qualities=None):
    estimator = BaselineEstimator()
    for i, row in enumerate(rows):
        estimator.add(row.astype(np.float32), GOOD if qualities is None else qualities[i])
    return estimator.baseline()


def test_baseline_is_mean_and_sd_when_all_windows_are_good(rng):
    rows = rng.normal(5.0, 2.0, size=(40, N)).astype(np.float32)
    baseline = estimate(rows)
    np.testing.assert_allclose(baseline.center, rows.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(baseline.scale, rows.std(axis=0), rtol=1e-5)
    assert baseline.n_windows == 40


def test_bad_windows_count_for_nothing_when_the_channel_is_bad(rng):
    rows = rng.normal(size=(20, N)).astype(np.float32)
    qualities = [{**GOOD, "bvp": 1.0 if i < 10 else 0.1} for i in range(20)]
    baseline = estimate(rows, qualities)
    hr, eda = FEATURE_NAMES.index("hr_median_bpm"), FEATURE_NAMES.index("eda_relative_slope")
    assert baseline.center[hr] == pytest.approx(rows[:10, hr].mean(), rel=1e-5)
    assert baseline.center[eda] == pytest.approx(rows[:, eda].mean(), rel=1e-5)


def test_feature_is_unknown_and_z_zero_when_never_trusted_at_rest(rng):
    rows = rng.normal(size=(10, N)).astype(np.float32)
    baseline = estimate(rows, [{**GOOD, "eda": 0.0}] * 10)
    eda = [i for i, c in enumerate(FEATURE_CHANNELS) if c == "eda"]
    assert np.isnan(baseline.center[eda]).all()
    z = normalise(rows[0] + 50, GOOD, baseline, SPREAD)
    assert (z[eda] == 0).all()
    assert np.isfinite(z).all()


def test_z_is_closed_form_when_trusted():
    baseline = Baseline(np.full(N, 10.0), np.full(N, 4.0), 30)
    z = normalise(np.full(N, 16.0, np.float32), GOOD, baseline, SPREAD)
    np.testing.assert_allclose(z, 6.0 / (0.5 * 4.0 + 0.5 * 2.0))
    assert z.dtype == np.float32


def test_z_is_clipped_when_far_from_rest():
    baseline = Baseline(np.zeros(N), np.zeros(N), 30)
    z = normalise(np.full(N, -1e6, np.float32), GOOD, baseline, SPREAD)
    np.testing.assert_array_equal(z, -CLIP)
    assert abs(normalise(np.full(N, 9.0, np.float32), GOOD, baseline, SPREAD, clip=3.0)).max() == 3


def test_bad_pulse_vanishes_when_quality_is_low_but_its_quality_stays():
    baseline = Baseline(np.zeros(N), np.zeros(N), 30)
    z = normalise(np.ones(N, np.float32), {**GOOD, "bvp": RAMP_FROM}, baseline, SPREAD)
    for i, (name, channel) in enumerate(zip(FEATURE_NAMES, FEATURE_CHANNELS, strict=True)):
        assert (z[i] == 0) == (channel == "bvp" and name != "bvp_quality")


def test_trust_is_half_when_quality_is_in_the_middle_of_the_ramp():
    trust = feature_trust({**GOOD, "temp": (RAMP_FROM + RAMP_TO) / 2})
    assert trust[FEATURE_NAMES.index("temp_mean")] == pytest.approx(0.5)
    assert feature_trust({})[FEATURE_NAMES.index("temp_mean")] == 0.0


def test_rows_equal_single_windows_when_normalised_together(rng):
    rows = rng.normal(size=(7, N)).astype(np.float32)
    quality = rng.uniform(size=(7, 4))
    baseline = Baseline(rng.normal(size=N), rng.uniform(size=N), 9)
    together = normalise_rows(rows, quality, baseline, SPREAD)
    for i in range(7):
        single = normalise(rows[i], dict(zip(CHANNELS, quality[i], strict=True)), baseline, SPREAD)
        np.testing.assert_array_equal(together[i], single)


def test_ema_passes_the_first_value_and_reaches_63_percent_when_stepped():
    ema = LogitEma(time_constant_s=30.0)
    assert ema.update(0.0, 0.0) == 0.0
    values = [ema.update(1.0, 10.0 * k) for k in (1, 2, 3)]
    assert values[-1] == pytest.approx(1 - np.exp(-1.0))


def test_ema_starts_anew_when_the_stream_was_silent():
    ema = LogitEma(time_constant_s=30.0)
    ema.update(5.0, 0.0)
    assert ema.update(-1.0, 1000.0) == -1.0


def test_time_constant_must_be_positive_when_built():
    with pytest.raises(ValueError, match="positive"):
        LogitEma(time_constant_s=0.0)
