"""When a run starts, pauses and goes on with learning; the learner is another process, at low priority."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from firmware_host.adaptation import ledger
from firmware_host.adaptation.checkpoint import has_unfinished
from firmware_host.adaptation.compared import MIN_COMPARISONS, n_usable
from firmware_host.adaptation.episodes import LabelSpan
from firmware_host.adaptation.labels import stored_labels
from firmware_host.adaptation.outcome import PAUSED
from firmware_host.adaptation.policy import Cause, Work
from firmware_host.adaptation.preferences import comparisons, given
from firmware_host.events import Labelled
from firmware_host.runtime.learner_process import LearnerProcess
from firmware_host.runtime.permission import HostWatch
from firmware_host.stream.buttons import REST, STRESS
from firmware_host.vault.records import Vault
from firmware_host.words import counted

# The smallest story a gate can judge anything on: rest, a stressor, and the rest after it.
MIN_STRESS_EPISODES = 1
MIN_REST_EPISODES = 2
# Comparisons are judged beside labels: each story is held back from the other in turn.
MIN_COMPARED_STORIES = 2
# One more comparison among six hardly tells anything new; half as many again may.
MIN_NEW_COMPARISONS = 3
# Stream seconds between two looks at what was compared, which another command may have stored.
_COMPARED_LOOK_S = 60.0
# A label shorter than two minutes holds too few windows to teach anything.
MIN_LABEL_S = 120.0
# Nice value of the learner: it takes what the stream leaves.
_NICE = 15
# A job that paused for a reason of its own (its budget, its own look at the host) rests this long.
_REST_S = 60.0
WAITS_NOTE = "learning_waits"
PAUSED_NOTE = "learning_paused"
RESUMED_NOTE = "learning_resumed"

Note = tuple[str, dict[str, float | int | str]]


@dataclass(slots=True)
class LearnTrigger:
    """Says when enough is new: a whole stress episode and the rest after it, or some comparisons."""

    _n_stress: int = 0
    _n_rest: int = 0
    _n_stress_learned: int = 0
    _n_compared: int = 0
    _n_compared_learned: int = 0

    def add(self, label: Labelled | LabelSpan) -> None:
        """Take note of a label."""
        board = label.on_board
        if (board.lasts_s if board else label.end_utc - label.start_utc) < MIN_LABEL_S:
            return
        self._n_stress += label.label == STRESS
        self._n_rest += label.label == REST

    def compare(self, n_usable: int, *, learned: int | None = None) -> None:
        """Take note of how many comparisons can be learned from, and were by the last job."""
        self._n_compared = n_usable
        if learned is not None:
            self._n_compared_learned = learned

    @property
    def n_waiting(self) -> int:
        """Stress episodes with the rest after them that no job has learned from yet."""
        enough = self._n_stress >= MIN_STRESS_EPISODES and self._n_rest >= MIN_REST_EPISODES
        return self._n_stress - self._n_stress_learned if enough and self._is_followed else 0

    @property
    def n_comparisons_waiting(self) -> int:
        """Comparisons that no job has learned from yet, once there are enough to learn from."""
        new = self._n_compared - self._n_compared_learned
        enough = self._n_compared >= MIN_COMPARISONS and new >= MIN_NEW_COMPARISONS
        return new if enough and self.has_stories_to_compare else 0

    @property
    def has_stories_to_compare(self) -> bool:
        """Whether enough is labelled that comparisons can be judged."""
        return self._n_stress >= MIN_COMPARED_STORIES and self._is_followed

    @property
    def _is_followed(self) -> bool:
        # A stress episode counts once the rest after it is labelled too.
        return self._n_rest > self._n_stress

    @property
    def needs(self) -> str:
        """Which label is missing before the latest stress episode counts, in words; empty if none is."""
        if self._n_stress < MIN_STRESS_EPISODES:
            return "a label of stress, two minutes at least (signet label stress --last 5m, or the button)"
        n_needed = max(MIN_REST_EPISODES, self._n_stress + 1)
        if self._n_rest >= n_needed:
            return ""
        where = "one before the first stress and one after each, two minutes at least"
        return f"labels of rest: {self._n_rest} of {n_needed}, {where}"

    def started(self) -> None:
        """A job was started on everything labelled so far."""
        self._n_stress_learned = self._n_stress
        self._n_compared_learned = self._n_compared


def trigger_of(
    labels: Iterable[LabelSpan], last_job_utc: float | None, said_since: Iterable[LabelSpan] = ()
) -> LearnTrigger:
    """A trigger that has seen ``labels``, and a job at ``last_job_utc`` that learned from those until then.

    ``said_since`` that job are new to it, whatever time they speak of.
    """
    trigger = LearnTrigger()
    ordered = sorted(labels, key=lambda label: label.end_utc)
    old = [span for span in ordered if last_job_utc is not None and span.end_utc <= last_job_utc]
    for span in old:
        trigger.add(span)
    trigger.started()
    for span in [*ordered[len(old) :], *said_since]:
        trigger.add(span)
    return trigger


def _trigger(vault: Vault) -> LearnTrigger:
    """What the labels in the vault come to since the last job."""
    last = ledger.latest(vault, what="personalise")
    labels = stored_labels(vault)
    if last is None:
        trigger, learned = trigger_of([label.span for label in labels], None), 0
    else:
        before = [label.span for label in labels if label.id < last.id]
        new = [one.span for one in labels if one.id > last.id]
        trigger = trigger_of(before, last.t_utc, new)
        learned = n_usable(vault, before_id=last.id)
    trigger.compare(n_usable(vault), learned=learned)
    return trigger


def label_needed(vault: Vault) -> str:
    """Which label is missing before the latest stress episode counts, in words; empty if none is."""
    return _trigger(vault).needs


def compared_facts(vault: Vault) -> tuple[int, str]:
    """How many comparisons can be learned from, and in words what they still need."""
    n, n_said = n_usable(vault), len(list(comparisons(given(vault))))
    text = counted(n, "comparison")
    if n < n_said:
        text = f"{n} of {n_said} comparisons count, the others lack windows"
    if n >= MIN_COMPARISONS and _trigger(vault).has_stories_to_compare:
        return n, f"{text}; the next learning job learns from them"
    return n, f"{text}; from {MIN_COMPARISONS} on, with two labelled stories, they are learned from"


def last_job_utc(vault: Vault) -> float | None:
    """When the last job ended, kept or not; None if there was none."""
    last = ledger.latest(vault, what="personalise")
    return None if last is None else last.t_utc


def work_waiting(vault: Vault, *, now_utc: float) -> Work:
    """What the vault holds for a job, without a stream beside it."""
    last_utc = last_job_utc(vault)
    trigger = _trigger(vault)
    return Work(
        stories_waiting=trigger.n_waiting,
        comparisons_waiting=trigger.n_comparisons_waiting,
        is_unfinished=has_unfinished(vault),
        since_last_s=None if last_utc is None else now_utc - last_utc,
    )


class Looked(NamedTuple):
    """What a look at learning brought: notes for the event log, and a job's result."""

    notes: list[Note]
    result: dict[str, Any] | None = None


@dataclass(slots=True)
class Learning:
    """Starts a job when labels wait and the policy allows it, pauses it, and goes on with it.

    Parameters
    ----------
    watch
        The host whose policy is asked; None asks nobody, and then the caller waits for each job.
    worked
        Is told the CPU seconds that a job used, for a simulated host; a job then proceeds by the
        stream's time and not by its own.
    """

    process: LearnerProcess
    vault: Vault
    watch: HostWatch | None = None
    worked: Callable[[float], None] | None = None
    trigger: LearnTrigger = field(default_factory=LearnTrigger)
    _is_unfinished: bool = False
    _last_job_utc: float | None = None
    _cause: Cause | None = None
    _not_before_utc: float = 0.0
    _granted_utc: float = 0.0
    _compared_utc: float = -math.inf

    def begin(self) -> None:
        """See what the vault has waiting from earlier runs."""
        self._is_unfinished = has_unfinished(self.vault)
        self._last_job_utc = last_job_utc(self.vault)
        if self.watch is not None:
            self.trigger = _trigger(self.vault)
        else:
            # As with labels: only what is said from now on counts.
            n = n_usable(self.vault)
            self.trigger.compare(n, learned=n)

    def look(
        self, now_utc: float, *, lost_percent: float | None, flush: Callable[[], None]
    ) -> Looked:
        """Start, pause or go on, as things stand at ``now_utc`` of the stream.

        Parameters
        ----------
        flush
            Writes what a job would read.
        """
        if self.process.is_started:
            return self._attend(now_utc, lost_percent)
        if now_utc < self._not_before_utc or not (self._is_new(now_utc) or self._is_unfinished):
            return Looked([])
        notes = self._blocked(self._work(now_utc, lost_percent))
        if notes is not None:
            return Looked(notes)
        flush()
        started = [(RESUMED_NOTE, dict[str, float | int | str]())] if self._is_unfinished else []
        self.trigger.started()
        self._granted_utc = now_utc
        self.process.start(now_utc=now_utc)
        if self.watch is None:
            # In virtual time the day waits for the learner, so that every run is the same.
            return self._taken(now_utc, wait=True, notes=started)
        return Looked(started)

    def end(self, now_utc: float) -> Looked:
        """The stream is over: pause what runs, for the next run to go on with."""
        if self.worked is not None:
            self.process.refuse("the run has ended")
        else:
            self.process.pause()
        return self._taken(now_utc, wait=True)

    def _is_new(self, now_utc: float) -> bool:
        """Whether enough was said since the last job."""
        is_time = not 0 <= now_utc - self._compared_utc < _COMPARED_LOOK_S
        # Who has not labelled two stories need not be counted for, every minute.
        if is_time and self.trigger.has_stories_to_compare:
            self._compared_utc = now_utc
            self.trigger.compare(n_usable(self.vault))
        return bool(self.trigger.n_waiting or self.trigger.n_comparisons_waiting)

    def _attend(self, now_utc: float, lost_percent: float | None) -> Looked:
        notes = self._blocked(self._work(now_utc, lost_percent))
        if self.worked is not None:
            return self._attend_in_step(now_utc, notes)
        if notes is not None:
            self.process.pause()
        return self._taken(now_utc, wait=False, notes=notes)

    def _attend_in_step(self, now_utc: float, blocked: list[Note] | None) -> Looked:
        """A simulated host: the job gets a second of CPU for each second of the stream."""
        if blocked is not None:
            self.process.refuse(self._why)
            return self._taken(now_utc, wait=True, notes=blocked)
        if now_utc - self._granted_utc < 1.0:
            return Looked([])
        self._granted_utc += 1.0
        if not self.process.allow():
            return self._taken(now_utc, wait=True)
        if self.worked is not None:
            self.worked(1.0)
        return Looked([])

    def _taken(self, now_utc: float, *, wait: bool, notes: list[Note] | None = None) -> Looked:
        result = self.process.finish(wait=wait)
        notes = notes or []
        if result is None:
            return Looked(notes)
        self._is_unfinished = result["reason"] == PAUSED
        if self._is_unfinished:
            self._not_before_utc = now_utc + _REST_S
            # The note says already that it paused.
            why = str(result["text"]).removeprefix(f"{PAUSED}: ")
            return Looked([*notes, (PAUSED_NOTE, {"why": why})])
        self._last_job_utc = now_utc
        return Looked(notes, result)

    def _work(self, now_utc: float, lost_percent: float | None) -> Work:
        last_utc = self._last_job_utc
        return Work(
            stories_waiting=self.trigger.n_waiting,
            comparisons_waiting=self.trigger.n_comparisons_waiting,
            is_unfinished=self._is_unfinished,
            is_running=self.process.is_started,
            since_last_s=None if last_utc is None else now_utc - last_utc,
            lost_percent=lost_percent,
        )

    def _blocked(self, work: Work) -> list[Note] | None:
        """None if the host allows it, else what to note: a cause is told once, as long as it lasts."""
        verdict = None if self.watch is None else self.watch.ask(work)
        if verdict is None or verdict.go:
            self._cause = None
            return None
        first = verdict.blocks[0]
        is_told = first.cause is self._cause
        self._cause = first.cause
        return [] if is_told else [(WAITS_NOTE, {"cause": first.cause.value, "why": first.text})]

    @property
    def _why(self) -> str:
        verdict = None if self.watch is None else self.watch.verdict
        return "" if verdict is None else verdict.text


def lower_priority() -> None:
    """Give way to the stream, on systems that know how."""
    try:
        os.nice(_NICE)
    except OSError:
        # A container may forbid it; learning is then merely less polite.
        return
