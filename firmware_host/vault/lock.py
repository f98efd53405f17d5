"""Advisory locks on files: one process at a time, let go by the system when it ends, however it ends."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firmware_host.errors import StorageError, VaultError

STREAM_LOCK_NAME = "stream.lock"
LEARN_LOCK_NAME = "learn.lock"
MAKE_LOCK_NAME = ".make.lock"
_TAKEN = (errno.EAGAIN, errno.EACCES)


@contextmanager
def making(directory: Path) -> Iterator[None]:
    """Wait for whoever makes something in this folder; nobody else does until the block ends."""
    fd = _open(directory / MAKE_LOCK_NAME)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


@contextmanager
def streaming(directory: Path) -> Iterator[None]:
    """Be the only process that streams into this vault; readers and labels need no such right.

    Raises
    ------
    VaultError
        If another process does.
    """
    with _alone(directory, STREAM_LOCK_NAME, "end that run first, or name another --state"):
        yield


@contextmanager
def learning(directory: Path) -> Iterator[None]:
    """Be the only process that learns in this vault: two would write one checkpoint.

    Raises
    ------
    VaultError
        If another process does.
    """
    with _alone(directory, LEARN_LOCK_NAME, "another job is under way: wait for it, or end it"):
        yield


@contextmanager
def _alone(directory: Path, name: str, to_do: str) -> Iterator[None]:
    # Not inherited by children (PEP 446): a learner that outlives its run holds nothing of the run.
    fd = _open(directory / name)
    try:
        _take(fd, directory, name, to_do)
        yield
        # The file stays: removing it would let two processes hold locks on different files.
        os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def _take(fd: int, directory: Path, name: str, to_do: str) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode("ascii"), 0)
    except OSError as err:
        if err.errno not in _TAKEN:
            msg = f"{directory / name}: expected to lock it, got {err.strerror}"
            raise StorageError(msg) from err
        holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
        msg = f"{directory}: expected the vault free, got: in use by process {holder}; {to_do}"
        raise VaultError(msg) from err


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as err:
        msg = f"{path}: expected to write the file, got {err.strerror}"
        raise StorageError(msg) from err
