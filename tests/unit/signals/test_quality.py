"""Channel quality and wear from one window."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.signals.quality import acc_quality, eda_quality, is_worn, temp_quality


def test_eda_quality_is_the_share_with_contact_when_the_electrode_opens(rng):
    level = 2 + 0.1 * rng.normal(size=240)
    level[:60] = 0.0
    assert eda_quality(level) == pytest.approx(0.75)


@pytest.mark.parametrize("level", [np.full(240, 3.0), np.full(240, np.nan), np.zeros(0)])
def test_eda_quality_is_zero_when_flat_or_missing(level):
    assert eda_quality(level) == 0.0


def test_missing_samples_lower_quality_when_a_quarter_is_gone(rng):
    level = 2 + 0.1 * rng.normal(size=240)
    level[60:120] = np.nan
    assert eda_quality(level) == pytest.approx(0.75)
    temp = np.full(240, 33.0)
    temp[60:120] = np.nan
    assert temp_quality(temp) == 0.75


@pytest.mark.parametrize(("degc", "quality"), [(33.0, 1.0), (5.0, 0.0), (60.0, 0.0)])
def test_temperature_counts_when_skin_can_have_it(degc, quality):
    assert temp_quality(np.full(240, degc)) == quality


def test_acc_quality_is_zero_when_the_sensor_reads_zeros():
    rows = np.zeros((60, 4))
    assert acc_quality(rows) == 0.0
    rows[:30, 2] = 9.81
    assert acc_quality(rows) == 0.5
    rows[:15] = np.nan
    assert acc_quality(rows) == 0.25


@pytest.mark.parametrize(
    ("bvp", "eda", "worn"), [(1.0, 0.0, True), (0.0, 1.0, True), (0.5, 0.2, False)]
)
def test_device_is_worn_when_skin_or_pulse_is_there(bvp, eda, worn):
    assert is_worn(bvp=bvp, eda=eda) is worn
