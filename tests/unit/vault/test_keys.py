"""Keys: private files, the right key only, replacement without a moment in between."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_host.errors import StorageError, VaultError
from firmware_host.vault import keys
from firmware_host.vault.keys import (
    Sealer,
    create_data_key,
    make_key_file,
    open_data_key,
    rotate_key_file,
)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "key"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "vault"


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_data_key_is_the_same_when_opened_again(directory: Path, key_file: Path) -> None:
    made = create_data_key(directory, key_file)
    assert open_data_key(directory, key_file) == made
    assert len(made.key) == 32


def test_files_are_private_when_created(directory: Path, key_file: Path) -> None:
    create_data_key(directory, key_file)
    assert _mode(key_file) == 0o600
    assert _mode(directory / "wrapped.key") == 0o600
    assert _mode(directory) == 0o700
    assert _mode(key_file.parent) == 0o700


def test_neither_key_is_in_the_folder_in_the_clear(directory: Path, key_file: Path) -> None:
    made = create_data_key(directory, key_file)
    content = (directory / "wrapped.key").read_bytes()
    kek = key_file.read_text().strip().split(":")[1]
    for secret in (made.key, made.key.hex().encode(), kek.encode(), bytes.fromhex(kek)):
        assert secret not in content


def test_repr_hides_the_key(directory: Path, key_file: Path) -> None:
    made = create_data_key(directory, key_file)
    assert made.key.hex() not in repr(made)
    assert repr(made.key) not in repr(made)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o666])
def test_key_file_is_refused_when_others_may_use_it(
    directory: Path, key_file: Path, mode: int
) -> None:
    create_data_key(directory, key_file)
    key_file.chmod(mode)
    with pytest.raises(VaultError, match=r"expected mode 0600, got .*chmod 600"):
        open_data_key(directory, key_file)


def test_key_file_is_refused_when_it_is_a_link(directory: Path, key_file: Path) -> None:
    create_data_key(directory, key_file)
    real = key_file.rename(key_file.with_name("real"))
    key_file.symlink_to(real)
    with pytest.raises(VaultError, match="readable file"):
        open_data_key(directory, key_file)


@pytest.mark.parametrize("content", [b"", b"hello\n", b"signet-key-1:00ff\n", b"\xff" * 77])
def test_key_file_is_refused_when_it_is_something_else(
    directory: Path, key_file: Path, content: bytes
) -> None:
    create_data_key(directory, key_file)
    key_file.write_bytes(content)
    with pytest.raises(VaultError, match="Signet key file"):
        open_data_key(directory, key_file)


def test_key_file_inside_the_folder_is_refused(directory: Path) -> None:
    with pytest.raises(VaultError, match="outside"):
        create_data_key(directory, directory / "key")
    assert not directory.exists()


def test_key_file_is_never_overwritten(key_file: Path) -> None:
    make_key_file(key_file)
    before = key_file.read_bytes()
    with pytest.raises(VaultError, match="never overwritten"):
        make_key_file(key_file)
    assert key_file.read_bytes() == before


def test_another_key_is_named_in_one_line(directory: Path, key_file: Path) -> None:
    create_data_key(directory, key_file)
    other = key_file.with_name("other")
    make_key_file(other)
    with pytest.raises(VaultError, match="another key") as caught:
        open_data_key(directory, other)
    assert "\n" not in str(caught.value)


def test_open_names_the_folder_when_there_is_no_vault(directory: Path, key_file: Path) -> None:
    make_key_file(key_file)
    with pytest.raises(VaultError, match="expected a vault"):
        open_data_key(directory, key_file)


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace('"wearer_id": "', '"wearer_id": "0'),
        lambda text: text.replace('"sealed": "', '"sealed": "00'),
        lambda text: text.replace("signet-wrap-1", "signet-wrap-9"),
        lambda text: text[: len(text) // 2],
        lambda _text: "[]",
    ],
)
def test_altered_wrap_is_refused(
    directory: Path, key_file: Path, edit: Callable[[str], str]
) -> None:
    create_data_key(directory, key_file)
    wrap = directory / "wrapped.key"
    wrap.write_text(edit(wrap.read_text()))
    with pytest.raises(VaultError):
        open_data_key(directory, key_file)


def test_rotation_keeps_the_data_key_and_retires_the_old_one(
    directory: Path, key_file: Path
) -> None:
    made = create_data_key(directory, key_file)
    old = key_file.read_bytes()
    rotate_key_file(directory, key_file)
    assert key_file.read_bytes() != old
    assert open_data_key(directory, key_file) == made
    key_file.write_bytes(old)
    with pytest.raises(VaultError, match="another key"):
        open_data_key(directory, key_file)


@pytest.mark.parametrize("writes_before_the_cut", [0, 1, 2])
def test_rotation_cut_at_any_write_leaves_a_vault_that_opens(
    directory: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch, writes_before_the_cut: int
) -> None:
    made = create_data_key(directory, key_file)
    real, done = keys.write_atomic, []

    def cut(path: Path, data: bytes) -> None:
        if len(done) == writes_before_the_cut:
            raise StorageError("cut")
        done.append(path)
        real(path, data)

    monkeypatch.setattr(keys, "write_atomic", cut)
    with pytest.raises(StorageError):
        rotate_key_file(directory, key_file)
    assert open_data_key(directory, key_file) == made


def test_sealing_twice_gives_different_bytes() -> None:
    sealer = Sealer(bytes(32))
    first, second = sealer.seal(b"same", b"place"), sealer.seal(b"same", b"place")
    assert first[:12] != second[:12]
    assert first[12:] != second[12:]


def test_every_flipped_bit_is_noticed() -> None:
    sealer = Sealer(bytes(32))
    sealed = sealer.seal(b"calm", b"place")
    assert sealer.open(sealed, b"place", what="x") == b"calm"
    for position in range(len(sealed)):
        altered = bytearray(sealed)
        altered[position] ^= 1
        with pytest.raises(VaultError):
            sealer.open(bytes(altered), b"place", what="x")
    with pytest.raises(VaultError):
        sealer.open(sealed, b"elsewhere", what="x")
    with pytest.raises(VaultError):
        sealer.open(sealed[:20], b"place", what="x")
