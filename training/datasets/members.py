"""Files of a dataset, whether they lie in folders, in zip archives or in archives within archives.

An archive counts as a folder of its own name: `MotionSense.zip` that holds
`A_DeviceMotion_data.zip` that holds `wlk_7/sub_1.csv` gives the path
`MotionSense/A_DeviceMotion_data/wlk_7/sub_1.csv`. Python's `zipfile` reads LZMA too.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path, PurePath, PurePosixPath
from typing import IO

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import RecordingError
from training.datasets.bad_people import attempt, note_left_alone

# Publishers pack an archive of archives at most; deeper is not a dataset.
MAX_DEPTH = 3
# The largest published file of all sets is under 1 GB.
MAX_MEMBER_BYTES = 2_000_000_000
_BROKEN = (
    zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, OSError, KeyError, RuntimeError,
    NotImplementedError, UnicodeDecodeError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    """One file.

    `container` is the file on disk: a zip archive, or the file itself. `chain` are the names to
    go through inside of it, outermost first; none for a plain file. `name` is its path below the
    dataset's folder with archives as folders; `groups` what its name told.
    """

    container: Path
    chain: tuple[str, ...]
    name: str
    groups: tuple[str, ...] = ()

    def read(self, n_bytes: int = -1) -> bytes:
        """Content, or only the first `n_bytes` of it.

        Raises
        ------
        RecordingError
            If the file or an archive around it is damaged.
        """
        with self.stream() as stream:
            return stream.read(n_bytes)

    @contextmanager
    def stream(self) -> Iterator[IO[bytes]]:
        """The file open for reading, once from its start.

        Raises
        ------
        RecordingError
            If the file or an archive around it is damaged, also while it is read.
        """
        try:
            if not self.chain:
                with self.container.open("rb") as file:
                    yield file
                return
            with _opened(self.container, self.chain[:-1]) as archive:
                _refuse_huge(archive, self.chain[-1])
                with archive.open(self.chain[-1]) as file:
                    yield file
        except _BROKEN as err:
            received = f"a damaged one ({err}); copy it again"
            raise RecordingError(self.place, "a readable file", received) from err

    @property
    def place(self) -> Path:
        """Where it is, for messages: within an archive it does not exist as such."""
        return self.container.joinpath(*self.chain)


def list_members(root: Path) -> list[Member]:
    """Every file under `root` (a folder, or an archive), sorted by path; what macOS adds left out.

    An archive that was unpacked beside itself is there once. Within `skipping_bad` an archive that
    does not open is named and left out, unless it is `root`.

    Raises
    ------
    RecordingError
        If an archive does not open, or differs from what was unpacked beside it.
    """
    if root.is_file():
        paths, base = [root], root if root.suffix.lower() == ".zip" else root.parent
    else:
        there = (p for p in root.rglob("*") if not is_mac_file(p.relative_to(root)))
        paths, base = sorted(p for p in there if p.is_file()), root
    found: list[Member] = []
    for path in paths:
        if _is_archive(path.name):
            folder = "" if path == base else f"{path.relative_to(base).with_suffix('')}/"
            listed = partial(_listed, path, folder)
            found += listed() if path == root else attempt(f"{base.name}/{path.stem}", listed) or []
        else:
            found.append(Member(path, (), path.relative_to(base).as_posix()))
    once: dict[str, Member] = {}
    for member in found:
        if not is_mac_file(member.name):
            first = once.setdefault(member.name, member)
            if first is not member and first.read() != member.read():
                received = f"two that differ, {first.place} and {member.place}"
                raise RecordingError(root, f"one {member.name}", received)
    return list(once.values())


def find_members(root: Path, pattern: str, near: str = "") -> list[Member]:
    """Every file under `root` whose path ends as `pattern` says, sorted by path.

    Files that end as `near` says, but not as `pattern`, are named on standard error.

    Raises
    ------
    RecordingError
        If two files are named alike. Within `skipping_bad` the second archive is named and left out
        if it holds the same; which of two that differ is meant cannot be known.
    """
    wanted = re.compile(rf"(?:^|/){pattern}$")
    alike = re.compile(rf"(?:^|/){near}$") if near else None
    found: dict[tuple[str, ...], Member] = {}
    left_alone: list[str] = []
    doubled: set[tuple[Path, Path]] = set()
    for member in list_members(root):
        match = wanted.search(member.name)
        if match is None:
            if alike is not None and alike.search(member.name):
                left_alone.append(member.name)
            continue
        groups = match.groups()
        if groups in found:
            pair = (found[groups].container, member.container)
            refuse = partial(_refuse_second, root, found[groups], member)
            if found[groups].read() != member.read():
                refuse()
            if pair not in doubled:
                attempt(f"{root.name}/{member.container.stem}", refuse)
            doubled.add(pair)
            continue
        found[groups] = replace(member, groups=groups)
    note_left_alone(root, left_alone, "not named as the publisher names a recording")
    return list(found.values())


def _refuse_second(root: Path, first: Member, second: Member) -> None:
    received = f"two, in {first.container} and {second.container}"
    raise RecordingError(root, f"one copy of {second.name}", received)


def parse_numbers(text: bytes, n_columns: int, where: Member) -> NDArray[np.float64]:
    """(n, n_columns) from comma-separated numbers without line ends.

    Raises
    ------
    RecordingError
        If something in it is not a number or a row is cut.
    """
    expected = f"rows of {n_columns} comma-separated numbers"
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            values = np.fromstring(text.decode("ascii", "replace"), sep=",")
        except (DeprecationWarning, ValueError) as err:
            raise RecordingError(where.place, expected, "a cell that is none") from err
    if values.size == 0 or values.size % n_columns:
        raise RecordingError(where.place, expected, f"{values.size} numbers; the file is cut")
    if not np.isfinite(values).all():
        raise RecordingError(where.place, "finite numbers", "NaN or infinity")
    return values.reshape(-1, n_columns)


def content_hash(members: list[Member]) -> str:
    """SHA-256 over the members' own bytes, in order: the same however they are packed."""
    digest = hashlib.sha256()
    for member in members:
        digest.update(member.read())
    return digest.hexdigest()


def _is_archive(name: str) -> bool:
    return name.lower().endswith(".zip")


def is_mac_file(name: str | PurePath) -> bool:
    """Whether it is one of the files that macOS puts beside a user's."""
    path = PurePosixPath(name)
    is_named_so = path.name.startswith("._") or path.name == ".DS_Store"
    return is_named_so or "__MACOSX" in path.parts


def _listed(container: Path, folder: str) -> list[Member]:
    return list(_in_archive(container, (), folder))


def _in_archive(container: Path, chain: tuple[str, ...], folder: str) -> Iterator[Member]:
    try:
        with _opened(container, chain) as archive:
            names = sorted(n for n in archive.namelist() if not n.endswith("/"))
    except _BROKEN as err:
        where = container.joinpath(*chain)
        received = f"one that does not open ({err}); copy it again"
        raise RecordingError(where, "a complete zip archive", received) from err
    for name in names:
        if _is_archive(name) and len(chain) + 1 < MAX_DEPTH and not is_mac_file(name):
            inner = f"{folder}{PurePosixPath(name).with_suffix('')}/"
            yield from _in_archive(container, (*chain, name), inner)
        else:
            yield Member(container, (*chain, name), f"{folder}{name}")


def _opened(container: Path, chain: tuple[str, ...]) -> zipfile.ZipFile:
    """The archive at the end of the chain."""
    if not chain:
        return zipfile.ZipFile(container)
    return zipfile.ZipFile(io.BytesIO(_unpacked(container, chain, container.stat().st_mtime_ns)))


@lru_cache(maxsize=1)
def _unpacked(container: Path, chain: tuple[str, ...], mtime_ns: int) -> bytes:  # noqa: ARG001
    """Content of an archive within an archive; the last one is kept, for its files come in a row."""
    with _opened(container, chain[:-1]) as archive:
        _refuse_huge(archive, chain[-1])
        return archive.read(chain[-1])


def _refuse_huge(archive: zipfile.ZipFile, name: str) -> None:
    if archive.getinfo(name).file_size > MAX_MEMBER_BYTES:
        msg = f"{name} is larger than {MAX_MEMBER_BYTES} bytes"
        raise zipfile.BadZipFile(msg)
