"""Private files: written whole or not at all, readable by their owner only."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from firmware_host.errors import StorageError, VaultError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private_dir(directory: Path) -> None:
    """Create a folder only its owner may enter; an existing one is tightened to that."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
    except OSError as err:
        msg = f"{directory}: expected a folder that can be written, got {err.strerror}"
        raise StorageError(msg) from err


def write_atomic(path: Path, data: bytes, *, overwrite: bool = True) -> None:
    """Write a 0600 file so that a power cut leaves the old content or the new one.

    Raises
    ------
    StorageError
        If the disk is full or not writable, or the file exists and may not be replaced.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        commit_file(partial, path, overwrite=overwrite)
    except OSError as err:
        msg = f"{path}: expected to write {len(data)} bytes, got {err.strerror}"
        raise StorageError(msg) from err
    finally:
        partial.unlink(missing_ok=True)


def commit_file(partial: Path, path: Path, *, overwrite: bool) -> None:
    """Give a finished, synced file its name, and make the name itself durable."""
    if overwrite:
        partial.replace(path)
    else:
        # A hard link fails when the name is taken; a rename would replace it silently.
        path.hardlink_to(partial)
    sync_dir(path.parent)


def sync_dir(directory: Path) -> None:
    """Make renames and deletions in a folder survive a power cut."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_private(path: Path, *, max_bytes: int) -> bytes:
    """Content of a file that only this user may read.

    Raises
    ------
    VaultError
        If it is missing, not a plain file, too large, or open to group or others.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as err:
        msg = f"{path}: expected a readable file, got {err.strerror}"
        raise VaultError(msg) from err
    try:
        # fstat on the open file, not stat on the name: the two may differ.
        status = os.fstat(fd)
        # Before any reading: Python makes no stream of a folder.
        _require_private(path, status)
    except BaseException:
        os.close(fd)
        raise
    with os.fdopen(fd, "rb") as stream:
        if status.st_size > max_bytes:
            msg = f"{path}: expected at most {max_bytes} bytes, got {status.st_size}"
            raise VaultError(msg)
        return stream.read(max_bytes)


def _require_private(path: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        msg = f"{path}: expected a file, got a folder: name the file inside it"
        raise VaultError(msg)
    if not stat.S_ISREG(status.st_mode):
        msg = f"{path}: expected a plain file, got another kind"
        raise VaultError(msg)
    if status.st_mode & _OTHERS:
        mode = stat.S_IMODE(status.st_mode)
        msg = f"{path}: expected mode 0600, got {mode:04o}: run chmod 600 {path}"
        raise VaultError(msg)
    if status.st_uid not in (os.geteuid(), 0):
        msg = f"{path}: expected a file of this user, got one of uid {status.st_uid}"
        raise VaultError(msg)


def shred(path: Path) -> bool:
    """Overwrite a small secret file with noise, then delete it; False if there was none.

    Flash storage may keep the old cells, therefore the key file outside the folder is to be
    destroyed together with the wrapped key inside it: either one alone opens nothing.
    """
    try:
        size = path.stat().st_size
        with path.open("r+b") as stream:
            stream.write(secrets.token_bytes(size))
            stream.flush()
            os.fsync(stream.fileno())
        path.unlink()
        sync_dir(path.parent)
    except FileNotFoundError:
        return False
    except OSError as err:
        msg = f"{path}: expected to destroy the file, got {err.strerror}"
        raise StorageError(msg) from err
    return True
