"""4-bit files: unpacked to the bit, the same network otherwise, on both runtimes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from firmware_host.inference.tflite import RUNTIMES, installed_runtimes
from models import nf4
from tests.training.file_outputs import REPO, outputs_apart
from tests.training.gait_weights import random_gait_weights
from training.bundle.arena import MAX_ARENA_BYTES, planned
from training.bundle.flatbuffer import pack, unpack
from training.bundle.nf4 import store_as_nf4
from training.bundle.op_gate import check_ops, op_versions

pytestmark = pytest.mark.needs_tf

N_FEATURES, N_DIRECTIONS = 120, 24
# Adding up in another order, through 30 steps; a ReLU that flips near zero would show as 1e-3.
TOLERANCE = 1e-4


def networks(backbone: str):
    """Both networks with their weights on 4-bit levels, the directions unpacked or not."""
    import tensorflow as tf

    from models.gait_stored import FloatGaitNet, FourBitGaitNet
    from models.stress import StressNet, random_weights
    from training.bundle.rounding import rounded_weights

    tf.keras.utils.set_random_seed(5)
    rng = np.random.default_rng(5)
    stress = rounded_weights(random_weights(rng, 26), "nf4")
    gait = rounded_weights(random_gait_weights(rng, N_FEATURES, N_DIRECTIONS), "nf4")
    gait_net = FourBitGaitNet(gait) if backbone == "nf4" else FloatGaitNet(gait)
    return {"stress": StressNet(stress), "gait": gait_net}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    from training.bundle.tflite_file import convert

    folder, made = tmp_path_factory.mktemp("files"), {}
    for storage in ("nf4", "float32"):
        for name, network in networks(storage).items():
            made[name, storage] = folder / f"{name}-{storage}.tflite"
            made[name, storage].write_bytes(convert(network, storage=storage))
    return made


@pytest.mark.parametrize("runtime", list(RUNTIMES))
@pytest.mark.parametrize("name", ["stress", "gait"])
def test_four_bits_compute_and_learn_what_the_same_weights_do_as_floats(
    files: dict[tuple[str, str], Path], name: str, runtime: str
) -> None:
    plain = outputs_apart(files[name, "float32"], runtime)
    small = outputs_apart(files[name, "nf4"], runtime)
    assert set(plain) == set(small)
    for key, expected in plain.items():
        np.testing.assert_allclose(
            small[key], expected, atol=TOLERANCE, rtol=TOLERANCE, err_msg=key
        )
    assert np.ptp([small[f"loss {i}"] for i in range(30)]) > 0.01


@pytest.mark.parametrize("name", ["stress", "gait"])
def test_runtimes_agree_and_state_comes_back_in_four_bits(
    files: dict[tuple[str, str], Path], name: str
) -> None:
    found = [outputs_apart(files[name, "nf4"], runtime) for runtime in installed_runtimes()]
    for key, expected in found[0].items():
        for other in found[1:]:
            np.testing.assert_allclose(other[key], expected, atol=TOLERANCE, rtol=TOLERANCE)
    for key in [key for key in found[0] if key.startswith("state again")]:
        np.testing.assert_array_equal(found[0][key], found[0][key.replace(" again", "")])


@pytest.mark.parametrize("name", ["stress", "gait"])
def test_every_function_stays_within_the_arena_in_four_bits(
    files: dict[tuple[str, str], Path], name: str
) -> None:
    found = {n: a.total for n, a in planned(files[name, "nf4"].read_bytes()).items()}
    assert {"train", "evaluate", "accumulate", "apply"} <= set(found)
    assert max(found.values()) <= MAX_ARENA_BYTES


def test_codes_are_in_the_file_and_floats_are_not(files: dict[tuple[str, str], Path]) -> None:
    from models.stress import random_weights
    from training.bundle.rounding import rounded_weights

    content = files["stress", "nf4"].read_bytes()
    weights = rounded_weights(random_weights(np.random.default_rng(5), 26), "nf4")
    for matrix in (weights.dense1_w, weights.dense2_w):
        packed = nf4.quantise(matrix)
        assert content.count(packed.codes.tobytes()) == 1
        assert content.count(packed.scale.tobytes()) == 1
        assert matrix.tobytes() not in content
        assert np.ascontiguousarray(matrix.T).tobytes() not in content


def test_old_ops_suffice(files: dict[tuple[str, str], Path]) -> None:
    for name in ("stress", "gait"):
        content = files[name, "nf4"].read_bytes()
        check_ops(content)
        assert {"CAST", "GATHER"} <= set(op_versions(content))
        assert {v for n, v in op_versions(content).items() if n != "DEQUANTIZE"} == {1}


def test_weights_off_the_levels_stay_floats(files: dict[tuple[str, str], Path]) -> None:
    from models.stress import StressNet, random_weights
    from training.bundle.tflite_file import convert

    content = convert(StressNet(random_weights(np.random.default_rng(2), 26)), storage="float32")
    model = unpack(content)
    store_as_nf4(model)
    assert len(pack(model)) == len(content)
    assert "GATHER" not in op_versions(pack(model))


UNPACKED = """
import sys, numpy as np
from firmware_host.inference.tflite import TfliteModel
model = TfliteModel(sys.argv[1], runtime=sys.argv[2])
np.save(sys.argv[3], model.run("infer", x=np.eye(26, dtype=np.float32))["y"])
assert "tensorflow" not in sys.modules
"""


@pytest.mark.parametrize("runtime", list(RUNTIMES))
def test_unpacked_weights_are_those_of_numpy_to_the_bit(tmp_path: Path, runtime: str) -> None:
    """Multiplied by the identity, a matrix comes out as it was unpacked."""
    import tensorflow as tf

    matrix = nf4.rounded(np.random.default_rng(8).normal(size=(64, 26)).astype(np.float32))

    class Layer(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((26, 26), tf.float32, name="x")])
        def infer(self, x):
            return {"y": tf.matmul(x, matrix, transpose_b=True)}

    layer = Layer()
    tf.saved_model.save(layer, str(tmp_path / "s"), signatures={"infer": layer.infer})
    made = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "s"), ["infer"]).convert()
    model = unpack(made)
    store_as_nf4(model)
    path, out = tmp_path / "layer.tflite", tmp_path / "out.npy"
    path.write_bytes(pack(model))
    assert matrix.tobytes() not in path.read_bytes()
    command = [sys.executable, "-c", UNPACKED, str(path), runtime, str(out)]
    subprocess.run(command, cwd=REPO, check=True, capture_output=True)
    assert np.load(out).T.tobytes() == matrix.tobytes()


def test_logits_are_those_of_a_forward_in_float64(files: dict[tuple[str, str], Path]) -> None:
    from models.stress import random_weights
    from training.bundle.rounding import rounded_weights

    weights = rounded_weights(random_weights(np.random.default_rng(5), 26), "nf4")
    w = {name: value.astype(np.float64) for name, value in weights.arrays().items()}
    x = np.random.default_rng(9).normal(size=(16, 26))
    h1 = np.maximum(x @ w["dense1_w"].T + w["dense1_b"], 0.0)
    h2 = np.maximum(h1 @ w["dense2_w"].T + w["dense2_b"], 0.0)
    expected = np.concatenate([h2, x], axis=1) @ w["head_w"].T + w["head_b"]
    for runtime in installed_runtimes():
        received = logits_apart(files["stress", "nf4"], runtime, x)
        assert np.abs(received - expected).max() <= 2e-6 * np.abs(expected).max() + 1e-6


LOGITS = """
import sys, numpy as np
from firmware_host.inference.tflite import TfliteModel
model = TfliteModel(sys.argv[1], runtime=sys.argv[2])
rows = np.load(sys.argv[3]).astype(np.float32)
np.save(sys.argv[3], np.concatenate([model.run("infer", x=r[None])["logits"] for r in rows]))
assert "tensorflow" not in sys.modules
"""


def logits_apart(path: Path, runtime: str, x: np.ndarray) -> np.ndarray:
    at = path.with_suffix(f".{runtime}.x.npy")
    np.save(at, x.astype(np.float32))
    command = [sys.executable, "-c", LOGITS, str(path), runtime, str(at)]
    subprocess.run(command, cwd=REPO, check=True, capture_output=True)
    return np.load(at)
