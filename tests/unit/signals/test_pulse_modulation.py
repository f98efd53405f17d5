"""Breathing and slower waves in the height of the pulse."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.signals.pulse_modulation import FALLBACK, modulation_features


def pulses(frequency_hz, *, window_s=60.0, heart_hz=1.3):
    peak_s = np.arange(0.2, window_s, 1 / heart_hz)
    return peak_s, 50.0 + 5.0 * np.sin(2 * np.pi * frequency_hz * peak_s)


@pytest.mark.parametrize("window_s", [30.0, 60.0])
@pytest.mark.parametrize("breath_hz", [0.2, 0.25, 0.35])
def test_centre_is_the_breathing_rate_when_one_breathes_evenly(breath_hz, window_s):
    peak_s, height = pulses(breath_hz, window_s=window_s)
    centre_hz, ratio = modulation_features(peak_s, height, window_s=window_s)
    assert centre_hz == pytest.approx(breath_hz, abs=0.02)
    assert ratio < -2.0


def test_ratio_is_high_when_the_wave_is_slow():
    _, ratio = modulation_features(*pulses(0.07), window_s=60.0)
    assert ratio > 2.0


def test_both_are_typical_when_the_height_never_changes():
    peak_s, _ = pulses(0.2)
    assert modulation_features(peak_s, np.full(len(peak_s), 50.0), window_s=60.0) == FALLBACK
