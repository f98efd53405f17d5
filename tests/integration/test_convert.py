"""Every format through the command a wearer would use, with the same events from each."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Wearer, signet

from firmware_host.recording.mcap_file import McapReader

DAY = "synthetic:?seed=8&scenario=short&hours=0.2"


def _states(file: Path) -> list[str]:
    events = signet("replay", file, "--json").check().events
    return [e["state"] for e in events if e["kind"] == "stress"]


def test_replay_takes_every_format_with_the_same_windows(recording: Path, tmp_path: Path) -> None:
    expected = _states(recording)
    assert len(expected) > 5
    for suffix in ("csv", "xdf", "edf"):
        file = tmp_path / f"a.{suffix}"
        signet("convert", recording, file).check()
        states = _states(file)
        # Time counts from the first sample, not from the HELLO before it: one window less may fit.
        assert len(expected) - len(states) in (0, 1), suffix
        assert states == expected[: len(states)], suffix


def test_run_writes_its_labels_into_the_recording(wearer: Wearer, tmp_path: Path) -> None:
    file = tmp_path / "a.mcap"
    done = wearer.signet("run", "--device", DAY, "--no-learn", "--record", file, "--json").check()
    heard = [e for e in done.events if e["kind"] == "label"]
    labels = McapReader(file).labels()
    assert len(labels) == len(heard) > 0
    for label, event in zip(labels, sorted(heard, key=lambda e: e["start_utc"]), strict=True):
        assert (label.label, label.source) == (event["label"], event["source"])
        assert label.t_start_utc == pytest.approx(event["start_utc"], abs=1e-5)


def test_record_writes_button_labels_and_keeps_to_the_quota(tmp_path: Path) -> None:
    config = tmp_path / "signet.toml"
    config.write_text("[recording]\nquota_mb = 0.1\n")
    file = tmp_path / "a.mcap"
    done = signet("record", "--device", DAY, "--out", file, "--config", config)
    assert done.code == 8
    assert done.err.count("\n") <= 2
    assert "reached the quota of 0.1 MB; recording stopped" in done.err
    assert file.stat().st_size <= 100_000
    assert McapReader(file).duration_s > 10
    whole = signet("record", "--device", DAY, "--out", tmp_path / "b.mcap", "--json").check().json
    assert whole["n_labels"] == len(McapReader(tmp_path / "b.mcap").labels()) > 0


def test_label_that_a_recording_carries_beside_its_presses_is_heard_once(tmp_path: Path) -> None:
    live, again = tmp_path / "a.mcap", tmp_path / "a.xdf"
    signet("record", "--device", DAY, "--out", live).check()
    signet("convert", live, again).check()
    n_labels = len(McapReader(live).labels())
    assert n_labels > 0
    for file in (live, again):
        events = signet("replay", file, "--json").check().events
        assert sum(e["kind"] == "label" for e in events) == n_labels, file
