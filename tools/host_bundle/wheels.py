"""The wheels of an archive: libraries by the lock, and our own built from the tree."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tools.host_bundle.lock import (
    BUILD_LOCK,
    LOCK,
    REPO,
    BundleError,
    Hashes,
    name_and_version,
    pip,
    read_lock,
    sha256,
)
from tools.host_bundle.targets import Target


def library_wheels(target: Target, cache: Path) -> list[Path]:
    """Every library as a wheel for a machine, from the cache or the package index, its hash as in the lock.

    Raises
    ------
    BundleError
        If one cannot be had.
    """
    folder = cache / target.machine
    locked = read_lock(LOCK)
    found = _fitting(folder, locked)
    if len(found) < len(locked):
        folder.mkdir(parents=True, exist_ok=True)
        pip(
            "download",
            "--no-deps",
            "--require-hashes",
            "--dest",
            folder,
            "-r",
            LOCK,
            *target.pip_options(),
        )
        found = _fitting(folder, locked)
    if missing := locked.keys() - found.keys():
        names = ", ".join(sorted("==".join(one) for one in missing))
        raise BundleError(
            f"{target.machine}: expected wheels as in {LOCK.name}, got none of {names}"
        )
    return [found[one] for one in sorted(found)]


def own_wheel(folder: Path, cache: Path, *, epoch: int) -> Path:
    """Our own wheel, the same bytes from the same tree whenever it is built.

    Parameters
    ----------
    epoch
        UNIX seconds that every file in it gets.
    """
    tools = cache / f"build-{sha256(BUILD_LOCK)[:12]}"
    if not tools.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as made:
            # Whole or not at all: two builds may do this at once.
            inside = Path(made) / "tools"
            pip(
                "install",
                "--quiet",
                "--no-deps",
                "--require-hashes",
                "--target",
                inside,
                "-r",
                BUILD_LOCK,
            )
            if not tools.is_dir():
                inside.rename(tools)
    env = {**os.environ, "PYTHONPATH": str(tools), "SOURCE_DATE_EPOCH": str(epoch)}
    pip(
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        folder,
        REPO,
        env=env,
    )
    (wheel,) = folder.glob("signet_wearable-*.whl")
    return wheel


def _fitting(folder: Path, locked: Hashes) -> dict[tuple[str, str], Path]:
    """Wheels in a folder that are in the lock, byte for byte."""
    return {
        one: wheel
        for wheel in sorted(folder.glob("*.whl"))
        if (one := name_and_version(wheel)) in locked and sha256(wheel) in locked[one]
    }
