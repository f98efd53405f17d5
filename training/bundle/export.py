"""Trained artifacts -> a checked bundle folder, put in place in one step."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from firmware_host.inference.bundle import CONTRACT_FILE, SEAL_FILE, seal_text
from firmware_host.inference.contract import BundleFile
from training.bundle.artifacts import GaitArtifacts, StressArtifacts, merged
from training.bundle.card import card_text
from training.bundle.contracts import bundle_table
from training.bundle.golden import check_apart, check_bundle
from training.bundle.halves import Half, trained_gait, trained_stress
from training.bundle.packed import packed
from training.bundle.toml_text import to_toml

GOLDEN_FILE = "golden.npz"
NAME = "signet"
VERSION = "0.3.0"


def export_bundle(
    stress: StressArtifacts | Half,
    gait: GaitArtifacts | Half,
    *,
    seed: int,
    out: Path,
    name: str = NAME,
    version: str = VERSION,
    options: str = "",
) -> Path:
    """Write `out/<name>-<version>` and give its path; the card says the command's ``options``.

    The folder appears only after its op gate, its hashes and its golden numbers on every
    installed runtime were checked; a bundle of that name that was there stays until then. Either
    half may be one taken from another bundle.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".making-") as made:
        folder = Path(made) / f"{name}-{version}"
        folder.mkdir()
        stress = stress if isinstance(stress, Half) else trained_stress(stress)
        gait = gait if isinstance(gait, Half) else trained_gait(gait)
        for file, content in {**stress.files, **gait.files}.items():
            (folder / file).write_bytes(content)
        (folder / GOLDEN_FILE).write_bytes(packed({**stress.golden, **gait.golden}))
        sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
        card = card_text(stress, gait, label=folder.name, seed=seed, sizes=sizes, options=options)
        (folder / "CARD.md").write_text(card, encoding="utf-8")
        table = bundle_table(
            stress.table,
            gait.table,
            name=name,
            version=version,
            seed=seed,
            files={path.name: _hashed(path) for path in folder.iterdir()},
            recordings=merged(stress.recordings.trained_on, gait.recordings.trained_on),
        )
        contract = to_toml(table).encode()
        (folder / CONTRACT_FILE).write_bytes(contract)
        (folder / SEAL_FILE).write_text(seal_text(contract), encoding="ascii")
        check_bundle(folder)
        check_apart(folder)
        return _put_in_place(folder, out / folder.name)


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
