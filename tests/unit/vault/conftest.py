"""A fresh vault with its key outside the folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from firmware_host.vault.records import Vault


@dataclass(frozen=True)
class Places:
    """Where a test's vault and its key are."""

    directory: Path
    key_file: Path

    @property
    def database(self) -> Path:
        return self.directory / "vault.sqlite3"

    def open(self) -> Vault:
        return Vault.open(self.directory, self.key_file)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "state" / "vault", tmp_path / "config" / "key")


@pytest.fixture
def vault(places: Places) -> Iterator[Vault]:
    with Vault.create(places.directory, places.key_file) as opened:
        yield opened
