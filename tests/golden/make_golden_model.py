"""Write stress_random.npz and .tflite: the exported network with weights that learned nothing.

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


def main() -> None:
    np.savez(FOLDER / "stress_random.npz", **weights().arrays())
    (FOLDER / "stress_random.tflite").write_bytes(convert())


if __name__ == "__main__":
    main()
