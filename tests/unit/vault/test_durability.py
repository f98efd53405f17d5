"""What a power cut, a full disk or a busy vault leaves behind."""

from __future__ import annotations

import resource
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from firmware_host.errors import StorageError, VaultError
from firmware_host.vault import database
from firmware_host.vault.records import Vault

from .conftest import Places

_WRITER = """
    import sys
    from pathlib import Path
    from firmware_host.vault.records import Vault

    vault = Vault.open(Path(sys.argv[1]), Path(sys.argv[2]))
    version = vault.count("adapter")
    while True:
        version += 1
        with vault.transaction():
            adapter = vault.put("adapter", version.to_bytes(4, "little") * 2000, float(version))
            vault.put("ledger", adapter.to_bytes(4, "little"), float(version))
            vault.set_pointer("adapter/stress", adapter)
        print(version, flush=True)
"""


def _start_writer(places: Places, repo: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_WRITER), places.directory, places.key_file],
        cwd=repo,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("n_seen", [1, 2, 5, 9])
def test_killed_writer_leaves_the_old_adapter_or_the_new_one(
    vault: Vault, places: Places, repo: Path, n_seen: int
) -> None:
    vault.close()
    with _start_writer(places, repo) as writer:
        assert writer.stdout is not None
        seen = [int(writer.stdout.readline()) for _ in range(n_seen)][-1]
        writer.send_signal(signal.SIGKILL)
        said = [int(line) for line in writer.stdout.read().splitlines()]
    seen = max([seen, *said])
    with places.open() as again:
        pointed = again.pointer("adapter/stress")
        assert pointed is not None
        record = again.get(pointed)
        version = int.from_bytes(record.payload[:4], "little")
        # What it reported is stored; one more may have been committed before it could report.
        assert version in (seen, seen + 1)
        assert record.payload == version.to_bytes(4, "little") * 2000
        assert again.count("adapter") == again.count("ledger") == version
        ledger = again.latest("ledger")
        assert ledger is not None
        assert int.from_bytes(ledger.payload, "little") == pointed
        again.put("adapter", b"goes on", 0.0)


_ENDS_ITSELF = """
    import os, signal, sys
    from pathlib import Path
    from firmware_host.vault.records import Vault

    step = int(sys.argv[3])

    def reached(now):
        if now == step:
            os.kill(os.getpid(), signal.SIGKILL)

    vault = Vault.open(Path(sys.argv[1]), Path(sys.argv[2]))
    reached(0)
    with vault.transaction():
        reached(1)
        adapter = vault.put("adapter", b"new", 2.0)
        reached(2)
        vault.put("ledger", b"new", 2.0)
        reached(3)
        vault.set_pointer("adapter/stress", adapter)
        reached(4)
    reached(5)
"""


@pytest.mark.parametrize("step", range(6))
def test_killed_at_every_step_of_a_transaction_leaves_all_of_it_or_nothing(
    vault: Vault, places: Places, repo: Path, step: int
) -> None:
    vault.set_pointer("adapter/stress", vault.put("adapter", b"old", 1.0))
    vault.close()
    command = [sys.executable, "-c", textwrap.dedent(_ENDS_ITSELF)]
    done = subprocess.run(
        [*command, places.directory, places.key_file, str(step)], cwd=repo, check=False
    )
    assert done.returncode == -signal.SIGKILL
    with places.open() as again:
        pointed = again.pointer("adapter/stress")
        assert pointed is not None
        found = (again.get(pointed).payload, again.count("adapter"), again.count("ledger"))
        assert found == ((b"new", 2, 1) if step == 5 else (b"old", 1, 0))


def _fill(vault: Vault) -> int:
    stored = 0
    with pytest.raises(StorageError, match="full disk") as caught:
        while True:
            vault.put("window", bytes(3000), float(stored), durable=False)
            stored += 1
    assert "\n" not in str(caught.value)
    return stored


def test_full_disk_is_one_line_and_the_rest_stays_readable(vault: Vault, places: Places) -> None:
    adapter = vault.put("adapter", b"kept", 1.0)
    vault.set_pointer("adapter/stress", adapter)
    vault._database.execute("PRAGMA max_page_count = 40")
    stored = _fill(vault)
    assert stored > 5
    with pytest.raises(StorageError), vault.transaction():
        vault.put("adapter", bytes(90_000), 2.0)
        vault.set_pointer("adapter/stress", None)
    assert vault.count("window") == stored
    vault.close()
    with places.open() as again:
        assert again.pointer("adapter/stress") == adapter
        assert again.get(adapter).payload == b"kept"
        assert sum(1 for _ in again.iterate("window")) == stored
        # There is room again: the same vault goes on.
        assert again.put("window", b"x", 0.0) > adapter


_LIMITED = """
    import resource, signal, sys
    from pathlib import Path
    from firmware_host.errors import StorageError
    from firmware_host.vault.records import Vault

    vault = Vault.open(Path(sys.argv[1]), Path(sys.argv[2]))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    n = 0
    try:
        while True:
            vault.put("window", bytes(5000), 1.0)
            n += 1
    except StorageError as err:
        assert vault.count("window") == n, (vault.count("window"), n)
        print(n, err)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no file size limit here")
def test_refused_write_of_the_system_is_a_storage_error(
    vault: Vault, places: Places, repo: Path
) -> None:
    vault.put("label", b"before", 1.0)
    vault.close()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_LIMITED), places.directory, places.key_file],
        cwd=repo,
        capture_output=True,
        text=True,
        check=True,
    )
    stored, text = done.stdout.strip().split(" ", 1)
    assert "vault.sqlite3: expected" in text
    with places.open() as again:
        assert sum(1 for _ in again.iterate("window")) == int(stored) > 5
        assert again.count("label") == 1


def test_vault_held_by_another_for_too_long_is_said_so(
    vault: Vault, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_TIMEOUT_S", 0.01)
    holder = sqlite3.connect(places.database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with places.open() as impatient:
        with pytest.raises(VaultError, match="expected the vault within"):
            impatient.put("label", b"x", 1.0)
        # Reading is never kept waiting by a writer.
        assert impatient.count("label") == 0
        holder.execute("ROLLBACK")
        assert impatient.put("label", b"x", 1.0) == 1
    holder.close()


def test_adapters_wait_for_the_disk_and_windows_do_not(vault: Vault) -> None:
    def synchronous() -> int:
        return int(vault._database.execute("PRAGMA synchronous").fetchone()[0])

    vault.put("window", b"x", 1.0, durable=False)
    assert synchronous() == 1
    vault.put("adapter", b"x", 1.0)
    assert synchronous() == 2
    vault.put_many("window", [(b"x", 1.0)])
    assert synchronous() == 1
    with vault.transaction():
        vault.put("window", b"x", 1.0, durable=False)
        assert synchronous() == 2
