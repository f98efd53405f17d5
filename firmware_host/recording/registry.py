"""Which reader opens which recording, by suffix."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import cast

from firmware_host.errors import RecordingError
from firmware_host.recording.base import RecordingReader

# Named, not imported: a format's library loads only when such a file is opened.
READERS = {
    ".mcap": ("firmware_host.recording.mcap_reader", "McapReader"),
    ".zip": ("firmware_host.recording.e4_reader", "E4Reader"),
}
FOLDER_READER = READERS[".zip"]


def open_recording(path: str | Path) -> RecordingReader:
    """Open a recording: ``.mcap``, or an Empatica E4 session as ``.zip`` or folder.

    Raises
    ------
    RecordingError
        If there is nothing, nothing we can read, or no stretch of time in it.
    """
    path = Path(path)
    if not path.exists():
        raise RecordingError(path, "a recording", "nothing there")
    entry = FOLDER_READER if path.is_dir() else READERS.get(path.suffix.lower())
    if entry is None:
        known = " ".join([*READERS, "or an E4 folder"])
        raise RecordingError(path, known, path.suffix or "a file without suffix")
    module, name = entry
    reader = getattr(importlib.import_module(module), name)
    opened = cast(Callable[[Path], RecordingReader], reader)(path)
    if opened.duration_s <= 0:
        opened.close()
        raise RecordingError(path, "a recording of some length", "0 s of readable data")
    return opened
