"""Archives as a host gets them, made once a run."""

from __future__ import annotations

import fcntl
import os
import platform
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.host_bundle.__main__ import make
from tools.host_bundle.targets import MACHINES, PYTHON

REPO = Path(__file__).resolve().parents[2]
CACHE = REPO / ".cache/host-bundle"
# A machine that says nothing of itself: how busy the one is that tests run on must not matter.
NO_MACHINE = "SIGNET_HOST_ROOT"


def made(machine: str, out: Path) -> Path:
    """The archive for a machine; one at a time, for all share the cache of wheels."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return make(machine, out, CACHE)


def unpacked(archive: Path, folder: Path) -> Path:
    """Where the archive's files are."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / archive.stem


@pytest.fixture(scope="session")
def arm64_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made("aarch64", tmp_path_factory.mktemp("arm64"))


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that can be installed on this machine."""
    if platform.machine() not in MACHINES or sys.version_info[:2] != tuple(
        map(int, PYTHON.split("."))
    ):
        pytest.skip(f"an archive is for Python {PYTHON} on {' or '.join(MACHINES)}")
    return made(platform.machine(), tmp_path_factory.mktemp("native"))


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six simulated minutes."""
    path = tmp_path_factory.mktemp("recording") / "short.mcap"
    signet("record", "--device", "synthetic:?seed=8&scenario=short&hours=0.1", "--out", path)
    return path


def signet(*words: object, run: Callable[..., list[str]] | None = None) -> str:
    """Standard output of ``signet`` of this checkout, or of the one that `run` gives the command line of."""
    own = [sys.executable, "-m", "firmware_host"]
    command = own if run is None else run("-m", "firmware_host")
    done = subprocess.run(
        [*command, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPO if run is None else "/",
        env={**os.environ, NO_MACHINE: "/var/empty" if Path("/var/empty").is_dir() else "/tmp"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
