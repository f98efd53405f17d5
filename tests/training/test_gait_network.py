"""The gait network: backward against autodiff, folded gate against Keras, files against TF."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.errors import InferenceError
from firmware_host.inference.placed import PlacedModel
from firmware_host.inference.tflite import RUNTIMES, TfliteModel
from models import int8
from tests.training.gait_weights import (
    identity_arrays,
    one_hot,
    random_batch,
    random_gait_weights,
)
from training.gait.numpy_model import NumpyGaitModel

pytestmark = pytest.mark.needs_tf

LR = np.array([0.05, 0.05, 0.02], np.float32)
ANCHOR = np.array([0.01], np.float32)


def _twin_gradients(network, weights, batch, place):
    """Autodiff of the same network written a second time."""
    import tensorflow as tf

    v = network.adapter.values
    names = sorted(v)
    with tf.GradientTape() as tape:
        x = tf.clip_by_value(
            (batch["features"] - weights.center[place]) / weights.scale[place], -5.0, 5.0
        )
        directions = weights.directions[place]
        taken = (directions.T * weights.shrink[place]) @ directions
        whitening = np.eye(weights.n_features) - taken
        matrix = tf.constant(whitening, tf.float32) + 2.0 * v["lora_b"] @ v["lora_a"]
        y = tf.linalg.matmul(x, matrix, transpose_b=True)
        unit = y / tf.norm(y, axis=1, keepdims=True)
        gain = 0.3 * np.sqrt(weights.n_features).astype(np.float32)
        logits = tf.linalg.matmul(gain * unit, v["head_w"], transpose_b=True) + v["head_b"]
        rows = tf.nn.sigmoid_cross_entropy_with_logits(labels=batch["y"], logits=logits)[:, 0]
        loss = tf.reduce_sum(rows * batch["weight"]) / tf.reduce_sum(batch["weight"])
    return dict(zip(names, tape.gradient(loss, [v[n] for n in names]), strict=True)), loss


@pytest.mark.parametrize("seed", range(6))
def test_gradients_are_autodiff_when_shapes_are_random(seed):
    from models import backward
    from models.gait import GaitNet

    rng = np.random.default_rng(seed)
    weights = random_gait_weights(rng, n_features=int(rng.integers(8, 60)))
    network = GaitNet(weights)
    batch = random_batch(rng, weights.n_features)
    place = seed % 2
    data = {"features": batch["features"], "placement": one_hot(place)}
    logits, kept = network.logits(network.adapter.values, **data)
    loss, d_logits = backward.sigmoid_loss(logits, batch["y"], backward.row_shares(batch["weight"]))
    expected, expected_loss = _twin_gradients(network, weights, batch, place)
    assert float(loss[0]) == pytest.approx(float(expected_loss), rel=1e-5)
    received = network.gradients(kept, d_logits)
    assert set(received) == set(expected)
    for name, gradient in expected.items():
        scale = np.abs(gradient).max()
        assert np.abs(received[name] - gradient).max() <= 2e-5 * scale, name


def test_folded_gate_is_the_keras_network(rng):
    import tensorflow as tf

    from models import gait_gate

    tf.keras.utils.set_random_seed(3)
    network = gait_gate.build(0.3)
    for layer in network.layers:
        if layer.name.endswith("_norm"):
            n = len(layer.get_weights()[0])
            layer.set_weights(
                [*rng.uniform(0.5, 1.5, (1, n)), *rng.normal(size=(2, n)), rng.uniform(0.5, 1.5, n)]
            )
    windows = rng.normal(size=(7, 100, 6)).astype(np.float32)
    center, scale = np.full(6, 0.3, np.float32), np.full(6, 2.0, np.float32)
    folded = gait_gate.gate_logits(windows, gait_gate.folded_weights(network), center, scale)
    expected = network((windows - center) / scale, training=False)
    np.testing.assert_allclose(folded, expected, rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """One exported file, the weights in it, and what TensorFlow itself computes."""
    from models.gait import GaitNet
    from training.bundle.tflite_file import convert

    rng = np.random.default_rng(11)
    weights = random_gait_weights(rng)
    path = tmp_path_factory.mktemp("gait") / "gait.tflite"
    path.write_bytes(convert(GaitNet(weights)))
    return path, weights


def _placed(path, runtime, place) -> PlacedModel:
    return PlacedModel(TfliteModel(path, runtime=runtime), ("a", "b"), "ab"[place])


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_file_when_run_gives_the_numbers_of_tensorflow(exported, rng, runtime):
    from models.gait import GaitNet

    path, weights = exported
    network, model = GaitNet(weights), TfliteModel(path, runtime=runtime)
    for place in (0, 1):
        imu = rng.normal(scale=4.0, size=(1, 100, 6)).astype(np.float32)
        features = rng.normal(size=(1, weights.n_features)).astype(np.float32)
        placed = {"features": features, "placement": one_hot(place)}
        for name, inputs in (("infer", {"imu": imu}), ("embed", placed)):
            expected = getattr(network, name)(**inputs)
            received = model.run(name, **inputs)
            assert set(received) == set(expected)
            for key, value in expected.items():
                np.testing.assert_allclose(received[key], value, rtol=1e-4, atol=1e-5)
    embedding = model.run("embed", **placed)["embedding"]
    assert np.linalg.norm(embedding) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("place", [0, 1])
def test_file_when_trained_follows_tensorflow_and_numpy(exported, rng, runtime, place):
    from models.gait import GaitNet

    path, weights = exported
    network, model = GaitNet(weights), _placed(path, runtime, place)
    plain = NumpyGaitModel(identity_arrays(weights, place))
    batches = [random_batch(rng, weights.n_features) for _ in range(4)]
    losses = []
    for step in range(40):
        batch = batches[step % 4]
        steps = {"placement": one_hot(place), "lr": LR, "anchor": ANCHOR}
        loss = float(network.train(**batch, **steps)["loss"][0])
        losses.append(loss)
        for other in (model, plain):
            received = float(other.run("train", **batch, lr=LR, anchor=ANCHOR)["loss"][0])
            assert received == pytest.approx(loss, rel=2e-3, abs=1e-4)
    assert losses[36] < 0.75 * losses[0]
    expected = network.adapter.read()
    for other in (model, plain):
        state = other.run("get_adapter")
        assert set(state) == set(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(state[name], value, rtol=1e-2, atol=2e-3, err_msg=name)
        received = other.run("evaluate", **batches[0])
        np.testing.assert_allclose(
            received["probs"],
            network.evaluate(**batches[0], placement=one_hot(place))["probs"],
            atol=2e-3,
        )


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_file_when_a_rate_is_zero_leaves_that_group_alone(exported, rng, runtime):
    path, weights = exported
    model = _placed(path, runtime, 0)
    before = model.run("get_adapter")
    lr = np.array([0.1, 0.1, 0.0], np.float32)
    batch = random_batch(rng, weights.n_features)
    model.run("train", **batch, lr=lr, anchor=np.zeros(1, np.float32))
    after = model.run("get_adapter")
    for name in ("lora_a", "lora_b", "momentum_lora_a", "momentum_lora_b"):
        np.testing.assert_array_equal(after[name], before[name])
    assert np.abs(after["head_w"] - before["head_w"]).max() > 0


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_file_when_an_adapter_is_put_back_scores_as_before(exported, rng, runtime):
    path, weights = exported
    model = _placed(path, runtime, 0)
    features = rng.normal(size=(1, weights.n_features)).astype(np.float32)
    generic = model.run("embed", features=features)["score"]
    batch = random_batch(rng, weights.n_features)
    for _ in range(5):
        model.run("train", **batch, lr=LR, anchor=ANCHOR)
    adapter, trained = model.run("get_adapter"), model.run("embed", features=features)["score"]
    model.run("reset")
    np.testing.assert_array_equal(model.run("embed", features=features)["score"], generic)
    model.run("set_adapter", **adapter)
    np.testing.assert_array_equal(model.run("embed", features=features)["score"], trained)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_file_when_features_are_nan_refuses_and_goes_on(exported, rng, runtime):
    path, weights = exported
    model = _placed(path, runtime, 0)
    features = np.zeros((1, weights.n_features), np.float32)
    expected = model.run("embed", features=features)["score"]
    with pytest.raises(InferenceError):
        model.run("embed", features=features * np.float32("nan"))
    np.testing.assert_array_equal(model.run("embed", features=features)["score"], expected)


def test_file_holds_built_in_ops_of_the_oldest_runtime_only(exported):
    from training.bundle.op_gate import OP_VERSION_CEILING, op_versions

    path, _ = exported
    versions = op_versions(path.read_bytes())
    assert not [name for name in versions if name.startswith("CUSTOM")]
    assert versions["DEPTHWISE_CONV_2D"] <= OP_VERSION_CEILING["DEPTHWISE_CONV_2D"]


def test_file_holds_the_directions_once_and_in_one_byte_each(exported):
    from models.gait import GaitNet
    from training.bundle.tflite_file import convert

    _, weights = exported
    rng = np.random.default_rng(4)
    # Prime sizes: no other constant has as many values.
    large = random_gait_weights(rng, n_features=211, n_directions=31)
    content = convert(GaitNet(large))
    levels, _ = int8.grid(large.directions, 0)
    assert content.count((levels + 128).astype(np.uint8).tobytes()) == 1
    assert len(content) < len(convert(GaitNet(weights))) + 2 * 31 * 211 + 12_000


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_enrolment_through_the_file_scores_as_through_numpy(exported, rng, runtime):
    from firmware_host.identity.enrolment import enrol

    path, weights = exported
    n = weights.n_features
    own = (rng.normal(size=n) + 0.5 * rng.normal(size=(23, n))).astype(np.float32)
    cohort = rng.normal(scale=1.2, size=(64, n)).astype(np.float32)
    scores = []
    for model in (_placed(path, runtime, 1), NumpyGaitModel(identity_arrays(weights, 1))):
        seeded = np.random.default_rng(3)
        enrolled = enrol(model, own, cohort, threshold=0.0, fill=weights.center[1], rng=seeded)
        rows = [model.run("embed", features=row[None]) for row in (*own[:5], *cohort[:5])]
        scores.append(np.array([row["score"][0, 0] for row in rows]))
        assert np.linalg.norm(enrolled.template) == pytest.approx(1.0, abs=1e-5)
        assert scores[-1][:5].mean() > scores[-1][5:].mean() + 0.3
    np.testing.assert_allclose(scores[0], scores[1], rtol=2e-3, atol=2e-3)
