"""First use by several processes at once, and one stream a vault."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from firmware_host.errors import VaultError
from firmware_host.vault.lock import learning, streaming
from firmware_host.vault.records import Vault

from .conftest import Places

_FIRST_USE = """
    import sys
    from pathlib import Path
    from firmware_host.vault.records import Vault

    sys.stdin.readline()
    with Vault.open_or_create(Path(sys.argv[1]), Path(sys.argv[2])) as vault:
        vault.put("label", b"calm", 1.0)
        print(vault.wearer_id)
"""


def _race(repo: Path, places: list[Places]) -> list[str]:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(_FIRST_USE), place.directory, place.key_file],
            cwd=repo,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for place in places
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [racer.communicate()[0].strip() for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * len(racers)
    return said


def test_four_processes_at_first_use_share_one_vault(repo: Path, places: Places) -> None:
    assert len(set(_race(repo, [places] * 4))) == 1
    with places.open() as vault:
        assert vault.count("label") == 4


def test_four_vaults_at_first_use_share_one_key_file(repo: Path, tmp_path: Path) -> None:
    places = [Places(tmp_path / f"vault{i}", tmp_path / "config" / "key") for i in range(4)]
    assert len(set(_race(repo, places))) == 4
    for place in places:
        with place.open() as vault:
            assert vault.count("label") == 1


def test_second_stream_is_refused_with_the_process_of_the_first(
    vault: Vault, places: Places
) -> None:
    with (
        streaming(places.directory),
        pytest.raises(VaultError, match=f"in use by process {os.getpid()}"),
        streaming(places.directory),
    ):
        pass
    with streaming(places.directory):
        vault.put("label", b"calm", 1.0)


def test_error_inside_lets_the_lock_go(vault: Vault, places: Places) -> None:
    with pytest.raises(OSError, match="mine"), streaming(places.directory):
        raise OSError("mine")
    with streaming(places.directory):
        pass


def test_two_jobs_at_once_are_refused_and_a_stream_beside_is_not(
    vault: Vault, places: Places
) -> None:
    with (
        streaming(places.directory),
        learning(places.directory),
        pytest.raises(VaultError, match=f"process {os.getpid()}; another job"),
        learning(places.directory),
    ):
        pass
    with learning(places.directory):
        assert vault.count("label") == 0
