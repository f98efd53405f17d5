"""One suite for every model: plain numpy and the exported file on each runtime."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from firmware_host.errors import InferenceError
from firmware_host.inference.base import SignatureModel
from firmware_host.inference.int8_layers import Int8Layers
from firmware_host.inference.late import LateModel
from firmware_host.inference.split import SplitModel
from firmware_host.inference.tflite import RUNTIMES, TfliteModel, installed_runtimes
from training.stress.numpy_model import TableModel

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
# In one file, or cut in two on the CPU; then both dense layers are int8 and only the head learns.
IMPLEMENTATIONS = ["table", "late", *RUNTIMES, *(f"split {name}" for name in RUNTIMES)]
HEAD_LR = np.array([0.05, 0.05, 0.0], np.float32)
ALL_LR = np.array([0.05, 0.05, 0.02], np.float32)
NO_ANCHOR = np.zeros(1, np.float32)


def build(name: str) -> SignatureModel:
    if name == "table":
        with np.load(GOLDEN / "stress_random.npz") as arrays:
            return TableModel(dict(arrays))
    if name == "late":
        return LateModel(build("table"), lambda: build("table"))
    runtime = name.removeprefix("split ")
    if runtime not in installed_runtimes():
        pytest.skip(f"{runtime} is not installed here")
    if runtime == name:
        return TfliteModel(GOLDEN / "stress_random.tflite", runtime=name)
    layers = Int8Layers(GOLDEN / "stress_random_int8.tflite", runtime=runtime)
    return SplitModel(layers, TfliteModel(GOLDEN / "stress_random_tail.tflite", runtime=runtime))


@pytest.fixture(params=IMPLEMENTATIONS)
def model(request: pytest.FixtureRequest) -> SignatureModel:
    return build(request.param)


@pytest.fixture
def batch(rng: np.random.Generator) -> dict[str, np.ndarray]:
    x = rng.normal(size=(16, 26)).astype(np.float32)
    stressed = x[:, 0] + x[:, 1] > 0
    y = np.stack([~stressed, stressed], axis=1).astype(np.float32)
    return {"x": x, "y": y, "weight": np.ones(16, np.float32)}


def as_bytes(arrays: dict[str, np.ndarray]) -> dict[str, bytes]:
    return {name: value.tobytes() for name, value in sorted(arrays.items())}


def trained(model: SignatureModel, batch: dict[str, np.ndarray], n_steps: int = 5) -> list[float]:
    rates = {"lr": ALL_LR, "anchor": NO_ANCHOR}
    return [float(model.run("train", **batch, **rates)["loss"][0]) for _ in range(n_steps)]


def test_signatures_are_the_contract_when_loaded(model: SignatureModel) -> None:
    shapes = {
        name: (
            {n: s.shape for n, s in signature.inputs.items()},
            {n: s.shape for n, s in signature.outputs.items()},
        )
        for name, signature in model.signatures.items()
    }
    assert set(shapes) >= {"infer", "evaluate", "train", "get_adapter", "set_adapter", "reset"}
    assert shapes["infer"] == ({"x": (1, 26)}, {"logits": (1, 2), "probs": (1, 2)})
    batch = {"x": (16, 26), "y": (16, 2), "weight": (16,)}
    assert shapes["evaluate"] == (batch, {"loss": (1,), "probs": (16, 2)})
    assert shapes["train"] == ({**batch, "lr": (3,), "anchor": (1,)}, {"loss": (1,)})
    assert shapes["get_adapter"][1] == shapes["set_adapter"][0]


def test_infer_gives_a_distribution_when_called(
    model: SignatureModel, rng: np.random.Generator
) -> None:
    out = model.run("infer", x=rng.normal(size=(1, 26)).astype(np.float32))
    assert out["probs"].dtype == np.float32
    assert out["probs"].sum() == pytest.approx(1.0, abs=1e-6)
    odds = np.log(out["probs"][0, 1] / out["probs"][0, 0])
    assert odds == pytest.approx(out["logits"][0, 1] - out["logits"][0, 0], abs=1e-4)


BAD_INPUTS = {
    "shape": ({"x": np.zeros((2, 26), np.float32)}, r"infer\(x\): expected shape \(1, 26\)"),
    "length": ({"x": np.zeros((1, 25), np.float32)}, r"received \(1, 25\)"),
    "dtype": ({"x": np.zeros((1, 26))}, "expected a float32 array, received float64"),
    "list": ({"x": [[0.0] * 26]}, "expected a float32 array, received list"),
    "nan": ({"x": np.full((1, 26), np.nan, np.float32)}, "received 26 NaN or inf of 26"),
    "inf": ({"x": np.full((1, 26), np.inf, np.float32)}, "NaN or inf"),
    "missing": ({}, "missing: x"),
    "unknown": (
        {"x": np.zeros((1, 26), np.float32), "z": np.zeros(1, np.float32)},
        "unknown: z",
    ),
}


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_bad_call_is_refused_and_the_next_works(model: SignatureModel, case: str) -> None:
    good = np.linspace(-1, 1, 26, dtype=np.float32)[None]
    before = model.run("infer", x=good)
    arrays, message = BAD_INPUTS[case]
    with pytest.raises(InferenceError, match=message) as caught:
        model.run("infer", **arrays)
    assert "\n" not in str(caught.value)
    assert as_bytes(model.run("infer", x=good)) == as_bytes(before)


def test_unknown_signature_is_refused_when_called(model: SignatureModel) -> None:
    with pytest.raises(InferenceError, match=r"no signature 'predict'.*evaluate.*infer"):
        model.run("predict")


def test_outputs_stay_when_the_next_call_runs(
    model: SignatureModel, rng: np.random.Generator, batch: dict[str, np.ndarray]
) -> None:
    first = model.run("infer", x=rng.normal(size=(1, 26)).astype(np.float32))
    adapter = model.run("get_adapter")
    kept, kept_adapter = as_bytes(first), as_bytes(adapter)
    trained(model, batch)
    model.run("infer", x=rng.normal(size=(1, 26)).astype(np.float32))
    model.run("get_adapter")
    assert as_bytes(first) == kept
    assert as_bytes(adapter) == kept_adapter
    first["probs"][:] = 0.0
    assert model.run("infer", x=np.zeros((1, 26), np.float32))["probs"].sum() == pytest.approx(1)


def test_training_lowers_the_loss_when_repeated(
    model: SignatureModel, batch: dict[str, np.ndarray]
) -> None:
    losses = trained(model, batch, 40)
    assert losses[-1] < 0.3 * losses[0]
    assert float(model.run("evaluate", **batch)["loss"][0]) < losses[0]


def test_infer_uses_each_group_when_it_was_trained(
    model: SignatureModel, batch: dict[str, np.ndarray]
) -> None:
    """An exported file may infer with the values it was converted with; then learning is vain."""
    generic = model.run("get_adapter")
    x = batch["x"][:1]
    before = model.run("infer", x=x)["logits"]
    has_lora = any(name.startswith("lora") for name in generic)
    for rates in ([0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5])[: 3 if has_lora else 2]:
        model.run("set_adapter", **generic)
        for _ in range(5):
            model.run("train", **batch, lr=np.array(rates, np.float32), anchor=NO_ANCHOR)
        after = model.run("infer", x=x)["logits"]
        assert np.abs(after - before).max() > 0.01
        probs = model.run("evaluate", **batch)["probs"][:1]
        np.testing.assert_allclose(model.run("infer", x=x)["probs"], probs, atol=1e-6)


def test_evaluate_changes_nothing_when_called(
    model: SignatureModel, batch: dict[str, np.ndarray]
) -> None:
    before = as_bytes(model.run("get_adapter"))
    first = as_bytes(model.run("evaluate", **batch))
    assert as_bytes(model.run("evaluate", **batch)) == first
    assert as_bytes(model.run("get_adapter")) == before


def test_group_keeps_its_bits_when_its_rate_is_zero(
    model: SignatureModel, batch: dict[str, np.ndarray]
) -> None:
    before = as_bytes(model.run("get_adapter"))
    for _ in range(3):
        model.run("train", **batch, lr=HEAD_LR, anchor=np.ones(1, np.float32))
    after = as_bytes(model.run("get_adapter"))
    same = {name for name in before if before[name] == after[name]}
    assert same == {name for name in before if "lora" in name}


def test_adapter_comes_back_when_reset_and_set(
    model: SignatureModel, batch: dict[str, np.ndarray]
) -> None:
    generic = as_bytes(model.run("get_adapter"))
    trained(model, batch)
    personal = model.run("get_adapter")
    assert as_bytes(personal) != generic
    model.run("reset")
    assert as_bytes(model.run("get_adapter")) == generic
    model.run("set_adapter", **personal)
    assert as_bytes(model.run("get_adapter")) == as_bytes(personal)


def test_adapter_survives_when_set_is_the_first_call(
    model: SignatureModel, batch: dict[str, np.ndarray], request: pytest.FixtureRequest
) -> None:
    trained(model, batch)
    personal = model.run("get_adapter")
    fresh = build(request.node.callspec.params["model"])
    fresh.run("set_adapter", **personal)
    assert as_bytes(fresh.run("evaluate", **batch)) == as_bytes(model.run("evaluate", **batch))


def test_models_are_independent_when_one_trains(
    model: SignatureModel, batch: dict[str, np.ndarray], request: pytest.FixtureRequest
) -> None:
    other = build(request.node.callspec.params["model"])
    before = as_bytes(other.run("evaluate", **batch))
    trained(model, batch)
    assert as_bytes(other.run("evaluate", **batch)) == before


def test_row_does_not_count_when_its_weight_is_zero(
    model: SignatureModel, batch: dict[str, np.ndarray]
) -> None:
    batch["weight"][11:] = 0.0
    first = trained(model, batch)
    short = as_bytes(model.run("get_adapter"))
    model.run("reset")
    batch["x"][11:] = 5.0
    batch["y"][11:] = [[1.0, 0.0]]
    assert trained(model, batch) == pytest.approx(first)
    arrays = model.run("get_adapter")
    for name, value in short.items():
        np.testing.assert_allclose(arrays[name].ravel(), np.frombuffer(value, np.float32), 0, 1e-6)


def test_loss_is_zero_when_every_weight_is_zero(
    model: SignatureModel, batch: dict[str, np.ndarray]
) -> None:
    batch["weight"][:] = 0.0
    before = as_bytes(model.run("get_adapter"))
    assert trained(model, batch) == [0.0] * 5
    assert as_bytes(model.run("get_adapter")) == before


def test_anchor_pulls_back_to_generic_when_there_is_no_data(
    model: SignatureModel, batch: dict[str, np.ndarray]
) -> None:
    generic = model.run("get_adapter")
    trained(model, batch, 10)

    def distance() -> float:
        now = model.run("get_adapter")
        names = [name for name in now if not name.startswith("momentum_")]
        return sum(float(np.abs(now[name] - generic[name]).sum()) for name in names)

    batch["weight"][:] = 0.0
    start = distance()
    for _ in range(200):
        model.run("train", **batch, lr=ALL_LR, anchor=np.ones(1, np.float32))
    assert distance() < 0.05 * start


def test_answers_are_right_when_two_threads_call(
    model: SignatureModel, batch: dict[str, np.ndarray]
) -> None:
    x = batch["x"][:1]
    expected = as_bytes(model.run("infer", x=x))
    frozen = {"lr": np.zeros(3, np.float32), "anchor": NO_ANCHOR}
    wrong: list[dict[str, bytes]] = []

    def infer() -> None:
        for _ in range(300):
            answer = as_bytes(model.run("infer", x=x))
            if answer != expected:
                wrong.append(answer)

    def learn() -> None:
        for _ in range(300):
            model.run("train", **batch, **frozen)

    threads = [threading.Thread(target=infer), threading.Thread(target=learn)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("name", list(RUNTIMES))
def test_runtime_follows_the_oracle_when_training(name: str, batch: dict[str, np.ndarray]) -> None:
    table, model = build("table"), build(name)
    np.testing.assert_allclose(trained(model, batch, 20), trained(table, batch, 20), rtol=1e-4)
    expected, received = table.run("get_adapter"), model.run("get_adapter")
    for array in expected:
        # Float32 rounding over 20 steps; a ReLU that flips near zero would show as 1e-3.
        np.testing.assert_allclose(received[array], expected[array], atol=2e-5, err_msg=array)


@pytest.mark.parametrize("name", list(RUNTIMES))
def test_model_in_two_files_says_nearly_what_it_says_in_one(
    name: str, rng: np.random.Generator
) -> None:
    whole, split = build(name), build(f"split {name}")
    for x in rng.normal(size=(40, 1, 26)).astype(np.float32):
        expected, received = whole.run("infer", x=x), split.run("infer", x=x)
        # Two int8 layers, whose outputs are some units: a step is a hundredth.
        assert np.abs(received["logits"] - expected["logits"]).max() < 0.15
