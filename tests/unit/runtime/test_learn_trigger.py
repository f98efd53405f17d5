"""What waits to be learned from: stories of labels, and comparisons."""

from __future__ import annotations

from firmware_host.adaptation import ledger
from firmware_host.adaptation.episodes import LabelSpan
from firmware_host.adaptation.labels import put_label
from firmware_host.runtime.learning import LearnTrigger, compared_facts, trigger_of, work_waiting
from firmware_host.vault.records import Vault
from tests.unit.runtime.stories import START_UTC, compare, labelled, store_stories, tell_story


def test_learning_waits_for_rest_stress_rest() -> None:
    trigger = LearnTrigger()
    for label in (labelled("rest", 0), labelled("stress", 400)):
        trigger.add(label)
        assert trigger.n_waiting == 0
    trigger.add(labelled("rest", 800))
    assert trigger.n_waiting == 1


def test_learning_is_due_again_after_the_next_whole_stress_episode() -> None:
    trigger = LearnTrigger()
    tell_story(trigger)
    trigger.started()
    assert trigger.n_waiting == 0
    trigger.add(labelled("stress", 1200))
    assert trigger.n_waiting == 0
    trigger.add(labelled("rest", 1600))
    assert trigger.n_waiting == 1


def test_label_that_is_missing_is_named_until_learning_is_due() -> None:
    trigger = LearnTrigger()
    assert trigger.needs.startswith("a label of stress")
    evening = (
        ("stress", "labels of rest: 0 of 2"),
        ("rest", "labels of rest: 1 of 2"),
        ("stress", "labels of rest: 1 of 3"),
        ("rest", "labels of rest: 2 of 3"),
    )
    for n, (kind, needed) in enumerate(evening):
        trigger.add(labelled(kind, 400.0 * n))
        assert trigger.needs.startswith(needed)
        assert trigger.n_waiting == 0
    trigger.add(labelled("rest", 2000))
    assert trigger.needs == ""
    assert trigger.n_waiting == 2


def test_short_labels_teach_nothing() -> None:
    trigger = LearnTrigger()
    for i in range(6):
        trigger.add(labelled("stress" if i % 2 else "rest", 100.0 * i, minutes=1.0))
    assert trigger.n_waiting == 0
    assert "two minutes at least" in trigger.needs


def test_labels_of_earlier_runs_wait_unless_a_job_came_after_them() -> None:
    spans = [LabelSpan(k, t, t + 300) for k, t in (("rest", 0), ("stress", 400), ("rest", 800))]
    later = [LabelSpan(k, t, t + 300) for k, t in (("stress", 1200), ("rest", 1600))]
    assert trigger_of(spans, None).n_waiting == 1
    assert trigger_of(spans, 1100).n_waiting == 0
    assert trigger_of([*later, *spans], 1100).n_waiting == 1
    # The job came between the stress and the rest after it: that story is new.
    assert trigger_of(spans, 750).n_waiting == 0
    assert trigger_of([*later, *spans], 1550).n_waiting == 0


def test_labels_said_after_a_job_of_a_time_before_it_wait(vault: Vault) -> None:
    def say(kind: str, start: float) -> None:
        span = LabelSpan(kind, START_UTC + start, START_UTC + start + 300)
        put_label(vault, span, source="command", now_utc=START_UTC + 9000)

    for kind, start in (("rest", 0), ("stress", 400), ("rest", 800)):
        say(kind, start)
    ledger.append(vault, {"what": "personalise"}, now_utc=START_UTC + 5000)
    assert work_waiting(vault, now_utc=START_UTC + 9000).stories_waiting == 0
    say("stress", 1200)
    assert work_waiting(vault, now_utc=START_UTC + 9000).stories_waiting == 0
    say("rest", 1600)
    assert work_waiting(vault, now_utc=START_UTC + 9000).stories_waiting == 1


def _waiting(vault: Vault) -> tuple[int, int]:
    work = work_waiting(vault, now_utc=START_UTC + 1e6)
    return work.stories_waiting, work.comparisons_waiting


def test_three_new_comparisons_wait_once_six_and_two_stories_are_there(vault: Vault) -> None:
    store_stories(vault, 2)
    ledger.append(vault, {"what": "personalise"}, now_utc=START_UTC + 9000)
    compare(vault, 5)
    assert _waiting(vault) == (0, 0)
    compare(vault, 3, first=5, is_seen=False)
    assert _waiting(vault) == (0, 0)
    compare(vault, 1, first=8)
    assert _waiting(vault) == (0, 6)
    ledger.append(vault, {"what": "personalise"}, now_utc=START_UTC + 9000)
    compare(vault, 2, first=9)
    assert _waiting(vault) == (0, 0)
    compare(vault, 1, first=11)
    assert _waiting(vault) == (0, 3)


def test_comparisons_wait_for_a_second_story(vault: Vault) -> None:
    store_stories(vault, 1)
    ledger.append(vault, {"what": "personalise"}, now_utc=START_UTC + 9000)
    compare(vault, 6)
    assert _waiting(vault) == (0, 0)
    assert compared_facts(vault) == (
        6,
        "6 comparisons; from 6 on, with two labelled stories, they are learned from",
    )
    store_stories(vault, 2)
    assert compared_facts(vault) == (6, "6 comparisons; the next learning job learns from them")
    compare(vault, 1, first=6, is_seen=False)
    assert compared_facts(vault)[1].startswith("6 of 7 comparisons count, the others lack windows")
