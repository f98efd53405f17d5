"""What `make bench-learning` compares is the same computation, counted and set in rows as it says."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.learning import peers, peers_table
from bench.learning.macs import macs
from training.stress.numpy_model import TableModel

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def _result(**changed):
    told = {
        "losses": [1.0, 0.5],
        "step_cpu_ms": [1.0, 2.0, 3.0],
        "step_wall_ms": [1.0, 2.0, 9.0],
        "peak_mb": 50.0,
        "first_step_s": 0.2,
        "first_step_cpu_s": 0.1,
        "versions": "ours 1",
    }
    return told | changed


def _results():
    bare = peers.OURS["tflite-runtime"]
    recipe = [
        _result(step_cpu_ms=[2.0], peak_mb=400.0, first_step_s=2.5, losses=[1.0, 0.50005]),
        _result(step_cpu_ms=[4.0], peak_mb=500.0, first_step_s=2.0),
    ]
    ours = [_result(), _result()]
    return {"stress": {bare: ours, bare + peers.CHECKED: ours, peers.RECIPE: recipe}}


def test_ratios_are_taken_round_by_round():
    (found,) = peers_table.ratios(_results())
    assert found["peer"] == peers.RECIPE
    assert found["step_cpu_ms"] == {"median": 0.75, "least": 0.5, "most": 1.0}
    assert found["peak_mb"]["most"] == pytest.approx(50 / 400)
    assert found["first_step_s"]["least"] == pytest.approx(0.2 / 2.5)


def test_an_aim_is_missed_aloud():
    lines = peers_table.verdicts(peers_table.ratios(_results()))
    assert [line.rpartition(": ")[2] for line in lines] == ["reached", "missed", "reached"]


def test_an_aim_inside_the_spread_is_level():
    results = _results()
    results["stress"][peers.RECIPE][0]["step_cpu_ms"] = [1.0]
    results["stress"][peers.RECIPE][1]["step_cpu_ms"] = [2.0]
    results["stress"][peers.OURS["tflite-runtime"]] = [_result(), _result(step_cpu_ms=[2.5])]
    last = peers_table.verdicts(peers_table.ratios(results))[-1]
    assert last.endswith("missed")
    results["stress"][peers.OURS["tflite-runtime"]] = [_result(), _result(step_cpu_ms=[1.5])]
    last = peers_table.verdicts(peers_table.ratios(results))[-1]
    assert last.endswith("within the spread")


def test_other_losses_are_another_computation():
    results = _results()
    assert not peers_table.disagreements(peers_table.rows(results))
    results["stress"][peers.RECIPE][1]["losses"] = [1.0, math.nan]
    (line,) = peers_table.disagreements(peers_table.rows(results))
    assert peers.RECIPE in line


def test_macs_of_one_window_are_those_of_its_matrices():
    content = (GOLDEN / "stress_random.tflite").read_bytes()
    rank, n_features, n_first, n_second = 4, 26, 32, 16
    dense = n_features * n_first + n_first * n_second + (n_second + n_features) * 2
    low_rank = rank * (n_features + n_first + n_first + n_second)
    assert macs(content)["infer"] == dense + low_rank


def _separable(rng):
    from firmware_host.adaptation.evidence import Labelled

    y = np.arange(40) % 2
    x = rng.normal(size=(40, 26)) + np.where(y, 0.5, -0.5)[:, None]
    return Labelled(x.astype(np.float32), y, np.ones(40, np.float32))


def test_more_that_moves_needs_fewer_steps_to_one_loss():
    from bench.learning.family_people import MAX_STEPS, reached
    from bench.learning.family_ways import WAYS

    ways = {way.name: way for way in WAYS}
    labelled, model = _separable(np.random.default_rng(4)), TableModel.random(seed=3)
    steps = {n: reached(model, ways[n], labelled).steps["head"] for n in ("head", "LoRA + head")}
    assert 0 < steps["LoRA + head"] <= steps["head"] < MAX_STEPS
    assert reached(model, ways["bias"], labelled).steps["head"] is None
    exact = reached(model, ways["head, exact"], labelled)
    assert exact.steps["head"] == 1
    assert exact.n_rounds > 1


@pytest.mark.needs_tf
def test_a_file_with_other_weights_is_what_converting_them_gives(tmp_path):
    from dataclasses import replace

    from bench.learning.reweigh import reweighted
    from firmware_host.inference.tflite import TfliteModel
    from models.stress import StressNet, random_weights
    from training.bundle.tflite_file import convert

    def drawn(seed):
        rng = np.random.default_rng(seed)
        weights = random_weights(rng, 26)
        names = ("dense1_b", "dense2_b", "head_b")
        biases = {n: rng.normal(size=getattr(weights, n).shape).astype(np.float32) for n in names}
        return replace(weights, **biases)

    old, new = drawn(1), drawn(2)
    content = convert(StressNet(old), storage="float32")
    file = tmp_path / "new.tflite"
    file.write_bytes(reweighted(content, old.arrays(), new.arrays()))
    model, twin = TfliteModel(file), TableModel(new.arrays())
    rng = np.random.default_rng(3)
    batch = {
        "x": rng.normal(size=(16, 26)).astype(np.float32),
        "y": np.eye(2, dtype=np.float32)[np.arange(16) % 2],
        "weight": np.ones(16, np.float32),
        "lr": np.full(3, 0.01, np.float32),
        "anchor": np.full(1, 0.5, np.float32),
    }
    for _ in range(10):
        mine, theirs = model.run("train", **batch), twin.run("train", **batch)
        np.testing.assert_allclose(mine["loss"], theirs["loss"], atol=1e-5)
    model.run("reset")
    np.testing.assert_array_equal(model.run("get_adapter")["head_w"], new.head_w)
    with pytest.raises(ValueError, match="dense1_b"):
        reweighted(content, {**old.arrays(), "dense1_b": new.dense1_b}, new.arrays())


@pytest.mark.needs_tf
@pytest.mark.parametrize("name", ["stress", "conv"])
def test_our_backward_takes_the_steps_of_a_tape(name):
    import tensorflow as tf

    from bench.learning.autodiff import Network
    from bench.learning.files import workloads

    workload, ours = workloads()[name]
    tape = Network(workload)
    rates = {"weight": tf.ones(16), "lr": tf.fill([3], 0.01), "anchor": tf.zeros(1)}
    for step in range(4):
        inputs, labels = workload.batch(step)
        data = {key: tf.constant(value) for key, value in inputs.items()}
        mine = ours.train(y=tf.constant(labels), **data, **rates)["loss"]
        theirs = tape.train(y=tf.constant(labels), **data)["loss"]
        assert float(mine[0]) == pytest.approx(float(theirs), abs=1e-5)
    for key, value in ours.adapter.values.items():
        np.testing.assert_allclose(value, tape._values[key], atol=1e-5)


@pytest.mark.needs_tf
def test_our_peers_run_the_exported_file_in_processes_of_their_own(tmp_path):
    from bench.learning.files import workloads
    from training.bundle.tflite_file import convert

    workload, network = workloads()["stress"]
    workload.save(tmp_path / "stress.npz")
    (tmp_path / "stress.ours.tflite").write_bytes(convert(network))
    pythons = peers.Pythons(sys.executable, sys.executable, sys.executable)
    everybody = peers.peers_of(pythons, peers.runtimes_of(pythons))
    ours = [peer for peer in everybody if peer.module == "ours"]
    results, absent = peers.measure(
        ours,
        tmp_path,
        n_rounds=1,
        n_steps={"stress": 3},
        told=lambda _what: None,
        networks=("stress",),
    )
    assert not absent
    found = peers_table.rows(results)
    assert {row["peer"] for row in found} == {peer.name for peer in ours}
    assert not peers_table.disagreements(found)
    assert all(row["last_loss"] < 0.5 for row in found)
