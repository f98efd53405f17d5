"""``signet revert`` and ``signet learn --history`` as a wearer meets them."""

from __future__ import annotations

from command import Wearer, one_line

from bench.killed import make_wearer


def test_history_tells_of_a_job_and_revert_goes_back_and_forth(wearer: Wearer) -> None:
    now_utc = make_wearer(wearer.folder)
    learned = wearer.signet("learn", "--json", "--now-utc", repr(now_utc)).check().json
    assert learned["kept"]
    told = wearer.signet("learn", "--history").check().out
    for part in (
        "adapter 1, lora+head",
        "seed 1",
        "by proxy",
        "gone on with 0x",
        "budget 600 s, 600 J",
    ):
        assert part in told, told
    assert wearer.signet("revert", "--json").check().json == {"adapter": 0, "rest_restored": False}
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
