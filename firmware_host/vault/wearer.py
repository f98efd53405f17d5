"""The wearer's rights over the vault: take everything out in readable form, or erase it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import sqlite3
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firmware_host.errors import StorageError, VaultError
from firmware_host.vault.files import commit_file, shred
from firmware_host.vault.pack import Arrays, is_packed, unpack
from firmware_host.vault.records import Record, Vault, destroy

EXPORT_FORMAT = "signet-export-1"
# Bounds the memory of an export: 500 windows of 26 features are about 0.2 MB.
_RECORDS_PER_PART = 500
# Zip cannot say "no time"; a fixed one keeps equal content equal in bytes.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)

_README = """\
Everything Signet stored about you, NOT encrypted. Keep it where you keep medical records.

manifest.json           what is in here, how many of each kind, which record each name points at,
                        what was damaged and left out
<kind>/part-NNNN.jsonl  one line a record: id, time (UNIX seconds, UTC), facts, names of its arrays
<kind>/part-NNNN.npz    the arrays of these records, named <id>.<array>; read with numpy.load
<kind>/<id>.bin         a record in another format, as it was stored
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote, and the names of what was damaged and left out."""

    path: Path
    n_records: dict[str, int]
    sha256: str
    damaged: tuple[str, ...]


def export(vault: Vault, path: Path, *, skip_damaged: bool = False) -> Exported:
    """Write every record to a zip archive of JSON and npz, mode 0600, complete or not at all.

    With `skip_damaged` what does not open is left out, and named in the manifest.

    Raises
    ------
    StorageError
        If the file exists (it is never replaced) or the disk is full.
    VaultError
        If a record does not open and none may be left out.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        if path.exists():
            msg = f"{path}: expected no file yet, got one: an export never replaces a file"
            raise StorageError(msg)
        fd = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w+b") as stream:
            counts, damaged = _write_archive(vault, stream, skip_damaged=skip_damaged)
            stream.flush()
            os.fsync(stream.fileno())
            stream.seek(0)
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        commit_file(partial, path, overwrite=False)
    except VaultError as err:
        if isinstance(err.__cause__, sqlite3.Error):
            raise
        msg = f"{err}; --skip-damaged exports everything else"
        raise VaultError(msg) from err
    except OSError as err:
        msg = f"{path}: expected to write an archive, got {err.strerror}"
        raise StorageError(msg) from err
    finally:
        partial.unlink(missing_ok=True)
    return Exported(path, counts, digest, tuple(damaged))


def erase(directory: Path, key_file: Path | None = None) -> list[Path]:
    """Destroy a vault's keys and files, whether or not it opens; returns what was left there.

    With `key_file` the key-encryption key is destroyed as well, which makes every copy of the
    folder, such as a backup, unreadable for ever. Only files of other programs are left.

    Raises
    ------
    VaultError
        If there is no such folder.
    """
    if not directory.is_dir():
        msg = f"{directory}: expected a vault's folder, found none"
        raise VaultError(msg)
    destroy(directory)
    if key_file is not None:
        shred(key_file)
    left = sorted(directory.iterdir())
    if not left:
        directory.rmdir()
    return left


def _write_archive(
    vault: Vault, stream: io.BufferedRandom, *, skip_damaged: bool
) -> tuple[dict[str, int], list[str]]:
    """Records written by kind, and the names of what was left out."""
    counts: dict[str, int] = {}
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "README.txt", _README.encode("utf-8"))
        for kind in vault.kinds():
            counts[kind] = 0
            parts = _parts(vault.iterate(kind, skip_damaged=skip_damaged))
            for part_idx, records in enumerate(parts):
                _write_part(archive, f"{_safe(kind)}/part-{part_idx:04d}", records)
                counts[kind] += len(records)
        pointers = vault.pointers(skip_damaged=skip_damaged)
        damaged = sorted(vault.damaged, key=lambda name: (len(name), name))
        manifest = {
            "format": EXPORT_FORMAT,
            "wearer_id": vault.wearer_id,
            "n_records": counts,
            "pointers": pointers,
            "n_damaged": len(damaged),
            "damaged": damaged,
        }
        _add(archive, "manifest.json", _json(manifest, indent=1))
    return counts, damaged


def _parts(opened: Iterator[Record]) -> Iterator[list[Record]]:
    records: list[Record] = []
    for record in opened:
        records.append(record)
        if len(records) == _RECORDS_PER_PART:
            yield records
            records = []
    if records:
        yield records


def _write_part(archive: zipfile.ZipFile, stem: str, records: list[Record]) -> None:
    lines: list[bytes] = []
    stacked: Arrays = {}
    for record in records:
        line: dict[str, Any] = {"id": record.id, "t_utc": record.t_utc}
        if is_packed(record.payload):
            arrays, line["meta"] = unpack(record.payload)
            line["arrays"] = sorted(arrays)
            stacked.update({f"{record.id}.{name}": values for name, values in arrays.items()})
        elif (facts := _facts(record.payload)) is not None:
            line["meta"] = facts
        else:
            line["file"] = f"{stem.rsplit('/', 1)[0]}/{record.id}.bin"
            _add(archive, line["file"], record.payload)
        lines.append(_json(line))
    _add(archive, f"{stem}.jsonl", b"\n".join(lines) + b"\n")
    if stacked:
        _add(archive, f"{stem}.npz", _npz(stacked))


def _facts(payload: bytes) -> dict[str, Any] | None:
    """The object that a payload is in JSON, as events are; None if it is anything else."""
    if not payload.startswith(b"{"):
        return None
    try:
        facts: dict[str, Any] = json.loads(payload)
    except ValueError:
        return None
    return facts


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, _ZIP_TIME)
    info.external_attr = 0o600 << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, data)


def _npz(arrays: Arrays) -> bytes:
    # As numpy.savez would, which stamps the present time into its bytes.
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, values in arrays.items():
            member = io.BytesIO()
            np.save(member, values, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _ZIP_TIME), member.getvalue())
    return buffer.getvalue()


def _json(value: object, *, indent: int | None = None) -> bytes:
    return json.dumps(value, sort_keys=True, indent=indent, ensure_ascii=False).encode("utf-8")


def _safe(kind: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in kind)
