"""Small files: what int8 rounds, and that storing it changes no bit on any runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_host.inference.tflite import RUNTIMES, installed_runtimes
from models.int8 import MIN_VALUES, rounded
from tests.training.file_outputs import outputs_apart
from tests.training.gait_weights import random_gait_weights
from training.bundle.compact import store_compactly
from training.bundle.flatbuffer import pack, unpack
from training.bundle.op_gate import OpGateError, check_ops, op_versions

pytestmark = pytest.mark.needs_tf

STORAGES = ("int8", "float32", "dynamic-range")


def networks() -> dict[str, object]:
    from models.gait import GaitNet
    from models.stress import StressNet, random_weights
    from training.bundle.rounding import rounded_weights

    rng = np.random.default_rng(5)
    gait = random_gait_weights(rng, n_features=120, n_directions=12)
    return {
        "stress": StressNet(rounded_weights(random_weights(rng, 26))),
        "gait": GaitNet(rounded_weights(gait)),
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    from training.bundle.tflite_file import convert

    folder = tmp_path_factory.mktemp("files")
    made = {}
    for name, network in networks().items():
        for storage in STORAGES:
            made[name, storage] = folder / f"{name}-{storage}.tflite"
            made[name, storage].write_bytes(convert(network, storage=storage))
    return made


def worst(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> float:
    assert set(first) == set(second)
    assert all(np.isfinite(v).all() for v in second.values())
    return max(float(np.abs(first[n] - second[n]).max()) for n in first)


@pytest.mark.parametrize("runtime", list(RUNTIMES))
@pytest.mark.parametrize("name", ["stress", "gait"])
def test_int8_gives_the_same_bits_as_float_when_trained_and_restored(
    files: dict[tuple[str, str], Path], name: str, runtime: str
) -> None:
    plain = outputs_apart(files[name, "float32"], runtime)
    small = outputs_apart(files[name, "int8"], runtime)
    assert worst(plain, small) == 0.0
    # What a broken runtime would give: nothing, or the same whatever it is asked.
    assert np.ptp([small[f"loss {i}"] for i in range(30)]) > 0.01
    assert all(np.abs(v).max() > 0 for n, v in small.items() if n.startswith("trained"))


@pytest.mark.parametrize("name", ["stress", "gait"])
def test_runtimes_agree_when_the_int8_file_is_trained_and_restored(
    files: dict[tuple[str, str], Path], name: str
) -> None:
    found = [outputs_apart(files[name, "int8"], r) for r in installed_runtimes()]
    assert all(worst(found[0], other) < 1e-4 for other in found[1:])


@pytest.mark.parametrize("name", ["stress", "gait"])
def test_state_comes_back_to_the_bit_when_restored(
    files: dict[tuple[str, str], Path], name: str
) -> None:
    found = outputs_apart(files[name, "int8"], installed_runtimes()[0])
    for key in [key for key in found if key.startswith("state again")]:
        np.testing.assert_array_equal(found[key], found[key.replace(" again", "")])


def test_dynamic_range_moves_training_and_int8_does_not(
    files: dict[tuple[str, str], Path],
) -> None:
    # The reason it does not ship: activations are rounded too, on the way to the gradients.
    plain = outputs_apart(files["gait", "float32"], installed_runtimes()[0])
    dynamic = outputs_apart(files["gait", "dynamic-range"], installed_runtimes()[0])
    assert worst(plain, dynamic) > 1e-3


def test_int8_is_the_smallest_that_keeps_every_bit(files: dict[tuple[str, str], Path]) -> None:
    for name in ("stress", "gait"):
        assert files[name, "int8"].stat().st_size < 0.9 * files[name, "float32"].stat().st_size


def test_no_op_is_too_new_and_none_rounds_activations_when_stored_as_int8(
    files: dict[tuple[str, str], Path],
) -> None:
    for name in ("stress", "gait"):
        versions = op_versions(files[name, "int8"].read_bytes())
        assert versions.pop("DEQUANTIZE") == 5
        assert set(versions.values()) == {1}
        assert not {"QUANTIZE", "FAKE_QUANT"} & set(versions)


def test_float16_is_refused_because_the_old_runtime_computes_it_wrongly() -> None:
    import tensorflow as tf

    weights = np.random.default_rng(1).normal(size=(40, 40)).astype(np.float32)
    layer = tf.function(lambda x: tf.matmul(x, weights))
    function = layer.get_concrete_function(tf.TensorSpec((1, 40), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    with pytest.raises(OpGateError, match="float16 constants"):
        check_ops(converter.convert())


def test_packing_again_changes_nothing(files: dict[tuple[str, str], Path]) -> None:
    content = files["gait", "int8"].read_bytes()
    assert pack(unpack(content)) == content


def test_weights_off_the_grid_stay_float_when_stored(
    files: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    model = unpack(files["stress", "float32"].read_bytes())
    large = [b for b in model.buffers if b.data is not None and len(b.data) >= 4 * MIN_VALUES]
    for buffer in large:
        values = np.array(buffer.data, np.uint8).view(np.float32)
        buffer.data = (values + np.float32(np.pi) * 1e-3).view(np.uint8)
    moved = pack(model)
    store_compactly(model)
    assert pack(model) == moved
    check_ops(moved)


def test_rounding_moves_a_weight_by_half_a_level_at_most(rng: np.random.Generator) -> None:
    weights = rng.normal(size=(40, 30)).astype(np.float32) * np.logspace(-3, 3, 40)[:, None]
    weights[7] = 0.0
    there = rounded(weights.astype(np.float32), 0)
    step = np.abs(weights).max(axis=1, keepdims=True) / 127
    assert (np.abs(there - weights) <= 0.5001 * step).all()
    assert not there[7].any()
    np.testing.assert_array_equal(rounded(there, 0), there)
