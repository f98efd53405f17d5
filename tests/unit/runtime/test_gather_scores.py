"""Scores of a report: against other people, against the truth, and none where there can be none."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.adaptation import ledger
from firmware_host.identity.enrolment import Enrolled
from firmware_host.inference.contract import Bundle
from firmware_host.runtime.feature_words import FEATURE_WORDS
from firmware_host.runtime.gait_reference import put_walking
from firmware_host.runtime.memory import put_guided_baseline
from firmware_host.signals.stress import FEATURE_NAMES
from tests.unit.runtime.lives import T0, Life, Tell, some_baseline, some_job


def test_baseline_is_told_against_other_people_in_known_units(life: Life, tell: Tell) -> None:
    put_guided_baseline(life.vault, some_baseline(2.0), utc=T0)
    data, _ = tell()
    assert len(data.baseline) == 25
    assert all(row.shift == pytest.approx(2.0) for row in data.baseline)
    level = next(row for row in data.baseline if row.name == "Skin conductance")
    assert level.unit == "µS"
    assert 0.3 < level.population < 1.5 < level.wearer + 1.0
    assert "13 windows" in data.section_notes["baseline"]
    assert "1 features had no readable rest" in data.section_notes["baseline"]


def test_every_feature_has_words_of_its_own() -> None:
    assert tuple(FEATURE_WORDS) == FEATURE_NAMES
    assert len({words.name for words in FEATURE_WORDS.values()}) == len(FEATURE_NAMES)
    assert FEATURE_WORDS["log_rmssd"].value(float(np.log(0.041))) == pytest.approx(40.0)


def test_without_truth_nobody_is_said_to_have_walked(life: Life, tell: Tell) -> None:
    life.walk(T0 + 100, 1.0)
    life.walk(T0 + 110, -1.0, "other")
    gait = tell()[0].gait
    assert np.size(gait.wearer) == np.size(gait.others) == 0
    assert sorted(gait.unknown) == [-1.0, 1.0]
    assert "Nobody said who walked" in tell()[0].section_notes["gait"]


def test_threshold_is_of_the_placement_of_the_last_run_and_mixed_runs_are_told(
    life: Life, tell: Tell, bundle: Bundle
) -> None:
    life.walk(T0 + 100, 1.0)
    for placement, threshold in (("wrist", 2.5), ("pocket", 4.5)):
        enrolled = Enrolled(np.ones(3, np.float32), {}, threshold, 20)
        put_walking(life.vault, enrolled, bundle, placement=placement, now_utc=T0)
    life.summary(T0 + 500, placement="pocket")
    life.summary(T0 + 1500, placement="wrist")
    data = tell()[0]
    assert data.gait.threshold == 2.5
    assert "the threshold is that of the wrist" in data.section_notes["gait"]
    life.summary(T0 + 2500, placement="pocket")
    assert tell()[0].gait.threshold == 4.5


def test_truth_divides_the_scores_whatever_was_decided(life: Life, tell: Tell) -> None:
    life.walk(T0 + 100, 1.0)
    life.walk(T0 + 210, 0.8, "wearer")
    life.walk(T0 + 201, 0.7, "other")
    truth = [(T0, T0 + 200, "walk"), (T0 + 200, T0 + 300, "other_person")]
    gait = tell(truth)[0].gait
    assert list(gait.wearer) == [1.0]
    assert list(gait.others) == [0.8]
    # Its windows reach back into the wearer's walk.
    assert list(gait.unknown) == [0.7]


def test_confusion_counts_whole_windows_against_the_label_file(life: Life, tell: Tell) -> None:
    life.label("rest", T0, T0 + 1000)
    life.minutes(T0 + 60, 10, "stress", 0.9)
    life.stress(T0 + 205, "unsure", 0.5)
    truth = [(T0, T0 + 120, "stress"), (T0 + 140, T0 + 400, "rest")]
    confusion = tell(truth)[0].confusion
    assert np.asarray(confusion.counts).tolist() == [[0, 0], [0, 7]]
    assert "label file" in confusion.truth_from
    own = tell([(T0, T0 + 400, "walk")])[0].confusion
    assert np.asarray(own.counts).tolist() == [[0, 10], [0, 0]]
    assert "learning used too" in own.truth_from
    assert "10 of 11 windows decided" in own.truth_from
    assert "the 1 on which the model was unsure are not in this table" in own.truth_from


def test_figures_after_learning_say_that_unsure_windows_count(life: Life, tell: Tell) -> None:
    ledger.append(life.vault, some_job(kept=False), now_utc=T0)
    life.note("learned", T0, kept=0, reason="tie")
    life.minutes(T0 + 100, 10)
    life.minutes(T0 + 1100, 10, "stress", 0.9)
    life.stress(T0 + 1205, "unsure", 0.55)
    data, later = tell([(T0, T0 + 900, "rest"), (T0 + 1000, T0 + 2000, "stress")])
    assert [row.gain_interval for row in data.outcomes] == [later.gain_interval, None]
    for row in data.outcomes:
        assert row.n.startswith("21 windows after learning, 2 episodes; all count")
        assert row.n.endswith("also the 1 on which the model was unsure")


def test_one_class_after_learning_is_the_reason_for_no_figure(life: Life, tell: Tell) -> None:
    ledger.append(life.vault, some_job(kept=False), now_utc=T0)
    life.note("learned", T0, kept=0, reason="tie")
    life.minutes(T0 + 100, 10)
    data, later = tell([(T0, T0 + 900, "rest")])
    assert later.n_windows == 10
    assert not data.outcomes
    assert "all of one class" in data.empty_reasons["outcomes"]
