"""The part of bundle.toml that does not come out of training: channels, windows, labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firmware_host.inference.bundle import FORMAT
from firmware_host.inference.contract import BundleFile
from firmware_host.signals import gait, normalise, stress
from models.signatures import SignatureShapes
from training.bundle.artifacts import GaitArtifacts, StressArtifacts

STRESS_FILE = "stress.tflite"
GAIT_FILE = "gait.tflite"
COHORT_FILE = "cohort.npz"
STRESS_LABELS = ["rest", "stress"]


def _channel(
    unit: str, rates_hz: tuple[float, float], *, axes: int = 1, optional: bool = False
) -> dict[str, Any]:
    low, high = rates_hz
    return {
        "unit": unit,
        "min_rate_hz": low,
        "max_rate_hz": high,
        "axes": axes,
        "optional": optional,
    }


# Below 32 Hz a beat's time is too coarse for its variability; 4 Hz is what skin conductance was
# trained at and all it carries. Above the upper ends the filters cost more than they give.
# Acceleration is needed because exercise must not be taken for stress; without skin temperature
# the other features say nearly as much.
STRESS_CHANNELS = {
    "bvp": _channel("au", (32.0, 256.0)),
    "eda": _channel("uS", (4.0, 64.0)),
    "temp": _channel("degC", (1.0, 64.0), optional=True),
    "acc": _channel("m/s2", (20.0, 200.0), axes=3),
}
_GAIT_RATES_HZ = (gait.MIN_RATE_HZ, gait.MAX_RATE_HZ)
GAIT_CHANNELS = {
    "acc": _channel("m/s2", _GAIT_RATES_HZ, axes=3),
    "gyro": _channel("rad/s", _GAIT_RATES_HZ, axes=3, optional=True),
}


def stress_table(
    artifacts: StressArtifacts, signatures: Mapping[str, SignatureShapes]
) -> dict[str, Any]:
    """[stress] of bundle.toml."""
    t_s, p_stress = artifacts.time_control
    return {
        "file": STRESS_FILE,
        "backbone": artifacts.backbone,
        "features": list(artifacts.feature_names),
        "labels": STRESS_LABELS,
        "window_s": stress.WINDOW_S,
        "hop_s": stress.HOP_S,
        "smoothing_s": float(artifacts.smoothing_s),
        "effort_s": float(artifacts.effort_s),
        "normalisation": {
            "spread": _floats(artifacts.spread),
            "center": _floats(artifacts.center),
            "clip": normalise.CLIP,
            "quality_low": normalise.RAMP_FROM,
            "quality_high": normalise.RAMP_TO,
        },
        "thresholds": _numbers(artifacts.thresholds),
        "calibration": _numbers(artifacts.calibration),
        "time_control": {"t_s": _floats(t_s), "p_stress": _floats(p_stress)},
        "channels": STRESS_CHANNELS,
        "signatures": _signatures(signatures),
    }


def gait_table(
    artifacts: GaitArtifacts, signatures: Mapping[str, SignatureShapes]
) -> dict[str, Any]:
    """[gait] of bundle.toml."""
    return {
        "file": GAIT_FILE,
        "backbone": artifacts.backbone,
        "cohort": COHORT_FILE,
        "placements": list(artifacts.placements),
        "features": list(artifacts.feature_names),
        "labels": list(artifacts.labels),
        "window_s": gait.WINDOW_S,
        "hop_s": gait.HOP_S,
        "smoothing_s": float(artifacts.smoothing_s),
        "thresholds": _numbers(artifacts.thresholds),
        "channels": GAIT_CHANNELS,
        "signatures": _signatures(signatures),
    }


def bundle_table(
    stress_part: Mapping[str, Any],
    gait_part: Mapping[str, Any],
    *,
    name: str,
    version: str,
    seed: int,
    files: Mapping[str, BundleFile],
    recordings: Mapping[str, str],
) -> dict[str, Any]:
    """All of bundle.toml."""
    return {
        "format": FORMAT,
        "name": name,
        "version": version,
        "seed": seed,
        "files": {n: {"sha256": f.sha256, "bytes": f.n_bytes} for n, f in sorted(files.items())},
        "stress": stress_part,
        "gait": gait_part,
        "recordings": dict(sorted(recordings.items())),
    }


def _floats(values: Any) -> list[float]:
    # Six digits are far finer than the data and read well in a diff.
    return [float(f"{float(v):.6g}") for v in values]


def _numbers(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{float(v):.6g}") for name, v in values.items()}


def _signatures(signatures: Mapping[str, SignatureShapes]) -> dict[str, Any]:
    return {
        name: {
            "inputs": {n: list(shape) for n, shape in shapes.inputs.items()},
            "outputs": {n: list(shape) for n, shape in shapes.outputs.items()},
        }
        for name, shapes in sorted(signatures.items())
    }
