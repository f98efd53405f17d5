"""Two files a model: what the Edge TPU's compiler is given, and the bundle that the host loads."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firmware_host.errors import BundleError
from firmware_host.inference.bundle import load_bundle, open_model
from firmware_host.inference.split import SplitModel
from firmware_host.inference.tflite import installed_runtimes
from tests.bundles import gait_artifacts, stress_artifacts
from tests.training.gait_weights import random_gait_weights
from training.bundle.edge_tpu import EdgeTpuError, check_edge_tpu
from training.bundle.flatbuffer import builtin_name, unpack

pytestmark = pytest.mark.needs_tf

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of random weights in two files a model."""
    import tensorflow as tf

    from models.gait import GaitNet
    from models.stress import random_weights
    from training.bundle.export import export_bundle
    from training.bundle.rounding import rounded_weights

    tf.keras.utils.set_random_seed(4)
    rng = np.random.default_rng(4)
    stress = replace(stress_artifacts(random_weights(rng, 26)), split=True)
    made = gait_artifacts()
    weights = rounded_weights(random_gait_weights(rng, len(made.feature_names), 24))
    golden = {
        **made.golden,
        "imu": rng.normal(size=(3, 100, 6)).astype(np.float32),
        "placement": np.eye(2, dtype=np.float32)[[0, 1, 0]],
    }
    gait = replace(made, network=GaitNet(weights), golden=golden, split=True)
    return export_bundle(stress, gait, seed=1, out=tmp_path_factory.mktemp("bundles"))


def test_bundle_names_its_int8_files_and_says_so(folder: Path) -> None:
    bundle = load_bundle(folder)
    assert bundle.stress.int8_file == "stress_backbone_int8.tflite"
    assert bundle.gait.int8_file == "gait_backbone_int8.tflite"
    assert {bundle.stress.int8_file, bundle.gait.int8_file} <= set(bundle.files)
    assert bundle.stored == "stress int8 in two files, gait int8 in two files"
    card = (folder / "CARD.md").read_text()
    assert "stress_backbone_int8.tflite" in card
    assert "train --data DIR --split edge-tpu`" in card


def test_layers_are_what_the_compiler_takes(folder: Path) -> None:
    expected = {
        "stress": {"FULLY_CONNECTED"},
        "gait": {"CONV_2D", "DEPTHWISE_CONV_2D"},
    }
    for name, ops in expected.items():
        content = (folder / f"{name}_backbone_int8.tflite").read_bytes()
        check_edge_tpu(content)
        assert {builtin_name(code) for code in unpack(content).operatorCodes} == ops


@pytest.mark.parametrize("name", ["stress", "gait"])
def test_whole_model_is_nothing_for_the_compiler(folder: Path, name: str) -> None:
    with pytest.raises(EdgeTpuError, match=r"graphs.*op READ_VARIABLE.*a float32 tensor"):
        check_edge_tpu((folder / f"{name}.tflite").read_bytes())


def test_file_with_float_ends_is_refused() -> None:
    import tensorflow as tf

    matrix = tf.constant(np.ones((8, 4), np.float32))
    layer = tf.function(lambda x: tf.matmul(x, matrix))
    function = layer.get_concrete_function(tf.TensorSpec((1, 8), tf.float32))
    content = tf.lite.TFLiteConverter.from_concrete_functions([function]).convert()
    with pytest.raises(EdgeTpuError, match="a float32 tensor"):
        check_edge_tpu(content)


@pytest.mark.parametrize("runtime", ["tflite-runtime", "ai-edge-litert"])
def test_host_infers_learns_and_restores_in_two_files(
    folder: Path, runtime: str, rng: np.random.Generator
) -> None:
    if runtime not in installed_runtimes():
        pytest.skip(f"{runtime} is not installed here")
    bundle = load_bundle(folder)
    for contract in (bundle.stress, bundle.gait):
        model = open_model(bundle, contract, runtime=runtime, delegate="none")
        assert isinstance(model, SplitModel)
        assert model.signatures == dict(contract.signatures)
        inputs = {n: s.shape for n, s in contract.signatures["train"].inputs.items()}
        batch = {n: rng.normal(size=shape).astype(np.float32) for n, shape in inputs.items()}
        batch |= {"weight": np.ones(16, np.float32), "anchor": np.zeros(1, np.float32)}
        batch |= {"lr": np.full(3, 0.05, np.float32)}
        label = np.arange(16) % 2
        batch["y"] = np.stack([1 - label, label], axis=1)[:, -inputs["y"][1] :].astype(np.float32)
        if "placement" in batch:
            batch["placement"] = np.array([[1.0, 0.0]], np.float32)
        losses = [float(model.run("train", **batch)["loss"][0]) for _ in range(20)]
        assert losses[-1] < losses[0]
        state = model.run("get_adapter")
        assert not any(name.startswith("lora") for name in state) or contract.name == "gait"
        model.run("reset")
        model.run("set_adapter", **state)
        again = model.run("get_adapter")
        assert {n: v.tobytes() for n, v in again.items()} == {
            n: v.tobytes() for n, v in state.items()
        }


def test_layers_that_were_altered_are_refused(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    path = tmp_path / "gait_backbone_int8.tflite"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"gait_backbone_int8\.tflite: expected sha256"):
        load_bundle(tmp_path)


COMPILES = """#!/bin/sh
for last; do :; done
name=$(basename "$last" .tflite)
cp "$last" "$2/${name}_edgetpu.tflite"
"""
FAILS = """#!/bin/sh
echo "Model not quantized" >&2
exit 1
"""


def compiler(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "edgetpu_compiler"
    path.write_text(script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_what_the_compiler_makes_goes_into_the_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    from models.stress import random_weights
    from training.bundle.split import stress_files

    compiler(tmp_path, COMPILES, monkeypatch)
    files = stress_files(random_weights(rng, 26))
    made = files["stress_backbone_int8_edgetpu.tflite"]
    assert made == files["stress_backbone_int8.tflite"]


def test_compiler_that_fails_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    from models.stress import random_weights
    from training.bundle.split import stress_files

    compiler(tmp_path, FAILS, monkeypatch)
    with pytest.raises(EdgeTpuError, match="got Model not quantized"):
        stress_files(random_weights(rng, 26))


def test_layers_for_a_tpu_are_int8_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from training.cli import main

    options = ["--split", "edge-tpu", "--backbone", "nf4"]
    assert main(["train", "--data", str(tmp_path), *options]) == 2
    assert "--split: expected --backbone int8" in capsys.readouterr().err
