"""The exact libraries of an archive: versions and hashes, in pip's own format for requirements."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

from tools.host_bundle.targets import MACHINES, PYTHON, Target

REPO = Path(__file__).resolve().parents[2]
LOCK = REPO / "packaging/host-bundle/requirements.txt"
BUILD_LOCK = REPO / "packaging/host-bundle/build-requirements.txt"
_HEAD = "# {what}\n# Written by: python -m tools.host_bundle --update-lock\n"
_ENTRY = re.compile(
    r"^([a-z0-9-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE
)

Hashes = dict[tuple[str, str], set[str]]


class BundleError(Exception):
    """Why there is no archive, in one line."""


def read_lock(path: Path) -> Hashes:
    """Hashes of the wheels that will do, by name and version."""
    found = _ENTRY.findall(path.read_text())
    return {
        (name, version): set(re.findall(r"[0-9a-f]{64}", text)) for name, version, text in found
    }


def lock_text(hashes: Hashes, what: str) -> str:
    """A lock file; `what` is its first line."""
    lines = [_HEAD.format(what=what)]
    for (name, version), known in sorted(hashes.items()):
        lines += [
            f"{name}=={version}",
            *(f" \\\n    --hash=sha256:{sha}" for sha in sorted(known)),
            "\n",
        ]
    return "".join(lines)


def name_and_version(wheel: Path) -> tuple[str, str]:
    """From a wheel's file name; the name as in requirements."""
    name, version = wheel.name.split("-")[:2]
    return re.sub(r"[-_.]+", "-", name).lower(), version


def sha256(path: Path) -> str:
    """Hash of a file, hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pip(*words: str | Path, env: dict[str, str] | None = None) -> None:
    """Run pip, whose own last error is ours.

    Raises
    ------
    BundleError
        If it fails.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise BundleError(
            f"pip {words[0]}: {(errors or done.stderr.splitlines() or ['failed'])[-1]}"
        )


def update_locks() -> None:
    """Ask the package index what is newest within what pyproject.toml allows, for every machine.

    Raises
    ------
    BundleError
        If run by another Python, or the machines would not get the same versions.
    """
    # pip judges "python_version < '3.12'" by the Python it runs in, whatever it is told to download for.
    if sys.version_info[:2] != tuple(map(int, PYTHON.split("."))):
        raise BundleError(
            f"--update-lock: expected to run in Python {PYTHON}, got {sys.version.split()[0]}"
        )
    project = tomllib.loads((REPO / "pyproject.toml").read_text())
    host = _resolve([*project["project"]["dependencies"], "pip"], MACHINES)
    LOCK.write_text(
        lock_text(host, f"Libraries of the host bundle: CPython {PYTHON}, {', '.join(MACHINES)}.")
    )
    build = _resolve(project["build-system"]["requires"], MACHINES[:1])
    BUILD_LOCK.write_text(lock_text(build, "What builds our own wheel for it."))


def _resolve(wanted: Iterable[str], machines: Sequence[str]) -> Hashes:
    by_machine = []
    for machine in machines:
        with tempfile.TemporaryDirectory() as folder:
            pip("download", "--dest", folder, *Target(machine).pip_options(), *wanted)
            wheels = sorted(Path(folder).glob("*.whl"))
            by_machine.append({name_and_version(wheel): {sha256(wheel)} for wheel in wheels})
    first = by_machine[0]
    for machine, other in zip(machines, by_machine, strict=True):
        if other.keys() != first.keys():
            differ = ", ".join(sorted("==".join(one) for one in other.keys() ^ first.keys()))
            raise BundleError(
                f"{machine}: expected the same versions as on {machines[0]}, got {differ}"
            )
    return {one: set().union(*(other[one] for other in by_machine)) for one in first}
