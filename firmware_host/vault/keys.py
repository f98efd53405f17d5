"""Keys of a vault: one data key, wrapped by a key that lives in a file outside the folder.

The data key (32 random bytes) encrypts every record and never touches the disk in the clear. The
vault's folder holds it only wrapped by a key-encryption key, which stays in a key file elsewhere
(another partition, a USB stick). Whoever gets the folder alone, or the key file alone, has noise.

The cipher is ChaCha20-Poly1305 (RFC 8439): a Raspberry Pi 4 has no AES instructions, so AES-GCM
would be several times slower there and harder to keep free of timing leaks. Nonces are 96 random
bits; at one record a second the chance of a repeat stays below 2^-32 for more than 100 years.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_host.errors import StorageError, VaultError
from firmware_host.vault.files import make_private_dir, read_private, write_atomic

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
WRAP_NAME = "wrapped.key"
_KEY_PREFIX = b"signet-key-1:"
_WRAP_FORMAT = "signet-wrap-1"
_NAME_IT = "name the file that the vault was made with (--key-file or SIGNET_KEY_FILE)"
# A key file is one line of 77 characters; a wrap file holds two slots at most.
_MAX_FILE_BYTES = 4096


class Sealer:
    """Authenticated encryption of small payloads with one key and a fresh nonce for each."""

    def __init__(self, key: bytes) -> None:
        try:
            # Imported here so that commands without a vault start without the library.
            from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
        except ImportError as err:
            msg = "expected the package 'cryptography', found none: pip install cryptography"
            raise VaultError(msg) from err
        self._cipher = ChaCha20Poly1305(key)

    def seal(self, payload: bytes, bound_to: bytes) -> bytes:
        """Encrypt a payload: nonce and ciphertext, valid only together with `bound_to`."""
        # From the system, never seeded: a repeated nonce would give the content away.
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, payload, bound_to)

    def open(self, sealed: bytes, bound_to: bytes, *, what: str) -> bytes:
        """Decrypt what `seal` gave.

        Raises
        ------
        VaultError
            If the bytes or what they are bound to were altered, or the key is another one.
        """
        from cryptography.exceptions import InvalidTag

        if len(sealed) < NONCE_BYTES + TAG_BYTES:
            msg = f"{what}: expected a sealed payload, got {len(sealed)} bytes: it was altered"
            raise VaultError(msg)
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to)
        except InvalidTag as err:
            msg = f"{what}: expected an authentic payload, got an altered or moved one"
            raise VaultError(msg) from err


@dataclass(frozen=True, slots=True)
class DataKey:
    """An opened data key and the wearer it belongs to; never shown in a text."""

    key: bytes
    wearer_id: str

    def __repr__(self) -> str:
        return f"DataKey(key=<hidden>, wearer_id={self.wearer_id!r})"


def make_key_file(path: Path) -> None:
    """Write a new random key-encryption key, 0600; an existing file is never replaced."""
    if path.exists():
        msg = f"{path}: expected no file yet, got one: a key is never overwritten"
        raise VaultError(msg)
    if not path.parent.is_dir():
        make_private_dir(path.parent)
    write_atomic(path, _key_line(secrets.token_bytes(KEY_BYTES)), overwrite=False)


def create_data_key(directory: Path, key_file: Path) -> DataKey:
    """Make a wearer's data key and store it wrapped; the key file is made if there is none."""
    _require_outside(directory, key_file)
    wrap = directory / WRAP_NAME
    if wrap.exists():
        msg = f"{directory}: expected no vault yet, got one"
        raise VaultError(msg)
    _ensure_key_file(key_file)
    kek = _read_key_file(key_file)
    make_private_dir(directory)
    data_key = DataKey(secrets.token_bytes(KEY_BYTES), secrets.token_hex(8))
    write_atomic(wrap, _wrap_text(data_key, [kek]), overwrite=False)
    return data_key


def open_data_key(directory: Path, key_file: Path) -> DataKey:
    """Unwrap the data key; reads only.

    Raises
    ------
    VaultError
        If the folder holds no vault, or the key file is missing, too open, or of another vault.
    """
    _require_outside(directory, key_file)
    wrap = directory / WRAP_NAME
    if not wrap.exists():
        msg = f"{directory}: expected a vault, found none (or it was erased)"
        raise VaultError(msg)
    if not key_file.exists():
        msg = (
            f"{key_file}: expected a readable file with the key of {directory}, found none: bring "
            f"it back, or {_NAME_IT}"
        )
        raise VaultError(msg)
    kek = _read_key_file(key_file)
    document = _read_wrap(wrap)
    wearer_id = document["wearer_id"]
    for slot in document["slots"]:
        if slot["key_id"] == _key_id(kek):
            sealed = bytes.fromhex(slot["sealed"])
            key = Sealer(kek).open(sealed, _bound_to(wearer_id), what=f"{wrap}: data key")
            return DataKey(key, wearer_id)
    msg = f"{key_file}: expected the key of {directory}, got another key: {_NAME_IT}"
    raise VaultError(msg)


def rotate_key_file(directory: Path, key_file: Path) -> None:
    """Replace the key-encryption key by a new one; records are not rewritten.

    For a moment the wrap holds a slot for either key, so that a cut at any point leaves a vault
    that the key file opens.
    """
    data_key = open_data_key(directory, key_file)
    wrap = directory / WRAP_NAME
    old = _read_key_file(key_file)
    new = secrets.token_bytes(KEY_BYTES)
    write_atomic(wrap, _wrap_text(data_key, [old, new]))
    write_atomic(key_file, _key_line(new))
    write_atomic(wrap, _wrap_text(data_key, [new]))


def _ensure_key_file(path: Path) -> None:
    """Make the key file unless there is one; another process may make it at this very moment."""
    if path.exists():
        return
    try:
        make_key_file(path)
    except (StorageError, VaultError):
        # It appears under its name only when complete, so whoever came first made a good one.
        if not path.exists():
            raise


def _key_line(kek: bytes) -> bytes:
    return _KEY_PREFIX + kek.hex().encode("ascii") + b"\n"


def _read_key_file(path: Path) -> bytes:
    line = read_private(path, max_bytes=_MAX_FILE_BYTES).strip()
    try:
        kek = bytes.fromhex(line.removeprefix(_KEY_PREFIX).decode("ascii"))
    except ValueError:
        kek = b""
    if not line.startswith(_KEY_PREFIX) or len(kek) != KEY_BYTES:
        msg = f"{path}: expected a Signet key file, got something else: {_NAME_IT}"
        raise VaultError(msg)
    return kek


def _key_id(kek: bytes) -> str:
    # A label keeps this digest apart from any other use of the key.
    return hashlib.sha256(b"signet key id" + kek).hexdigest()[:16]


def _bound_to(wearer_id: str) -> bytes:
    return b"signet data key\0" + wearer_id.encode("utf-8")


def _wrap_text(data_key: DataKey, keks: list[bytes]) -> bytes:
    slots = [
        {
            "key_id": _key_id(kek),
            "sealed": Sealer(kek).seal(data_key.key, _bound_to(data_key.wearer_id)).hex(),
        }
        for kek in keks
    ]
    document = {"format": _WRAP_FORMAT, "wearer_id": data_key.wearer_id, "slots": slots}
    return (json.dumps(document, indent=1) + "\n").encode("ascii")


def _read_wrap(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(read_private(path, max_bytes=_MAX_FILE_BYTES))
        if document["format"] != _WRAP_FORMAT:
            msg = f"{path}: expected format {_WRAP_FORMAT}, got {document['format']!r}"
            raise VaultError(msg)
        for slot in document["slots"]:
            bytes.fromhex(slot["sealed"])
            slot["key_id"].encode("ascii")
        document["wearer_id"].encode("utf-8")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as err:
        msg = f"{path}: expected a wrapped key, got an altered file"
        raise VaultError(msg) from err
    return document


def _require_outside(directory: Path, key_file: Path) -> None:
    inside = Path(os.path.realpath(directory))
    if inside in Path(os.path.realpath(key_file)).parents:
        msg = f"{key_file}: expected a key file outside {directory}, got one inside it"
        raise VaultError(msg)
