"""The SQLite file under a vault: schema, settings, and its errors in our words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firmware_host.errors import StorageError, VaultError
from firmware_host.vault.files import sync_dir

DATABASE_NAME = "vault.sqlite3"
SCHEMA_VERSION = 1
# "SGNT": `file` and our own check tell a vault from any other SQLite file.
_APPLICATION_ID = 0x53474E54
# A prune of a month of windows takes seconds on an SD card; the other process waits for it.
_BUSY_TIMEOUT_S = 15.0
_WAL_LIMIT_BYTES = 4 << 20

_SCHEMA = f"""
PRAGMA page_size = 4096;
PRAGMA auto_vacuum = INCREMENTAL;
BEGIN;
CREATE TABLE records (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    t_utc REAL NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE INDEX records_by_kind ON records (kind, id);
CREATE INDEX records_by_time ON records (kind, t_utc);
CREATE TABLE pointers (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""

# Primary result codes: https://www.sqlite.org/rescode.html
_FULL = sqlite3.SQLITE_FULL
_DISK_CODES = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})
# Beside a database in use lies an index of at least this many bytes.
_INDEX_BYTES = 32 << 10
_BUSY_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's exceptions into `StorageError` (disk) and `VaultError` (content)."""
    try:
        yield
    except sqlite3.Error as err:
        code = _code(err)
        if code == _FULL:
            msg = f"{path}: expected room to write, got a full disk: free some space"
            raise StorageError(msg) from err
        if code in _DISK_CODES:
            msg = f"{path}: expected to read and write, got {_disk_trouble(path, err)}"
            raise StorageError(msg) from err
        if code in _BUSY_CODES:
            msg = f"{path}: expected the vault within {_BUSY_TIMEOUT_S:.0f} s, got: {err}"
            raise VaultError(msg) from err
        msg = f"{path}: expected a vault's database, got: {err}"
        raise VaultError(msg) from err


def create_database(path: Path) -> None:
    """Write an empty database under its final name, complete or not at all."""
    if path.exists():
        msg = f"{path}: expected no database yet, got one"
        raise VaultError(msg)
    partial = path.with_name(f".{path.name}.part")
    # A journal left by a cut would be played back into the new file.
    for stale in (partial, partial.with_name(f"{partial.name}-journal")):
        stale.unlink(missing_ok=True)
    with translated(path):
        try:
            # SQLite would create it with the umask; its companions copy this file's mode.
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            database = sqlite3.connect(partial, isolation_level=None)
            database.executescript(_SCHEMA)
            database.close()
            partial.replace(path)
            sync_dir(path.parent)
        except OSError as err:
            msg = f"{path}: expected to create a database, got {err.strerror}"
            raise StorageError(msg) from err


def connect(path: Path, *, reads_only: bool = False) -> sqlite3.Connection:
    """Open an existing database of our schema version in write-ahead mode.

    Parameters
    ----------
    reads_only
        Open it also where nothing can be written, as on a full disk; it may then not be written.

    Raises
    ------
    VaultError
        If it is missing, another kind of file, or of another schema version.
    StorageError
        If the disk does not let it be opened.
    """
    if not path.exists():
        msg = f"{path}: expected a vault's database, found none"
        raise VaultError(msg)
    uri = path.absolute().as_uri()
    with translated(path):
        try:
            return _open(path, uri)
        except sqlite3.Error as err:
            if not reads_only or _code(err) not in {_FULL, *_DISK_CODES}:
                raise
        return _open_to_read(path, uri)


def _open_to_read(path: Path, uri: str) -> sqlite3.Connection:
    """Without the index that is shared with other processes, for which there is no room."""
    if not _is_read_only(path):
        # Alone, the index is kept in memory, and what the write-ahead log holds is read as well.
        return _open(path, uri, "locking_mode = EXCLUSIVE", "query_only = ON")
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        msg = (
            f"{log}: expected all writes in the database, got some that are only here, on a read-only "
            "file system: make it writable, or name a copy of the folder with --state"
        )
        raise StorageError(msg)
    # Nobody can write beside us, and nothing is missing.
    return _open(path, f"{uri}?immutable=1", "query_only = ON")


def _open(path: Path, uri: str, *first: str) -> sqlite3.Connection:
    """Connect, with settings that count before anything is read."""
    database = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_TIMEOUT_S)
    try:
        for setting in first:
            database.execute(f"PRAGMA {setting}")
        _require_schema(path, database)
        for setting in (
            *(() if first else ("journal_mode = WAL",)),
            f"journal_size_limit = {_WAL_LIMIT_BYTES}",
            # Deleted ciphertext is overwritten where that costs no further write.
            "secure_delete = FAST",
            "temp_store = MEMORY",
            "trusted_schema = OFF",
            # A vault is written at its end and read once along: SQLite's own 2 MB would fill over hours for nothing.
            "cache_size = -256",
        ):
            database.execute(f"PRAGMA {setting}")
    except BaseException:
        database.close()
        raise
    return database


def _code(err: sqlite3.Error) -> int:
    return (getattr(err, "sqlite_errorcode", 0) or 0) & 0xFF


def _is_read_only(path: Path) -> bool:
    return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY)


def _disk_trouble(path: Path, err: sqlite3.Error) -> str:
    """What is the matter with the disk: SQLite says of most of it the same."""
    if not path.parent.exists():
        return str(err)
    if _is_read_only(path):
        return "a read-only file system"
    info = os.statvfs(path.parent)
    if info.f_bavail * info.f_frsize < _INDEX_BYTES:
        return "a full disk: free some space"
    return "a folder that may not be written" if not os.access(path.parent, os.W_OK) else str(err)


def _require_schema(path: Path, database: sqlite3.Connection) -> None:
    application = database.execute("PRAGMA application_id").fetchone()[0]
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if application != _APPLICATION_ID:
        msg = f"{path}: expected a vault's database, got one of another program"
        raise VaultError(msg)
    if version != SCHEMA_VERSION:
        which = "a newer Signet" if version > SCHEMA_VERSION else "an older Signet"
        msg = f"{path}: expected schema {SCHEMA_VERSION}, got {version}, written by {which}"
        raise VaultError(msg)
