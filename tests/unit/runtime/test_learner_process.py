"""A learner in a process of its own: its failures are told, it pauses and stops as asked."""

from __future__ import annotations

from pathlib import Path

from firmware_host.runtime.learner_process import LearnerProcess


def test_a_learner_that_fails_is_told_and_does_not_raise(tmp_path: Path) -> None:
    learner = LearnerProcess(["--state", tmp_path / "none", "--key-file", tmp_path / "key"])
    learner.start(now_utc=1e9)
    result = learner.finish(wait=True)
    assert result["kept"] is False
    assert result["exit_code"] == 7
    assert "no vault in" in result["text"]
    assert not learner.is_started


def test_learner_told_to_pause_before_it_began_has_paused(tmp_path: Path) -> None:
    learner = LearnerProcess(["--state", tmp_path / "none", "--key-file", tmp_path / "key"])
    learner.start(now_utc=1e9)
    learner.pause()
    result = learner.finish(wait=True)
    assert (result["kept"], result["reason"]) == (False, "paused")
    assert result["text"].startswith("not begun")
    assert learner.results == [result]


def test_learner_that_is_stopped_leaves_no_process_and_no_result(tmp_path: Path) -> None:
    learner = LearnerProcess(["--state", tmp_path / "none", "--key-file", tmp_path / "key"])
    learner.start(now_utc=1e9)
    learner.stop()
    assert not learner.is_started
    assert learner.finish(wait=True) is None
    learner.stop()
