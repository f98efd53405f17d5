"""A dataset is a sorted list of sessions: who, which recording, and what happened when."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_host.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable

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


@dataclass(frozen=True, slots=True)
class Session:
    """One recording of one participant with its stages in order of time."""

    dataset: str
    participant: str
    kind: str
    path: Path
    stages: tuple[Stage, ...]

    @property
    def person(self) -> str:
        """Name of the participant across datasets: "dataset/participant"."""
        return f"{self.dataset}/{self.participant}"


def locate(data_dir: Path, dataset: str) -> Path:
    """The dataset's folder: `data_dir` itself, or the folder of that name in it.

    Raises
    ------
    RecordingError
        If `data_dir` does not exist.
    """
    data_dir = Path(data_dir)
    if not data_dir.is_dir():
        raise RecordingError(data_dir, f"the folder of {dataset}", "no such folder")
    inner = data_dir / dataset
    return inner if inner.is_dir() else data_dir


def recordings_in(folder: Path, pattern: str) -> list[tuple[str, Path]]:
    """Participant name and path of every archive (zip or folder) whose name fits `pattern`.

    Sorted by name; two archives of one participant are an error, not a choice.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in ("", ".zip") or not re.fullmatch(pattern, path.stem):
            continue
        if path.stem in found:
            raise RecordingError(
                folder, f"one recording of {path.stem}", f"{found[path.stem].name} and {path.name}"
            )
        found[path.stem] = path
    return sorted(found.items())


def require_sessions(sessions: Iterable[Session], where: Path, what: str) -> list[Session]:
    """Return the sessions as a list, or say what was expected if there is none."""
    listed = list(sessions)
    if not listed:
        raise RecordingError(where, what, "no such recording in it")
    return listed
