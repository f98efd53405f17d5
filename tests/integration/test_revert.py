"""``signet revert`` and ``signet learn --history`` as a wearer meets them."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from command import Wearer, one_line

from bench.killed import make_wearer
from firmware_host.adaptation.adapters import put_adapter
from firmware_host.inference.bundle import find_bundle, seal_text
from firmware_host.vault.records import Vault


def test_history_tells_of_a_job_and_revert_goes_back_and_forth(wearer: Wearer) -> None:
    now_utc = make_wearer(wearer.folder)
    learned = wearer.signet("learn", "--json", "--now-utc", repr(now_utc)).check().json
    assert learned["kept"]
    told = wearer.signet("learn", "--history").check().out
    for part in (
        "adapter 1, lora+head",
        "seed 1",
        "by proxy",
        "steps, without a break, ",
        "budget 600 s, 600 J",
    ):
        assert part in told, told
    assert wearer.signet("revert", "--json").check().json == {
        "adapter": 0,
        "rest_restored": False,
        "bundle": find_bundle().name,
    }
    refused = wearer.signet("revert")
    assert refused.code == 6
    assert "versions: 1; or generic" in one_line(refused)
    assert "in force: adapter 1" in wearer.signet("revert", "1").check().err
    assert "in force: the generic model" in wearer.signet("revert", "generic").check().err
    assert wearer.signet("revert", "never").code == 2
    rows = wearer.signet("learn", "--history", "--json").check().json
    assert [row["what"] for row in rows] == ["personalise", *["revert"] * 3]
    job = rows[0]["facts"]
    assert len(job["data_sha256"]) == len(job["bundle_sha256"]) == 64
    assert {"seed", "runtime", "n_steps", "trials", "used", "candidates", "kept"} <= set(job)
    assert {"wall_s", "joules_proxy", "vault_bytes", "n_resumes"} <= set(job["used"])
    # Learning again would be a second opinion on the same labels: the wearer's word stands.
    again = wearer.signet("learn", "--json", "--now-utc", repr(now_utc)).check().json
    assert (again["kept"], again["reason"]) == (False, "nothing_new")
    assert wearer.signet("status", "--json").check().json["adapter"] == 0


def test_adapter_of_another_bundle_is_said_to_be_in_force_only_with_that_one(
    wearer: Wearer, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(find_bundle(), tmp_path / "signet-9.9.9"))
    contract = other / "bundle.toml"
    contract.write_bytes(contract.read_bytes() + b"# another one\n")
    (other / "bundle.sha256").write_text(seal_text(contract.read_bytes()))
    sha256 = hashlib.sha256(contract.read_bytes()).hexdigest()
    with Vault.create(wearer.state, wearer.folder / "key") as vault, vault.transaction():
        put_adapter(
            vault, {}, model="stress", bundle_sha256=sha256, group="bias", baseline_id=None,
            now_utc=1.0,
        )  # fmt: skip
    wearer.signet("revert", "generic", "--bundle", other).check()
    told = wearer.signet("revert", "1", "--bundle", other).check().err
    assert told == f"in force: adapter 1, but only with --bundle {other}\n"
    assert "adapter     none" in wearer.signet("status").check().out
