"""Gait weights that have learned nothing but leave no gradient at zero."""

from __future__ import annotations

import numpy as np

from models.int8 import rounded

N_PLACEMENTS = 2


def random_gait_weights(rng: np.random.Generator, n_features: int = 37, n_directions: int = 5):
    from models import gait_gate
    from models.gait import LORA_RANK, GaitWeights

    drawn = rng.normal(size=(N_PLACEMENTS, n_features, n_directions))
    placed, n_placed = (N_PLACEMENTS, n_features), (N_PLACEMENTS, n_directions)
    arrays = {
        "gate_center": rng.normal(size=6),
        "gate_scale": rng.uniform(0.5, 2.0, 6),
        "center": rng.normal(size=placed),
        "scale": rng.uniform(0.5, 2.0, placed),
        # As the network stores them; it would round any others.
        "directions": rounded(np.linalg.qr(drawn)[0].transpose(0, 2, 1), 0),
        "shrink": rng.uniform(0.2, 0.9, n_placed),
        "lora_a": rng.normal(size=(LORA_RANK, n_features)) / np.sqrt(n_features),
        "lora_b": rng.normal(scale=0.3, size=(n_features, LORA_RANK)),
        "head_w": rng.normal(scale=0.5, size=(1, n_features)),
        "head_b": rng.normal(size=1),
    }
    arrays = {name: np.asarray(value, np.float32) for name, value in arrays.items()}
    return GaitWeights(gate=gait_gate.folded_weights(gait_gate.build(0.0)), **arrays)


def identity_arrays(weights, placement_idx: int) -> dict[str, np.ndarray]:
    """What `NumpyGaitModel` needs of one placement."""
    placed = ("center", "scale", "directions", "shrink")
    shared = ("lora_a", "lora_b", "head_w", "head_b")
    return {
        **{name: getattr(weights, name)[placement_idx] for name in placed},
        **{name: getattr(weights, name) for name in shared},
    }


def one_hot(placement_idx: int) -> np.ndarray:
    return np.eye(N_PLACEMENTS, dtype=np.float32)[placement_idx][None]


def random_batch(rng: np.random.Generator, n_features: int) -> dict[str, np.ndarray]:
    return {
        "features": rng.normal(size=(16, n_features)).astype(np.float32),
        "y": rng.integers(0, 2, (16, 1)).astype(np.float32),
        "weight": rng.uniform(0.1, 1.0, 16).astype(np.float32),
    }
