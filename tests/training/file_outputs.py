"""Everything that a .tflite file gives, written by a process without TensorFlow.

Run: python -m tests.training.file_outputs FILE RUNTIME OUT.npz
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from firmware_host.inference.base import SignatureModel
from firmware_host.inference.tflite import TfliteModel

REPO = Path(__file__).resolve().parents[2]


def outputs(model: SignatureModel) -> dict[str, np.ndarray]:
    """Inference, 30 training steps, restored state, inference again."""
    rng, found = np.random.default_rng(3), {}

    def inputs(name: str) -> dict[str, np.ndarray]:
        drawn = {n: rng.normal(size=s.shape) for n, s in model.signatures[name].inputs.items()}
        drawn |= {n: np.full(v.shape, 0.02) for n, v in drawn.items() if n in ("lr", "anchor")}
        drawn |= {n: np.ones(v.shape) for n, v in drawn.items() if n == "weight"}
        drawn |= {n: np.eye(v.shape[1])[:1] for n, v in drawn.items() if n == "placement"}
        if "y" in drawn:
            label = rng.integers(0, 2, len(drawn["y"]))
            drawn["y"] = np.stack([1 - label, label], axis=1)[:, -drawn["y"].shape[1] :]
        return {n: np.asarray(v, np.float32) for n, v in drawn.items()}

    def note(when: str) -> None:
        for name in sorted(set(model.signatures) & {"infer", "embed", "evaluate"}):
            answer = model.run(name, **inputs(name))
            found.update({f"{when} {name}:{n}": v for n, v in answer.items()})

    note("generic")
    for step in range(30):
        found[f"loss {step}"] = model.run("train", **inputs("train"))["loss"]
    note("trained")
    state = model.run("get_adapter")
    found |= {f"state {n}": v for n, v in state.items()}
    model.run("reset")
    note("reset")
    model.run("set_adapter", **state)
    note("restored")
    found |= {f"state again {n}": v for n, v in model.run("get_adapter").items()}
    return found


def outputs_apart(path: Path, runtime: str) -> dict[str, np.ndarray]:
    """The same from a process of its own: TensorFlow lends a runtime its kernels if it is loaded."""
    out = path.with_suffix(f".{runtime}.npz")
    command = [sys.executable, "-m", "tests.training.file_outputs", str(path), runtime, str(out)]
    subprocess.run(command, cwd=REPO, check=True, capture_output=True)
    with np.load(out) as arrays:
        return dict(arrays)


def main() -> None:
    path, runtime, out = sys.argv[1:]
    found = outputs(TfliteModel(path, runtime=runtime))
    if "tensorflow" in sys.modules:
        raise SystemExit("expected a process without TensorFlow")
    np.savez(out, **found)


if __name__ == "__main__":
    main()
