"""Release files of every way to store a network: ``python -m bench.learning.family_files FOLDER``.

Weights are drawn at random: sizes, working memory and time do not depend on them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.learning.family_costs import FACTS
from bench.learning.macs import graph_macs, macs
from firmware_host.inference.bundle import load_bundle
from firmware_host.signals.stress import FEATURE_NAMES
from models import gait_gate
from models.gait import LORA_RANK, GaitNet, GaitWeights
from models.gait_stored import FloatGaitNet, FourBitGaitNet
from models.stress import StressNet, StressWeights, random_weights
from training.bundle.arena import planned
from training.bundle.contracts import GAIT_FILE, STRESS_FILE
from training.bundle.rounding import rounded_weights
from training.bundle.split import GAIT_INT8_FILE, STRESS_INT8_FILE, gait_files, stress_files
from training.bundle.tflite_file import Storage, convert

_SEED = 20261121
# Of the bundle that ships: docs/studies/gait-identity.md.
_N_DIRECTIONS = 24
_STORAGE: dict[str, Storage] = {"int8": "int8", "float": "float32", "nf4": "nf4"}
_GAIT_NETS = {"int8": GaitNet, "float": FloatGaitNet, "nf4": FourBitGaitNet}


def build(folder: Path) -> None:
    """Write <model>.<backbone>.tflite of both models, and what is known of each into one JSON."""
    stress, gait = random_weights(np.random.default_rng(_SEED), len(FEATURE_NAMES)), _gait()
    facts = {}
    for backbone, storage in _STORAGE.items():
        networks = {
            "stress": StressNet(rounded_weights(stress, backbone)),
            "gait": _GAIT_NETS[backbone](rounded_weights(gait, backbone)),
        }
        for model, network in networks.items():
            name = f"{model}.{backbone}"
            content = convert(network, storage=storage)
            (folder / f"{name}.tflite").write_bytes(content)
            facts[name] = _facts(content, {})
    facts |= _in_two(folder, stress, gait)
    (folder / FACTS).write_text(json.dumps(facts))


def _in_two(folder: Path, stress: StressWeights, gait: GaitWeights) -> dict[str, Any]:
    """The split: <model>.split.tflite learns, <model>.split.int8.tflite is frozen."""
    made = {
        "stress": (stress_files(rounded_weights(stress)), STRESS_FILE, STRESS_INT8_FILE),
        "gait": (gait_files(rounded_weights(gait)), GAIT_FILE, GAIT_INT8_FILE),
    }
    facts = {}
    for model, (files, tail, layers) in made.items():
        (folder / f"{model}.split.tflite").write_bytes(files[tail])
        (folder / f"{model}.split.int8.tflite").write_bytes(files[layers])
        facts[f"{model}.split"] = _facts(files[tail], {layers: files[layers]})
    return facts


def _facts(content: bytes, beside: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        "bytes": len(content) + sum(map(len, beside.values())),
        "arena_kib": {name: arena.total / 1024 for name, arena in planned(content).items()},
        "macs": macs(content),
        # Of one row through the frozen layers, where they are a file of their own.
        "beside_macs": sum(map(graph_macs, beside.values())),
    }


def _gait() -> GaitWeights:
    contract, rng = load_bundle().gait, np.random.default_rng(_SEED)
    n_placements, n_features = len(contract.placements), len(contract.features)
    placed = (n_placements, n_features)
    drawn = rng.normal(size=(n_placements, n_features, _N_DIRECTIONS))
    arrays = {
        "gate_center": np.zeros(6),
        "gate_scale": np.ones(6),
        "center": rng.normal(size=placed),
        "scale": rng.uniform(0.5, 2.0, placed),
        "directions": np.linalg.qr(drawn)[0].transpose(0, 2, 1),
        "shrink": rng.uniform(0.2, 0.9, (n_placements, _N_DIRECTIONS)),
        "lora_a": rng.normal(size=(LORA_RANK, n_features)) / np.sqrt(n_features),
        "lora_b": rng.normal(scale=0.1, size=(n_features, LORA_RANK)),
        "head_w": rng.normal(scale=0.1, size=(1, n_features)),
        "head_b": np.zeros(1),
    }
    floats = {name: np.asarray(value, np.float32) for name, value in arrays.items()}
    return GaitWeights(gate=gait_gate.folded_weights(gait_gate.build(0.0)), **floats)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
