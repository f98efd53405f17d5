"""Write stress_random.npz and .tflite: the exported network with weights that learned nothing.

And stress_random_tail.tflite with stress_random_int8.tflite, the same cut in two.

Run: python -m tests.golden.make_golden_model (needs TensorFlow). Tests that do not have TensorFlow
run the file on the host's runtimes against the numpy model with the same weights.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent
N_FEATURES = 26


def weights():
    from models.stress import random_weights
    from training.bundle.rounding import rounded_weights

    return rounded_weights(random_weights(np.random.default_rng(7), N_FEATURES))


def convert() -> bytes:
    from models.stress import StressNet
    from training.bundle.tflite_file import convert as to_tflite

    return to_tflite(StressNet(weights()))


def convert_split() -> dict[str, bytes]:
    from training.bundle.contracts import STRESS_FILE
    from training.bundle.split import STRESS_INT8_FILE, stress_files

    files = stress_files(weights())
    return {
        "stress_random_tail.tflite": files[STRESS_FILE],
        "stress_random_int8.tflite": files[STRESS_INT8_FILE],
    }


def main() -> None:
    np.savez(FOLDER / "stress_random.npz", **weights().arrays())
    (FOLDER / "stress_random.tflite").write_bytes(convert())
    for name, content in convert_split().items():
        (FOLDER / name).write_bytes(content)


if __name__ == "__main__":
    main()
