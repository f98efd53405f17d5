"""The backward by hand against TensorFlow's own differentiation, for networks of any size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.needs_tf

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.integers(1, 40)
RATES = {"lr": np.ones(3, np.float32), "anchor": np.zeros(1, np.float32)}


def drawn(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Numbers of order one, a fifth of them zero."""
    values = rng.normal(size=shape) * (rng.random(shape) > 0.2)
    return values.astype(np.float32) / np.float32(np.sqrt(shape[-1]))


def row_weights(rng: np.random.Generator, n_rows: int) -> np.ndarray:
    """Weights of rows, some zero, the first never."""
    weight = rng.uniform(0.1, 1.0, n_rows) * (rng.random(n_rows) > 0.3)
    weight[0] = 1.0
    return weight.astype(np.float32)


def stress_network(rng, n_features, hidden1, hidden2, rank, n_classes):
    from models.stress import StressNet, StressWeights

    shapes = {
        "dense1_w": (hidden1, n_features),
        "dense1_b": (hidden1,),
        "dense2_w": (hidden2, hidden1),
        "dense2_b": (hidden2,),
        "lora1_a": (rank, n_features),
        "lora1_b": (hidden1, rank),
        "lora2_a": (rank, hidden1),
        "lora2_b": (hidden2, rank),
        "head_w": (n_classes, hidden2 + n_features),
        "head_b": (n_classes,),
    }
    return StressNet(StressWeights(**{name: drawn(rng, *shape) for name, shape in shapes.items()}))


def gait_network(rng, n_features, n_directions, n_placements, rank):
    from models.gait import GaitNet, GaitWeights

    placed = (n_placements, n_features)
    arrays = {
        "center": drawn(rng, *placed),
        "scale": rng.uniform(0.5, 2.0, placed).astype(np.float32),
        "directions": drawn(rng, n_placements, n_directions, n_features),
        "shrink": rng.uniform(0.1, 0.9, (n_placements, n_directions)).astype(np.float32),
        "lora_a": drawn(rng, rank, n_features),
        "lora_b": drawn(rng, n_features, rank),
        "head_w": drawn(rng, 1, n_features),
        "head_b": drawn(rng, 1),
    }
    # The gate is no part of what learns.
    gate = {"gate": {}, "gate_center": np.zeros(6), "gate_scale": np.ones(6)}
    return GaitNet(GaitWeights(**arrays, **gate))


def stepped(network) -> dict[str, np.ndarray]:
    """The gradient that one step at rate 1 has left as momentum."""
    return {name: -value.numpy() for name, value in network.adapter.momenta.items()}


def assert_same(received: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert set(received) == set(expected)
    # Terms of a sum may cancel; what is left has the rounding of the terms, not of itself.
    floor = 0.1 * max(np.abs(value).max() for value in expected.values())
    for name, value in expected.items():
        largest = max(np.abs(value).max(), floor)
        assert np.abs(received[name] - value).max() <= 1e-5 * largest, name


@settings(max_examples=40, deadline=None)
@given(SEEDS, SIZES, SIZES, SIZES, SIZES, st.integers(1, 9), st.integers(2, 6))
def test_stress_gradients_are_autodiff_when_shapes_are_random(
    seed, n_rows, n_features, hidden1, hidden2, rank, n_classes
):
    from models import autodiff_twin

    rng = np.random.default_rng(seed)
    network = stress_network(rng, n_features, hidden1, hidden2, rank, n_classes)
    label = rng.integers(0, n_classes, n_rows)
    x = rng.normal(size=(n_rows, n_features)).astype(np.float32)
    y = np.eye(n_classes, dtype=np.float32)[label]
    batch = {"x": x, "y": y, "weight": row_weights(rng, n_rows)}
    expected = autodiff_twin.gradients(network, batch)
    network.train(**batch, **RATES)
    assert_same(stepped(network), expected)


@settings(max_examples=40, deadline=None)
@given(SEEDS, SIZES, st.integers(2, 60), SIZES, st.integers(1, 3), st.integers(1, 9))
def test_gait_gradients_are_autodiff_when_shapes_are_random(
    seed, n_rows, n_features, n_directions, n_placements, rank
):
    from models import autodiff_twin

    rng = np.random.default_rng(seed)
    network = gait_network(rng, n_features, n_directions, n_placements, rank)
    place = rng.integers(0, n_placements)
    batch = {
        "features": rng.normal(size=(n_rows, n_features)).astype(np.float32),
        "y": rng.integers(0, 2, (n_rows, 1)).astype(np.float32),
        "weight": row_weights(rng, n_rows),
        "placement": np.eye(n_placements, dtype=np.float32)[place][None],
    }
    expected = autodiff_twin.gradients(network, batch)
    network.train(**batch, **RATES)
    assert_same(stepped(network), expected)


@settings(max_examples=40, deadline=None)
@given(SEEDS, SIZES, SIZES, SIZES, SIZES, st.integers(1, 9), st.floats(0.05, 2.0))
def test_preference_gradients_are_autodiff_when_shapes_are_random(
    seed, n_pairs, n_features, hidden1, hidden2, rank, beta
):
    from models import autodiff_twin

    rng = np.random.default_rng(seed)
    network = stress_network(rng, n_features, hidden1, hidden2, rank, 2)
    for value in network.adapter.values.values():
        value.assign_add(drawn(rng, *value.shape))
    pairs = {
        "more": rng.normal(size=(n_pairs, n_features)).astype(np.float32),
        "less": rng.normal(size=(n_pairs, n_features)).astype(np.float32),
        "weight": row_weights(rng, n_pairs),
        "beta": np.full(1, beta, np.float32),
    }
    margin = np.abs(network.preference(**pairs)[1].numpy()).max()
    # Further out 1 - sigmoid has few digits left in float32, and the gradient is next to nothing.
    pairs["beta"] /= np.float32(max(1.0, margin))
    expected = autodiff_twin.preference_gradients(network, pairs)
    network.prefer(**pairs, **RATES)
    assert_same(stepped(network), expected)
