"""Firmware images: is this file whole, the one that was meant, and for this chip."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from firmware_host.errors import ConfigError, ImageError
from firmware_host.flash import cortex_image, esp_image, uf2
from firmware_host.flash.values import CHIPS, Board

# The largest flash of the boards in the table has 16 MB; a UF2 file is twice as long as what it holds.
_MAX_BYTES = 64_000_000
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Image:
    """A checked image; ``hash_from`` says what its hash was compared with, empty for nothing."""

    path: Path
    data: bytes
    sha256: str
    hash_from: str

    @property
    def summary(self) -> str:
        """One line about it."""
        known = f"as {self.hash_from} says" if self.hash_from else "which nobody vouched for"
        return f"{self.path} ({len(self.data)} bytes, sha256 {self.sha256}, {known})"


def load_image(path: Path, board: Board, sha256: str | None = None) -> Image:
    """Read an image and refuse one that must not be written to this board.

    Parameters
    ----------
    sha256
        What its publisher says; without it, what a file ``NAME.sha256`` beside it says, if there is one.

    Raises
    ------
    ConfigError
        If the hash is none.
    ImageError
        If it cannot be read, is another file than the hash says, is damaged or for another chip.
    """
    data = _read(path)
    found = hashlib.sha256(data).hexdigest()
    expected, source = _expected_hash(path, sha256)
    if expected and found != expected:
        raise ImageError(path, f"sha256 {expected} ({source})", found)
    if board.way == "esptool":
        _check_esp(path, data, board)
    else:
        _check_uf2(path, data, board)
    return Image(path, data, found, source if expected else "")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError as err:
        raise ImageError(path, "a file that can be read", err.strerror or str(err)) from err
    if not data:
        raise ImageError(path, "an image", "an empty file")
    if len(data) > _MAX_BYTES:
        raise ImageError(path, f"at most {_MAX_BYTES} bytes", "more")
    return data


def _expected_hash(path: Path, sha256: str | None) -> tuple[str, str]:
    if sha256 is not None:
        if not _SHA256.fullmatch(sha256):
            raise ConfigError("--sha256", "64 hexadecimal digits", sha256)
        return sha256.lower(), "--sha256"
    beside = path.with_name(f"{path.name}.sha256")
    if not beside.is_file():
        return "", ""
    # As sha256sum writes it: the hash, blanks, a name.
    words = beside.read_text(errors="replace").split()
    if not words or not _SHA256.fullmatch(words[0]):
        raise ImageError(beside, "64 hexadecimal digits first", "something else")
    return words[0].lower(), beside.name


def _check_esp(path: Path, data: bytes, board: Board) -> None:
    expected = f"an image for {board.chip.name} (.bin)"
    if data.startswith(uf2.MAGIC):
        raise ImageError(path, expected, f"a UF2 file for {_uf2_chips(data)}")
    if len(data) < esp_image.HEADER_BYTES or data[0] != esp_image.MAGIC:
        raise ImageError(path, expected, "a file that does not begin as one")
    chip_id = esp_image.chip_id(data)
    if chip_id != board.chip.esp_id:
        names = [chip.name for chip in CHIPS.values() if chip.esp_id == chip_id]
        got = f"one for {names[0]}" if names else f"one for another chip (id {chip_id})"
        raise ImageError(path, expected, got)
    with _damage(path):
        esp_image.check(data)


def _check_uf2(path: Path, data: bytes, board: Board) -> None:
    expected = f"a UF2 file for {board.chip.name}"
    if not data.startswith(uf2.MAGIC):
        raise ImageError(path, expected, "a file that does not begin as one")
    family = board.chip.uf2_family
    with _damage(path):
        if family is None or family not in uf2.families(data):
            raise ImageError(path, expected, f"one for {_uf2_chips(data)}")
        segments = uf2.decode(data, family)
        if board.chip.esp_id is None:
            cortex_image.check(segments, board.chip.name)
        else:
            esp_image.check_app(segments[0].data, board.chip.esp_id)


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except ValueError as err:
        what, _, got = str(err).rpartition(", got ")
        raise ImageError(path, what, got) from err


def _uf2_chips(data: bytes) -> str:
    try:
        found = uf2.families(data)
    except ValueError:
        return "an unknown chip"
    names = {chip.uf2_family: chip.name for chip in CHIPS.values() if chip.uf2_family}
    return ", ".join(names.get(each, f"family 0x{each:08x}") for each in sorted(found)) or "no chip"
