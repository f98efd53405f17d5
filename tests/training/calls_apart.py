"""Calls of a .tflite file's functions by a process without TensorFlow.

TensorFlow lends a runtime its kernels if it is loaded: only another process shows what a host gets.

Run: python -m tests.training.calls_apart FILE RUNTIME CALLS.npz OUT.npz
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from firmware_host.inference.tflite import TfliteModel

REPO = Path(__file__).resolve().parents[2]
Arrays = dict[str, np.ndarray]
Call = tuple[str, Arrays]


def play(path: Path, runtime: str, calls: Sequence[Call]) -> list[Arrays]:
    """Outputs of each call in turn, state kept between them."""
    given, out = path.with_suffix(f".{runtime}.in.npz"), path.with_suffix(f".{runtime}.out.npz")
    arrays = {
        f"{i}/{name}/{key}": value
        for i, (name, inputs) in enumerate(calls)
        for key, value in {**inputs, "": np.zeros(0)}.items()
    }
    np.savez(given, **arrays)
    command = [sys.executable, "-m", "tests.training.calls_apart", path, runtime, given, out]
    done = subprocess.run(
        [str(part) for part in command], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with np.load(out) as found:
        return [_under(found, f"{i}/") for i in range(len(calls))]


def _under(arrays: np.lib.npyio.NpzFile, start: str) -> Arrays:
    return {key.removeprefix(start): arrays[key] for key in arrays.files if key.startswith(start)}


def main() -> None:
    path, runtime, given, out = sys.argv[1:]
    model = TfliteModel(path, runtime=runtime)
    found = {}
    with np.load(given) as arrays:
        heads = sorted({tuple(key.split("/")[:2]) for key in arrays.files}, key=lambda h: int(h[0]))
        for i, name in heads:
            inputs = _under(arrays, f"{i}/{name}/")
            inputs.pop("")
            outputs = model.run(name, **inputs)
            found |= {f"{i}/{key}": value for key, value in outputs.items()}
    if "tensorflow" in sys.modules:
        raise SystemExit("expected a process without TensorFlow")
    np.savez(out, **found)


if __name__ == "__main__":
    main()
