"""Files of a dataset, whether they lie in folders or in zip archives (LZMA included)."""

from __future__ import annotations

import hashlib
import re
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import RecordingError


@dataclass(frozen=True, slots=True)
class Member:
    """One file: `container` is a zip archive or the file itself, `groups` what its name told."""

    container: Path
    name: str
    groups: tuple[str, ...]

    def read(self) -> bytes:
        """Whole content.

        Raises
        ------
        RecordingError
            If the archive is damaged.
        """
        if self.container.suffix.lower() != ".zip":
            return self.container.read_bytes()
        try:
            with zipfile.ZipFile(self.container) as archive:
                return archive.read(self.name)
        except (zipfile.BadZipFile, EOFError, OSError, KeyError) as err:
            raise RecordingError(self.container, f"a readable {self.name}", str(err)) from err


def find_members(root: Path, pattern: str) -> list[Member]:
    """Every file under `root` whose path ends as `pattern` says, sorted by path.

    Raises
    ------
    RecordingError
        If two files are named alike: which of the two is meant cannot be known.
    """
    wanted = re.compile(rf"(?:^|/){pattern}$")
    found: dict[tuple[str, ...], Member] = {}
    for path in sorted(root.rglob("*")):
        for name in _names(path):
            match = wanted.search(name)
            if match is None or "__MACOSX" in name:
                continue
            member = Member(path, name, match.groups())
            if member.groups in found:
                first = found[member.groups].container
                raise RecordingError(root, f"one copy of {name}", f"two, in {first} and {path}")
            found[member.groups] = member
    return list(found.values())


def _names(path: Path) -> list[str]:
    if path.suffix.lower() != ".zip":
        return [path.as_posix()] if path.is_file() else []
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except zipfile.BadZipFile as err:
        raise RecordingError(path, "a zip archive", str(err)) from err


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
            raise RecordingError(where.container, expected, f"{where.name}: {err}") from err
    if values.size == 0 or values.size % n_columns:
        received = f"{where.name} with {values.size} numbers"
        raise RecordingError(where.container, expected, received)
    return values.reshape(-1, n_columns)


def content_hash(members: list[Member]) -> str:
    """SHA-256 over the containers that hold the members, in order."""
    digest = hashlib.sha256()
    for container in sorted({member.container for member in members}):
        digest.update(container.read_bytes())
    return digest.hexdigest()
