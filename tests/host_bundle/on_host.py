"""Run as a program where the host's libraries are: golden numbers, inference, three steps of learning.

    python on_host.py OUT.npz

Prints a JSON object; the arrays go into OUT.npz, to be compared with those of another machine.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from pathlib import Path

import numpy as np

from firmware_host.adaptation.learner import learn
from firmware_host.inference.bundle import load_bundle, open_model
from training.bundle.golden import check_golden

N_STEPS = 3


def main(out: Path) -> None:
    began_s = time.monotonic()
    bundle = load_bundle()
    golden = bundle.golden()
    worst, runs_on, arrays = {}, {}, {}
    for contract in (bundle.stress, bundle.gait):
        model = open_model(bundle, contract)
        runs_on[contract.name] = model.runs_on
        worst[contract.name] = check_golden(contract.name, model, golden)
    stress = open_model(bundle, bundle.stress)
    # Whole numbers: the same on every machine.
    x = (np.random.default_rng(7).integers(-300, 300, (48, 26)) / 100).astype(np.float32)
    y = np.arange(48) % 3 == 0
    arrays["probs"] = np.concatenate([stress.run("infer", x=row[None])["probs"] for row in x])
    began_learning_s = time.monotonic()
    result = learn(
        stress,
        x,
        y.astype(np.int64),
        np.ones(48),
        groups="lora+head",
        steps=N_STEPS,
        learning_rate=0.05,
        anchor=0.01,
        seed=1,
    )
    learning_s = time.monotonic() - began_learning_s
    arrays["losses"] = np.array([result.loss_before, *result.losses, result.loss_after])
    arrays |= {f"after.{name}": value for name, value in result.after.items()}
    arrays |= {f"moved.{name}": result.after[name] - result.before[name] for name in result.after}
    np.savez(out, **arrays)
    facts = {"machine": platform.machine(), "python": platform.python_version()}
    facts |= {"bundle": str(bundle.path), "runs_on": runs_on, "worst": worst}
    facts |= {"learning_s": learning_s, "all_s": time.monotonic() - began_s}
    print(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
