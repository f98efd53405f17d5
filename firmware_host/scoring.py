"""Scores of predictions, in plain numpy: the host judges its own updates without a science stack.

Classes are small integers; for the two-class scores 0 is rest and 1 is stress. Where a score is
undefined (no window, one class only) it is NaN, never a made-up 0.5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

IntArray = NDArray[np.int64]

# Probabilities are cut here before the logarithm: one sure and wrong window costs 13.8, not inf.
_P_FLOOR = 1e-6


def confusion(truth: ArrayLike, predicted: ArrayLike, *, n_classes: int = 2) -> IntArray:
    """Count windows by (true class, predicted class); (n_classes, n_classes)."""
    true_idx, predicted_idx = _classes(truth, predicted, n_classes)
    counts = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(counts, (true_idx, predicted_idx), 1)
    return counts


def balanced_accuracy(truth: ArrayLike, predicted: ArrayLike, *, n_classes: int = 2) -> float:
    """Mean recall over the classes that occur; NaN when fewer than two do."""
    counts = confusion(truth, predicted, n_classes=n_classes)
    support = counts.sum(axis=1)
    present = support > 0
    if present.sum() < 2:
        return float("nan")
    return float((np.diag(counts)[present] / support[present]).mean())


def macro_f1(truth: ArrayLike, predicted: ArrayLike, *, n_classes: int = 2) -> float:
    """Mean F1 over the classes that occur or were predicted; NaN without windows."""
    counts = confusion(truth, predicted, n_classes=n_classes)
    either = counts.sum(axis=1) + counts.sum(axis=0)
    seen = either > 0
    if not seen.any():
        return float("nan")
    return float((2 * np.diag(counts)[seen] / either[seen]).mean())


def log_loss(truth: ArrayLike, p_stress: ArrayLike, *, balanced: bool = False) -> float:
    """Mean negative log-likelihood of the truth, natural logarithm.

    Parameters
    ----------
    truth
        (n,) 0 or 1.
    p_stress
        (n,) probability of class 1; NaN is refused.
    balanced
        Each class weighs the same, however many windows it has; NaN with one class only.
    """
    y, p = _scores(truth, p_stress)
    if not y.size:
        return float("nan")
    p = np.clip(p, _P_FLOOR, 1 - _P_FLOOR)
    losses = -np.where(y == 1, np.log(p), np.log1p(-p))
    if not balanced:
        return float(losses.mean())
    if y.all() or not y.any():
        return float("nan")
    return float((losses[y == 1].mean() + losses[y == 0].mean()) / 2)


def auc(truth: ArrayLike, score: ArrayLike) -> float:
    """Area under the ROC curve, ties counted half; NaN when a class is missing.

    References
    ----------
    Mann and Whitney 1947: it is the rank-sum statistic over the number of pairs.
    """
    y, s = _scores(truth, score)
    n_positive = int(y.sum())
    n_negative = y.size - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    _, inverse, counts = np.unique(s, return_inverse=True, return_counts=True)
    # Mean rank of each tied run, from 1.
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse.reshape(-1)]
    u = ranks[y == 1].sum() - n_positive * (n_positive + 1) / 2
    return float(u / (n_positive * n_negative))


def bootstrap_interval(
    score: Callable[[IntArray], float],
    episodes: ArrayLike,
    *,
    rng: np.random.Generator,
    n_resamples: int = 1000,
    coverage: float = 0.95,
) -> tuple[float, float]:
    """Percentile interval of a score when whole episodes are drawn again.

    Windows overlap and belong to few episodes, so windows drawn one by one would look far surer
    than they are.

    Parameters
    ----------
    score
        Score of the windows with the given indices; draws that give NaN are left out.
    episodes
        (n,) which episode each window belongs to.

    Returns
    -------
    Lower and upper end; NaN when fewer than two episodes or no draw had a score.
    """
    ids = np.asarray(episodes)
    members = [np.flatnonzero(ids == one) for one in np.unique(ids)]
    if len(members) < 2:
        return float("nan"), float("nan")
    drawn: list[float] = []
    for _ in range(n_resamples):
        chosen = rng.integers(0, len(members), len(members))
        drawn.append(score(np.concatenate([members[i] for i in chosen])))
    values = np.asarray(drawn)
    values = values[np.isfinite(values)]
    if not values.size:
        return float("nan"), float("nan")
    tail = (1 - coverage) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _classes(
    truth: ArrayLike, predicted: ArrayLike, n_classes: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    pair = [np.asarray(values) for values in (truth, predicted)]
    for values in pair:
        if values.ndim != 1 or values.shape != pair[0].shape:
            msg = f"expected two lists of one length, got {pair[0].shape} and {pair[1].shape}"
            raise ValueError(msg)
        if values.size and not np.isin(values, np.arange(n_classes)).all():
            msg = f"expected classes 0 to {n_classes - 1}, got {np.unique(values)}"
            raise ValueError(msg)
    return pair[0].astype(np.int64), pair[1].astype(np.int64)


def _scores(truth: ArrayLike, score: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    values = np.asarray(score, np.float64)
    if np.isnan(values).any():
        msg = f"expected scores, got {int(np.isnan(values).sum())} NaN of {values.size}"
        raise ValueError(msg)
    y, _ = _classes(truth, np.zeros(np.shape(truth), np.int64), 2)
    if values.shape != y.shape:
        msg = f"expected two lists of one length, got {y.shape} and {values.shape}"
        raise ValueError(msg)
    return y, values
