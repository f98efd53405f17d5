from __future__ import annotations

from firmware_host.events import Labelled
from firmware_host.runtime.learner_process import LearnerProcess
from firmware_host.runtime.learning import LearnTrigger


def _label(kind: str, start: float, minutes: float = 5.0) -> Labelled:
    end = start + 60 * minutes
    return Labelled(end, end, kind, start, end, "button")


def test_learning_waits_for_rest_stress_rest() -> None:
    trigger = LearnTrigger()
    for label in (_label("rest", 0), _label("stress", 400)):
        trigger.add(label)
        assert not trigger.n_waiting
    trigger.add(_label("rest", 800))
    assert trigger.n_waiting


def test_learning_is_due_again_after_the_next_whole_stress_episode() -> None:
    trigger = LearnTrigger()
    for label in (_label("rest", 0), _label("stress", 400), _label("rest", 800)):
        trigger.add(label)
    trigger.started()
    assert not trigger.n_waiting
    trigger.add(_label("stress", 1200))
    assert not trigger.n_waiting
    trigger.add(_label("rest", 1600))
    assert trigger.n_waiting


def test_short_labels_teach_nothing() -> None:
    trigger = LearnTrigger()
    for i in range(6):
        trigger.add(_label("stress" if i % 2 else "rest", 100.0 * i, minutes=1.0))
    assert not trigger.n_waiting


def test_a_learner_that_fails_is_told_and_does_not_raise(tmp_path) -> None:
    learner = LearnerProcess(["--state", tmp_path / "none", "--key-file", tmp_path / "key"])
    learner.start(now_utc=1e9)
    result = learner.finish(wait=True)
    assert result["kept"] is False
    assert result["exit_code"] == 7
    assert "no vault in" in result["text"]
    assert not learner.is_running
