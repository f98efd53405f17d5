"""Export gives everything in readable form; erase leaves nothing that opens."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from firmware_host.errors import StorageError, VaultError
from firmware_host.vault import wearer
from firmware_host.vault.pack import pack
from firmware_host.vault.records import Vault
from firmware_host.vault.wearer import erase, export

from .conftest import Places


def _fill(vault: Vault) -> None:
    windows = [(pack({"features": np.full(3, i, np.float32)}, {"worn": True}), i) for i in range(7)]
    vault.put_many("stress_window", windows)
    vault.put("label", pack({}, {"label": "stress"}), 3.0)
    vault.put("odd/kind", b"\x01\x02", 4.0)
    vault.put("event", b'{"kind":"stress","state":"rest"}', 4.5)
    vault.put("odd/kind", b"{ no object", 4.6)
    adapter = vault.put("adapter", pack({"file": np.zeros((2, 2))}, {"group": "bias"}), 5.0)
    vault.set_pointer("adapter/stress", adapter)


def test_export_holds_every_record_in_readable_form(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wearer, "_RECORDS_PER_PART", 3)
    _fill(vault)
    done = export(vault, tmp_path / "me.zip")
    assert done.n_records == {
        "adapter": 1, "event": 1, "label": 1, "odd/kind": 2, "stress_window": 7,
    }  # fmt: skip
    assert done.sha256 == hashlib.sha256(done.path.read_bytes()).hexdigest()
    assert done.path.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(done.path) as archive:
        assert archive.testzip() is None
        manifest = json.loads(archive.read("manifest.json"))
        assert manifest["n_records"] == done.n_records
        assert manifest["pointers"] == vault.pointers()
        assert manifest["wearer_id"] == vault.wearer_id
        assert b"NOT encrypted" in archive.read("README.txt")
        last = archive.read("stress_window/part-0002.jsonl").decode().splitlines()
        assert [json.loads(line)["t_utc"] for line in last] == [6.0]
        facts = json.loads(last[0])
        assert facts["meta"] == {"worn": True}
        arrays = np.load(io.BytesIO(archive.read("stress_window/part-0002.npz")))
        np.testing.assert_array_equal(arrays[f"{facts['id']}.features"], [6, 6, 6])
        event = json.loads(archive.read("event/part-0000.jsonl"))
        assert event["meta"] == {"kind": "stress", "state": "rest"}
        odd = [json.loads(one) for one in archive.read("odd_kind/part-0000.jsonl").splitlines()]
        assert [archive.read(one["file"]) for one in odd] == [b"\x01\x02", b"{ no object"]


def test_export_of_the_same_content_gives_the_same_bytes(vault: Vault, tmp_path: Path) -> None:
    _fill(vault)
    one, two = export(vault, tmp_path / "1.zip"), export(vault, tmp_path / "2.zip")
    assert one.sha256 == two.sha256


def test_export_never_replaces_a_file(vault: Vault, tmp_path: Path) -> None:
    target = tmp_path / "me.zip"
    target.write_bytes(b"precious")
    with pytest.raises(StorageError, match="never replaces"):
        export(vault, target)
    assert target.read_bytes() == b"precious"


def test_export_leaves_no_half_file_when_a_record_is_altered(vault: Vault, tmp_path: Path) -> None:
    _fill(vault)
    vault._database.execute("UPDATE records SET sealed = zeroblob(50) WHERE kind = 'label'")
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(VaultError, match="--skip-damaged"):
        export(vault, folder / "me.zip")
    assert list(folder.iterdir()) == []


def test_export_without_what_is_damaged_names_it(vault: Vault, tmp_path: Path) -> None:
    _fill(vault)
    damaged = "UPDATE {} SET sealed = zeroblob(50) WHERE {} RETURNING {}"
    sql = damaged.format("records", "kind = 'stress_window' AND t_utc > 4", "id")
    names = [f"record {row[0]}" for row in vault._database.execute(sql).fetchall()]
    vault._database.execute(damaged.format("pointers", "true", "name")).fetchall()
    done = export(vault, tmp_path / "me.zip", skip_damaged=True)
    assert done.n_records["stress_window"] == 5
    assert done.damaged == (*names, "pointer adapter/stress")
    with zipfile.ZipFile(done.path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    assert (manifest["n_damaged"], manifest["damaged"]) == (3, list(done.damaged))
    assert (manifest["n_records"], manifest["pointers"]) == (done.n_records, {})


def test_erase_leaves_nothing(vault: Vault, places: Places) -> None:
    _fill(vault)
    vault.close()
    assert erase(places.directory, places.key_file) == []
    assert not places.directory.exists()
    assert not places.key_file.exists()


def test_erased_vault_does_not_open_from_a_copy_without_its_keys(
    vault: Vault, places: Places, tmp_path: Path
) -> None:
    _fill(vault)
    vault.close()
    copy = tmp_path / "backup"
    shutil.copytree(places.directory, copy)
    erase(places.directory, places.key_file)
    with pytest.raises(VaultError, match="readable file"):
        Vault.open(copy, places.key_file)


def test_erase_works_when_the_vault_does_not_open(vault: Vault, places: Places) -> None:
    vault.close()
    (places.directory / "wrapped.key").write_text("damaged")
    places.key_file.unlink()
    assert erase(places.directory, places.key_file) == []
    assert not places.directory.exists()


def test_erase_leaves_files_of_others_and_names_them(vault: Vault, places: Places) -> None:
    vault.close()
    other = places.directory / "notes.txt"
    other.write_text("mine")
    assert erase(places.directory) == [other]
    assert places.key_file.exists()
    assert [path.name for path in places.directory.iterdir()] == ["notes.txt"]


def test_erase_overwrites_the_wrapped_key_before_deleting_it(
    vault: Vault, places: Places, tmp_path: Path
) -> None:
    wrap = places.directory / "wrapped.key"
    before = wrap.read_bytes()
    # A second name shows what became of the bytes themselves.
    (tmp_path / "same-bytes").hardlink_to(wrap)
    vault.erase()
    after = (tmp_path / "same-bytes").read_bytes()
    assert len(after) == len(before)
    assert after != before
    assert b"sealed" not in after


def test_erase_of_no_folder_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="found none"):
        erase(tmp_path / "nothing")
