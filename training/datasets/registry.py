"""Which data sets there are, and which of them lie in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from firmware_host.errors import RecordingError
from training.datasets import own, physionet, stress_predict, wesad
from training.datasets.base import Session, locate

STRESS: dict[str, Callable[[Path], list[Session]]] = {
    stress_predict.NAME: stress_predict.sessions,
    physionet.NAME: physionet.sessions,
    wesad.NAME: wesad.sessions,
    own.NAME: own.sessions,
}
# What a folder holds that is a data set itself, and not a folder of data sets.
_MARKS = {stress_predict.NAME: ("e4", "Raw_data"), physionet.NAME: ("stress", "STRESS")}


def is_there(data_dir: Path, name: str) -> bool:
    """Whether the data set is in the folder, as a folder or archive of its name, or is the folder.

    Raises
    ------
    RecordingError
        If there is no such folder.
    """
    data_dir = Path(data_dir)
    if not data_dir.is_dir():
        raise RecordingError(data_dir, "a folder of data sets", "no such folder")
    if locate(data_dir, name) != data_dir:
        return True
    if name == own.NAME:
        return own.is_own(data_dir)
    return any((data_dir / mark).is_dir() for mark in _MARKS.get(name, ()))
