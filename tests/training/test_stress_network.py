"""The hand-derived backward against autodiff, and the exported file against TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_host.inference.tflite import RUNTIMES, TfliteModel
from training.stress.numpy_model import TableModel

pytestmark = pytest.mark.needs_tf
GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def scrambled(rng: np.random.Generator, n_features: int):
    """Weights whose low-rank B is not zero, so that every gradient has something to say."""
    from dataclasses import replace

    from models.stress import random_weights

    weights = random_weights(rng, n_features)
    return replace(
        weights,
        lora1_b=rng.normal(0, 0.3, weights.lora1_b.shape).astype(np.float32),
        lora2_b=rng.normal(0, 0.3, weights.lora2_b.shape).astype(np.float32),
        dense1_b=rng.normal(0, 0.3, weights.dense1_b.shape).astype(np.float32),
        head_b=rng.normal(0, 0.3, 2).astype(np.float32),
    )


def random_batch(rng: np.random.Generator, n_features: int) -> dict[str, np.ndarray]:
    return {
        "x": rng.normal(size=(16, n_features)).astype(np.float32),
        "y": np.eye(2, dtype=np.float32)[rng.integers(0, 2, 16)],
        "weight": rng.uniform(0.0, 1.0, 16).astype(np.float32),
    }


def twin_gradients(network, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Autodiff of the same network written a second time, with its own loss."""
    import tensorflow as tf

    v, f, s = network.adapter.values, network._frozen, network._scale
    names = sorted(v)
    with tf.GradientTape() as tape:
        w1 = f["dense1_w"] + s * v["lora1_b"] @ v["lora1_a"]
        w2 = f["dense2_w"] + s * v["lora2_b"] @ v["lora2_a"]
        h1 = tf.nn.relu(tf.linalg.matmul(batch["x"], w1, transpose_b=True) + f["dense1_b"])
        h2 = tf.nn.relu(tf.linalg.matmul(h1, w2, transpose_b=True) + f["dense2_b"])
        n_hidden = h2.shape[1]
        hidden = tf.linalg.matmul(h2, v["head_w"][:, :n_hidden], transpose_b=True)
        skip = tf.linalg.matmul(batch["x"], v["head_w"][:, n_hidden:], transpose_b=True)
        logits = hidden + skip + v["head_b"]
        rows = tf.nn.softmax_cross_entropy_with_logits(batch["y"], logits)
        loss = tf.reduce_sum(rows * batch["weight"]) / tf.reduce_sum(batch["weight"])
    return dict(zip(names, tape.gradient(loss, [v[n] for n in names]), strict=True))


@pytest.mark.parametrize("seed", range(12))
def test_gradients_are_autodiff_when_shapes_are_random(seed: int) -> None:
    from models import backward
    from models.stress import StressNet

    rng = np.random.default_rng(seed)
    n_features = int(rng.integers(3, 60))
    network = StressNet(scrambled(rng, n_features))
    batch = random_batch(rng, n_features)
    logits, kept = network.logits(network.adapter.values, x=batch["x"])
    _, d_logits = backward.softmax_loss(logits, batch["y"], backward.row_shares(batch["weight"]))
    received = network.gradients(kept, d_logits)
    for name, expected in twin_gradients(network, batch).items():
        scale = np.abs(expected).max()
        assert np.abs(received[name] - expected).max() <= 1e-5 * scale, name


def test_sigmoid_loss_is_autodiff_when_logits_are_large() -> None:
    import tensorflow as tf

    from models import backward

    logits = tf.constant([[-80.0], [-3.0], [0.0], [2.0], [90.0]])
    y = np.array([[1.0], [0.0], [1.0], [1.0], [0.0]], np.float32)
    shares = np.full((5, 1), 0.2, np.float32)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        rows = tf.nn.sigmoid_cross_entropy_with_logits(y, logits)
        expected = tf.reduce_sum(rows * shares)
    loss, d_logits = backward.sigmoid_loss(logits, y, shares)
    assert float(loss[0]) == pytest.approx(float(expected), rel=1e-6)
    np.testing.assert_allclose(d_logits, tape.gradient(expected, logits), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("runtime", list(RUNTIMES))
def test_file_follows_tensorflow_when_training(runtime: str, tmp_path: Path) -> None:
    import tensorflow as tf

    from models.stress import StressNet
    from training.bundle.tflite_file import convert

    rng = np.random.default_rng(5)
    weights = scrambled(rng, 26)
    network = StressNet(weights)
    path = tmp_path / "stress.tflite"
    path.write_bytes(convert(network))
    model, table = TfliteModel(path, runtime=runtime), TableModel(weights.arrays())
    rates = {"lr": np.array([0.1, 0.02, 0.01], np.float32), "anchor": np.full(1, 0.1, np.float32)}
    for _ in range(40):
        batch = random_batch(rng, 26)
        expected = float(
            network.train(**{k: tf.constant(v) for k, v in (batch | rates).items()})["loss"][0]
        )
        assert float(model.run("train", **batch, **rates)["loss"][0]) == pytest.approx(
            expected, rel=1e-3
        )
        assert float(table.run("train", **batch, **rates)["loss"][0]) == pytest.approx(
            expected, rel=1e-3
        )
    received = model.run("get_adapter")
    for name, value in network.adapter.read().items():
        # 2e-3: one ReLU near zero may flip between two float32 summation orders.
        np.testing.assert_allclose(received[name], value, atol=2e-3, err_msg=name)


def test_file_is_the_same_bytes_when_converted_again() -> None:
    import tensorflow as tf

    from tests.golden.make_golden_model import convert

    if not tf.__version__.startswith("2.19."):
        # Another converter writes other bytes; the golden numbers are tested all the same.
        assert abs(len(convert()) - (GOLDEN / "stress_random.tflite").stat().st_size) < 2000
        return
    assert convert() == (GOLDEN / "stress_random.tflite").read_bytes()


def test_file_fits_a_pocket_when_converted() -> None:
    assert (GOLDEN / "stress_random.tflite").stat().st_size < 64_000


def test_op_gate_names_the_op_when_it_is_not_built_in() -> None:
    import tensorflow as tf

    from training.bundle.op_gate import OpGateError, check_ops, op_versions

    golden = op_versions((GOLDEN / "stress_random.tflite").read_bytes())
    assert golden["FULLY_CONNECTED"] == 1
    function = tf.function(tf.math.erfc).get_concrete_function(tf.TensorSpec([4], tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.allow_custom_ops = True
    with pytest.raises(OpGateError, match="CUSTOM:Erfc"):
        check_ops(converter.convert())


def test_op_gate_names_the_version_when_it_is_too_new() -> None:
    import tensorflow as tf

    from training.bundle.op_gate import OpGateError, check_ops

    weight = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    function = tf.function(lambda x: tf.matmul(x, weight)).get_concrete_function(
        tf.TensorSpec([1, 64], tf.float32)
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    with pytest.raises(OpGateError, match="FULLY_CONNECTED v12"):
        check_ops(converter.convert())


def test_op_gate_refuses_bytes_that_are_turned_around() -> None:
    import tensorflow as tf

    from training.bundle.op_gate import OpGateError, check_ops

    codes = np.random.default_rng(0).integers(1, 255, (3, 8, 16)).astype(np.uint8)

    def turned(which: tf.Tensor) -> tf.Tensor:
        chosen = tf.reshape(tf.gather(codes, tf.cast(which, tf.int32)), [8, 16])
        return tf.cast(tf.transpose(chosen), tf.float32)

    function = tf.function(turned).get_concrete_function(tf.TensorSpec([1], tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    with pytest.raises(OpGateError, match="TRANSPOSE of bytes"):
        check_ops(converter.convert())
