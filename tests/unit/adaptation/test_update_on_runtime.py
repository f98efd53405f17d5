"""The same update through a real TFLite runtime and through the plain numpy model."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from firmware_host.adaptation.adapters import read_adapter
from firmware_host.adaptation.evidence import Evidence, Labelled
from firmware_host.adaptation.job import choose_update
from firmware_host.adaptation.recipe import CANDIDATES
from firmware_host.inference.tflite import RUNTIMES, TfliteModel
from training.stress.numpy_model import TableModel

from .conftest import N_FEATURES


def _labelled(rng: np.random.Generator, n: int) -> Labelled:
    """Windows that a random network calls what it likes; a lasting shift is there to be learned."""
    y = np.tile([0, 1], n)
    x = rng.normal(0.0, 1.0, (2 * n, N_FEATURES)).astype(np.float32)
    return Labelled(x, y, np.ones(2 * n, np.float32))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_runtime_and_numpy_choose_the_same_and_agree_on_the_weights(
    repo: Path, rng: np.random.Generator, runtime: str
) -> None:
    pytest.importorskip(RUNTIMES[runtime])
    path = repo / "tests" / "golden" / "stress_random.tflite"
    real = TfliteModel(path, runtime=runtime)
    with np.load(path.with_suffix(".npz")) as stored:
        plain = TableModel(dict(stored))
    calibration, held_back = _labelled(rng, 20), _labelled(rng, 20)
    both = Labelled(*(np.concatenate(pair) for pair in zip(
        astuple(calibration), astuple(held_back), strict=True)))  # fmt: skip
    fresh = np.ones(len(held_back.y), np.bool_)
    choices = [
        choose_update(
            model,
            Evidence(((calibration, held_back),), both, 2, fresh),
            current=None,
            candidates=CANDIDATES,
            seed=3,
        )
        for model in (real, plain)
    ]
    assert choices[0].changed is choices[1].changed
    for one, two in zip(choices[0].trials, choices[1].trials, strict=True):
        assert one.decision.reason is two.decision.reason
        assert one.loss_after == pytest.approx(two.loss_after, abs=1e-4)
    for name, value in read_adapter(real).items():
        np.testing.assert_allclose(value, read_adapter(plain)[name], atol=1e-4)
