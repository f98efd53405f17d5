"""A whole bundle without training: random weights, one file standing for both networks."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from firmware_host.identity.background import Background
from firmware_host.inference.bundle import CONTRACT_FILE, SEAL_FILE, seal_text
from firmware_host.inference.contract import BundleFile
from firmware_host.signals import gait_features, stress
from models.signatures import stress_signatures
from training.bundle.artifacts import GaitArtifacts, Recordings, StressArtifacts
from training.bundle.contracts import bundle_table, gait_table, stress_table
from training.bundle.toml_text import to_toml

GOLDEN = Path(__file__).resolve().parent / "golden"
ADAPTER = {
    "lora1_a": (4, 26),
    "lora1_b": (32, 4),
    "lora2_a": (4, 32),
    "lora2_b": (16, 4),
    "head_w": (2, 42),
    "head_b": (2,),
}


def stress_artifacts(weights: Any = None) -> StressArtifacts:
    n_features = len(stress.FEATURE_NAMES)
    return StressArtifacts(
        weights=weights,
        feature_names=stress.FEATURE_NAMES,
        spread=np.linspace(0.5, 2.0, n_features).astype(np.float32),
        center=np.linspace(-1.0, 80.0, n_features).astype(np.float32),
        thresholds={
            "stress": 0.5,
            "unsure_low": 0.4,
            "unsure_high": 0.6,
            "min_quality": 0.4,
            "min_pulse_quality": 0.2,
            "max_motion_ms2": 0.25,
            "max_effort_ms2": 0.4,
        },
        smoothing_s=30.0,
        time_control=(np.array([0.0, 600.0, 1200.0]), np.array([0.1, 0.5, 0.4])),
        golden_x=np.random.default_rng(1).normal(size=(3, n_features)).astype(np.float32),
        recordings=Recordings({"stress-predict/S01": "0" * 64}, ("stress-predict/S02",)),
        figures={"balanced accuracy": "0.70"},
    )


def gait_artifacts(network: Any = None, *, n_features: int | None = None) -> GaitArtifacts:
    rng = np.random.default_rng(2)
    n = n_features or len(gait_features.FEATURE_NAMES)
    return GaitArtifacts(
        network=network,
        feature_names=gait_features.FEATURE_NAMES,
        labels=("still", "walk", "run", "stairs", "other"),
        thresholds={"min_walk_probability": 0.5, **_limits("wrist"), **_limits("pocket")},
        smoothing_s=5.0,
        cohort={**_background(rng, n).arrays("wrist"), **_background(rng, n).arrays("pocket")},
        golden={"features": rng.normal(size=(3, n)).astype(np.float32)},
        placements=("wrist", "pocket"),
        recordings=Recordings({"wisdm-watch/1600": "1" * 64}),
    )


def _limits(placement: str) -> dict[str, float]:
    values = {"min_periodicity": 0.4, "verification": 0.1, "verification_margin": 0.2}
    return {f"{placement}_{name}": value for name, value in values.items()}


def _background(rng: np.random.Generator, n_features: int) -> Background:
    center, scale, mean, rest = rng.uniform(0.5, 1.0, (4, n_features)).astype(np.float32)
    factors = rng.normal(size=(4, n_features)).astype(np.float32)
    return Background(center, scale, mean, factors, rest)


def write_bundle(folder: Path) -> Path:
    """Write `folder/wrist-0.1.0` and give its path."""
    target = folder / "wrist-0.1.0"
    target.mkdir(parents=True)
    model = (GOLDEN / "stress_random.tflite").read_bytes()
    contents = {"stress.tflite": model, "gait.tflite": model, "CARD.md": b"# wrist-0.1.0\n"}
    for name, content in contents.items():
        (target / name).write_bytes(content)
    np.savez(target / "golden.npz", **{"stress.infer.x": stress_artifacts().golden_x})
    np.savez(target / "cohort.npz", **gait_artifacts().cohort)
    signatures = stress_signatures(26, ADAPTER)
    table = bundle_table(
        stress_table(stress_artifacts(), signatures),
        gait_table(gait_artifacts(), signatures),
        name="wrist",
        version="0.1.0",
        seed=1,
        files={path.name: hashed(path) for path in sorted(target.iterdir())},
        recordings={"stress-predict/S01": "0" * 64},
    )
    (target / CONTRACT_FILE).write_text(to_toml(table), encoding="utf-8")
    seal(target)
    return target


def seal(folder: Path) -> None:
    """Write the seal anew, as one does who changes a contract on purpose."""
    contract = (folder / CONTRACT_FILE).read_bytes()
    (folder / SEAL_FILE).write_text(seal_text(contract), encoding="ascii")


def hashed(path: Path) -> BundleFile:
    content = path.read_bytes()
    return BundleFile(hashlib.sha256(content).hexdigest(), len(content))
