"""Points of curves, against the implementations everybody uses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn import metrics
from sklearn.calibration import calibration_curve

from firmware_host.scoring import auc
from training.evaluation.curves import det_curve, mean_roc, normal_deviate, roc_curve, thinned
from training.gait.verification_metrics import error_rates
from training.metrics import expected_calibration_error, interval_over_people, reliability_bins


@pytest.fixture
def scored(rng):
    y = rng.integers(0, 2, 200)
    # Rounded: many ties, which must be one step.
    return y, np.clip(np.round(rng.normal(0.4 + 0.2 * y, 0.2), 1), 0.0, 1.0)


def test_roc_is_that_of_sklearn_when_scores_tie(scored):
    y, p = scored
    fpr, tpr = roc_curve(y, p)
    theirs = metrics.roc_curve(y, p, drop_intermediate=False)
    np.testing.assert_allclose(fpr, theirs[0])
    np.testing.assert_allclose(tpr, theirs[1])
    assert metrics.auc(fpr, tpr) == pytest.approx(auc(y, p))


def test_roc_is_empty_when_a_class_is_missing():
    assert len(roc_curve([1, 1], [0.2, 0.4])[0]) == 0
    assert len(mean_roc([roc_curve([1, 1], [0.2, 0.4])])[0]) == 0


def test_mean_roc_counts_each_person_once_when_windows_differ_in_number():
    good = roc_curve([0] * 50 + [1] * 50, [0.1] * 50 + [0.9] * 50)
    bad = roc_curve([0, 1], [0.9, 0.1])
    fpr, tpr = mean_roc([good, bad])
    assert tpr[fpr == 0.5][0] == pytest.approx(0.5)
    assert (fpr[0], tpr[0], tpr[1], fpr[-1], tpr[-1]) == (0, 0, 0.5, 1, 1)
    assert (np.diff(tpr) >= 0).all()


def test_det_holds_the_rates_of_every_threshold_when_compared_one_by_one(rng):
    genuine, impostor = rng.normal(1, 1, 40), rng.normal(-1, 1, 60)
    far, frr = det_curve(genuine, impostor)
    thresholds = np.unique(np.concatenate((genuine, impostor)))
    each = [error_rates(genuine, impostor, t) for t in thresholds]
    np.testing.assert_allclose(frr[:-1], [one.frr for one in each])
    np.testing.assert_allclose(far[:-1], [one.far for one in each])
    assert (far[-1], frr[-1]) == (0.0, 1.0)
    assert len(det_curve(genuine, [])[0]) == 0


def test_normal_deviate_is_the_inverse_normal_when_inside_its_limits():
    rates = np.array([0.01, 0.5, 0.9])
    np.testing.assert_allclose(normal_deviate(rates), norm.ppf(rates))
    assert normal_deviate(0.0) == pytest.approx(norm.ppf(0.001))


def test_reliability_is_that_of_sklearn_when_bins_are_of_equal_width(scored, rng):
    y = scored[0]
    p = rng.uniform(size=200)
    observed, predicted = calibration_curve(y, p, n_bins=10, strategy="uniform")
    bins = reliability_bins(y, p)
    np.testing.assert_allclose([b[0] for b in bins], predicted)
    np.testing.assert_allclose([b[1] for b in bins], observed)
    weights = np.array([b[2] for b in bins]) / 200
    assert expected_calibration_error(y, p) == pytest.approx(
        (weights * np.abs(observed - predicted)).sum()
    )


def test_calibration_error_is_hand_counted_when_small():
    y, p = [0, 0, 1, 1], [0.1, 0.1, 1.0, 0.6]
    assert expected_calibration_error(y, p) == pytest.approx((2 * 0.1 + 0 + 0.4) / 4)
    assert np.isnan(expected_calibration_error([], []))
    with pytest.raises(ValueError, match="0 to 1"):
        expected_calibration_error([0], [1.5])


def test_interval_holds_the_mean_and_is_repeatable_when_there_are_people(rng):
    values = rng.normal(0.7, 0.1, 20)
    low, high = interval_over_people(values)
    assert low < values.mean() < high
    assert interval_over_people(values) == (low, high)
    assert interval_over_people([0.7, np.nan]) is None


def test_thinning_keeps_the_ends_when_there_are_many_points():
    x = np.arange(5000.0)
    short, _ = thinned(x, x)
    assert (len(short), short[0], short[-1]) == (400, 0.0, 4999.0)
