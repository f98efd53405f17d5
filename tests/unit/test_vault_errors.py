"""What a person reads when the vault or its key is not usable: one line with what to do."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from firmware_host.cli import doctor
from firmware_host.cli.common import open_vault
from firmware_host.config import Config
from firmware_host.errors import SignetError, StorageError, VaultError
from firmware_host.vault.keys import make_key_file
from firmware_host.vault.records import Vault


@pytest.fixture
def args(tmp_path: Path) -> argparse.Namespace:
    Vault.create(tmp_path / "state", tmp_path / "key").close()
    return argparse.Namespace(state=tmp_path / "state", key_file=tmp_path / "key")


def _refused(args: argparse.Namespace, kind: type[SignetError], *, create: bool = False) -> str:
    with pytest.raises(kind) as caught, open_vault(args, Config(), create=create):
        pass
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("create", [False, True])
def test_key_file_naming_a_folder(args: argparse.Namespace, tmp_path: Path, create: bool) -> None:
    args.key_file = tmp_path / "keys"
    args.key_file.mkdir(mode=0o700)
    assert "got a folder" in _refused(args, VaultError, create=create)


def test_wrong_key_names_the_file_and_the_option(args: argparse.Namespace, tmp_path: Path) -> None:
    args.key_file = tmp_path / "other"
    make_key_file(args.key_file)
    text = _refused(args, VaultError)
    assert str(args.key_file) in text
    assert "--key-file" in text


@pytest.mark.parametrize("create", [False, True])
def test_missing_key_is_not_made_anew(args: argparse.Namespace, create: bool) -> None:
    args.key_file.unlink()
    assert "found none: bring it back" in _refused(args, VaultError, create=create)
    assert not args.key_file.exists()


@pytest.mark.parametrize("create", [False, True])
def test_folder_without_permission(
    args: argparse.Namespace, monkeypatch: pytest.MonkeyPatch, create: bool
) -> None:
    # As the kernel answers an ordinary user; root is let in everywhere.
    def denied(path: Path, **_: object) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", denied)
    text = _refused(args, StorageError, create=create)
    assert "Permission denied" in text
    assert str(args.state) in text


def test_doctor_fails_on_a_key_that_does_not_fit(args: argparse.Namespace, tmp_path: Path) -> None:
    assert doctor._check_vault(args.state, args.key_file).status == "ok"
    assert doctor._check_vault(tmp_path / "none", args.key_file).status == "ok"
    make_key_file(tmp_path / "other")
    assert doctor._check_vault(args.state, tmp_path / "other").status == "fail"
    missing = doctor._check_vault(args.state, tmp_path / "missing")
    assert missing.status == "fail"
    assert "found none" in missing.text


def test_doctor_does_not_call_a_missing_key_well(
    args: argparse.Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    args.key_file.unlink()
    args.config, args.log, args.json = None, None, False
    assert doctor.run(args) == 1
    out = capsys.readouterr().out
    assert "fail  vault" in out
    assert "made on first use" not in out
