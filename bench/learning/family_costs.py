"""What a step of each way costs on a host: file, working memory, process and time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.learning.peers import Pythons, run

# Where `family_files` writes what it knows of each file.
FACTS = "family.json"
_MODELS = ("stress", "gait")
_BACKBONES = ("int8", "float", "nf4", "split")
_CALLS = ("train", "accumulate", "train_mezo", "solve_bias", "solve_head")


def build(pythons: Pythons, folder: Path) -> dict[str, Any]:
    """Write the files; gives what is known of each, by "model.backbone"."""
    run([pythons.developer, "-m", "bench.learning.family_files", str(folder)])
    facts: dict[str, Any] = json.loads((folder / FACTS).read_text())
    return facts


def measure(
    runtimes: Mapping[str, str], folder: Path, *, n_steps: int, told: Callable[[str], None]
) -> dict[str, dict[str, dict[str, float]]]:
    """Give "model.backbone.call" -> runtime -> step_ms, step_ms_min and peak_mb."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for model in _MODELS:
        for backbone in _BACKBONES:
            for call in _CALLS:
                # Only the stress head is solved.
                if call.startswith("solve") and model == "gait":
                    continue
                name = f"{model}.{backbone}"
                told(f"cost of a step: {name}, {call}")
                found[f"{name}.{call}"] = {
                    runtime: _measured(python, folder, name, call, runtime, n_steps)
                    for runtime, python in runtimes.items()
                }
    return found


def _measured(
    python: str, folder: Path, name: str, call: str, runtime: str, n_steps: int
) -> dict[str, float]:
    command = [python, "-m", "bench.learning.way_process", "--runtime", runtime, "--call", call]
    command += ["--file", str(folder / f"{name}.tflite"), "--steps", str(n_steps)]
    layers = folder / f"{name}.int8.tflite"
    if layers.exists():
        command += ["--int8-file", str(layers)]
    found: dict[str, float] = json.loads(run(command).splitlines()[-1])
    return found
