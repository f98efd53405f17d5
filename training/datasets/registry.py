"""Which data sets there are, and which of them lie in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from firmware_host.errors import RecordingError
from training.datasets import motionsense, own, physionet, stress_predict, wesad, wisdm_watch
from training.datasets.base import Session, locate
from training.datasets.motion import Index


class GaitSet(Protocol):
    """A module with walking people in it."""

    NAME: str
    PLACEMENT: str
    index: Index


STRESS: dict[str, Callable[[Path], list[Session]]] = {
    stress_predict.NAME: stress_predict.sessions,
    physionet.NAME: physionet.sessions,
    wesad.NAME: wesad.sessions,
    own.NAME: own.sessions,
}
GAIT: dict[str, GaitSet] = {
    motionsense.NAME: motionsense,
    wisdm_watch.NAME: wisdm_watch,
    own.NAME: own,
}
# What a folder holds that is a data set itself, and not a folder of data sets.
_MARKS = {
    stress_predict.NAME: ("e4", "Raw_data"),
    physionet.NAME: ("stress", "STRESS", "Wearable_Dataset"),
    motionsense.NAME: ("A_DeviceMotion_data", "A_DeviceMotion_data.zip"),
    wisdm_watch.NAME: ("raw", "wisdm-dataset", "wisdm-dataset.zip"),
}


def is_there(data_dir: Path, name: str) -> bool:
    """Whether the data set is in the folder, as a folder or archive of its name, or is the folder.

    Raises
    ------
    RecordingError
        If there is no such folder.
    """
    data_dir = Path(data_dir)
    if not data_dir.is_dir():
        received = "a file" if data_dir.exists() else "no such folder"
        raise RecordingError(data_dir, "a folder of data sets", received)
    if locate(data_dir, name) != data_dir:
        return True
    if name == own.NAME:
        return own.is_own(data_dir)
    return any((data_dir / mark).exists() for mark in _MARKS.get(name, ()))


def require_all(data_dir: Path, names: Iterable[str]) -> None:
    """Refuse a folder that lacks one of the data sets.

    Raises
    ------
    RecordingError
        Naming the first that is missing; or if there is no such folder.
    """
    names = list(names)
    for name in names:
        if not is_there(data_dir, name):
            raise RecordingError(data_dir, f"both {' and '.join(names)}", f"no {name}")


def gait_sets(data_dir: Path) -> list[str]:
    """Names of the data sets with walking people that are there."""
    there = [name for name in GAIT if is_there(data_dir, name)]
    return [name for name in there if name != own.NAME or own.has_motion(data_dir)]
