"""The ledger: what was learned from what, with which budget, and what came of it.

Each entry holds the hash of the one before, so that an entry taken out or put in shows. One that is
damaged is passed over: the next holds the hash of the last that opens, and how many do not.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firmware_host.errors import VaultError
from firmware_host.vault.pack import pack, unpack
from firmware_host.vault.records import Record, Vault

LEDGER_KIND = "ledger"
_FIRST = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger; `facts` is plain JSON and holds no biometric value."""

    id: int
    t_utc: float
    facts: dict[str, Any]


def append(vault: Vault, facts: Mapping[str, Any], *, now_utc: float) -> int:
    """Add an entry; belongs inside the transaction of what it tells about."""
    previous, n_opened = None, 0
    for record in vault.iterate(LEDGER_KIND, skip_damaged=True):
        previous, n_opened = record, n_opened + 1
    linked = {**_plain(facts), "previous_sha256": _hash(previous)}
    if n_damaged := vault.count(LEDGER_KIND) - n_opened:
        linked["n_damaged_before"] = n_damaged
    return vault.put(LEDGER_KIND, pack({}, linked), now_utc)


def entries(vault: Vault) -> list[Entry]:
    """Open every entry, oldest first."""
    return [
        Entry(record.id, record.t_utc, unpack(record.payload)[1])
        for record in vault.iterate(LEDGER_KIND, skip_damaged=True)
    ]


def latest(vault: Vault, *, what: str) -> Entry | None:
    """Open the newest entry of a sort."""
    found = [entry for entry in entries(vault) if entry.facts.get("what") == what]
    return found[-1] if found else None


def is_unbroken(vault: Vault) -> bool:
    """Tell whether every entry follows the one before it."""
    previous: Record | None = None
    try:
        for record in vault.iterate(LEDGER_KIND):
            if unpack(record.payload)[1].get("previous_sha256") != _hash(previous):
                return False
            previous = record
    except VaultError:
        return False
    return True


def _hash(record: Record | None) -> str:
    return _FIRST if record is None else hashlib.sha256(record.payload).hexdigest()


def _plain(value: Any) -> Any:
    """JSON-ready copy; a figure that does not exist (NaN) becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
