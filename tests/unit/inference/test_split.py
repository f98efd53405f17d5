"""A model in two files: what the first computes is filled in for the second, row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_host.errors import BundleError, InferenceError
from firmware_host.inference.base import signature_of
from firmware_host.inference.int8_layers import Int8Layers
from firmware_host.inference.split import SplitModel
from firmware_host.inference.tflite import RUNTIMES, installed_runtimes

FILE = Path(__file__).resolve().parents[2] / "golden" / "stress_random_int8.tflite"


class _Doubling:
    """Layers that double, and remember how they were asked."""

    runs_on = "CPU: it is a fake"

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, x):
        self.shapes.append(x.shape)
        return 2.0 * x


class _Tail:
    """Gives back what it was given."""

    def __init__(self) -> None:
        pair = {name: (3, 2) for name in ("more", "less", "more_hidden", "less_hidden")}
        self.signatures = {
            "prefer": signature_of("prefer", {**pair, "lr": (3,)}, {"loss": (1,)}),
            "infer": signature_of("infer", {"imu": (1, 2), "imu_hidden": (1, 2)}, {}),
            "prepare_imu": signature_of("prepare_imu", {"imu": (1, 2)}, {"imu": (1, 2)}),
            "reset": signature_of("reset", {}, {}),
        }

    def run(self, signature, **arrays):
        assert set(arrays) == set(self.signatures[signature].inputs)
        return {"imu": arrays["imu"] + 1.0} if signature == "prepare_imu" else arrays


def model() -> tuple[SplitModel, _Doubling]:
    layers = _Doubling()
    return SplitModel(layers, _Tail()), layers


def test_callers_see_the_whole_model() -> None:
    signatures = model()[0].signatures
    assert set(signatures) == {"prefer", "infer", "reset"}
    assert set(signatures["prefer"].inputs) == {"more", "less", "lr"}


def test_each_input_gets_its_own_hidden_part_row_by_row(rng: np.random.Generator) -> None:
    split, layers = model()
    more, less = rng.normal(size=(2, 3, 2)).astype(np.float32)
    received = split.run("prefer", more=more, less=less, lr=np.ones(3, np.float32))
    np.testing.assert_array_equal(received["more_hidden"], 2.0 * more)
    np.testing.assert_array_equal(received["less_hidden"], 2.0 * less)
    assert layers.shapes == [(1, 2)] * 6


def test_input_is_prepared_where_there_is_a_function_for_it() -> None:
    imu = np.array([[1.0, 2.0]], np.float32)
    np.testing.assert_array_equal(model()[0].run("infer", imu=imu)["imu_hidden"], 2.0 * (imu + 1.0))


def test_bad_input_never_reaches_the_layers() -> None:
    split, layers = model()
    for bad in (np.zeros((2, 2), np.float32), np.full((1, 2), np.nan, np.float32)):
        with pytest.raises(InferenceError):
            split.run("infer", imu=bad)
    with pytest.raises(InferenceError, match="no signature 'prepare_imu'"):
        split.run("prepare_imu", imu=np.zeros((1, 2), np.float32))
    assert layers.shapes == []


def test_it_says_what_both_parts_run_on() -> None:
    assert model()[0].runs_on == "plain numpy; int8 layers on CPU: it is a fake"


@pytest.fixture(params=list(RUNTIMES))
def layers(request: pytest.FixtureRequest) -> Int8Layers:
    if request.param not in installed_runtimes():
        pytest.skip(f"{request.param} is not installed here")
    return Int8Layers(FILE, runtime=request.param)


def test_values_beyond_int8_count_as_its_end(layers: Int8Layers) -> None:
    # A wrap-around would turn a very large feature into a very small one.
    far, further = (layers.run(np.full((1, 26), v, np.float32)) for v in (1e3, 1e6))
    assert far.tobytes() == further.tobytes()
    assert not np.array_equal(far, layers.run(np.full((1, 26), -1e3, np.float32)))


def test_wrong_shape_never_reaches_the_runtime(layers: Int8Layers) -> None:
    row = np.ones((1, 26), np.float32)
    before = layers.run(row)
    with pytest.raises(InferenceError, match=r"expected shape \(1, 26\), received \(2, 26\)"):
        layers.run(np.ones((2, 26), np.float32))
    assert layers.run(row).tobytes() == before.tobytes()


def test_output_stays_when_the_next_row_runs(layers: Int8Layers) -> None:
    first = layers.run(np.ones((1, 26), np.float32))
    kept = first.tobytes()
    layers.run(-np.ones((1, 26), np.float32))
    assert first.tobytes() == kept


def test_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such file") as caught:
        Int8Layers(tmp_path / "layers.tflite")
    assert "\n" not in str(caught.value)
