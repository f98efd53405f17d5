"""Cadence of signals whose step rate is known."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.signals.cadence import autocorrelation, rhythm

RATE_HZ = 50.0


def _stepping(cadence_spm: float, *, step: float, stride: float, noise: float, rng) -> np.ndarray:
    t_s = np.arange(250) / RATE_HZ
    phase = 2 * np.pi * cadence_spm / 60.0 * t_s
    clean = step * np.sin(phase) + stride * np.sin(phase / 2 + 0.3)
    return 9.8 + clean + rng.normal(scale=noise, size=250)


@pytest.mark.parametrize("cadence_spm", [80.0, 95.0, 112.0, 130.0, 160.0, 180.0])
def test_cadence_when_steps_dominate_is_the_step_rate(rng, cadence_spm):
    signal = _stepping(cadence_spm, step=2.0, stride=0.3, noise=0.2, rng=rng)
    assert rhythm(signal, sample_rate_hz=RATE_HZ).cadence_spm == pytest.approx(cadence_spm, abs=2.0)


@pytest.mark.parametrize("cadence_spm", [90.0, 112.0, 130.0])
def test_cadence_when_the_swing_hides_the_steps_is_still_the_step_rate(rng, cadence_spm):
    signal = _stepping(cadence_spm, step=0.5, stride=2.0, noise=0.2, rng=rng)
    assert rhythm(signal, sample_rate_hz=RATE_HZ).cadence_spm == pytest.approx(cadence_spm, abs=2.0)


def test_cadence_when_there_is_only_noise_is_nan(rng):
    found = rhythm(rng.normal(size=250), sample_rate_hz=RATE_HZ)
    assert found.periodicity < 0.3
    assert np.isnan(found.cadence_spm)


def test_autocorrelation_when_periodic_is_one_at_the_period():
    signal = np.sin(2 * np.pi * np.arange(250) / 25)
    correlation = autocorrelation(signal, 60)
    np.testing.assert_allclose(correlation[[0, 25, 50]], 1.0, atol=1e-9)
    assert correlation[12] < -0.95


def test_autocorrelation_matches_the_definition(rng):
    signal = rng.normal(size=250)
    x = signal - signal.mean()
    expected = [
        np.dot(x[: 250 - lag], x[lag:])
        / np.sqrt(np.dot(x[: 250 - lag], x[: 250 - lag]) * np.dot(x[lag:], x[lag:]))
        for lag in range(87)
    ]
    np.testing.assert_allclose(autocorrelation(signal, 87), expected, atol=1e-9)


def test_autocorrelation_when_constant_is_zero():
    assert not autocorrelation(np.full(250, 9.8), 87).any()
