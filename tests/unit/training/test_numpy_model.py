from __future__ import annotations

import numpy as np
import pytest

from training.stress.numpy_model import TableModel


def loss_at(model: TableModel, state: dict[str, np.ndarray], batch: dict[str, np.ndarray]) -> float:
    model.run("set_adapter", **state)
    return float(model.run("evaluate", **batch)["loss"][0])


@pytest.mark.parametrize("name", ["head_b", "head_w", "lora1_a", "lora1_b", "lora2_a", "lora2_b"])
def test_gradient_is_the_slope_of_the_loss_when_measured(
    name: str, rng: np.random.Generator
) -> None:
    """One step of rate 1 is minus the gradient; finite differences along it must agree."""
    model = TableModel.random(seed=3)
    state = model.run("get_adapter")
    for array in state:
        if array.startswith("lora"):
            state[array] = rng.normal(0.0, 0.3, state[array].shape).astype(np.float32)
    model = TableModel(
        {**model._frozen, **{n: v for n, v in state.items() if not n.startswith("momentum_")}}
    )
    x = rng.normal(size=(16, 26)).astype(np.float32)
    y = np.eye(2, dtype=np.float32)[rng.integers(0, 2, 16)]
    batch = {"x": x, "y": y, "weight": rng.uniform(0.1, 1.0, 16).astype(np.float32)}
    model.run("train", **batch, lr=np.ones(3, np.float32), anchor=np.zeros(1, np.float32))
    gradient = -model.run("get_adapter")[f"momentum_{name}"]
    direction = (gradient / np.linalg.norm(gradient)).astype(np.float32)
    h = np.float32(3e-3)
    above = loss_at(model, {**state, name: state[name] + h * direction}, batch)
    below = loss_at(model, {**state, name: state[name] - h * direction}, batch)
    # float32 losses over a step of 3e-3 carry about 1e-4 of noise.
    assert (above - below) / (2 * h) == pytest.approx(np.linalg.norm(gradient), rel=1e-2, abs=2e-4)


def test_weights_are_refused_when_one_is_missing() -> None:
    with pytest.raises(ValueError, match="dense1_b"):
        TableModel({"head_b": np.zeros(2, np.float32)})


def test_model_is_the_same_when_the_seed_is() -> None:
    x = np.linspace(-1, 1, 26, dtype=np.float32)[None]
    first, second, other = (TableModel.random(seed=s).run("infer", x=x) for s in (1, 1, 2))
    assert first["logits"].tobytes() == second["logits"].tobytes()
    assert first["logits"].tobytes() != other["logits"].tobytes()
