"""A half of one bundle inside another: the same bytes, and only its own people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firmware_host.inference.bundle import load_bundle
from tests.bundles import gait_artifacts, stress_artifacts
from training.bundle.artifacts import Recordings, merged

pytestmark = pytest.mark.needs_tf


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose halves know some of the same own people."""
    from models.stress import random_weights
    from tests.training.mini_gait import MiniGait
    from training.bundle.export import export_bundle

    stress = replace(
        stress_artifacts(random_weights(np.random.default_rng(1), 26)),
        recordings=Recordings({"stress-predict/S01": "0", "own/a": "1", "own/b": "2"}),
    )
    gait = replace(
        gait_artifacts(MiniGait(np.random.default_rng(2))),
        recordings=Recordings({"wisdm-watch/1600": "3", "own/b": "4", "own/c": "5"}),
    )
    return export_bundle(stress, gait, seed=1, out=tmp_path_factory.mktemp("base"))


@pytest.mark.parametrize(
    ("model", "people"),
    [
        ("stress", {"stress-predict/S01", "own/a", "own/b"}),
        ("gait", {"wisdm-watch/1600", "own/b#gait", "own/c#gait"}),
    ],
)
def test_a_half_knows_its_own_people_when_taken(base: Path, model: str, people: set[str]) -> None:
    from training.bundle.halves import taken_from
    from training.datasets.registry import GAIT, STRESS

    sets = {"stress": STRESS, "gait": GAIT}[model]
    half = taken_from(base, model, list(sets))
    assert set(half.recordings.trained_on) == people
    assert all(key.startswith(f"{model}.") for key in half.golden)
    assert f"{model}.tflite" in half.files


def test_a_bundle_of_taken_halves_is_the_base_when_exported(base: Path, tmp_path: Path) -> None:
    from training.bundle.export import export_bundle
    from training.bundle.halves import taken_from
    from training.datasets.registry import GAIT, STRESS

    halves = taken_from(base, "stress", list(STRESS)), taken_from(base, "gait", list(GAIT))
    made = load_bundle(export_bundle(*halves, seed=1, out=tmp_path, name="copy", version="2.0"))
    original = load_bundle(base)
    assert made.label == "copy-2.0"
    assert made.recordings == original.recordings
    for name in ("stress.tflite", "gait.tflite", "cohort.npz", "golden.npz"):
        assert made.files[name] == original.files[name]
    assert (made.stress, made.gait) == (original.stress, original.gait)
    card = (made.path / "CARD.md").read_text()
    assert f"taken from {original.label}" in card
    assert "own recordings, made with Signet or an Empatica E4: 2 people" in card


def test_every_recording_is_listed_when_a_person_has_several() -> None:
    assert merged({"own/a": "1"}, {"own/a": "2", "own/b": "3"}) == {
        "own/a": "1",
        "own/a#2": "2",
        "own/b": "3",
    }
    assert merged({"own/a": "1"}, {"own/a": "1"}) == {"own/a": "1"}
