"""Records: what goes in comes out, and nothing altered, moved or foreign does."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from firmware_host.errors import VaultError
from firmware_host.vault.pack import pack
from firmware_host.vault.records import Vault

from .conftest import Places


def _sql(places: Places, statement: str, values: tuple[object, ...] = ()) -> None:
    """Do to the database what someone with the folder but no key could do."""
    database = sqlite3.connect(places.database)
    with database:
        database.execute(statement, values)
    database.close()


def test_records_come_back_when_opened_again(vault: Vault, places: Places) -> None:
    first = vault.put("label", b"one", 10.0)
    second = vault.put("label", b"two", 11.0)
    vault.put("window", b"three", 12.0, durable=False)
    vault.close()
    with places.open() as again:
        assert again.get(first).payload == b"one"
        assert [r.payload for r in again.iterate("label")] == [b"one", b"two"]
        assert [r.id for r in again.iterate("label", first)] == [second]
        latest = again.latest("label")
        assert latest is not None
        assert (latest.id, latest.kind, latest.t_utc) == (second, "label", 11.0)
        assert again.latest("adapter") is None
        assert again.kinds() == {"label": 2, "window": 1}
        assert again.count("label") == 2
        assert again.count("adapter") == 0


def test_iterate_gives_all_in_order_when_batches_are_small(vault: Vault) -> None:
    ids = vault.put_many("window", [(bytes([i]), float(i)) for i in range(23)])
    assert [r.id for r in vault.iterate("window", batch=5)] == ids
    assert [r.t_utc for r in vault.iterate("window", since_utc=20.0)] == [20.0, 21.0, 22.0]


def test_ids_are_never_used_again_when_records_are_pruned(vault: Vault) -> None:
    first = vault.put("window", b"x", 1.0)
    assert vault.prune("window", max_records=0) == 1
    assert vault.put("window", b"y", 2.0) > first


def test_replaced_record_keeps_its_id_and_its_kind(vault: Vault, places: Places) -> None:
    first = vault.put("job", b"one", 1.0)
    before = vault.bytes_written
    vault.replace(first, "job", b"two", 2.0)
    assert vault.bytes_written > before
    record = vault.latest("job")
    assert record is not None
    assert (record.id, record.payload, record.t_utc) == (first, b"two", 2.0)
    assert vault.count("job") == 1
    assert vault.put("label", b"x", 3.0) == first + 1
    for wrong in ((first, "label"), (99, "job")):
        with pytest.raises(VaultError, match="found none"):
            vault.replace(*wrong, b"three", 3.0)
    vault.close()
    with places.open() as again:
        assert again.get(first).payload == b"two"


def test_repr_of_a_record_hides_its_content(vault: Vault) -> None:
    record = vault.get(vault.put("label", b"stress", 1.0))
    assert "stress" not in repr(record)


def test_no_value_is_readable_in_the_folder(vault: Vault, places: Places) -> None:
    pattern = np.array([71.25, 0.137, 33.4375, 4.56e-3], dtype=np.float32)
    payload = pack({"features": np.tile(pattern, 50)}, {"label": "stress-of-wearer"})
    vault.put_many("window", [(payload, 1.0)] * 20)
    vault.set_pointer("adapter/stress", vault.put("adapter", payload, 1.0))
    files = [path for path in places.directory.rglob("*") if path.is_file()]
    content = b"".join(path.read_bytes() for path in files)
    assert len(content) > 20 * len(payload)
    for secret in (pattern.tobytes(), pattern[:2].tobytes(), b"stress-of-wearer", b"SGP1"):
        assert secret in payload
        assert secret not in content


def test_every_file_is_private(vault: Vault, places: Places) -> None:
    vault.put("window", b"x", 1.0)
    modes = {path.name: path.stat().st_mode & 0o777 for path in places.directory.iterdir()}
    assert set(modes) >= {"vault.sqlite3", "vault.sqlite3-wal", "wrapped.key"}
    assert set(modes.values()) == {0o600}


def test_altered_record_is_refused(vault: Vault, places: Places) -> None:
    record_id = vault.put("label", b"calm", 1.0)
    _sql(
        places,
        "UPDATE records SET sealed = CAST(sealed || x'00' AS BLOB)",
    )
    with pytest.raises(VaultError, match="altered") as caught:
        vault.get(record_id)
    assert "\n" not in str(caught.value)


def test_swapped_records_are_refused(vault: Vault, places: Places) -> None:
    ids = vault.put_many("adapter", [(b"old", 1.0), (b"new", 1.0)])
    database = sqlite3.connect(places.database)
    with database:
        rows = dict(database.execute("SELECT id, sealed FROM records").fetchall())
        for here, there in (ids, ids[::-1]):
            database.execute("UPDATE records SET sealed = ? WHERE id = ?", (rows[there], here))
    database.close()
    for record_id in ids:
        with pytest.raises(VaultError, match="moved"):
            vault.get(record_id)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE records SET kind = 'adapter'",
        "UPDATE records SET t_utc = t_utc + 1",
        "UPDATE records SET id = id + 7",
    ],
)
def test_record_under_other_facts_is_refused(vault: Vault, places: Places, statement: str) -> None:
    vault.put("label", b"calm", 1.0)
    _sql(places, statement)
    with pytest.raises(VaultError):
        vault.latest("label") or vault.latest("adapter")


def test_record_of_another_wearer_is_refused(vault: Vault, places: Places, tmp_path: Path) -> None:
    vault.put("label", b"mine", 1.0)
    with Vault.create(tmp_path / "other", places.key_file) as other:
        other.put("label", b"theirs", 1.0)
        database = sqlite3.connect(tmp_path / "other" / "vault.sqlite3")
        sealed = database.execute("SELECT sealed FROM records").fetchone()[0]
        database.close()
    _sql(places, "UPDATE records SET sealed = ?", (sealed,))
    with pytest.raises(VaultError):
        vault.latest("label")


def test_pointer_is_kept_moved_and_cleared(vault: Vault, places: Places) -> None:
    first, second = vault.put_many("adapter", [(b"1", 1.0), (b"2", 2.0)])
    assert vault.pointer("adapter/stress") is None
    vault.set_pointer("adapter/stress", first)
    vault.set_pointer("adapter/stress", second)
    with places.open() as other:
        assert other.pointer("adapter/stress") == second
    vault.set_pointer("adapter/stress", None)
    assert vault.pointers() == {}


def test_pointer_to_nothing_is_refused_and_the_old_one_stays(vault: Vault) -> None:
    record_id = vault.put("adapter", b"1", 1.0)
    vault.set_pointer("adapter/stress", record_id)
    with pytest.raises(VaultError, match="expected record 99"):
        vault.set_pointer("adapter/stress", 99)
    assert vault.pointer("adapter/stress") == record_id


def test_altered_pointer_is_refused(vault: Vault, places: Places) -> None:
    vault.set_pointer("adapter/stress", vault.put("adapter", b"1", 1.0))
    _sql(places, "UPDATE pointers SET name = 'adapter/gait'")
    with pytest.raises(VaultError, match="pointer adapter/gait"):
        vault.pointer("adapter/gait")


def test_transaction_leaves_nothing_when_it_fails(vault: Vault) -> None:
    vault.put("label", b"before", 0.0)
    with pytest.raises(RuntimeError, match="stop"), vault.transaction():
        record_id = vault.put("adapter", b"1", 1.0)
        vault.put("ledger", b"2", 1.0)
        vault.set_pointer("adapter/stress", record_id)
        raise RuntimeError("stop")
    assert vault.kinds() == {"label": 1}
    assert vault.pointers() == {}
    vault.put("label", b"after", 1.0)


def test_nested_transaction_is_undone_alone_or_with_the_outer_one(vault: Vault) -> None:
    with vault.transaction():
        vault.put("label", b"outer", 1.0)
        with pytest.raises(RuntimeError), vault.transaction():
            vault.put("label", b"lost", 2.0)
            raise RuntimeError
        with vault.transaction():
            vault.put("label", b"inner", 3.0)
    assert [r.payload for r in vault.iterate("label")] == [b"outer", b"inner"]
    with pytest.raises(RuntimeError), vault.transaction():
        with vault.transaction():
            vault.put("label", b"done inside", 4.0)
        raise RuntimeError
    assert vault.count("label") == 2


def test_prune_keeps_what_a_pointer_needs(vault: Vault) -> None:
    ids = vault.put_many("adapter", [(bytes([i]), float(i)) for i in range(6)])
    vault.set_pointer("adapter/stress", ids[0])
    assert vault.prune("adapter", older_than_utc=3.0) == 2
    assert [r.id for r in vault.iterate("adapter")] == [ids[0], *ids[3:]]
    assert vault.prune("adapter", max_records=1) == 2
    assert [r.id for r in vault.iterate("adapter")] == [ids[0], ids[5]]
    assert vault.prune("adapter", older_than_utc=0.0, max_records=9) == 0


def test_prune_gives_room_back(vault: Vault, places: Places) -> None:
    vault.put_many("window", [(bytes(400), float(i)) for i in range(2000)])
    vault.close()
    before = places.database.stat().st_size
    with places.open() as again:
        again.prune("window", max_records=100)
    assert places.database.stat().st_size < before / 3


def test_data_version_changes_when_another_process_writes(vault: Vault, places: Places) -> None:
    with places.open() as learner:
        before = vault.data_version()
        assert vault.data_version() == before
        learner.put("adapter", b"1", 1.0)
        assert vault.data_version() != before


def test_two_open_vaults_write_in_turn(vault: Vault, places: Places) -> None:
    with places.open() as other:
        for i in range(50):
            vault.put("window", bytes([i]), float(i), durable=False)
            other.put("label", bytes([i]), float(i), durable=False)
        ids = [r.id for kind in ("window", "label") for r in vault.iterate(kind)]
    assert sorted(ids) == list(range(1, 101))


def test_wrong_key_writes_nothing(vault: Vault, places: Places, tmp_path: Path) -> None:
    vault.put("label", b"x", 1.0)
    vault.close()
    Vault.create(tmp_path / "other", tmp_path / "other.key").close()
    before = {path.name: path.read_bytes() for path in places.directory.iterdir()}
    with pytest.raises(VaultError, match="another key"):
        Vault.open(places.directory, tmp_path / "other.key")
    assert {path.name: path.read_bytes() for path in places.directory.iterdir()} == before


def test_create_refuses_a_folder_with_a_vault(vault: Vault, places: Places) -> None:
    vault.put("label", b"x", 1.0)
    with pytest.raises(VaultError, match="expected no vault"):
        Vault.create(places.directory, places.key_file)
    assert vault.count("label") == 1


def test_create_completes_one_that_was_cut(places: Places) -> None:
    Vault.create(places.directory, places.key_file).close()
    places.database.rename(places.directory / ".vault.sqlite3.part")
    with pytest.raises(VaultError, match="found none"):
        places.open()
    with Vault.create(places.directory, places.key_file) as vault:
        assert vault.put("label", b"x", 1.0) == 1


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("PRAGMA user_version = 2", "expected schema 1, got 2, written by a newer Signet"),
        ("PRAGMA application_id = 7", "another program"),
    ],
)
def test_database_of_another_making_is_refused(
    vault: Vault, places: Places, statement: str, text: str
) -> None:
    vault.close()
    _sql(places, statement)
    with pytest.raises(VaultError, match=text):
        places.open()


def test_file_that_is_no_database_is_refused(vault: Vault, places: Places) -> None:
    vault.close()
    places.database.write_bytes(b"not a database, " * 300)
    with pytest.raises(VaultError, match="expected a vault's database"):
        places.open()


def test_damaged_records_are_counted_though_they_were_come_across_before(
    vault: Vault, places: Places
) -> None:
    damaged = vault.put("label", b"one", 10.0)
    vault.put("label", b"two", 11.0)
    _sql(places, "UPDATE records SET sealed = zeroblob(length(sealed)) WHERE id = ?", (damaged,))
    assert [r.payload for r in vault.iterate("label", skip_damaged=True)] == [b"two"]
    assert vault.count_damaged() == {"label": 1}
    assert vault.count_damaged() == {"label": 1}
    assert vault.damaged == {f"record {damaged}"}
