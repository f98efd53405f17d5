"""A full or read-only disk: what is stored is read all the same, and the error says what is the matter."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from firmware_host.errors import StorageError
from firmware_host.vault.records import Vault

from .conftest import Places

# More than a key file or a small record, less than the index that SQLite keeps beside a database.
_ROOM_BYTES = 16 << 10


@contextmanager
def _no_room() -> Iterator[None]:
    """As on a full disk, no file grows beyond what it has to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_ROOM_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _disk_says(monkeypatch: pytest.MonkeyPatch, *, flags: int, n_free: int) -> None:
    info = SimpleNamespace(f_flag=flags, f_bavail=n_free, f_frsize=4096)
    monkeypatch.setattr("firmware_host.vault.database.os.statvfs", lambda _: info)


@pytest.fixture
def left(vault: Vault, places: Places, tmp_path: Path) -> Places:
    """A vault as a cut leaves it: its newest record is in the write-ahead log only."""
    vault.put("label", b"first", 1.0)
    copy = Places(tmp_path / "left", places.key_file)
    shutil.copytree(places.directory, copy.directory)
    (copy.directory / "vault.sqlite3-shm").unlink()
    assert (copy.directory / "vault.sqlite3-wal").stat().st_size > 0
    return copy


def test_full_disk_lets_everything_be_read(left: Places) -> None:
    with _no_room(), Vault.open(left.directory, left.key_file, reads_only=True) as vault:
        assert [record.payload for record in vault.iterate("label")] == [b"first"]
        with pytest.raises(StorageError):
            vault.put("label", b"second", 2.0)
    with Vault.open(left.directory, left.key_file) as vault:
        assert vault.count("label") == 1


def test_full_disk_is_said_where_something_is_to_be_written(
    left: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    _disk_says(monkeypatch, flags=0, n_free=7)
    with _no_room(), pytest.raises(StorageError, match="full disk: free some space"):
        Vault.open(left.directory, left.key_file)


def test_read_only_disk_is_read_where_nothing_is_missing(
    vault: Vault, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.put("label", b"first", 1.0)
    vault.close()
    _disk_says(monkeypatch, flags=os.ST_RDONLY, n_free=1000)
    with _no_room(), Vault.open(places.directory, places.key_file, reads_only=True) as opened:
        assert opened.count("label") == 1
    with _no_room(), pytest.raises(StorageError, match="got a read-only file system"):
        Vault.open(places.directory, places.key_file)


def test_read_only_disk_never_hides_what_is_in_the_log(
    left: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    _disk_says(monkeypatch, flags=os.ST_RDONLY, n_free=1000)
    with _no_room(), pytest.raises(StorageError, match="only here"):
        Vault.open(left.directory, left.key_file, reads_only=True)
