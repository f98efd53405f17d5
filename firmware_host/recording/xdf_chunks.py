"""The chunks of an XDF file, checked before the field's parser gets them.

That parser takes every length a file names at its word, and a damaged one may name any.
"""

from __future__ import annotations

import struct
from pathlib import Path

from firmware_host.errors import RecordingError
from firmware_host.recording.exchange import MAX_FILE_BYTES
from firmware_host.recording.xdf_writer import MAGIC, SAMPLES

_TAGS = range(1, 7)
_STREAM_TAGS = (2, 3, 4, 6)
_NUMBERS = {1: "<B", 4: "<I", 8: "<Q"}


def whole_chunks(path: Path) -> tuple[bytes, bool]:
    """The file up to its last whole chunk, and whether that is all of it.

    Raises
    ------
    RecordingError
        If it is not XDF, or a chunk makes no sense.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise RecordingError(path, f"at most {MAX_FILE_BYTES} bytes", "more")
        data = path.read_bytes()
    except OSError as err:
        raise RecordingError(path, "a readable XDF file", err.strerror or "none") from err
    if not data.startswith(MAGIC):
        raise RecordingError(path, "an XDF file", "another kind of file")
    at = len(MAGIC)
    while at < len(data):
        try:
            n_bytes, body = _number(data, at)
            tag = struct.unpack_from("<H", data, body)[0]
        except struct.error:
            return data[:at], False
        if body + n_bytes > len(data):
            return data[:at], False
        if tag not in _TAGS or n_bytes < (6 if tag in _STREAM_TAGS else 2):
            raise RecordingError(path, "chunks as XDF 1.0 has them", f"another at byte {at}")
        if tag == SAMPLES and not _is_believable(data, body + 6, body + n_bytes):
            raise RecordingError(path, "samples", f"a damaged chunk at byte {at}")
        at = body + n_bytes
    return data, True


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where the next thing begins.

    Raises
    ------
    struct.error
        If there is none, or it is cut.
    """
    layout = _NUMBERS.get(data[at]) if at < len(data) else None
    if layout is None:
        msg = "no number"
        raise struct.error(msg)
    return int(struct.unpack_from(layout, data, at + 1)[0]), at + 1 + data[at]


def _is_believable(data: bytes, at: int, end: int) -> bool:
    """Whether a chunk has room for the samples it speaks of: each takes two bytes at least."""
    try:
        n_samples, first = _number(data, at)
    except struct.error:
        return False
    return first + 2 * n_samples <= end
