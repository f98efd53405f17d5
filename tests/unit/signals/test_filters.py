"""Filter coefficients against scipy, and the same output for any chunking."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from firmware_host.signals.filters import SosFilter, butter_bandpass, butter_lowpass


def as_sos(sections):
    return np.array([[s.b0, s.b1, s.b2, 1.0, s.a1, s.a2] for s in sections])


@pytest.mark.parametrize("rate_hz", [32.0, 50.0, 64.0, 100.0, 256.0])
@pytest.mark.parametrize("order", [2, 4])
def test_bandpass_equals_scipy_when_designed(order, rate_hz):
    ours = as_sos(butter_bandpass(order, 0.7, 4.0, sample_rate_hz=rate_hz))
    theirs = signal.butter(order, [0.7, 4.0], "bandpass", fs=rate_hz, output="sos")
    _, h_ours = signal.sosfreqz(ours, 512)
    _, h_theirs = signal.sosfreqz(theirs, 512)
    np.testing.assert_allclose(h_ours, h_theirs, atol=1e-9)


@pytest.mark.parametrize(("rate_hz", "cutoff_hz"), [(4.0, 1.0), (8.0, 1.0), (50.0, 5.0)])
@pytest.mark.parametrize("order", [2, 4, 6])
def test_lowpass_equals_scipy_when_designed(order, rate_hz, cutoff_hz):
    ours = as_sos(butter_lowpass(order, cutoff_hz, sample_rate_hz=rate_hz))
    theirs = signal.butter(order, cutoff_hz, "lowpass", fs=rate_hz, output="sos")
    _, h_ours = signal.sosfreqz(ours, 512)
    _, h_theirs = signal.sosfreqz(theirs, 512)
    np.testing.assert_allclose(h_ours, h_theirs, atol=1e-9)


def test_output_equals_scipy_when_started_at_rest(rng):
    x = np.concatenate([np.zeros(1), rng.normal(size=2000)])
    sections = butter_bandpass(2, 0.7, 4.0, sample_rate_hz=64.0)
    np.testing.assert_allclose(
        SosFilter(sections).process(x.tolist()), signal.sosfilt(as_sos(sections), x), atol=1e-12
    )


def test_output_is_the_same_bits_when_chunked(rng):
    x = rng.normal(size=999).tolist()
    sections = butter_bandpass(2, 0.7, 4.0, sample_rate_hz=64.0)
    whole = SosFilter(sections).process(x)
    for size in (1, 7, 64, 500):
        chunked = SosFilter(sections)
        parts = [y for i in range(0, len(x), size) for y in chunked.process(x[i : i + size])]
        assert parts == whole


def test_lowpass_is_settled_when_the_first_sample_is_far_from_zero():
    out = SosFilter(butter_lowpass(2, 1.0, sample_rate_hz=4.0)).process([7.5] * 50)
    np.testing.assert_allclose(out, 7.5, rtol=1e-12)


def test_bandpass_is_silent_when_restarted_on_a_new_level(rng):
    bandpass = SosFilter(butter_bandpass(2, 0.7, 4.0, sample_rate_hz=64.0))
    bandpass.process(rng.normal(size=100).tolist())
    bandpass.restart()
    np.testing.assert_allclose(bandpass.process([1000.0] * 64), 0.0, atol=1e-9)


def test_no_samples_give_no_output_when_processed():
    assert SosFilter(butter_lowpass(2, 1.0, sample_rate_hz=4.0)).process([]) == []


@pytest.mark.parametrize(
    "call",
    [
        lambda: butter_lowpass(3, 1.0, sample_rate_hz=4.0),
        lambda: butter_lowpass(2, 2.0, sample_rate_hz=4.0),
        lambda: butter_bandpass(2, 4.0, 0.7, sample_rate_hz=64.0),
        lambda: butter_bandpass(2, 0.7, 40.0, sample_rate_hz=64.0),
    ],
)
def test_impossible_band_is_refused_when_designed(call):
    with pytest.raises(ValueError, match="expected"):
        call()
