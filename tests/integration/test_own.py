"""The wearer owns what was learned: takes it away, changes the key, makes an end of it."""

from __future__ import annotations

import zipfile
from pathlib import Path

from command import Wearer, one_line


def test_export_holds_what_was_stored_and_is_never_overwritten(
    wearer: Wearer, tmp_path: Path
) -> None:
    wearer.signet("label", "stress", "--last", "5m").check()
    archive = tmp_path / "mine.zip"
    done = wearer.signet("vault", "export", "--out", archive, "--json").check()
    assert done.json["records"] == {"label": 1}
    with zipfile.ZipFile(archive) as opened:
        text = opened.read("label/part-0000.jsonl").decode()
    assert '"stress"' in text
    again = wearer.signet("vault", "export", "--out", archive)
    assert again.code == 8
    one_line(again)


def test_erase_asks_first_and_leaves_nothing(wearer: Wearer) -> None:
    wearer.signet("label", "stress", "--last", "5m").check()
    refused = wearer.signet("vault", "erase")
    assert refused.code == 2
    assert "--yes" in one_line(refused)
    assert wearer.signet("label", "--list", "--json").check().json
    assert wearer.signet("vault", "erase", "--yes", "--json").check().json["left"] == []
    assert not wearer.state.exists()
    assert (wearer.folder / "key").exists()
    assert wearer.signet("status").code == 7


def test_erase_with_the_key_makes_copies_unreadable(wearer: Wearer) -> None:
    wearer.signet("label", "rest", "--last", "5m").check()
    wearer.signet("vault", "erase", "--yes", "--key-too").check()
    assert not (wearer.folder / "key").exists()


def test_new_key_opens_the_same_vault_and_the_old_one_does_not(wearer: Wearer) -> None:
    wearer.signet("label", "rest", "--last", "5m").check()
    key = wearer.folder / "key"
    old = key.read_bytes()
    wearer.signet("vault", "rotate-key").check()
    assert wearer.signet("label", "--list", "--json").check().json[0]["label"] == "rest"
    key.write_bytes(old)
    refused = wearer.signet("label", "--list")
    assert refused.code == 7
    one_line(refused)


def test_erasing_nothing_is_said(wearer: Wearer) -> None:
    done = wearer.signet("vault", "erase", "--yes")
    assert done.code == 7
    one_line(done)
