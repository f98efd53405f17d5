"""A dataset is a sorted list of sessions: who, which recording, and what happened when."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import RecordingError
from firmware_host.recording.e4 import E4Archive

REST = "rest"
STRESS = "stress"
EXERCISE = "exercise"
# Recorded but neither learned from nor scored.
UNSCORED = "unscored"


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of a protocol, from `start_utc` to `end_utc` (UNIX seconds)."""

    name: str
    label: str
    start_utc: float
    end_utc: float


class Signal(Protocol):
    """One channel: `values` (n, n_axes) in SI units at a steady rate, NaN where samples are lost."""

    @property
    def start_utc(self) -> float:
        """Time of the first value, UNIX seconds."""
        ...

    @property
    def rate_hz(self) -> float:
        """Sample rate."""
        ...

    @property
    def values(self) -> NDArray[np.float64]:
        """(n, n_axes)."""
        ...


class Signals(Protocol):
    """One recording, read: an E4 archive, or whatever gives the same channels by name."""

    @property
    def channels(self) -> Mapping[str, Signal]:
        """Channels by name: bvp (au), eda (µS), temp (°C), acc (m/s²), gyro (rad/s)."""
        ...

    @property
    def start_utc(self) -> float:
        """Earliest first value, UNIX seconds."""
        ...

    @property
    def end_utc(self) -> float:
        """Time just after the last value, UNIX seconds."""
        ...

    def content_sha256(self) -> str:
        """Hash of the samples: the same recording packed differently has the same hash."""
        ...


class Source(Protocol):
    """Where a session's signals come from."""

    def open(self) -> Signals:
        """Read everything; RecordingError if something is missing, cut or off-rate."""
        ...

    def fingerprint(self) -> str:
        """Hash that changes whenever a byte of the files or the way they are read does."""
        ...


@dataclass(frozen=True, slots=True)
class E4Path:
    """An E4 archive that lies there on its own, as a zip or a folder."""

    path: Path

    def open(self) -> Signals:
        """Read it as the host does."""
        return E4Archive(self.path)

    def fingerprint(self) -> str:
        """Hash of its files."""
        is_file = self.path.is_file()
        files = [self.path] if is_file else sorted(p for p in self.path.rglob("*.csv"))
        digest = hashlib.sha256()
        for file in files:
            digest.update(os.fsencode(file.name))
            digest.update(file.read_bytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Session:
    """One recording of one participant with its stages in order of time.

    `path` is what error messages name; the signals come from `source`, which is the E4 archive at
    `path` unless something else is given.
    """

    dataset: str
    participant: str
    kind: str
    path: Path
    stages: tuple[Stage, ...]
    given_source: Source | None = None

    @property
    def source(self) -> Source:
        """Where the signals come from."""
        return self.given_source or E4Path(self.path)

    @property
    def person(self) -> str:
        """Name of the participant across datasets: "dataset/participant"."""
        return f"{self.dataset}/{self.participant}"


def locate(data_dir: Path, dataset: str) -> Path:
    """The dataset's folder or archive: the one of that name in `data_dir`, or `data_dir` itself.

    Raises
    ------
    RecordingError
        If `data_dir` does not exist, or is a file that is no archive.
    """
    data_dir = Path(data_dir)
    if data_dir.suffix.lower() == ".zip" and data_dir.is_file():
        return data_dir
    if not data_dir.is_dir():
        received = "a file" if data_dir.exists() else "no such folder"
        raise RecordingError(data_dir, f"the folder of {dataset}", received)
    # Publishers write WESAD in capitals.
    wanted = {dataset, f"{dataset}.zip"}
    inner = sorted(path for path in data_dir.iterdir() if path.name.lower() in wanted)
    # Messages name the place itself, not a link to it.
    return inner[0].resolve() if inner and inner[0].is_symlink() else (inner or [data_dir])[0]


def require_sessions(sessions: Iterable[Session], where: Path, what: str) -> list[Session]:
    """Return the sessions as a list, or say what was expected if there is none."""
    listed = list(sessions)
    if not listed:
        raise RecordingError(where, what, "no such recording in it")
    return listed
