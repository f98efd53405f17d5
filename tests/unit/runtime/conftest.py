"""Vaults, and what a report tells of one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware_host.inference.bundle import load_bundle
from firmware_host.inference.contract import Bundle
from firmware_host.report import ReportData, render
from firmware_host.runtime.gather import gather
from firmware_host.runtime.later import Later
from firmware_host.vault.records import Vault
from tests.unit.runtime.lives import MADE_UTC, Life, Tell


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle()


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with Vault.open_or_create(tmp_path / "state", tmp_path / "key") as opened:
        yield opened


@pytest.fixture
def life(vault: Vault) -> Life:
    return Life(vault)


@pytest.fixture
def tell(life: Life, bundle: Bundle) -> Tell:
    """Gather, and see that the page can be made of it."""

    def told(truth: Any = (), offset_s: float = 0.0) -> tuple[ReportData, Later | None]:
        data, later = gather(
            life.vault, bundle, truth=truth, local_offset_s=lambda _: offset_s, made_utc=MADE_UTC
        )
        assert render(data).startswith("<!DOCTYPE html>")
        return data, later

    return told
