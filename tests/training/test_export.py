"""From artifacts to a bundle folder that the host loads."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firmware_host.adaptation.learner import learn
from firmware_host.errors import BundleError
from firmware_host.inference.bundle import load_bundle, open_model
from firmware_host.inference.tflite import installed_runtimes
from tests.bundles import gait_artifacts, stress_artifacts

pytestmark = pytest.mark.needs_tf


def export(out: Path, **changes) -> Path:
    from models.stress import random_weights
    from tests.training.mini_gait import MiniGait
    from training.bundle.export import export_bundle

    weights = random_weights(np.random.default_rng(1), 26)
    gait = gait_artifacts(MiniGait(np.random.default_rng(2)))
    return export_bundle(replace(stress_artifacts(weights), **changes), gait, seed=1, out=out)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("bundles"))


def test_host_loads_the_bundle_when_exported(folder: Path) -> None:
    bundle = load_bundle(folder)
    assert folder.name == "signet-0.3.0"
    assert set(bundle.files) == {
        "stress.tflite",
        "gait.tflite",
        "golden.npz",
        "cohort.npz",
        "CARD.md",
    }
    assert [path.name for path in folder.parent.iterdir()] == ["signet-0.3.0"]


def test_contract_is_sealed_when_exported(folder: Path) -> None:
    digest = hashlib.sha256((folder / "bundle.toml").read_bytes()).hexdigest()
    assert (folder / "bundle.sha256").read_text() == f"{digest}  bundle.toml\n"


def test_every_runtime_gives_the_golden_numbers_when_checked(folder: Path) -> None:
    from training.bundle.golden import check_bundle

    worst = check_bundle(folder)
    assert len(worst) == 2 * len(installed_runtimes()) >= 2
    assert max(worst.values()) < 1e-4


def test_check_fails_when_a_golden_number_is_off(folder: Path) -> None:
    from training.bundle.golden import GoldenError, check_golden

    bundle = load_bundle(folder)
    model, golden = open_model(bundle, bundle.stress), bundle.golden()
    golden["stress.infer:logits"] = golden["stress.infer:logits"] + 1e-2
    with pytest.raises(GoldenError, match=r"infer:logits: expected at most 0\.0001"):
        check_golden("stress", model, golden)


def test_files_are_the_same_bytes_when_exported_again(folder: Path, tmp_path: Path) -> None:
    again = export(tmp_path)
    for path in sorted(folder.iterdir()):
        first, second = path.read_bytes(), (again / path.name).read_bytes()
        assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest(), path.name


def test_old_bundle_stays_when_the_new_one_fails(folder: Path, tmp_path: Path) -> None:
    target = Path(shutil.copytree(folder, tmp_path / folder.name))
    before = (target / "bundle.toml").read_bytes()
    with pytest.raises(BundleError, match="features"):
        export(tmp_path, feature_names=("made_up",))
    assert (target / "bundle.toml").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["signet-0.3.0"]


def test_bundle_is_replaced_when_exported_over(folder: Path, tmp_path: Path) -> None:
    target = Path(shutil.copytree(folder, tmp_path / folder.name))
    export(tmp_path, smoothing_s=12.0)
    assert load_bundle(target).stress.smoothing_s == 12.0
    assert [path.name for path in tmp_path.iterdir()] == ["signet-0.3.0"]


def test_card_names_sources_and_held_out_people_when_exported(folder: Path) -> None:
    card = (folder / "CARD.md").read_text()
    assert "Iqbal et al., Sensors 2022" in card
    assert "held out: stress-predict/S02" in card
    assert "`--hold-out stress-predict/S02`" in card
    assert "| balanced accuracy | 0.70 |" in card


@pytest.mark.parametrize("runtime", ["tflite-runtime", "ai-edge-litert"])
def test_learner_drives_the_one_column_model_when_its_data_has_another_name(
    folder: Path, runtime: str, rng: np.random.Generator
) -> None:
    bundle = load_bundle(folder)
    model = open_model(bundle, bundle.gait, runtime=runtime)
    n_features = len(bundle.gait.features)
    x = rng.normal(size=(60, n_features)).astype(np.float32)
    y = (np.arange(60) < 12).astype(np.int64)
    x[:12, :20] += 1.0
    result = learn(
        model,
        x,
        y,
        np.ones(60),
        groups="lora+head",
        steps=80,
        learning_rate=0.1,
        anchor=0.0,
        seed=1,
    )
    assert result.loss_after < 0.6 * result.loss_before
