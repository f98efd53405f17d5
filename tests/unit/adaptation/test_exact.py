"""The exact update is where the step by step one is going, and leaves no trace when it fails."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.adaptation.batches import balanced
from firmware_host.adaptation.exact import solve
from firmware_host.adaptation.learner import learn
from firmware_host.errors import AdaptationError, AdaptationReason
from training.stress.numpy_model import TableModel

from .conftest import N_FEATURES

ANCHORS = {"anchor": 2.0, "bias_anchor": 0.02}


@pytest.fixture
def windows(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y = np.tile([0, 1, 1], 20)
    x = rng.normal(0.0, 1.0, (len(y), N_FEATURES)).astype(np.float32)
    x[:, 3] += y
    return x, y, np.ones(len(y), np.float32)


def _pulled_loss(model: TableModel, change: np.ndarray, windows: tuple, anchors: dict) -> float:
    """Loss plus pull of a change (F + 1,) of the log-odds, computed from its definition."""
    shares = balanced(*windows, n_features=N_FEATURES).weight
    x, y, _ = windows
    logits = np.array([model.run("infer", x=row[None, :])["logits"][0] for row in x], float)
    log_odds = logits[:, 1] - logits[:, 0] + x @ change[:-1] + change[-1]
    loss = shares @ np.log1p(np.exp(-np.where(y == 1, log_odds, -log_odds)))
    weights = np.sum(change[:-1] ** 2) * anchors["anchor"]
    return float(loss + (weights + change[-1] ** 2 * anchors["bias_anchor"]) / 4)


def test_no_other_change_is_better(rng: np.random.Generator, windows) -> None:
    model, generic = (TableModel.random(seed=3, n_features=N_FEATURES) for _ in range(2))
    result = solve(model, *windows, linear=True, **ANCHORS)
    moved = {k: result.after[k].astype(float) - result.before[k] for k in ("head_w", "head_b")}
    change = np.append((moved["head_w"][1] - moved["head_w"][0])[16:], np.diff(moved["head_b"]))
    best = _pulled_loss(generic, change, windows, ANCHORS)
    assert best < _pulled_loss(generic, np.zeros_like(change), windows, ANCHORS) - 0.01
    for _ in range(50):
        other = change + rng.normal(0.0, 0.02, change.shape)
        assert _pulled_loss(generic, other, windows, ANCHORS) > best
    assert result.loss_after < result.loss_before


def test_bias_is_where_small_steps_end_up(windows) -> None:
    exact, slow = (TableModel.random(seed=3, n_features=N_FEATURES) for _ in range(2))
    few = tuple(part[:15] for part in windows)
    solve(exact, *few, linear=False, anchor=0.6, bias_anchor=0.6)
    learn(slow, *few, groups="bias", steps=800, learning_rate=0.05, anchor=0.6, seed=1)
    one, two = (model.run("get_adapter") for model in (exact, slow))
    np.testing.assert_allclose(one["head_b"], two["head_b"], atol=1e-3)
    np.testing.assert_array_equal(one["head_w"], two["head_w"])


def test_only_the_head_on_the_inputs_moves(windows) -> None:
    model = TableModel.random(seed=3, n_features=N_FEATURES)
    result = solve(model, *windows, linear=True, **ANCHORS)
    moved = {
        name
        for name, value in result.after.items()
        if not name.startswith("momentum_") and not np.array_equal(value, result.before[name])
    }
    assert moved == {"head_w", "head_b"}
    hidden = [result.after["head_w"][:, :16], result.before["head_w"][:, :16]]
    np.testing.assert_array_equal(*hidden)


def test_separable_windows_still_have_a_minimum() -> None:
    model = TableModel.random(seed=3, n_features=N_FEATURES)
    x = np.zeros((40, N_FEATURES), np.float32)
    y = np.tile([0, 1], 20)
    x[:, 0] = np.where(y == 1, 8.0, -8.0)
    result = solve(model, x, y, np.ones(40, np.float32), linear=True, **ANCHORS)
    assert np.isfinite(result.after["head_w"]).all()
    assert np.abs(result.after["head_w"]).max() < 10.0


def test_one_class_is_refused_and_nothing_changes(windows) -> None:
    model = TableModel.random(seed=3, n_features=N_FEATURES)
    before = model.run("get_adapter")
    with pytest.raises(AdaptationError) as caught:
        solve(model, windows[0], np.zeros(60, np.int64), windows[2], linear=True, **ANCHORS)
    assert caught.value.reason is AdaptationReason.ONE_CLASS
    for name, value in model.run("get_adapter").items():
        np.testing.assert_array_equal(value, before[name])


def test_pull_of_nothing_is_refused(windows) -> None:
    model = TableModel.random(seed=3, n_features=N_FEATURES)
    with pytest.raises(ValueError, match="positive anchors"):
        solve(model, *windows, linear=True, anchor=0.0, bias_anchor=1.0)
