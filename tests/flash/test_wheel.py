"""What is installed can flash: the app is no Python package, and its files must be in the wheel all the same."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.flash.conftest import REPO

_BUILD = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
_NEEDED = ("pyproject.toml", "README.md", "LICENSE", "models/bundles", "packaging/udev")


@pytest.fixture(scope="session")
def wheel(whole_code: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("needs hatchling: pip install -e '.[dev]'")
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(whole_code / "firmware_host", source / "firmware_host")
    for name in _NEEDED:
        copy = shutil.copytree if (REPO / name).is_dir() else shutil.copy
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        copy(REPO / name, source / name)
    out = source / "out"
    subprocess.run([sys.executable, "-c", _BUILD, str(out)], cwd=source, check=True)
    (built,) = out.glob("*.whl")
    return built


def test_app_tables_and_rule_are_in_the_wheel(wheel, whole_code) -> None:
    package = whole_code / "firmware_host"
    names = set(zipfile.ZipFile(wheel).namelist())
    folders = {"board": "*.py", "flash/boards": "*.toml", "flash/microbit": "main.py"}
    needed = [
        path for folder, pattern in folders.items() for path in (package / folder).rglob(pattern)
    ]
    assert len(needed) > 20
    missing = {str(path.relative_to(whole_code)) for path in needed} - names
    assert not missing
    assert "firmware_host/udev/70-signet.rules" in names
    assert not [name for name in names if "__pycache__" in name or "node_modules" in name]


def test_installed_command_flashes(wheel, start, shipped, whole_code, tmp_path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    _, port = start()
    words = ["--board", "pico", "--device", port, "--dry-run"]
    done = subprocess.run(
        [sys.executable, "-m", "firmware_host", "flash", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    listed = {
        line.split()[-1]: line.split()[0] for line in done.stdout.splitlines() if line[:2] == "  "
    }
    assert listed == {name: sha256[:12] for name, sha256 in shipped("pico", whole_code).items()}
