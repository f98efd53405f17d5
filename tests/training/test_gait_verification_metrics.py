"""Error rates whose answer is known on paper, and against scikit-learn's curve."""

from __future__ import annotations

import numpy as np
import pytest

from training.gait.verification_metrics import (
    balanced_threshold,
    eer,
    equal_error,
    error_rates,
    rank1,
)


def test_eer_when_scores_are_apart_is_zero():
    assert eer(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 0.0
    assert 2.0 < equal_error(np.array([3.0, 4.0]), np.array([1.0, 2.0])).threshold < 3.0


def test_eer_when_scores_are_swapped_is_one():
    assert eer(np.array([1.0, 2.0]), np.array([3.0, 4.0])) == 1.0


def test_eer_when_one_in_four_is_wrong_on_each_side_is_a_quarter():
    assert eer(np.array([1.0, 5, 6, 7]), np.array([2.0, 3, 0, 5.5])) == pytest.approx(0.25)


def test_eer_is_where_the_roc_crosses(rng):
    from sklearn.metrics import roc_curve

    genuine, impostor = rng.normal(1.5, 1.0, 4000), rng.normal(0.0, 1.3, 6000)
    labels = np.repeat([1, 0], [4000, 6000])
    far, tar, _ = roc_curve(labels, np.concatenate((genuine, impostor)))
    expected = far[np.argmin(np.abs(far - (1 - tar)))]
    assert eer(genuine, impostor) == pytest.approx(expected, abs=2e-3)


def test_eer_when_scores_are_shifted_and_scaled_stays(rng):
    genuine, impostor = rng.normal(1.0, 1.0, 300), rng.normal(size=500)
    assert eer(3 * genuine - 7, 3 * impostor - 7) == pytest.approx(eer(genuine, impostor))


def test_equal_error_threshold_gives_nearly_those_rates(rng):
    genuine, impostor = rng.normal(1.0, 1.0, 3000), rng.normal(size=5000)
    found = equal_error(genuine, impostor)
    at = error_rates(genuine, impostor, found.threshold)
    assert at.frr == pytest.approx(found.frr, abs=1e-3)
    assert at.far == pytest.approx(found.far, abs=1e-3)


def test_rates_when_at_the_threshold_accept():
    assert error_rates(np.array([1.0]), np.array([1.0]), 1.0).frr == 0.0
    assert error_rates(np.array([1.0]), np.array([1.0]), 1.0).far == 1.0


def test_eer_when_a_class_is_empty_refuses():
    with pytest.raises(ValueError, match="0"):
        eer(np.zeros(0), np.ones(3))


def test_rank1_counts_own_model_first():
    scores = np.array([[3.0, 1.0], [2.0, 1.0], [0.0, 4.0]])
    assert rank1(scores, np.array([0, 1, 1])) == pytest.approx(2 / 3)


def test_balanced_threshold_is_as_far_from_both_groups_in_their_own_spreads() -> None:
    rng = np.random.default_rng(5)
    genuine, impostor = rng.normal(6.0, 2.0, 4000), rng.normal(0.0, 1.0, 4000)
    threshold = balanced_threshold(genuine, impostor)
    assert threshold == pytest.approx(2.0, abs=0.1)


def test_balanced_threshold_is_not_moved_by_a_few_strange_walks() -> None:
    rng = np.random.default_rng(6)
    genuine, impostor = rng.normal(6.0, 1.0, 400), rng.normal(0.0, 1.0, 4000)
    calm = balanced_threshold(genuine, impostor)
    strange = balanced_threshold(np.concatenate((genuine, np.full(8, -50.0))), impostor)
    assert abs(calm - strange) < 0.1


def test_balanced_threshold_is_in_the_middle_when_scores_do_not_spread() -> None:
    assert balanced_threshold(np.ones(3), np.zeros(3)) == 0.5
    with pytest.raises(ValueError, match="expected genuine and impostor scores, got 0 and 3"):
        balanced_threshold(np.ones(0), np.zeros(3))
