"""The vault: encrypted records of one wearer in SQLite, shared safely by two processes.

In the clear are only a record's kind, time and size, in whole blocks; content is sealed and bound to kind, id,
time and wearer, so a record that was altered, or moved to another place, does not open. What this
cannot tell is a whole folder put back to an older copy.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from firmware_host.errors import VaultError
from firmware_host.vault.database import DATABASE_NAME, connect, create_database, translated
from firmware_host.vault.files import make_private_dir, shred, sync_dir
from firmware_host.vault.keys import (
    WRAP_NAME,
    DataKey,
    Sealer,
    create_data_key,
    open_data_key,
)
from firmware_host.vault.lock import LEARN_LOCK_NAME, MAKE_LOCK_NAME, STREAM_LOCK_NAME, making
from firmware_host.vault.padding import pad, unpad

_PLACE = struct.Struct("<Qd")
_POINTER = struct.Struct("<Q")
_NEXT_ID = "SELECT seq + 1 FROM sqlite_sequence WHERE name = 'records'"


@dataclass(frozen=True, slots=True)
class Record:
    """One opened record; `payload` stays out of its text."""

    id: int
    kind: str
    t_utc: float
    payload: bytes = field(repr=False)


class Vault:
    """Records by kind, pointers to the ones in force, transactions.

    One object belongs to one thread. Single writes are transactions of their own; several become
    one inside ``with vault.transaction():``, which a cut at any moment leaves done or not begun.
    """

    def __init__(self, directory: Path, data_key: DataKey, *, reads_only: bool = False) -> None:
        self._path = directory / DATABASE_NAME
        self._database = connect(self._path, reads_only=reads_only)
        self._sealer = Sealer(data_key.key)
        self._durable: bool | None = None
        self.directory = directory
        self.wearer_id = data_key.wearer_id
        # Names of what did not open and was passed over by readers that can do without.
        self.damaged: set[str] = set()
        # Sealed bytes handed to the database through this object; the disk sees whole pages of them.
        self.bytes_written = 0

    @classmethod
    def create(cls, directory: Path, key_file: Path) -> Self:
        """Make a vault and open it; a creation that was cut short is completed.

        Raises
        ------
        VaultError
            If there is a vault already, or the key file does not fit it.
        """
        unfinished = (directory / WRAP_NAME).exists() and not (directory / DATABASE_NAME).exists()
        make = open_data_key if unfinished else create_data_key
        data_key = make(directory, key_file)
        create_database(directory / DATABASE_NAME)
        return cls(directory, data_key)

    @classmethod
    def open(cls, directory: Path, key_file: Path, *, reads_only: bool = False) -> Self:
        """Open an existing vault; with a wrong key nothing is touched.

        `reads_only` opens it even where nothing can be written.
        """
        return cls(directory, open_data_key(directory, key_file), reads_only=reads_only)

    @classmethod
    def open_or_create(cls, directory: Path, key_file: Path) -> Self:
        """Open the vault, made first if there is none.

        Several processes may ask at once: one makes it, the others wait and open what it made.
        """
        if not (directory / DATABASE_NAME).exists():
            make_private_dir(directory)
        with making(directory):
            make = cls.open if (directory / DATABASE_NAME).exists() else cls.create
            return make(directory, key_file)

    def close(self) -> None:
        """Release the database; safe to repeat."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def put(self, kind: str, payload: bytes, t_utc: float, *, durable: bool = True) -> int:
        """Store one record and return its id, higher than every id before it.

        `durable` waits for the disk; without it a power cut may take the last seconds, in order,
        and nothing else.
        """
        return self.put_many(kind, [(payload, t_utc)], durable=durable)[0]

    def put_many(
        self, kind: str, items: Iterable[tuple[bytes, float]], *, durable: bool = False
    ) -> list[int]:
        """Store payloads with their times in one transaction: all of them or none."""
        ids: list[int] = []
        with self.transaction(durable=durable):
            row = self._database.execute(_NEXT_ID).fetchone()
            next_id = int(row[0]) if row else 1
            for record_id, (payload, t_utc) in enumerate(items, next_id):
                bound_to = self._bound_to(kind, record_id, t_utc)
                sealed = self._sealer.seal(pad(payload), bound_to)
                self._database.execute(
                    "INSERT INTO records VALUES (?, ?, ?, ?)", (record_id, kind, t_utc, sealed)
                )
                self.bytes_written += len(sealed)
                ids.append(record_id)
        return ids

    def replace(
        self, record_id: int, kind: str, payload: bytes, t_utc: float, *, durable: bool = False
    ) -> None:
        """Put another payload in the place of a record, which keeps its id; all of it or nothing.

        For what is written again and again and of which only the last counts.

        Raises
        ------
        VaultError
            If there is no record of this id and kind.
        """
        with self.transaction(durable=durable):
            sealed = self._sealer.seal(pad(payload), self._bound_to(kind, record_id, t_utc))
            changed = self._database.execute(
                "UPDATE records SET t_utc = ?, sealed = ? WHERE id = ? AND kind = ?",
                (t_utc, sealed, record_id, kind),
            )
            if changed.rowcount != 1:
                msg = f"{self._path}: expected record {record_id} ({kind}), found none"
                raise VaultError(msg)
            self.bytes_written += len(sealed)

    def get(self, record_id: int) -> Record:
        """Open the record of an id; `VaultError` if there is none or it was altered."""
        rows = self._select("WHERE id = ?", (record_id,))
        if not rows:
            msg = f"{self._path}: expected record {record_id}, found none"
            raise VaultError(msg)
        return rows[0]

    def latest(self, kind: str) -> Record | None:
        """Open the newest record of a kind."""
        rows = self._select("WHERE kind = ? ORDER BY id DESC LIMIT 1", (kind,))
        return rows[0] if rows else None

    def iterate(
        self,
        kind: str,
        since_id: int = 0,
        *,
        since_utc: float | None = None,
        until_utc: float | None = None,
        batch: int = 256,
        skip_damaged: bool = False,
    ) -> Iterator[Record]:
        """Open records of a kind with an id above `since_id`, oldest first, `batch` at a time.

        No lock is held between batches, so the writer is never kept waiting. With `skip_damaged`
        a record that does not open is passed over and named in `damaged`.
        """
        floor = float("-inf") if since_utc is None else since_utc
        ceiling = float("inf") if until_utc is None else until_utc
        where = "WHERE kind = ? AND id > ? AND t_utc BETWEEN ? AND ? ORDER BY id LIMIT ?"
        while rows := self._rows(where, (kind, since_id, floor, ceiling, batch)):
            for row in rows:
                try:
                    record = self._open(*row)
                except VaultError:
                    if not skip_damaged:
                        raise
                    self.damaged.add(f"record {row[0]}")
                    continue
                yield record
            since_id = rows[-1][0]

    def count_damaged(self) -> dict[str, int]:
        """Try every record and count those that do not open, by kind."""
        counts: dict[str, int] = {}
        known = self.damaged
        for kind in self.kinds():
            # Counted apart: those that were come across before count as well.
            self.damaged = set()
            for _ in self.iterate(kind, skip_damaged=True):
                pass
            if self.damaged:
                counts[kind] = len(self.damaged)
                known |= self.damaged
        self.damaged = known
        return counts

    def newest_utc(self, kind: str) -> float | None:
        """Latest time of a record of a kind, without opening any."""
        with translated(self._path):
            query = "SELECT max(t_utc) FROM records WHERE kind = ?"
            newest: float | None = self._database.execute(query, (kind,)).fetchone()[0]
        return newest

    def times(self, kind: str, *, since_utc: float, until_utc: float) -> list[tuple[int, float]]:
        """Ids and times of the records of a kind, in the order they were stored, none opened."""
        with translated(self._path):
            query = (
                "SELECT id, t_utc FROM records WHERE kind = ? AND t_utc BETWEEN ? AND ? ORDER BY id"
            )
            return self._database.execute(query, (kind, since_utc, until_utc)).fetchall()

    def count(self, kind: str) -> int:
        """Count the records of a kind."""
        with translated(self._path):
            query = "SELECT count(*) FROM records WHERE kind = ?"
            return int(self._database.execute(query, (kind,)).fetchone()[0])

    def kinds(self) -> dict[str, int]:
        """Count the records by kind, sorted by name."""
        with translated(self._path):
            rows = self._database.execute(
                "SELECT kind, count(*) FROM records GROUP BY kind ORDER BY kind"
            )
            return dict(rows.fetchall())

    def set_pointer(self, name: str, record_id: int | None) -> None:
        """Point a name at a record, durably, or at none.

        Raises
        ------
        VaultError
            If there is no such record.
        """
        with self.transaction(durable=True):
            self._database.execute("DELETE FROM pointers WHERE name = ?", (name,))
            if record_id is None:
                return
            self.get(record_id)
            sealed = self._sealer.seal(_POINTER.pack(record_id), self._pointer_bound_to(name))
            self._database.execute("INSERT INTO pointers VALUES (?, ?)", (name, sealed))

    def pointer(self, name: str) -> int | None:
        """Id of the record a name points at."""
        return self.pointers().get(name)

    def pointers(self, *, skip_damaged: bool = False) -> dict[str, int]:
        """Every pointer by name; with `skip_damaged` as in `iterate`."""
        with translated(self._path):
            query = "SELECT name, sealed FROM pointers ORDER BY name"
            rows = self._database.execute(query).fetchall()
        opened: dict[str, int] = {}
        for name, sealed in rows:
            try:
                opened[name] = self._open_pointer(name, sealed)
            except VaultError:
                if not skip_damaged:
                    raise
                self.damaged.add(f"pointer {name}")
        return opened

    def data_version(self) -> int:
        """Return a number that changes when another process wrote, for one file read.

        It says nothing about writes through this object.
        """
        with translated(self._path):
            return int(self._database.execute("PRAGMA data_version").fetchone()[0])

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """Make the writes inside one: all of them when the block ends, none when it fails.

        Inside another one it becomes a part of it: done when the outer one ends, undone alone when
        only the inner block fails. The outer one decides whether to wait for the disk.
        """
        with translated(self._path):
            if self._database.in_transaction:
                begin, end, undo = ("SAVEPOINT part", "RELEASE part", "ROLLBACK TO part")
            else:
                self._set_durable(durable=durable)
                # The write lock at once: two readers that both turn writer would deadlock.
                begin, end, undo = ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")
            self._database.execute(begin)
            ended = False
            try:
                yield
                self._database.execute(end)
                ended = True
            finally:
                # SQLite may have rolled back by itself, as on a full disk.
                if not ended and self._database.in_transaction:
                    self._database.execute(undo)

    def prune(
        self,
        kind: str,
        *,
        older_than_utc: float | None = None,
        max_records: int | None = None,
        spared: Iterable[int] = (),
    ) -> int:
        """Delete old records of a kind and return how many; pointed-at and spared ones stay."""
        kept = {*self.pointers().values(), *spared}
        with self.transaction(durable=False):
            doomed: set[int] = set()
            if older_than_utc is not None:
                where = "kind = ? AND t_utc < ?"
                doomed |= self._ids(where, (kind, older_than_utc))
            if max_records is not None:
                where = "kind = ? ORDER BY id DESC LIMIT -1 OFFSET ?"
                doomed |= self._ids(where, (kind, max_records))
            doomed -= kept
            self._database.executemany(
                "DELETE FROM records WHERE id = ?", [(record_id,) for record_id in doomed]
            )
        if doomed and not self._database.in_transaction:
            with translated(self._path):
                # As a script: `execute` would stop after the first freed page.
                self._database.executescript("PRAGMA incremental_vacuum")
        return len(doomed)

    def erase(self) -> None:
        """Close and `destroy`; for the key file too, see `firmware_host.vault.wearer.erase`."""
        self.close()
        destroy(self.directory)

    def _set_durable(self, *, durable: bool) -> None:
        if self._durable != durable:
            self._database.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable

    def _select(self, where: str, values: tuple[object, ...]) -> list[Record]:
        return [self._open(*row) for row in self._rows(where, values)]

    def _rows(self, where: str, values: tuple[object, ...]) -> list[tuple[int, str, float, bytes]]:
        with translated(self._path):
            query = f"SELECT id, kind, t_utc, sealed FROM records {where}"
            return self._database.execute(query, values).fetchall()

    def _ids(self, where: str, values: tuple[object, ...]) -> set[int]:
        rows = self._database.execute(f"SELECT id FROM records WHERE {where}", values)
        return {row[0] for row in rows.fetchall()}

    def _open(self, record_id: int, kind: str, t_utc: float, sealed: bytes) -> Record:
        what = f"{self._path}: record {record_id} ({kind})"
        padded = self._sealer.open(sealed, self._bound_to(kind, record_id, t_utc), what=what)
        payload = unpad(padded, what=what)
        return Record(record_id, kind, t_utc, payload)

    def _open_pointer(self, name: str, sealed: bytes) -> int:
        what = f"{self._path}: pointer {name}"
        plain = self._sealer.open(sealed, self._pointer_bound_to(name), what=what)
        return int(_POINTER.unpack(plain)[0])

    def _bound_to(self, kind: str, record_id: int, t_utc: float) -> bytes:
        place = _PLACE.pack(record_id, t_utc)
        return b"\0".join([b"signet record", self.wearer_id.encode(), place, kind.encode()])

    def _pointer_bound_to(self, name: str) -> bytes:
        return b"\0".join([b"signet pointer", self.wearer_id.encode(), name.encode()])


def destroy(directory: Path) -> None:
    """Destroy the wrapped data key, then delete the database; safe to repeat after a cut."""
    shred(directory / WRAP_NAME)
    locks = (MAKE_LOCK_NAME, STREAM_LOCK_NAME, LEARN_LOCK_NAME)
    for pattern in (f"*{DATABASE_NAME}*", f"*{WRAP_NAME}*", *locks):
        for path in sorted(directory.glob(pattern)):
            path.unlink(missing_ok=True)
    if directory.is_dir():
        sync_dir(directory)
