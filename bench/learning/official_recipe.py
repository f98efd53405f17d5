"""TensorFlow Lite's recipe for training on the device: a tape in a signature, run with Flex ops.

``python -m bench.learning.official_recipe --build FOLDER`` writes the files, without it this runs
one. Flex ops are inside `tf.lite.Interpreter` of some TensorFlow wheels only.

References
----------
tensorflow.org/lite/examples/on_device_training/overview
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import tensorflow as tf

from bench.learning.autodiff import Network, train_function
from bench.learning.probe import Step, main
from bench.learning.workload import NETWORKS, FloatArray, Workload, load


def build(workload: Workload) -> bytes:
    """A .tflite file with a `train` signature, by the recipe's converter settings."""
    network = Network(workload)
    signatures = {"train": train_function(network, workload)}
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(network, folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        ops = tf.lite.OpsSet
        converter.target_spec.supported_ops = [ops.TFLITE_BUILTINS, ops.SELECT_TF_OPS]
        converter.experimental_enable_resource_variables = True
        return bytes(converter.convert())


def make(workload: Workload, folder: Path) -> tuple[Step, str]:
    """Load the file into full TensorFlow's interpreter, one thread."""
    path = folder / f"{workload.name}.recipe.tflite"
    interpreter = tf.lite.Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    train = interpreter.get_signature_runner("train")

    def step(inputs: dict[str, FloatArray], labels: FloatArray) -> float:
        return float(train(y=labels, **inputs)["loss"])

    return step, f"tf.lite of tensorflow {tf.__version__}"


def _build_all(folder: Path) -> int:
    for name in NETWORKS:
        content = build(load(folder / f"{name}.npz"))
        (folder / f"{name}.recipe.tflite").write_bytes(content)
    return 0


if __name__ == "__main__":
    built = _build_all(Path(sys.argv[2])) if sys.argv[1:2] == ["--build"] else None
    raise SystemExit(main(make) if built is None else built)
