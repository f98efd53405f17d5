"""An archive from its parts: the same parts, the same bytes."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from tools.host_bundle.lock import REPO, lock_text, name_and_version, sha256
from tools.host_bundle.targets import PYTHON, needed_glibc

SUMS = "SHA256SUMS"
PARTS = REPO / "packaging/host-bundle"
_SCRIPTS = ("install.sh", "uninstall.sh")
# Where a file of the archive comes from: what a host gets besides the wheels.
_FILES = {
    "files/70-signet.rules": REPO / "packaging/udev/70-signet.rules",
    "files/LICENSE": REPO / "LICENSE",
    "files/host-bundle.md": REPO / "docs/host-bundle.md",
    "files/signet.example.toml": REPO / "signet.example.toml",
    **{f"files/{name}": PARTS / name for name in ("signet.service", "signet.sh", "signet.toml")},
    **{name: PARTS / name for name in _SCRIPTS},
}
# Bytes on disk for each byte in a wheel, unpacked: Python's compiled files and whole blocks of a disk come on top.
_ON_DISK = 1.5


def contents(wheels: list[Path], *, version: str, machine: str) -> dict[str, bytes]:
    """Every file of the archive by its name in it, with the list of their hashes."""
    files = {name: path.read_bytes() for name, path in _FILES.items()}
    files |= {f"wheels/{wheel.name}": wheel.read_bytes() for wheel in wheels}
    exact = {name_and_version(wheel): {sha256(wheel)} for wheel in wheels}
    files["requirements.txt"] = lock_text(exact, "Exactly the wheels beside it.").encode()
    bundle_id = f"{version}-{hashlib.sha256(_sums(files)).hexdigest()[:12]}"
    facts = {
        "ID": bundle_id,
        "VERSION": version,
        "MACHINE": machine,
        "PYTHON": PYTHON,
        "GLIBC": needed_glibc([wheel.name for wheel in wheels]),
        "NEED_KB": str(_need_kb(wheels)),
    }
    files["bundle.env"] = "".join(f"{key}={value}\n" for key, value in facts.items()).encode()
    files[SUMS] = _sums(files)
    return files


def write_tar(path: Path, files: Mapping[str, bytes], *, epoch: int) -> None:
    """An uncompressed tar, for wheels are compressed: sorted, of one time, of nobody."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(f"{path.stem}/{name}")
            member.size = len(data)
            member.mtime = epoch
            member.mode = 0o755 if name in _SCRIPTS else 0o644
            tar.addfile(member, io.BytesIO(data))


def listing(files: Mapping[str, bytes]) -> str:
    """One line a file: hash, bytes, name."""
    return "\n".join(
        f"  {hashlib.sha256(data).hexdigest()[:16]}  {len(data):>9,}  {name}"
        for name, data in sorted(files.items())
    )


def _sums(files: Mapping[str, bytes]) -> bytes:
    lines = [
        f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())
    ]
    return "".join(lines).encode()


def _need_kb(wheels: list[Path]) -> int:
    n_bytes = 0
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as unpacked:
            n_bytes += sum(entry.file_size for entry in unpacked.infolist())
    return int(n_bytes * _ON_DISK / 1024)
