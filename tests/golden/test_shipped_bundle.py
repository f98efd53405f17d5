"""The bundle in the repository, on the runtimes that hosts have; no TensorFlow here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from firmware_host.adaptation.learner import learn
from firmware_host.inference.bundle import find_bundle, load_bundle, open_model
from firmware_host.inference.contract import Bundle
from firmware_host.inference.tflite import RUNTIMES, installed_runtimes
from firmware_host.signals import normalise
from training.bundle.arena import check_arenas
from training.bundle.golden import check_bundle
from training.bundle.op_gate import op_versions


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle()


def test_golden_numbers_are_the_same_when_run_on_each_runtime(bundle: Bundle) -> None:
    worst = check_bundle(bundle.path)
    assert len(worst) == 2 * len(installed_runtimes())
    # Float32 sums in another order; 2.4e-7 was measured.
    assert max(worst.values()) < 1e-5


def test_bundle_of_the_checkout_is_the_default(bundle: Bundle, repo: Path) -> None:
    assert find_bundle() == repo / "models" / "bundles" / bundle.label


def test_only_unpacking_is_newer_than_the_first_when_both_files_are_read(bundle: Bundle) -> None:
    for contract in (bundle.stress, bundle.gait):
        versions = op_versions((bundle.path / contract.file).read_bytes())
        # A scale for each row of int8 weights.
        assert versions.pop("DEQUANTIZE", 5) == 5
        assert set(versions.values()) == {1}, contract.name
        assert not [name for name in versions if name.startswith("CUSTOM")]


def test_every_function_works_in_little_memory(bundle: Bundle) -> None:
    for contract in (bundle.stress, bundle.gait):
        check_arenas((bundle.path / contract.file).read_bytes())


def test_bundle_fits_a_pocket(bundle: Bundle) -> None:
    assert bundle.files["stress.tflite"].n_bytes < 60_000
    assert bundle.files["gait.tflite"].n_bytes < 300_000
    assert sum(file.n_bytes for file in bundle.files.values()) < 1_000_000


def test_contract_is_the_hosts_own_when_read(bundle: Bundle) -> None:
    norm = bundle.stress.normalisation
    assert norm.clip == normalise.CLIP
    assert norm.quality_ramp == (normalise.RAMP_FROM, normalise.RAMP_TO)
    assert min(norm.spread) > 0
    typical = dict(zip(bundle.stress.features, norm.center, strict=True))
    assert 55 < typical["hr_median_bpm"] < 95
    assert 28 < typical["temp_mean"] < 36
    assert set(bundle.stress.thresholds) == {
        "stress",
        "unsure_low",
        "unsure_high",
        "min_quality",
        "max_motion_ms2",
        "max_effort_ms2",
        "min_pulse_quality",
    }


@pytest.mark.parametrize("runtime", list(RUNTIMES))
def test_wearer_with_another_threshold_is_learned_when_only_the_bias_may_move(
    bundle: Bundle, runtime: str, rng: np.random.Generator
) -> None:
    model = open_model(bundle, bundle.stress, runtime=runtime)
    x = rng.normal(0.0, 1.5, (120, 26)).astype(np.float32)
    logits = np.concatenate([model.run("infer", x=row[None])["logits"] for row in x])
    odds = logits[:, 1] - logits[:, 0]
    y = (odds > np.quantile(odds, 0.75)).astype(np.int64)
    result = learn(
        model, x, y, np.ones(120), groups="bias", steps=100, learning_rate=0.05, anchor=0.0, seed=1
    )
    assert result.loss_after < result.loss_before


def test_tensorflow_stays_out_when_a_bundle_is_checked(bundle: Bundle) -> None:
    code = (
        "import sys\n"
        "from training.bundle.golden import check_bundle\n"
        f"from pathlib import Path; check_bundle(Path({str(bundle.path)!r}))\n"
        "print('tensorflow' in sys.modules)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        cwd=bundle.path.parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.strip() == "False"
