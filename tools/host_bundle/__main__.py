"""``python -m tools.host_bundle``: the archive, its hash beside it, and what is in it."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.host_bundle.archive import contents, listing, write_tar
from tools.host_bundle.lock import REPO, BundleError, sha256, update_locks
from tools.host_bundle.targets import MACHINES, Target
from tools.host_bundle.wheels import library_wheels, own_wheel

# 2026-01-01: a tree that is no checkout has no time of its own.
_NO_COMMIT_EPOCH = 1_767_225_600


def main(argv: list[str] | None = None) -> int:
    """Make it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.host_bundle", description=__doc__)
    parser.add_argument("--platform", choices=MACHINES, default=MACHINES[0])
    parser.add_argument("--out", type=Path, default=REPO / "out", help="folder for the archive")
    parser.add_argument("--cache", type=Path, default=REPO / ".cache/host-bundle", help="wheels")
    parser.add_argument("--update-lock", action="store_true", help="newest libraries into the lock")
    args = parser.parse_args(argv)
    try:
        if args.update_lock:
            update_locks()
            return 0
        make(args.platform, args.out, args.cache)
    except (BundleError, OSError) as err:
        print(f"host-bundle: {err}", file=sys.stderr)
        return 1
    return 0


def make(machine: str, out: Path, cache: Path) -> Path:
    """Write the archive for a machine and say what is in it; its path.

    Raises
    ------
    BundleError
        If a wheel cannot be had or built.
    """
    epoch = _epoch()
    version = _version()
    with tempfile.TemporaryDirectory() as folder:
        wheels = library_wheels(Target(machine), cache)
        wheels.append(own_wheel(Path(folder), cache, epoch=epoch))
        files = contents(wheels, version=version, machine=machine)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"signet-host-{version}-{machine}.tar"
    write_tar(path, files, epoch=epoch)
    path.with_name(f"{path.name}.sha256").write_text(f"{sha256(path)}  {path.name}\n")
    print(listing(files))
    print(f"{path}: {len(files)} files, {path.stat().st_size / 1e6:.1f} MB, sha256 {sha256(path)}")
    return path


def _epoch() -> int:
    """UNIX seconds for every file: what is asked for, else when the tree was committed."""
    said = os.environ.get("SOURCE_DATE_EPOCH", "")
    if said.isdecimal():
        return int(said)
    done = subprocess.run(
        ["git", "-C", str(REPO), "log", "-1", "--format=%ct"],
        capture_output=True,
        text=True,
        check=False,
    )
    return int(done.stdout) if done.stdout.strip().isdecimal() else _NO_COMMIT_EPOCH


def _version() -> str:
    text = (REPO / "firmware_host/__init__.py").read_text()
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if found is None:
        raise BundleError("firmware_host/__init__.py: expected a version, found none")
    return found[1]


if __name__ == "__main__":
    sys.exit(main())
