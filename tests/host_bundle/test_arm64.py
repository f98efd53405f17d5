"""The wheels of the very archive, run by an arm64 Python under qemu: the same numbers as here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .conftest import REPO, signet, unpacked

ARM64 = REPO / ".cache/arm64"
PROGRAM = Path(__file__).parent / "on_host.py"
# Sums of float32 in another order and with fused steps: one unit in the last place of a number near 1 is 1.2e-7,
# and ten times that is what a few layers make of it. Measured: 1.2e-7 for outputs, 1.5e-8 for learned weights.
TOLERANCE = 2e-6
# Events are written with six decimals: a unit in the last of them, either way, and the difference itself.
EVENT_TOLERANCE = 5e-6

Run = Callable[..., list[str]]


@pytest.fixture(scope="session")
def arm64(arm64_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Command lines for the arm64 Python, with the archive's wheels and none of this machine's."""
    if not (ARM64 / "made-by").is_file():
        pytest.skip("no arm64 Python here: tools/install-arm64.sh unpacks one")
    folder = tmp_path_factory.mktemp("site")
    site = folder / "site"
    for wheel in sorted((unpacked(arm64_archive, folder) / "wheels").glob("*.whl")):
        with zipfile.ZipFile(wheel) as files:
            files.extractall(site)
    # The check of golden numbers is training's. Not all of the checkout: its package would hide the archive's.
    beside = folder / "beside"
    beside.mkdir()
    for name in ("training", "models"):
        (beside / name).symlink_to(REPO / name)
    root, sets = ARM64 / "root", (f"PYTHONPATH={site}:{beside}", "PYTHONDONTWRITEBYTECODE=1")
    python = [str(ARM64 / "qemu-aarch64-static"), "-L", str(root), "-U", "PYTHONPATH"]
    python += [word for each in sets for word in ("-E", each)]
    python += [str(root / "usr/bin/python3.11"), "-s"]
    return lambda *words: [*python, *map(str, words)]


def _on_host(command: list[str], out: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    env = {**os.environ, "PYTHONPATH": str(REPO)}
    done = subprocess.run(
        [*command, str(PROGRAM), str(out)],
        capture_output=True,
        text=True,
        check=False,
        env=env,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    with np.load(out) as arrays:
        return json.loads(done.stdout), dict(arrays)


def test_models_infer_and_learn_as_here(arm64: Run, tmp_path: Path) -> None:
    facts, there = _on_host(arm64(), tmp_path / "there.npz")
    assert facts["machine"] == "aarch64"
    assert "site/firmware_host/bundles/" in facts["bundle"]
    assert set(facts["runs_on"].values()) == {"tflite-runtime 2.14.0, fast kernels"}
    # What TensorFlow gave at export: the limit is the one that every runtime here is held to.
    assert max(facts["worst"].values()) < 1e-5
    _, here = _on_host([sys.executable], tmp_path / "here.npz")
    assert there.keys() == here.keys()
    for name, values in here.items():
        assert np.abs(there[name] - values).max() < TOLERANCE, name
    # It did learn: no weight may be compared that has not moved.
    assert np.abs(there["moved.head_w"]).max() > 0.01
    assert np.abs(there["moved.lora1_b"]).max() > 0.001
    assert there["losses"][-1] < there["losses"][0]


def _assert_same(there: Any, here: Any, where: str) -> None:
    if isinstance(here, dict):
        assert there.keys() == here.keys(), where
        for key, value in here.items():
            _assert_same(there[key], value, f"{where}.{key}")
    elif isinstance(here, float):
        assert there == pytest.approx(here, abs=EVENT_TOLERANCE), where
    else:
        assert there == here, where


def _events(out: str) -> list[dict[str, Any]]:
    # The last line is of what it cost.
    return [json.loads(line) for line in out.splitlines()[:-1]]


def test_recording_gives_the_events_that_it_gives_here(
    arm64: Run, recording: Path, tmp_path: Path
) -> None:
    """The whole way: reader, decoder, windows, both models, vault."""
    words = ("run", "--device", f"replay:{recording}?speed=max", "--json", "--no-learn")
    vaults = [
        ("--state", tmp_path / f"state{n}", "--key-file", tmp_path / f"key{n}") for n in range(2)
    ]
    here = _events(signet(*words, *vaults[0]))
    there = _events(signet(*words, *vaults[1], run=arm64))
    assert {event["kind"] for event in here} >= {"stress", "activity", "stream"}
    assert len(there) == len(here)
    for n, (theirs, ours) in enumerate(zip(there, here, strict=True)):
        _assert_same(theirs, ours, f"event {n}")
    # What was sealed there is opened here.
    stored = json.loads(signet("status", *vaults[1], "--json"))
    assert (
        stored["records"]["event"]
        == json.loads(signet("status", *vaults[0], "--json"))["records"]["event"]
    )


def test_learning_job_comes_to_the_verdict_that_it_comes_to_here(
    arm64: Run, tmp_path: Path
) -> None:
    here, there, key = tmp_path / "here", tmp_path / "there", tmp_path / "key"
    url = "synthetic:?seed=8&scenario=day&hours=1.4"
    signet("run", "--device", url, "--no-learn", "--json", "--state", here, "--key-file", key)
    shutil.copytree(here, there)
    ours = json.loads(signet("learn", "--json", "--state", here, "--key-file", key))
    theirs = json.loads(signet("learn", "--json", "--state", there, "--key-file", key, run=arm64))
    assert ours["n_steps"] > 100
    for outcome in (ours, theirs):
        del outcome["peak_rss_mb"]
    _assert_same(theirs, ours, "learned")
