"""One half of a bundle, the stress or the gait model: just trained, or taken from another bundle."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.inference.bundle import CONTRACT_FILE, load_bundle
from firmware_host.inference.int8_layers import compiled_name
from models.stress import StressNet
from training.bundle.arena import check_arenas
from training.bundle.artifacts import GaitArtifacts, Recordings, StressArtifacts
from training.bundle.contracts import COHORT_FILE, GAIT_FILE, STRESS_FILE, gait_table, stress_table
from training.bundle.golden import golden_of
from training.bundle.packed import packed
from training.bundle.rounding import rounded_weights
from training.bundle.split import GAIT_INT8_FILE, STRESS_INT8_FILE, gait_in_two, stress_in_two
from training.bundle.tflite_file import STORAGE, convert
from training.datasets import own

_GAIT_MARK = "#gait"
# What the card says of it: figures are of the network before its weights are rounded.
_STORED = {
    "int8": "int8, one scale an output",
    "nf4": "4 bits (NF4, a scale a block of 64 or fewer weights); what that costs: docs/studies/small.md",
    "float": "float32, as trained",
}
_IN_TWO = (
    "int8 inside too, as an Edge TPU wants it, and nothing in them learns; what that costs: "
    "docs/studies/small.md"
)


@dataclass(frozen=True)
class Half:
    """What one model brings into a bundle.

    `files` are name -> content, `table` its part of bundle.toml, `golden` its inputs and outputs
    by name; `recordings` and `figures` go into the card.
    """

    files: Mapping[str, bytes]
    table: Mapping[str, Any]
    golden: Mapping[str, NDArray[np.float32]]
    recordings: Recordings
    figures: Mapping[str, str]


def trained_stress(artifacts: StressArtifacts) -> Half:
    """The stress half as it was trained."""
    weights = rounded_weights(artifacts.weights, artifacts.backbone)
    golden = {"x": artifacts.golden_x}
    if artifacts.split:
        files, network = stress_in_two(weights, golden)
    else:
        network = StressNet(weights)
        files = {STRESS_FILE: convert(network, storage=STORAGE[artifacts.backbone])}
    made = Half(
        _fitting(files),
        stress_table(artifacts, network.signatures),
        golden_of("stress", network, golden),
        artifacts.recordings,
        {**artifacts.figures, "stress, frozen weights": _STORED[artifacts.backbone]},
    )
    return _in_two(made, STRESS_INT8_FILE) if artifacts.split else made


def trained_gait(artifacts: GaitArtifacts) -> Half:
    """The gait half as it was trained."""
    network = artifacts.network
    if artifacts.split:
        files, network = gait_in_two(network.weights, artifacts.golden)
    else:
        files = {GAIT_FILE: convert(network, storage=STORAGE[artifacts.backbone])}
    made = Half(
        {**_fitting(files), COHORT_FILE: packed(artifacts.cohort)},
        gait_table(artifacts, network.signatures),
        golden_of("gait", network, artifacts.golden),
        replace(
            artifacts.recordings,
            trained_on={_of_gait(n): h for n, h in artifacts.recordings.trained_on.items()},
        ),
        {**artifacts.figures, "gait, frozen weights": _STORED[artifacts.backbone]},
    )
    return _in_two(made, GAIT_INT8_FILE) if artifacts.split else made


def _in_two(half: Half, int8_file: str) -> Half:
    """A half whose int8 layers are a file of their own."""
    return replace(
        half,
        table={**half.table, "int8_file": int8_file},
        figures={**half.figures, f"layers in {int8_file}": _IN_TWO},
    )


def _fitting(files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The files, if each function of each fits the working memory that is promised."""
    for file, content in files.items():
        if file.endswith(".tflite"):
            check_arenas(content)
    return files


def taken_from(folder: Path, model: str, datasets: Collection[str]) -> Half:
    """The `model` half ("stress" or "gait") of a bundle, byte for byte.

    Parameters
    ----------
    datasets
        Data sets that this model may have been trained on: a bundle does not say which of its
        recordings were for which model.

    Raises
    ------
    BundleError
        If the bundle is not whole.
    """
    bundle = load_bundle(folder)
    values = tomllib.loads((bundle.path / CONTRACT_FILE).read_text(encoding="utf-8"))
    table = values[model]
    names = [table[key] for key in ("file", "cohort", "int8_file") if key in table]
    names += [name for name in (compiled_name(table.get("int8_file", "")),) if name in bundle.files]
    recordings = {
        name: sha256
        for name, sha256 in bundle.recordings.items()
        if name.partition("/")[0] in datasets and _model_of(name) in (model, "")
    }
    origin = f"taken from {bundle.label} ({bundle.sha256[:12]}); its figures are in that card"
    return Half(
        {name: (bundle.path / name).read_bytes() for name in names},
        table,
        {key: rows for key, rows in bundle.golden().items() if key.startswith(f"{model}.")},
        Recordings(recordings),
        {f"{model} model": origin},
    )


def _of_gait(name: str) -> str:
    """Own people may be in both models: those of the gait model carry a mark."""
    return f"{name}{_GAIT_MARK}" if _model_of(name) == "stress" else name


def _model_of(name: str) -> str:
    """Which model an own recording was for; "" for the data sets that serve one model anyway."""
    if name.partition("/")[0] != own.NAME:
        return ""
    return "gait" if _GAIT_MARK in name else "stress"
