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


def test_the_twin_takes_forward_only_steps_of_what_may_move():
    from bench.learning.family_ways import WithMezo
    from firmware_host.adaptation.batches import balanced
    from firmware_host.adaptation.learner import Pace
    from firmware_host.adaptation.ways import MezoTraining

    labelled, model = _separable(np.random.default_rng(4)), WithMezo(TableModel.random(seed=3))
    windows = balanced(labelled.x, labelled.y, labelled.weight, n_features=26)
    pace = Pace("head", 100, 0.003, 0.0, None, settle=False)
    training, before = MezoTraining(model, windows, pace, 1), model.run("get_adapter")
    start = training.loss()
    for step in range(100):
        training.step(step)
    after = model.run("get_adapter")
    assert training.loss() < start
    assert not np.array_equal(after["head_w"], before["head_w"])
    np.testing.assert_array_equal(after["lora1_a"], before["lora1_a"])


@pytest.mark.needs_tf
def test_forward_only_of_the_twin_is_the_step_of_the_file():
    import tensorflow as tf

    from bench.learning.family_ways import WithMezo
    from models.stress import StressNet, random_weights

    weights = random_weights(np.random.default_rng(2), 26)
    model, network = WithMezo(TableModel(weights.arrays())), StressNet(weights)
    rng = np.random.default_rng(5)
    given = {
        "x": rng.normal(size=(16, 26)),
        "y": np.eye(2)[np.arange(16) % 2],
        "weight": np.ones(16),
        "lr": np.array([0.003, 0.001, 0.002]),
        "anchor": np.full(1, 0.1),
        "noise": rng.normal(size=model.signatures["train_mezo"].inputs["noise"].shape),
        "epsilon": np.full(1, 1e-3),
    }
    given = {name: value.astype(np.float32) for name, value in given.items()}
    mine = model.run("train_mezo", **given)
    theirs = network.train_mezo(**{name: tf.constant(value) for name, value in given.items()})
    for side, loss in mine.items():
        np.testing.assert_allclose(loss, theirs[side], atol=1e-6)
    moved = model.run("get_adapter")
    # A difference of two losses over 2e-3: their rounding is some 1e-4 of the slope.
    for name, value in network.adapter.values.items():
        np.testing.assert_allclose(moved[name], value.numpy(), atol=1e-5)


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
