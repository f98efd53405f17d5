"""Gait weights that have learned nothing but leave no gradient at zero."""

from __future__ import annotations

import numpy as np


def random_gait_weights(rng: np.random.Generator, n_features: int = 37, n_directions: int = 5):
    from models import gait_gate
    from models.gait import LORA_RANK, GaitWeights

    directions, _ = np.linalg.qr(rng.normal(size=(n_features, n_directions)))
    arrays = {
        "gate_center": rng.normal(size=6),
        "gate_scale": rng.uniform(0.5, 2.0, 6),
        "center": rng.normal(size=n_features),
        "scale": rng.uniform(0.5, 2.0, n_features),
        "directions": directions,
        "shrink": rng.uniform(0.2, 0.9, n_directions),
        "lora_a": rng.normal(size=(LORA_RANK, n_features)) / np.sqrt(n_features),
        "lora_b": rng.normal(scale=0.3, size=(n_features, LORA_RANK)),
        "head_w": rng.normal(scale=0.5, size=(1, n_features)),
        "head_b": rng.normal(size=1),
    }
    arrays = {name: np.asarray(value, np.float32) for name, value in arrays.items()}
    return GaitWeights(gate=gait_gate.folded_weights(gait_gate.build(0.0)), **arrays)


def identity_arrays(weights) -> dict[str, np.ndarray]:
    names = ("center", "scale", "directions", "shrink", "lora_a", "lora_b", "head_w", "head_b")
    return {name: getattr(weights, name) for name in names}


def random_batch(rng: np.random.Generator, n_features: int) -> dict[str, np.ndarray]:
    return {
        "features": rng.normal(size=(16, n_features)).astype(np.float32),
        "y": rng.integers(0, 2, (16, 1)).astype(np.float32),
        "weight": rng.uniform(0.1, 1.0, 16).astype(np.float32),
    }
