"""A page onto the disk: whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path

from firmware_host.errors import StorageError
from firmware_host.report.model import ReportData
from firmware_host.report.page import render

_FULL = (errno.ENOSPC, errno.EDQUOT)


def write_report(data: ReportData, path: str | os.PathLike[str]) -> Path:
    """Render and write atomically: temporary file beside, fsync, rename, fsync of the folder.

    The file can be read by its owner only: the page is personal data in plain text. An older report
    of that name stays untouched until the new one is complete.

    Returns
    -------
    The path written.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written; nothing is left behind.
    """
    page = render(data).encode("utf-8")
    target = Path(path)
    try:
        _replace(target, page)
    except OSError as err:
        raise StorageError(_explain(target, len(page), err)) from err
    return target


def _explain(target: Path, n_bytes: int, err: OSError) -> str:
    if err.errno in _FULL:
        return (
            f"report {target}: {n_bytes} bytes needed, the disk is full; free space and run again"
        )
    return (
        f"report {target}: a writable place expected, got {err.strerror or err}; give another path"
    )


def _replace(target: Path, page: bytes) -> None:
    # mkstemp opens with mode 0600, whatever the umask is.
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    _fsync_folder(target.parent)


def _fsync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
