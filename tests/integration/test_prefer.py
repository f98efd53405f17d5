"""``signet prefer``, and the wearer's answers to taps on the wrist."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Wearer, one_line

from firmware_host.adaptation.samples import WINDOW_KIND
from firmware_host.vault.records import Vault

# Two tasks, each after a rest; whoever is tapped on the wrist answers.
SCENARIO = """
start_utc = 2026-05-04T08:00:00Z
answers_cues = true
bout = [
  {label = "rest", minutes = 11}, {label = "stress", minutes = 6, task = "speech"},
  {label = "rest", minutes = 6}, {label = "stress", minutes = 6, task = "arithmetic"},
]
"""


def test_answers_to_cues_are_kept(wearer: Wearer, tmp_path: Path) -> None:
    scenario = tmp_path / "cued.toml"
    scenario.write_text(SCENARIO)
    settings = tmp_path / "signet.toml"
    settings.write_text("[device]\ncue_on_stress = true\n")
    device = f"synthetic:?seed=7&scenario={scenario}"
    events = wearer.signet("run", "--device", device, "--config", settings, "--json").check().events
    cues = [e["utc"] for e in events if e["kind"] == "stream" and e["what"] == "cue"]
    said = wearer.signet("prefer", "--list", "--json").check().json
    assert len(cues) >= 1
    assert [row["cue_utc"] for row in said] == pytest.approx(cues, abs=1e-3)
    assert {row["answer"] for row in said} <= {"accepted", "dismissed"}
    # The wearer changes their mind about the last one.
    other = "dismissed" if said[-1]["answer"] == "accepted" else "accepted"
    wearer.signet("prefer", "--cue", other, "--at", str(cues[-1])).check()
    assert wearer.signet("prefer", "--list", "--json").check().json[-1]["answer"] == other


def test_comparison_is_listed_and_taken_back(wearer: Wearer) -> None:
    with Vault.create(wearer.state, wearer.folder / "key") as vault:
        vault.put_many(WINDOW_KIND, [(b"", 1.7e9), (b"", 1.7e9 + 4500)])
    pair = ("prefer", "--more", "1699999970", "--less", "1700004470")
    assert wearer.signet(*pair).check().err == (
        "stored: 1 comparison; from 6 on, with two labelled stories, they are learned from\n"
    )
    assert "stored once" in wearer.signet(*pair).check().err
    (row,) = wearer.signet("prefer", "--list", "--json").check().json
    assert row["more_utc"] == row["less_utc"] - 75 * 60
    assert "more stress" in wearer.signet("prefer", "--list").check().out
    assert wearer.signet("prefer", "--remove", "2").code == 4
    wearer.signet("prefer", "--remove", "1").check()
    assert wearer.signet("prefer", "--list", "--json").check().json == []


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ((), 2, "--more and --less"),
        (("--more", "14:05"), 2, "both"),
        (("--list", "--cue", "accepted"), 2, "got '--cue and --list'"),
        (("--at", "14:05", "--list"), 2, "--cue"),
        (("--cue", "accepted"), 4, "got none in the day"),
        (("--more", "noon", "--less", "14:05"), 2, "ISO 8601"),
        (("--more", "1700000000", "--less", "1700000010"), 4, "60 s apart"),
        (("--more", "1700000000", "--less", "1700000100"), 4, "no data"),
    ],
)
def test_bad_input_is_one_line(
    wearer: Wearer, options: tuple[str, ...], code: int, says: str
) -> None:
    wearer.signet("label", "rest", "--last", "5m").check()
    done = wearer.signet("prefer", *options)
    assert done.code == code
    assert says in one_line(done)
