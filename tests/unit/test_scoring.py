"""Scores against scikit-learn, and against values worked out by hand."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_host.scoring import (
    auc,
    balanced_accuracy,
    bootstrap_interval,
    confusion,
    log_loss,
    macro_f1,
)


def test_worked_example() -> None:
    truth, predicted = [0, 0, 0, 1, 1], [0, 0, 1, 1, 0]
    np.testing.assert_array_equal(confusion(truth, predicted), [[2, 1], [1, 1]])
    assert balanced_accuracy(truth, predicted) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert macro_f1(truth, predicted) == pytest.approx((4 / 6 + 2 / 4) / 2)
    p = [0.1, 0.2, 0.6, 0.9, 0.4]
    rest = -(math.log(0.9) + math.log(0.8) + math.log(0.4)) / 3
    stress = -(math.log(0.9) + math.log(0.4)) / 2
    assert log_loss(truth, p) == pytest.approx((3 * rest + 2 * stress) / 5)
    assert log_loss(truth, p, balanced=True) == pytest.approx((rest + stress) / 2)
    assert auc(truth, p) == pytest.approx(5 / 6)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(4, 60), n_classes=st.integers(2, 4))
def test_scores_equal_scikit_learn(seed: int, n: int, n_classes: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n)])
    predicted = rng.integers(0, n_classes, truth.size)
    wanted = metrics.balanced_accuracy_score(truth, predicted)
    assert balanced_accuracy(truth, predicted, n_classes=n_classes) == pytest.approx(wanted)
    wanted = metrics.f1_score(truth, predicted, average="macro")
    assert macro_f1(truth, predicted, n_classes=n_classes) == pytest.approx(wanted)
    np.testing.assert_array_equal(
        confusion(truth, predicted, n_classes=n_classes),
        metrics.confusion_matrix(truth, predicted, labels=range(n_classes)),
    )


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 60), decimals=st.integers(1, 8))
def test_probability_scores_equal_scikit_learn(seed: int, n: int, decimals: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    truth = np.concatenate([[0, 1], rng.integers(0, 2, n)])
    # Few decimals make ties.
    p = np.round(rng.uniform(0.01, 0.99, truth.size), decimals).clip(0.01, 0.99)
    assert auc(truth, p) == pytest.approx(metrics.roc_auc_score(truth, p))
    assert log_loss(truth, p) == pytest.approx(metrics.log_loss(truth, p))
    weights = np.where(truth == 1, 1 / (truth == 1).sum(), 1 / (truth == 0).sum())
    wanted = metrics.log_loss(truth, p, sample_weight=weights)
    assert log_loss(truth, p, balanced=True) == pytest.approx(wanted)


def test_one_class_has_no_balanced_score() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(balanced_accuracy([1, 1], [1, 0]))
        assert math.isnan(auc([0, 0], [0.1, 0.2]))
        assert math.isnan(log_loss([0, 0], [0.1, 0.2], balanced=True))
        assert log_loss([0, 0], [0.1, 0.1]) == pytest.approx(-math.log(0.9))


def test_no_window_has_no_score() -> None:
    assert math.isnan(balanced_accuracy([], []))
    assert math.isnan(macro_f1([], []))
    assert math.isnan(log_loss([], []))
    assert math.isnan(auc([], []))


def test_sure_and_wrong_is_finite() -> None:
    assert log_loss([1, 0], [0.0, 1.0]) == pytest.approx(-math.log(1e-6))


@pytest.mark.parametrize(
    ("truth", "score"),
    [([0, 1], [0.5]), ([0, 2], [0.5, 0.5]), ([0, 1], [0.5, float("nan")]), ([[0]], [[0.1]])],
)
def test_wrong_call_is_refused(truth: list[int], score: list[float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        auc(truth, score)


def test_interval_is_wider_when_windows_stick_together(rng: np.random.Generator) -> None:
    hits = np.repeat(rng.integers(0, 2, 12), 25).astype(float)

    def mean(chosen: np.ndarray) -> float:
        return float(hits[chosen].mean())

    def width(episodes: np.ndarray) -> float:
        low, high = bootstrap_interval(mean, episodes, rng=np.random.default_rng(1))
        assert low <= hits.mean() <= high
        return high - low

    by_episode, by_window = width(np.repeat(np.arange(12), 25)), width(np.arange(300))
    # 25 equal windows an episode: the standard error is five times larger.
    assert by_episode / by_window == pytest.approx(5.0, rel=0.15)


def test_interval_is_the_same_for_the_same_seed() -> None:
    def mean(chosen: np.ndarray) -> float:
        return float(chosen.mean())

    episodes = [0, 0, 1, 1, 2]
    one = bootstrap_interval(mean, episodes, rng=np.random.default_rng(3))
    assert one == bootstrap_interval(mean, episodes, rng=np.random.default_rng(3))


def test_interval_needs_two_episodes() -> None:
    low, high = bootstrap_interval(lambda _: 1.0, [4, 4], rng=np.random.default_rng(0))
    assert math.isnan(low)
    assert math.isnan(high)
