"""A page onto the disk: whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path

from firmware_host.errors import StorageError
from firmware_host.report.model import ReportData
from firmware_host.report.page import render

_FULL = (errno.ENOSPC, errno.EDQUOT)
# What a rename would replace without a word; by the type bits of a file's mode.
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def write_report(data: ReportData, path: str | os.PathLike[str]) -> Path:
    """Render and write atomically: temporary file beside, fsync, rename, fsync of the folder.

    The file can be read by its owner only: the page is personal data in plain text. An older report
    of that name stays untouched until the new one is complete. Of a symbolic link, what it points
    to is written and the link stays.

    Returns
    -------
    The path written.

    Raises
    ------
    StorageError
        If the disk is full, the folder cannot be written, or what is there is no regular file;
        nothing is left behind.
    """
    target = Path(path)
    real = _regular(target)
    page = render(data).encode("utf-8")
    try:
        _replace(real, page)
    except OSError as err:
        raise StorageError(_explain(target, len(page), err)) from err
    return target


def _regular(target: Path) -> Path:
    """Where the page goes: the end of all links, if that is a regular file or nothing yet."""
    real = Path(os.path.realpath(target))
    try:
        mode = real.stat().st_mode
    except FileNotFoundError:
        return real
    except OSError as err:
        raise StorageError(_explain(target, 0, err)) from err
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "something else")
        msg = f"report {target}: a regular file or a new name expected, got {kind}"
        raise StorageError(f"{msg}; give another path")
    return real


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
