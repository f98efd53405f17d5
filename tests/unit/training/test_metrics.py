"""Figures by participant, against hand-counted ones."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics import score_person, summarise


def test_score_is_hand_counted_when_small():
    y = np.array([0, 0, 0, 0, 1, 1])
    p = np.array([0.1, 0.2, 0.6, 0.3, 0.9, 0.4])
    score = score_person("A/1", y, p, 0.5)
    assert (score.n_rest, score.n_stress) == (4, 2)
    assert score.balanced_accuracy == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert score.recall == 0.5
    assert score.false_alarm == 0.25
    assert score.auc == pytest.approx(7 / 8)


def test_summary_is_over_people_when_they_have_unequal_windows():
    good = score_person("A/1", np.array([0, 1] * 500), np.array([0.1, 0.9] * 500), 0.5)
    bad = score_person("A/2", np.array([0, 1]), np.array([0.9, 0.1]), 0.5)
    summary = summarise([good, bad])
    assert summary.balanced_accuracy == 0.5
    assert summary.worst == 0.0
    assert summary.worst_person == "A/2"
    assert summary.n_below_0_6 == 1
    assert summary.balanced_accuracy_sd == pytest.approx(np.std([1.0, 0.0], ddof=1))


def test_summary_is_refused_when_there_is_nobody():
    with pytest.raises(ValueError, match="at least one"):
        summarise([])
