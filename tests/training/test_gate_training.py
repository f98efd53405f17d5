"""Training of the activity gate: its batches, and that it learns what it is shown."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.errors import DataError
from training.gait.windows import Stream

pytestmark = pytest.mark.needs_tf

STILL, WALK = 0, 1


def _stream(rng, activity: int, *, person: str = "made-up/1", n_samples: int = 800) -> Stream:
    """Still is noise; walking swings twice a second in every channel."""
    t_s = np.arange(n_samples)[:, None] / 20.0
    values = rng.normal(scale=0.05, size=(n_samples, 6))
    if activity == WALK:
        values = values + np.sin(2.0 * np.pi * (2.0 * t_s + rng.random(6)))
    return Stream(person, f"trial {activity}", activity, values.astype(np.float32))


def test_batches_draw_classes_in_their_shares_and_silence_some_gyroscopes(rng):
    from training.gait.gate import SHARES, Batches

    streams = [_stream(rng, activity) for activity in range(5)]
    batches = Batches(streams, rng)
    windows, labels = batches.draw()
    assert windows.shape == (96, 100, 6)
    assert windows.dtype == np.float32
    np.testing.assert_array_equal(labels.sum(axis=0), list(SHARES.values()))
    silent = (windows[:, :, 3:] == 0.0).all(axis=(1, 2))
    assert 0 < silent.sum() < len(windows)
    assert not (windows[:, :, :3] == 0.0).all(axis=(1, 2)).any()


def test_batches_when_datasets_differ_in_size_draw_from_both_alike(rng):
    from training.gait.gate import Batches

    small = _stream(rng, WALK, person="a/1")
    small = Stream(small.person, small.trial, WALK, small.values + 100.0)
    many = [_stream(rng, WALK, person=f"b/{i}") for i in range(9)]
    batches = Batches([small, *many], rng)
    share = np.mean([(batches.draw()[0][:, :, 0].mean(axis=1) > 50.0).mean() for _ in range(20)])
    assert share == pytest.approx(0.5, abs=0.1)


def test_batches_keep_windows_inside_their_recording(rng):
    from training.gait.gate import Batches

    streams = [_stream(rng, WALK, n_samples=140) for _ in range(20)]
    marked = [
        Stream(s.person, s.trial, WALK, np.full_like(s.values, 10.0 ** (i % 2)))
        for i, s in enumerate(streams)
    ]
    windows, _ = Batches(marked, rng).draw()
    spread = windows[:, :, 0].std(axis=1)
    assert spread.max() < 0.2


def test_batches_without_a_long_recording_are_refused(rng):
    from training.gait.gate import Batches

    with pytest.raises(DataError, match="140"):
        Batches([_stream(rng, WALK, n_samples=120)], rng)


def test_gate_when_trained_a_little_tells_still_from_walking_every_time_alike(rng):
    from training.gait.gate import train_gate

    streams = [_stream(rng, kind, person=f"made-up/{i}") for i in range(4) for kind in (0, 1)]
    gate, again = (train_gate(streams, seed=1, n_steps=60) for _ in range(2))
    for name, value in gate.weights.items():
        np.testing.assert_array_equal(value, again.weights[name])
    for kind in (STILL, WALK):
        windows = _stream(rng, kind, person="made-up/9").windows()
        assert np.mean(gate.probabilities(windows).argmax(axis=1) == kind) > 0.8


def test_spectrum_basis_ignores_a_constant_and_finds_a_sine_at_its_frequency():
    from models import gait_gate

    basis = gait_gate.spectrum_basis()
    assert np.abs(basis.sum(axis=0)).max() < 1e-5
    cycles = np.linspace(2.0, 25.0, gait_gate.N_BINS)
    for i in (0, 5, gait_gate.N_BINS - 1):
        wave = np.sin(2.0 * np.pi * cycles[i] * np.arange(100) / 100 + 0.7)
        power = ((wave @ basis).reshape(2, -1) ** 2).sum(axis=0)
        assert power.argmax() == i
