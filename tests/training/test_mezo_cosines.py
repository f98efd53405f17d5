"""The estimate that sees no backward, against the gradient: what chance alone would give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_host.inference.tflite import TfliteModel
from firmware_host.signals.normalise import Baseline
from training.ablation.mezo import DRAWS, cosines
from training.stress.people import Person

FILE = Path(__file__).resolve().parents[1] / "golden" / "stress_random.tflite"
# Trainables by what may move.
SIZES = {"bias": 2, "head": 86, "lora+head": 510}


@pytest.fixture(scope="module")
def found() -> dict[str, float]:
    rng = np.random.default_rng(3)
    n, n_features = 60, 26
    y = np.arange(n) % 2
    raw = rng.normal(size=(n, n_features)) + 0.5 * y[:, None]
    baseline = Baseline(np.zeros(n_features), np.ones(n_features), 10)
    person = Person(
        person="made/up",
        kind="stress",
        content_sha256="0",
        raw=raw.astype(np.float32),
        quality=np.ones((n, 4)),
        motion=np.zeros(n),
        t_end_s=np.arange(n, dtype=float),
        y=y,
        stage=y,
        baseline=baseline,
    )
    return cosines(TfliteModel(FILE), person, np.ones(n_features), seed=1)


@pytest.mark.parametrize("moving", ["head", "lora+head"])
@pytest.mark.parametrize("adapter", ["generic", "learned"])
def test_cosine_is_that_of_random_directions(
    found: dict[str, float], adapter: str, moving: str
) -> None:
    n_numbers = SIZES[moving]
    for n in DRAWS[1:]:
        expected = np.sqrt(n / (n + n_numbers + 1))
        assert found[f"{adapter}, {moving}, {n}"] == pytest.approx(expected, rel=0.2)


def test_a_bias_is_found_by_a_few_draws(found: dict[str, float]) -> None:
    assert found["generic, bias, 16"] > 0.9
    assert set(found) == {
        f"{adapter}, {moving}, {n}"
        for adapter in ("generic", "learned")
        for moving in SIZES
        for n in DRAWS
    }
