"""Whether a record is in the vault already, as when a recording is played into it a second time."""

from __future__ import annotations

import hashlib
import math

from firmware_host.vault.records import Vault

# Looked up an hour at a time: some thousand records, whatever the vault holds.
_BLOCK_S = 3600.0
# Windows and events of one moment may lie on either side of a block's edge.
_MAX_BLOCKS = 3
_DIGEST_BYTES = 16


class StoredBefore:
    """Knows the records of one kind that were stored before this object was made.

    A live stream is later than all of them and costs one comparison a record.
    """

    def __init__(self, vault: Vault, kind: str) -> None:
        self._vault = vault
        self._kind = kind
        newest_utc = vault.newest_utc(kind)
        self._newest_utc = -math.inf if newest_utc is None else newest_utc
        self._blocks: dict[int, set[bytes]] = {}

    def has(self, payload: bytes, t_utc: float) -> bool:
        """Tell whether this very payload was stored with this very time."""
        if not t_utc <= self._newest_utc:
            return False
        return _digest(payload, t_utc) in self._block(int(t_utc // _BLOCK_S))

    def _block(self, idx: int) -> set[bytes]:
        if idx not in self._blocks:
            while len(self._blocks) >= _MAX_BLOCKS:
                del self._blocks[next(iter(self._blocks))]
            records = self._vault.iterate(
                self._kind,
                since_utc=idx * _BLOCK_S,
                until_utc=(idx + 1) * _BLOCK_S,
                skip_damaged=True,
            )
            self._blocks[idx] = {_digest(r.payload, r.t_utc) for r in records}
        return self._blocks[idx]


def _digest(payload: bytes, t_utc: float) -> bytes:
    # To the millisecond: what lies closer together than that is the same moment.
    moment = b"%d:" % round(t_utc * 1000)
    return hashlib.blake2b(moment + payload, digest_size=_DIGEST_BYTES).digest()
