"""A run learns when there is something to learn and the host is calm, and pauses when it is not."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from firmware_host.adaptation import ledger
from firmware_host.adaptation.checkpoint import JOB_CHECKPOINT_KIND
from firmware_host.adaptation.episodes import LabelSpan
from firmware_host.adaptation.labels import put_label
from firmware_host.adaptation.limits import Limits
from firmware_host.runtime.learning import Learning, work_waiting
from firmware_host.runtime.permission import HostWatch
from firmware_host.runtime.waiting import look_at
from firmware_host.vault.records import Vault
from tests.unit.runtime.stories import START_UTC, compare, store_stories, tell_story

KEPT = {"kept": True, "reason": "better", "text": "kept"}
PAUSED = {"kept": False, "reason": "paused", "text": "paused: too hot"}


@dataclass
class FakeLearner:
    """A learner that ends when a test says so."""

    ends_with: dict | None = None
    is_started: bool = False
    n_grants: int = 99
    said: list[str] = field(default_factory=list)

    def start(self, *, now_utc: float) -> None:
        self.is_started = True
        self.said.append(f"start {now_utc:.0f}")

    def allow(self) -> bool:
        self.n_grants -= 1
        return self.n_grants >= 0

    def refuse(self, why: str) -> None:
        self.said.append(f"refuse: {why}")
        self.ends_with = self.ends_with or PAUSED

    def pause(self) -> None:
        if "pause" not in self.said:
            self.said.append("pause")

    def finish(self, *, wait: bool) -> dict | None:
        if not self.is_started or (self.ends_with is None and not wait):
            return None
        self.is_started = False
        result, self.ends_with = self.ends_with or PAUSED, None
        return result


class Host:
    """A machine in a folder, a learner that does as told, and the stream's clock."""

    def __init__(
        self, vault: Vault, root: Path, *, in_step: bool = False, asks: bool = True
    ) -> None:
        self.root, self.now_utc, self.worked = root, START_UTC, []
        self.learner = FakeLearner()
        limits = Limits(min_hours_between=0.0)
        watch = HostWatch(root, root, limits, clock=lambda: self.now_utc) if asks else None
        self.learning = Learning(
            self.learner, vault, watch, worked=self.worked.append if in_step else None
        )
        self.learning.begin()
        self.warm(50.0)

    def warm(self, soc_c: float) -> None:
        zone = self.root / "sys/class/thermal/thermal_zone0"
        zone.mkdir(parents=True, exist_ok=True)
        (zone / "temp").write_text(f"{soc_c * 1000:.0f}\n")

    def look(self, after_s: float = 5.0) -> tuple[list[str], dict | None]:
        self.now_utc += after_s
        looked = self.learning.look(self.now_utc, lost_percent=None, flush=lambda: None)
        return [what for what, _ in looked.notes], looked.result


@pytest.fixture
def host(vault: Vault, tmp_path: Path) -> Host:
    return Host(vault, tmp_path / "machine")


def test_nothing_to_learn_starts_nothing(host: Host) -> None:
    assert host.look() == ([], None)
    assert host.learner.said == []


def test_story_on_a_calm_host_is_learned_at_once(host: Host) -> None:
    tell_story(host.learning.trigger)
    assert host.look() == ([], None)
    assert host.learner.is_started
    host.learner.ends_with = KEPT
    assert host.look() == ([], KEPT)
    assert host.look() == ([], None)
    assert len(host.learner.said) == 1


def test_hot_host_is_waited_for_and_that_is_noted_once(host: Host) -> None:
    tell_story(host.learning.trigger)
    host.warm(76.0)
    assert host.look() == (["learning_waits"], None)
    assert host.look() == ([], None)
    host.warm(72.0)
    assert host.look() == ([], None)
    assert not host.learner.is_started
    host.warm(70.0)
    host.look()
    assert host.learner.is_started


def test_job_is_paused_when_it_gets_hot_and_goes_on_when_cool(host: Host) -> None:
    tell_story(host.learning.trigger)
    host.look()
    host.warm(75.0)
    assert host.look() == (["learning_waits"], None)
    host.look()
    assert host.learner.said[1:] == ["pause"]
    host.learner.ends_with = PAUSED
    assert host.look() == (["learning_paused"], None)
    host.warm(69.0)
    assert host.look() == ([], None)
    assert host.look(60.0) == (["learning_resumed"], None)
    host.learner.ends_with = KEPT
    assert host.look() == ([], KEPT)


def test_job_that_paused_for_its_own_reason_rests_a_minute(host: Host) -> None:
    tell_story(host.learning.trigger)
    host.look()
    host.learner.ends_with = PAUSED
    assert host.look() == (["learning_paused"], None)
    assert host.look(59.0) == ([], None)
    assert host.look(1.0) == (["learning_resumed"], None)


def test_simulated_host_gets_a_second_of_work_for_each_second(vault: Vault, tmp_path: Path) -> None:
    host = Host(vault, tmp_path / "machine", in_step=True)
    tell_story(host.learning.trigger)
    host.look()
    for after_s in (0.6, 0.6, 1.2, 0.4, 0.0):
        host.look(after_s)
    assert host.worked == [1.0, 1.0]
    host.warm(80.0)
    notes, _ = host.look(5.0)
    assert notes == ["learning_waits", "learning_paused"]
    assert host.learner.said[1].startswith("refuse: waiting for the host to cool down to 70 degC")


def test_job_of_a_simulated_host_that_asks_no_more_is_done(vault: Vault, tmp_path: Path) -> None:
    host = Host(vault, tmp_path / "machine", in_step=True)
    tell_story(host.learning.trigger)
    host.look()
    host.learner.n_grants, host.learner.ends_with = 0, KEPT
    assert host.look() == ([], KEPT)
    assert host.worked == []


def test_where_nobody_is_asked_the_stream_waits_for_the_job(vault: Vault, tmp_path: Path) -> None:
    host = Host(vault, tmp_path / "machine", asks=False)
    host.warm(99.0)
    tell_story(host.learning.trigger)
    host.learner.ends_with = KEPT
    assert host.look() == ([], KEPT)


def test_end_of_the_stream_pauses_the_job_for_the_next_run(host: Host) -> None:
    tell_story(host.learning.trigger)
    host.look()
    looked = host.learning.end(host.now_utc)
    assert looked.notes == [("learning_paused", {"why": "too hot"})]
    assert host.learner.said[1:] == ["pause"]


def _store_story(vault: Vault) -> None:
    for kind, at_s in (("rest", 0), ("stress", 400), ("rest", 800)):
        span = LabelSpan(kind, START_UTC + at_s, START_UTC + at_s + 300)
        put_label(vault, span, source="cli", now_utc=START_UTC + 2000)


def test_run_goes_on_with_what_an_earlier_one_left(vault: Vault, tmp_path: Path) -> None:
    vault.put(JOB_CHECKPOINT_KIND, b"half a job", START_UTC)
    host = Host(vault, tmp_path / "machine")
    assert host.look() == (["learning_resumed"], None)


def test_run_learns_from_labels_that_came_while_none_ran(vault: Vault, tmp_path: Path) -> None:
    _store_story(vault)
    host = Host(vault, tmp_path / "machine")
    host.look()
    assert host.learner.is_started


def test_run_learns_from_comparisons_that_another_command_stored(
    vault: Vault, tmp_path: Path
) -> None:
    store_stories(vault, 2)
    ledger.append(vault, {"what": "personalise"}, now_utc=START_UTC + 9000)
    host = Host(vault, tmp_path / "machine")
    host.look()
    compare(vault, 6)
    host.look()
    assert not host.learner.is_started
    host.look(60.0)
    assert host.learner.is_started
    host.learner.ends_with = KEPT
    assert host.look() == ([], KEPT)
    host.look(60.0)
    assert not host.learner.is_started


def test_where_nobody_is_asked_comparisons_of_earlier_runs_do_not_wait(
    vault: Vault, tmp_path: Path
) -> None:
    store_stories(vault, 2)
    compare(vault, 6)
    host = Host(vault, tmp_path / "machine", asks=False)
    for _ in range(2):
        tell_story(host.learning.trigger)
    host.learning.trigger.started()
    host.learner.ends_with = KEPT
    assert host.look(60.0) == ([], None)


def test_what_waits_is_named_first_cause_first(vault: Vault, tmp_path: Path) -> None:
    def why(now_utc: float) -> list[str]:
        waiting = look_at(
            vault, host_root=tmp_path, storage=tmp_path, limits=Limits(), now_utc=now_utc
        )
        return waiting.lines()

    _store_story(vault)
    assert work_waiting(vault, now_utc=START_UTC).stories_waiting == 1
    assert why(START_UTC) == ["nothing: a job begins with signet run, or signet learn"]
    ledger.append(vault, {"what": "personalise"}, now_utc=START_UTC + 2000)
    assert why(START_UTC + 2600) == [
        "a stream from the wrist: no minute was seen yet (signet run)",
        "20 min to pass: the last job is 10 min old",
    ]
    vault.put(JOB_CHECKPOINT_KIND, b"half a job", START_UTC)
    assert why(START_UTC) == ["nothing: the paused job goes on with signet run, or signet learn"]
