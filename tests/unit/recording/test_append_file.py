"""A file whose folder cannot be synced."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from firmware_host.errors import StorageError
from firmware_host.recording.append_file import AppendFile


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What a sync of a folder fails with, if with anything; files sync as ever."""
    number: list[int] = []
    sync = os.fsync

    def fsync(fd: int) -> None:
        if number and stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(number[0], os.strerror(number[0]))
        sync(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    return number


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_file_system_that_syncs_no_folder_is_used_all_the_same(
    tmp_path: Path, fail: list[int], number: int
) -> None:
    fail.append(number)
    file = AppendFile(tmp_path / "a.mcap")
    file.append(b"abc")
    file.close()
    assert (tmp_path / "a.mcap").read_bytes() == b"abc"


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_folder_that_fails_is_a_storage_error_and_leaves_no_file(
    tmp_path: Path, fail: list[int], number: int
) -> None:
    fail.append(number)
    n_open = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    with pytest.raises(StorageError, match="cannot make the recording"):
        AppendFile(tmp_path / "a.mcap")
    assert list(tmp_path.iterdir()) == []
    if n_open:
        assert len(os.listdir("/proc/self/fd")) == n_open


def test_full_disk_says_what_is_kept_and_that_nothing_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    file, empty = AppendFile(tmp_path / "a.mcap"), AppendFile(tmp_path / "b.mcap")
    file.append(b"abc")
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageError, match="recording stopped, the first 3 bytes are kept: free"):
        file.append(b"def")
    with pytest.raises(StorageError, match="recording stopped, nothing of this file is kept: free"):
        empty.append(b"abc")
    file.close()
    empty.close()
