"""What must not be learned from is refused or set aside with its reason, and the rest goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from firmware_host.adaptation import ledger
from firmware_host.adaptation.adapters import load_current, pointer_name, read_adapter
from firmware_host.adaptation.episodes import Label, LabelSpan, LeftOut
from firmware_host.adaptation.labels import put_label, remove_label, stored_labels
from firmware_host.adaptation.outcome import NOTHING_NEW, Outcome
from firmware_host.adaptation.personalise import personalise
from firmware_host.adaptation.prepare import ModelFacts, Prepared, prepare
from firmware_host.adaptation.samples import (
    BASELINE_POINTER,
    WINDOW_KIND,
    contested_times,
    put_baseline,
    window_payload,
)
from firmware_host.errors import AdaptationReason
from firmware_host.signals.normalise import Baseline
from firmware_host.signals.stress import CHANNELS, StressWindow
from firmware_host.vault.records import Vault

from .conftest import N_FEATURES, T0_UTC, Day, skip_model

REST, STRESS = Label.REST, Label.STRESS


@pytest.fixture
def learned(vault: Vault, facts: ModelFacts, day: Day) -> Outcome:
    """A first adapter, from a day on which the generic model calls everything stress."""
    centre, scale = np.zeros(N_FEATURES), np.full(N_FEATURES, 0.1)
    put_baseline(vault, Baseline(centre, scale, 20), now_utc=0.0)
    day.stage(REST, 0.0)
    day.stage(STRESS, 1.6)
    day.stage(REST, 0.8)
    outcome = _learn(vault, facts, day)
    assert outcome.kept
    assert not outcome.set_aside
    return outcome


def _learn(vault: Vault, facts: ModelFacts, day: Day) -> Outcome:
    return personalise(vault, skip_model(), facts, seed=1, now_utc=day.now_utc)


def _damage(vault: Vault, record_id: int) -> None:
    with sqlite3.connect(vault.directory / "vault.sqlite3") as database:
        database.execute("UPDATE records SET sealed = zeroblob(60) WHERE id = ?", (record_id,))
    database.close()


def _stories(day: Day, n: int = 1) -> None:
    for _ in range(n):
        day.stage(STRESS, 1.6)
        day.stage(REST, 0.8)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        ({"worn": False}, LeftOut.NOT_WORN),
        ({"quality": 0.2}, LeftOut.POOR_SIGNAL),
        ({"quality": float("nan")}, LeftOut.NOT_FINITE),
        ({"level": float("nan")}, None),
        ({"motion": float("nan")}, LeftOut.NOT_FINITE),
        ({"motion": 5.0}, LeftOut.MOVING),
    ],
)
def test_windows_that_say_nothing_are_set_aside_and_the_adapter_stays(
    vault: Vault, facts: ModelFacts, day: Day, learned: Outcome, spoil: dict, why: LeftOut | None
) -> None:
    day.stage(STRESS, **{"level": 9.0, "minutes": 3.0, **spoil})
    outcome = _learn(vault, facts, day)
    if why is not None:
        assert outcome.left_out[why] == 13
    assert vault.pointer(pointer_name("stress")) == learned.adapter_id


def test_window_without_a_single_number_is_set_aside(
    vault: Vault, facts: ModelFacts, day: Day, learned: Outcome
) -> None:
    assert learned.kept
    start_utc, empty = day.now_utc, np.full(N_FEATURES, np.nan, np.float32)
    window = StressWindow(0.0, empty, dict.fromkeys(CHANNELS, 1.0), 0.1, True, 0.0)
    vault.put(WINDOW_KIND, window_payload(window, session=1), start_utc + 90.0)
    day.stage(STRESS, 1.6)
    assert _learn(vault, facts, day).left_out[LeftOut.NOT_FINITE] == 1


def test_labels_that_contradict_each_other_are_refused(
    vault: Vault, facts: ModelFacts, day: Day, learned: Outcome
) -> None:
    span = LabelSpan(STRESS, T0_UTC, day.now_utc)
    put_label(vault, span, source="test", now_utc=day.now_utc)
    outcome = _learn(vault, facts, day)
    assert outcome.reason == AdaptationReason.CONTRADICTION
    assert vault.pointer(pointer_name("stress")) == learned.adapter_id


def test_damaged_labels_are_counted_and_the_rest_goes_on(
    vault: Vault, facts: ModelFacts, day: Day, learned: Outcome
) -> None:
    assert learned.kept
    _stories(day, 2)
    _damage(vault, stored_labels(vault)[-1].id)
    outcome = _learn(vault, facts, day)
    assert outcome.set_aside == ("1 label damaged",)
    assert outcome.n_calibration > learned.n_calibration
    entry = ledger.entries(vault)[-1]
    assert entry.facts["set_aside"] == ["1 label damaged"]


def test_damaged_note_of_a_label_taken_back_is_said(
    vault: Vault, facts: ModelFacts, day: Day, learned: Outcome
) -> None:
    assert learned.kept
    _stories(day)
    _damage(vault, remove_label(vault, stored_labels(vault)[-1].id, now_utc=day.now_utc))
    assert "taken back" in " ".join(_learn(vault, facts, day).set_aside)


def test_damaged_windows_are_counted_and_the_rest_goes_on(
    vault: Vault, facts: ModelFacts, day: Day, learned: Outcome
) -> None:
    assert learned.kept
    _stories(day)
    windows = [record.id for record in vault.iterate(WINDOW_KIND)]
    _damage(vault, windows[3])
    _damage(vault, windows[-3])
    outcome = _learn(vault, facts, day)
    assert outcome.set_aside == ("2 damaged windows",)
    assert outcome.n_held_back > 0


def test_damaged_newest_ledger_entry_does_not_end_a_job_and_shows(
    vault: Vault, facts: ModelFacts, day: Day, learned: Outcome
) -> None:
    assert learned.ledger_id is not None
    _stories(day)
    assert _learn(vault, facts, day).ledger_id is not None
    newest = ledger.entries(vault)[-1]
    _damage(vault, newest.id)
    _stories(day)
    outcome = _learn(vault, facts, day)
    entries = ledger.entries(vault)
    assert [entry.id for entry in entries] == [learned.ledger_id, outcome.ledger_id]
    assert entries[-1].facts["n_damaged_before"] == 1
    # What is gone stays visible for good.
    assert not ledger.is_unbroken(vault)


def test_damaged_baseline_is_made_again_from_the_first_rest(
    vault: Vault, facts: ModelFacts, day: Day, learned: Outcome
) -> None:
    assert learned.kept
    damaged = vault.pointer(BASELINE_POINTER)
    assert damaged is not None
    _damage(vault, damaged)
    _stories(day)
    outcome = _learn(vault, facts, day)
    assert "the baseline, damaged" in outcome.set_aside[0]
    assert vault.pointer(BASELINE_POINTER) != damaged


def test_damaged_adapter_is_set_aside_and_learned_anew(
    vault: Vault, facts: ModelFacts, day: Day, learned: Outcome
) -> None:
    assert learned.adapter_id is not None
    _damage(vault, learned.adapter_id)
    _stories(day)
    outcome = _learn(vault, facts, day)
    assert "the adapter in force, damaged" in outcome.set_aside[0]
    assert outcome.kept
    assert load_current(vault, "stress", bundle_sha256=facts.bundle_sha256) is not None


def test_damaged_adapter_is_made_again_from_the_same_labels(
    vault: Vault, facts: ModelFacts, day: Day, learned: Outcome
) -> None:
    assert learned.adapter_id is not None
    before = load_current(vault, "stress", bundle_sha256=facts.bundle_sha256)
    _damage(vault, learned.adapter_id)
    assert _learn(vault, facts, day).kept
    after = load_current(vault, "stress", bundle_sha256=facts.bundle_sha256)
    assert before is not None
    assert after is not None
    for name, values in before.arrays.items():
        np.testing.assert_array_equal(after.arrays[name], values)
    assert _learn(vault, facts, day).reason == NOTHING_NEW


def test_adapter_of_another_bundle_is_set_aside_and_learned_anew(
    vault: Vault, facts: ModelFacts, day: Day, learned: Outcome
) -> None:
    other = replace(facts, bundle_sha256="cd" * 32)
    outcome = _learn(vault, other, day)
    assert outcome.kept
    assert "learned on another bundle" in outcome.set_aside[0]
    adapter = load_current(vault, "stress", bundle_sha256=other.bundle_sha256)
    assert adapter is not None
    assert adapter.parent_id == learned.adapter_id


def test_clock_that_went_back_leaves_what_is_to_come_alone(
    vault: Vault, facts: ModelFacts, day: Day, learned: Outcome
) -> None:
    _stories(day)
    model, now_utc = skip_model(), day.now_utc - 580.0
    before = read_adapter(model)
    outcome = personalise(vault, model, facts, seed=1, now_utc=now_utc)
    assert outcome.set_aside == ("2 labels of a time to come: the clock went back",)
    assert vault.pointer(pointer_name("stress")) == learned.adapter_id
    for name, value in read_adapter(model).items():
        np.testing.assert_array_equal(value, before[name])


def test_minutes_that_two_passes_of_the_clock_claim_are_set_aside(
    vault: Vault, facts: ModelFacts, day: Day, learned: Outcome
) -> None:
    assert learned.kept
    _stories(day)
    # Ten minutes back: the last stage's time is worn, and labelled, once more.
    day.now_utc -= 310.0
    day.stage(REST, 0.7)
    prepared = prepare(vault, facts, now_utc=day.now_utc)
    assert isinstance(prepared, Prepared)
    assert prepared.left_out[LeftOut.CLOCK] >= 2 * 25


@pytest.mark.parametrize(
    ("times", "contested"),
    [
        ([], []),
        ([10.0, 20.0, 30.0], [False] * 3),
        # Another day, played in later: earlier in time, and in nobody's way.
        ([1010.0, 1020.0, 10.0, 20.0], [False] * 4),
        # Back by 25 s, with a hop of 10 s: what lies within a window's length of the other pass.
        ([10.0, 90.0, 100.0, 75.0, 85.0, 200.0], [False, True, True, True, True, False]),
    ],
)
def test_contested_times(times: list[float], contested: list[bool]) -> None:
    assert contested_times(np.array(times)).tolist() == contested


@pytest.mark.parametrize("tell", [lambda d: d.stage(REST, 0.0), lambda d: d.stage(STRESS, 0.0)])
def test_one_class_is_refused(
    vault: Vault, facts: ModelFacts, day: Day, tell: Callable[[Day], object]
) -> None:
    tell(day)
    assert _learn(vault, facts, day).reason == AdaptationReason.ONE_CLASS


def test_too_few_labels_are_refused(vault: Vault, facts: ModelFacts, day: Day) -> None:
    assert _learn(vault, facts, day).reason == AdaptationReason.NO_DATA
    assert not vault.kinds()
