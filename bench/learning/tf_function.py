"""TensorFlow itself, `tf.function` and a tape: ``python -m bench.learning.tf_function``."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from bench.learning.autodiff import Network, train_function
from bench.learning.probe import Step, main
from bench.learning.workload import FloatArray, Workload


def make(workload: Workload, _folder: Path) -> tuple[Step, str]:
    """Trace the step for fixed shapes; one thread."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    network = Network(workload)
    train = train_function(network, workload)

    def step(inputs: dict[str, FloatArray], labels: FloatArray) -> float:
        given = {name: tf.constant(value) for name, value in inputs.items()}
        return float(train(y=tf.constant(labels), **given)["loss"])

    return step, f"tensorflow {tf.__version__}"


if __name__ == "__main__":
    raise SystemExit(main(make))
