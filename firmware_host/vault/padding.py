"""Payloads of one size for what must look alike: a label of stress is two letters longer than one of rest."""

from __future__ import annotations

from firmware_host.errors import VaultError

# Every event and label fits one block, every window two, so their sizes tell nothing of what they say.
BLOCK_BYTES = 256
# ISO/IEC 7816-4: one byte of 0x80, then zeros.
_MARK = b"\x80"


def pad(payload: bytes) -> bytes:
    """The payload and its padding: a whole number of blocks."""
    n_zeros = -(len(payload) + 1) % BLOCK_BYTES
    return payload + _MARK + bytes(n_zeros)


def unpad(padded: bytes, *, what: str) -> bytes:
    """The payload that `pad` was given.

    Raises
    ------
    VaultError
        If the bytes were not padded by it.
    """
    stripped = padded.rstrip(b"\0")
    if len(padded) % BLOCK_BYTES or not stripped.endswith(_MARK):
        msg = f"{what}: expected a padded payload, got one of another format"
        raise VaultError(msg)
    return stripped[:-1]
