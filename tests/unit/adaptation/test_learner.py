from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_host.adaptation.batches import BatchShape, balanced, draw, probabilities
from firmware_host.adaptation.learner import LearnResult, learn
from firmware_host.errors import AdaptationError, AdaptationReason
from firmware_host.inference.base import SignatureModel
from firmware_host.inference.tflite import RUNTIMES, TfliteModel, installed_runtimes
from training.stress.numpy_model import TableModel

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
SETTINGS = {"groups": "lora+head", "steps": 60, "learning_rate": 0.02, "anchor": 0.0, "seed": 1}


def build(name: str) -> SignatureModel:
    if name == "table":
        with np.load(GOLDEN / "stress_random.npz") as arrays:
            return TableModel(dict(arrays))
    if name not in installed_runtimes():
        pytest.skip(f"{name} is not installed here")
    return TfliteModel(GOLDEN / "stress_random.tflite", runtime=name)


@pytest.fixture(params=["table", *RUNTIMES])
def model(request: pytest.FixtureRequest) -> SignatureModel:
    return build(request.param)


@pytest.fixture
def windows(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = rng.normal(size=(90, 26)).astype(np.float32)
    y = (x[:, 3] - x[:, 8] > 0.8).astype(np.int64)
    return x, y, np.ones(90, np.float32)


def as_bytes(adapter) -> dict[str, bytes]:
    return {name: value.tobytes() for name, value in sorted(adapter.items())}


def changed(result: LearnResult) -> set[str]:
    names = [name for name in result.before if not name.startswith("momentum_")]
    return {n for n in names if result.before[n].tobytes() != result.after[n].tobytes()}


def test_loss_falls_when_learning(model, windows) -> None:
    result = learn(model, *windows, **SETTINGS)
    assert result.loss_after < 0.5 * result.loss_before
    assert len(result.losses) == 60
    assert result.n_windows == 90
    assert as_bytes(model.run("get_adapter")) == as_bytes(result.after)


@pytest.mark.parametrize(
    ("groups", "moved"),
    [
        ("bias", {"head_b"}),
        ("head", {"head_b", "head_w"}),
        ("lora+head", {"head_b", "head_w", "lora1_a", "lora1_b", "lora2_a", "lora2_b"}),
    ],
)
def test_only_the_group_moves_when_it_is_named(model, windows, groups, moved) -> None:
    assert changed(learn(model, *windows, **{**SETTINGS, "groups": groups})) == moved


def test_bytes_are_the_same_when_the_seed_is(windows, request) -> None:
    for name in ["table", *installed_runtimes()]:
        first = learn(build(name), *windows, **SETTINGS)
        second = learn(build(name), *windows, **SETTINGS)
        other = learn(build(name), *windows, **{**SETTINGS, "seed": 2})
        assert as_bytes(first.after) == as_bytes(second.after)
        assert first.losses == second.losses
        assert as_bytes(first.after) != as_bytes(other.after)


def test_bytes_are_the_same_when_stopped_and_resumed(model, windows, request) -> None:
    whole = learn(model, *windows, **SETTINGS)
    resumed = build(request.node.callspec.params["model"])
    half = learn(resumed, *windows, **{**SETTINGS, "steps": 25})
    rest = learn(resumed, *windows, **SETTINGS, first_step=25)
    assert as_bytes(rest.after) == as_bytes(whole.after)
    assert half.losses + rest.losses == whole.losses


def test_old_momentum_does_not_count_when_a_new_update_starts(model, windows, request) -> None:
    learn(model, *windows, **SETTINGS)
    warm = model.run("get_adapter")
    fresh = build(request.node.callspec.params["model"])
    cold = {n: np.zeros_like(v) if n.startswith("momentum_") else v for n, v in warm.items()}
    fresh.run("set_adapter", **cold)
    first, second = learn(model, *windows, **SETTINGS), learn(fresh, *windows, **SETTINGS)
    assert as_bytes(first.after) == as_bytes(second.after)


def test_adapter_is_rolled_back_when_it_diverges(model, windows) -> None:
    learn(model, *windows, **{**SETTINGS, "steps": 3})
    before = as_bytes(model.run("get_adapter"))
    with pytest.raises(AdaptationError, match=r"diverged.*undone") as caught:
        learn(model, *windows, **{**SETTINGS, "learning_rate": 1e4})
    assert caught.value.reason is AdaptationReason.DIVERGED
    assert as_bytes(model.run("get_adapter")) == before


def test_adapter_is_rolled_back_when_interrupted(windows) -> None:
    class Interrupted(TableModel):
        n_left = 7

        def run(self, signature, **arrays):
            if signature == "train":
                self.n_left -= 1
                if self.n_left == 0:
                    raise KeyboardInterrupt
            return super().run(signature, **arrays)

    model = Interrupted.random(seed=1)
    before = as_bytes(model.run("get_adapter"))
    with pytest.raises(KeyboardInterrupt):
        learn(model, *windows, **SETTINGS)
    assert as_bytes(model.run("get_adapter")) == before


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("empty", AdaptationReason.NO_DATA),
        ("weightless", AdaptationReason.NO_DATA),
        ("rest only", AdaptationReason.ONE_CLASS),
        ("stress has no weight", AdaptationReason.ONE_CLASS),
    ],
)
def test_update_is_refused_when_the_labels_do_not_suffice(model, windows, case, reason) -> None:
    x, y, weight = windows
    chosen = {
        "empty": (x[:0], y[:0], weight[:0]),
        "weightless": (x, y, 0 * weight),
        "rest only": (x, 0 * y, weight),
        "stress has no weight": (x, y, np.where(y == 1, 0, weight)),
    }[case]
    before = as_bytes(model.run("get_adapter"))
    with pytest.raises(AdaptationError) as caught:
        learn(model, *chosen, **SETTINGS)
    assert caught.value.reason is reason
    assert "\n" not in str(caught.value)
    assert as_bytes(model.run("get_adapter")) == before


@pytest.mark.parametrize(
    "wrong",
    [{"groups": "all"}, {"steps": 0}, {"learning_rate": 0.0}, {"anchor": -1.0}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_wrong_setting_is_a_value_error_when_called(windows, wrong) -> None:
    with pytest.raises(ValueError, match="expected"):
        learn(TableModel.random(seed=1), *windows, **{**SETTINGS, **wrong})


def test_wrong_windows_are_a_value_error_when_called(windows) -> None:
    x, y, weight = windows
    model = TableModel.random(seed=1)
    for bad in [
        (x[:, :25], y, weight),
        (x, y[:5], weight),
        (np.where(x > 2, np.nan, x), y, weight),
        (x, y + 1, weight),
        (x, y, -weight),
    ]:
        with pytest.raises(ValueError, match="expected"):
            learn(model, *bad, **SETTINGS)


def test_anchor_keeps_the_model_nearer_when_it_is_stronger(model, windows) -> None:
    generic = model.run("get_adapter")

    def distance(anchor: float) -> float:
        model.run("set_adapter", **generic)
        result = learn(model, *windows, **{**SETTINGS, "anchor": anchor})
        return sum(float(np.abs(result.after[n] - generic[n]).sum()) for n in changed(result))

    near, middle, far = (distance(a) for a in (10.0, 1.0, 0.0))
    assert near < middle < far


def test_classes_count_the_same_when_one_is_rare(rng) -> None:
    y = np.array([0] * 30 + [1] * 3)
    windows = balanced(
        rng.normal(size=(33, 26)), y, rng.uniform(0.5, 2, 33).astype(np.float32), n_features=26
    )
    totals = np.bincount(windows.y, windows.weight)
    np.testing.assert_allclose(totals, [0.5, 0.5], rtol=1e-6)


def test_batch_has_both_classes_when_windows_do_not_fit(rng) -> None:
    y = (np.arange(100) >= 80).astype(np.int64)
    windows = balanced(rng.normal(size=(100, 26)), y, np.ones(100), n_features=26)
    seen = set()
    for step in range(200):
        batch = draw(windows, 16, seed=3, step=step)
        assert np.bincount(batch.y).tolist() == [8, 8]
        np.testing.assert_allclose(np.bincount(batch.y, batch.weight), [0.5, 0.5], rtol=1e-6)
        seen |= {row.tobytes() for row in batch.x}
    assert len(seen) == 100


def test_rare_class_counts_half_when_a_batch_has_few_of_it(rng) -> None:
    y = (np.arange(50) >= 47).astype(np.int64)
    batch = draw(
        balanced(rng.normal(size=(50, 26)), y, np.ones(50), n_features=26), 16, seed=3, step=0
    )
    assert np.bincount(batch.y).tolist() == [8, 3]
    np.testing.assert_allclose(np.bincount(batch.y, batch.weight), [0.5, 0.5], rtol=1e-6)


def test_probabilities_are_infers_when_batched(model, windows) -> None:
    x = windows[0][:37]
    batched = probabilities(model, x)
    single = np.concatenate([model.run("infer", x=row[None])["probs"] for row in x])
    np.testing.assert_allclose(batched, single, atol=1e-6)
    assert probabilities(model, x[:0]).shape == (0, 2)


def test_one_column_of_labels_is_filled_when_the_model_has_one() -> None:
    shape = BatchShape("features", 4, 3, 1)
    filled = shape.fill(np.ones((2, 3), np.float32), np.array([0, 1]), np.ones(2, np.float32))
    assert filled["y"].ravel().tolist() == [0, 1, 0, 0]
    assert filled["weight"].tolist() == [1, 1, 0, 0]
    assert filled["features"][2:].sum() == 0
