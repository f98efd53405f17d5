from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_host.adaptation.episodes import Label, LabelSpan
from firmware_host.adaptation.labels import put_label
from firmware_host.errors import VaultError
from firmware_host.events import State, StressScored, to_json
from firmware_host.vault.padding import BLOCK_BYTES, pad, unpad
from firmware_host.vault.records import Vault


@given(st.binary(max_size=1000))
def test_padding_comes_off_again(payload: bytes) -> None:
    padded = pad(payload)
    assert len(padded) % BLOCK_BYTES == 0
    assert len(padded) - len(payload) <= BLOCK_BYTES
    assert unpad(padded, what="x") == payload


@pytest.mark.parametrize("broken", [b"", b"abc", bytes(BLOCK_BYTES), b"a" * BLOCK_BYTES])
def test_bytes_that_were_not_padded_are_refused(broken: bytes) -> None:
    if broken:
        with pytest.raises(VaultError, match="padded payload"):
            unpad(broken, what="x")
    else:
        with pytest.raises(VaultError):
            unpad(broken, what="x")


def test_size_does_not_tell_stress_from_rest(tmp_path: Path) -> None:
    with Vault.create(tmp_path / "state", tmp_path / "key") as vault:
        for i, label in enumerate((Label.REST, Label.STRESS)):
            span = LabelSpan(label, 1.6e9 + 1000 * i, 1.6e9 + 1000 * i + 300)
            put_label(vault, span, source="cli", now_utc=1.7e9)
        for state in State:
            event = StressScored(10.0, 1.7e9, state, 0.123456, 0.123456, 12, 0.123456, 0.123456)
            vault.put("event", to_json(event).encode(), 1.7e9)
    with closing(sqlite3.connect(tmp_path / "state" / "vault.sqlite3")) as database:
        sizes = database.execute("SELECT kind, length(sealed) FROM records").fetchall()
    assert len({size for kind, size in sizes if kind == "label"}) == 1
    assert len({size for kind, size in sizes if kind == "event"}) == 1
