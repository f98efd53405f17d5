"""Which reader and which writer belong to which file, by suffix."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from firmware_host.errors import RecordingError
from firmware_host.recording.base import RecordingReader

if TYPE_CHECKING:
    from firmware_host.recording.exchange import Report, Written
    from firmware_host.recording.take import Take

    Writer = Callable[[Take, Path, Report], Written]

MCAP = ".mcap"
# Named, not imported: a format's library loads only when such a file is opened.
READERS = {
    MCAP: ("firmware_host.recording.mcap_reader", "McapReader"),
    ".zip": ("firmware_host.recording.e4_reader", "E4Reader"),
    ".edf": ("firmware_host.recording.edf_reader", "EdfReader"),
    ".xdf": ("firmware_host.recording.xdf_reader", "XdfReader"),
    ".csv": ("firmware_host.recording.csv_reader", "CsvReader"),
}
WRITERS = {
    ".zip": ("firmware_host.recording.e4_writer", "write_e4"),
    ".edf": ("firmware_host.recording.edf_writer", "write_edf"),
    ".xdf": ("firmware_host.recording.xdf_writer", "write_xdf"),
    ".csv": ("firmware_host.recording.csv_writer", "write_csv"),
}
"""Writers of a `Take`; MCAP is written message by message."""
_E4, _WESAD = READERS[".zip"], ("firmware_host.recording.wesad_reader", "WesadReader")


def open_recording(path: str | Path) -> RecordingReader:
    """Open a recording: ``.mcap .edf .xdf .csv``, an Empatica E4 session as ``.zip`` or folder, or a WESAD folder.

    Raises
    ------
    RecordingError
        If there is nothing, nothing we can read, or no stretch of time in it.
    ConfigError
        If the format's library is not installed.
    """
    path = Path(path)
    if not path.exists():
        raise RecordingError(path, "a recording", "nothing there")
    if not path.is_file() and not path.is_dir():
        # Opening a pipe waits for its writer, and none of the formats is read from front to back.
        raise RecordingError(path, "a file or a folder", "a pipe or a device")
    entry = _of_folder(path) if path.is_dir() else READERS.get(path.suffix.lower())
    if entry is None:
        known = " ".join([*READERS, "or an E4 folder"])
        raise RecordingError(path, known, path.suffix or "a file without suffix")
    opened = cast(Callable[[Path], RecordingReader], _named(*entry))(path)
    if opened.duration_s <= 0:
        opened.close()
        raise RecordingError(path, "a recording of some length", "0 s of readable data")
    return opened


def writer_of(path: Path) -> Writer:
    """What writes a take to such a file.

    Raises
    ------
    RecordingError
        If the suffix is of no format we write.
    """
    entry = WRITERS.get(path.suffix.lower())
    if entry is None:
        known = " ".join([MCAP, *WRITERS])
        raise RecordingError(path, known, path.suffix or "a name without suffix")
    return cast("Writer", _named(*entry))


def _of_folder(path: Path) -> tuple[str, str]:
    from firmware_host.recording.wesad_reader import is_wesad

    return _WESAD if is_wesad(path) else _E4


def _named(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)
