"""A damaged record is left out and told of; it never ends a stream."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from command import Wearer, one_line

from bench.killed import make_wearer
from firmware_host.adaptation.adapters import put_adapter
from firmware_host.adaptation.samples import BASELINE_POINTER
from firmware_host.runtime.gait_reference import GAIT_KIND, GAIT_POINTER
from firmware_host.vault.pack import pack
from firmware_host.vault.records import Vault

BRIEF = ("run", "--device", "synthetic:?seed=8&scenario=short&hours=0.03", "--no-learn")


def _damage(wearer: Wearer, kind: str, *, which: str = "min") -> None:
    with closing(sqlite3.connect(wearer.state / "vault.sqlite3")) as db, db:
        n = db.execute(
            "UPDATE records SET sealed = zeroblob(60) WHERE id = "
            f"(SELECT {which}(id) FROM records WHERE kind = ?)",
            (kind,),
        ).rowcount
    assert n == 1


def test_damaged_events_and_windows_are_counted_and_left_out(
    wearer: Wearer, tmp_path: Path
) -> None:
    wearer.signet(*BRIEF).check()
    _damage(wearer, "event")
    _damage(wearer, "stress_window")
    page = tmp_path / "page.html"
    said = wearer.signet("report", "--out", page).check().err
    assert said.count("2 damaged records left out") == 1
    assert "2 damaged records left out" in page.read_text()
    assert wearer.signet("status", "--json").check().json["damaged"] == {
        "event": 1,
        "stress_window": 1,
    }
    assert "2 records left out" in wearer.signet("status").check().out
    wearer.signet(*BRIEF).check()
    archive = tmp_path / "mine.zip"
    refused = wearer.signet("vault", "export", "--out", archive)
    assert refused.code == 7
    assert "--skip-damaged" in one_line(refused)
    done = wearer.signet("vault", "export", "--out", archive, "--skip-damaged").check()
    assert "2 damaged left out" in done.err


@pytest.mark.parametrize(
    ("kind", "to_do"),
    [
        ("adapter", "run signet learn"),
        (GAIT_KIND, "signet enrol gait"),
        ("baseline", "signet enrol baseline"),
    ],
)
def test_run_goes_on_without_what_is_damaged(wearer: Wearer, kind: str, to_do: str) -> None:
    with Vault.create(wearer.state, wearer.folder / "key") as vault, vault.transaction():
        if kind == "adapter":
            put_adapter(
                vault,
                {},
                model="stress",
                bundle_sha256="",
                group="bias",
                baseline_id=None,
                now_utc=1.0,
            )
        elif kind == "baseline":
            vault.set_pointer(BASELINE_POINTER, vault.put("baseline", pack({}, {}), 1.0))
        else:
            vault.set_pointer(GAIT_POINTER, vault.put(GAIT_KIND, pack({}, {}), 1.0))
    _damage(wearer, kind)
    said = wearer.signet(*BRIEF).check().err
    assert said.count(to_do) == 1
    wearer.signet("status").check()


def test_learn_goes_on_without_damaged_labels_and_says_so(wearer: Wearer, tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    env = {"SIGNET_HOST_ROOT": str(tmp_path / "host")}
    make_wearer(wearer.folder)
    _damage(wearer, "label")
    _damage(wearer, "stress_window", which="max")
    wearer.signet("learn", env=env).check()
    _damage(wearer, "ledger")
    wearer.signet("label", "rest", "--last", "5m").check()
    told = wearer.signet("learn", "--json", env=env).check().json
    assert told["reason"] != "failed"
    assert "1 label damaged" in told["set_aside"]
    assert "1 damaged window" in told["set_aside"]
    shown = wearer.signet("learn", env=env).check().out
    assert "1 window without a label; 1 label damaged; " in shown.partition("set aside: ")[2]
    assert not wearer.signet("status", "--json").check().json["ledger_intact"]


def test_run_and_learn_set_the_adapter_of_another_bundle_aside(
    wearer: Wearer, tmp_path: Path
) -> None:
    (tmp_path / "host").mkdir()
    make_wearer(wearer.folder)
    with Vault.open(wearer.state, wearer.folder / "key") as vault, vault.transaction():
        put_adapter(
            vault,
            {},
            model="stress",
            bundle_sha256="ab" * 32,
            group="bias",
            baseline_id=None,
            now_utc=1.0,
        )
    said = wearer.signet(*BRIEF).check().err
    assert said.count("adapter set aside") == 1
    env = {"SIGNET_HOST_ROOT": str(tmp_path / "host")}
    told = wearer.signet("learn", "--json", env=env).check().json
    assert "another bundle" in " ".join(told["set_aside"]), told
    assert told["kept"]
