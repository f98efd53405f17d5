"""Trained artifacts -> a checked bundle folder, put in place in one step."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_host.inference.bundle import CONTRACT_FILE, SEAL_FILE, seal_text
from firmware_host.inference.contract import BundleFile
from models.stress import StressNet
from training.bundle.artifacts import GaitArtifacts, StressArtifacts
from training.bundle.card import card_text
from training.bundle.contracts import (
    COHORT_FILE,
    GAIT_FILE,
    STRESS_FILE,
    bundle_table,
    gait_table,
    stress_table,
)
from training.bundle.golden import check_bundle, golden_of
from training.bundle.rounding import rounded_weights
from training.bundle.tflite_file import Exportable, convert
from training.bundle.toml_text import to_toml

BUNDLES = Path(__file__).resolve().parents[2] / "models" / "bundles"
NAME = "wrist"
VERSION = "0.1.0"


def export_bundle(
    stress: StressArtifacts,
    gait: GaitArtifacts,
    *,
    seed: int,
    out: Path = BUNDLES,
    name: str = NAME,
    version: str = VERSION,
) -> Path:
    """Write `out/<name>-<version>` and give its path.

    The folder appears only after its op gate, its hashes and its golden numbers on every
    installed runtime were checked; a bundle of that name that was there stays until then.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".making-") as made:
        folder = Path(made) / f"{name}-{version}"
        folder.mkdir()
        network = StressNet(rounded_weights(stress.weights))
        _write_models(folder, stress, gait, network)
        sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
        card = card_text(stress, gait, label=folder.name, seed=seed, sizes=sizes)
        (folder / "CARD.md").write_text(card, encoding="utf-8")
        table = bundle_table(
            stress_table(stress, network.signatures),
            gait_table(gait, gait.network.signatures),
            name=name,
            version=version,
            placement=gait.placement,
            seed=seed,
            files={path.name: _hashed(path) for path in folder.iterdir()},
            recordings={**stress.recordings.trained_on, **gait.recordings.trained_on},
        )
        contract = to_toml(table).encode()
        (folder / CONTRACT_FILE).write_bytes(contract)
        (folder / SEAL_FILE).write_text(seal_text(contract), encoding="ascii")
        check_bundle(folder)
        return _put_in_place(folder, out / folder.name)


def _write_models(
    folder: Path, stress: StressArtifacts, gait: GaitArtifacts, network: Exportable
) -> None:
    (folder / STRESS_FILE).write_bytes(convert(network))
    (folder / GAIT_FILE).write_bytes(convert(gait.network))
    golden = {
        **golden_of("stress", network, {"x": stress.golden_x}),
        **golden_of("gait", gait.network, gait.golden),
    }
    _save(folder / "golden.npz", golden)
    _save(folder / COHORT_FILE, gait.cohort)


def _save(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    # numpy stamps every member with the same date, so equal arrays are equal files.
    np.savez_compressed(path, **dict(sorted(arrays.items())))


def _hashed(path: Path) -> BundleFile:
    content = path.read_bytes()
    return BundleFile(hashlib.sha256(content).hexdigest(), len(content))


def _put_in_place(folder: Path, target: Path) -> Path:
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    if target.exists():
        # A rename cannot replace a folder that is not empty.
        target.rename(folder.parent / "replaced")
    folder.rename(target)
    shutil.rmtree(folder.parent / "replaced", ignore_errors=True)
    return target
