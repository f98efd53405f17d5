"""Points of the curves that a report shows, in plain numpy."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

_N_MEAN_POINTS = 101
# Beyond this a normal deviate axis shows only single scores: 0.1 % to 99.9 %.
DET_FLOOR = 1e-3


def roc_curve(y: ArrayLike, score: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """False alarm and recall at every threshold, from (0, 0) to (1, 1).

    Parameters
    ----------
    y, score
        (n,) truth 0/1 and a score that is higher for class 1; ties are one step.

    Returns
    -------
    Two arrays (m,), neither falling; empty if a class is missing.
    """
    truth, values = np.asarray(y, np.int64), np.asarray(score, np.float64)
    n_positive, n_negative = int((truth == 1).sum()), int((truth == 0).sum())
    if not n_positive or not n_negative:
        return np.zeros(0), np.zeros(0)
    order = np.argsort(-values, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(values[order])), len(values) - 1)
    recall = np.cumsum(truth[order] == 1)[ends] / n_positive
    false_alarm = np.cumsum(truth[order] == 0)[ends] / n_negative
    return np.append(0.0, false_alarm), np.append(0.0, recall)


def mean_roc(curves: Sequence[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
    """Mean recall of several people at equal false alarms; every person counts the same."""
    grid = np.linspace(0.0, 1.0, _N_MEAN_POINTS)
    known = [(fpr, tpr) for fpr, tpr in curves if len(fpr)]
    if not known:
        return np.zeros(0), np.zeros(0)
    # Of equal false alarms np.interp takes the last: the top of a step.
    mean = np.mean([np.interp(grid, fpr, tpr) for fpr, tpr in known], axis=0)
    return np.append(0.0, grid), np.append(0.0, mean)


def det_curve(genuine: ArrayLike, impostor: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """False accepts and false rejects at every threshold, a score at it being accepted.

    Returns
    -------
    Two arrays (m,) in order of rising threshold: `far` falls, `frr` rises. Empty if a class is
    missing.
    """
    own, others = np.sort(np.asarray(genuine, float)), np.sort(np.asarray(impostor, float))
    if not len(own) or not len(others):
        return np.zeros(0), np.zeros(0)
    thresholds = np.unique(np.concatenate((own, others)))
    thresholds = np.append(thresholds, np.nextafter(thresholds[-1], np.inf))
    frr = np.searchsorted(own, thresholds, "left") / len(own)
    far = 1.0 - np.searchsorted(others, thresholds, "left") / len(others)
    return far, frr


def normal_deviate(rate: ArrayLike) -> FloatArray:
    """Position of a rate 0..1 on the axis of a DET curve; kept within 0.1 % and 99.9 %."""
    inverse = NormalDist().inv_cdf
    limited = np.clip(np.asarray(rate, np.float64), DET_FLOOR, 1.0 - DET_FLOOR)
    return np.array([inverse(value) for value in limited.ravel()]).reshape(limited.shape)


def thinned(x: FloatArray, y: FloatArray, n_max: int = 400) -> tuple[FloatArray, FloatArray]:
    """At most about `n_max` of the points, ends kept: a page must stay a page."""
    if len(x) <= n_max:
        return x, y
    chosen = np.unique(np.linspace(0, len(x) - 1, n_max).round().astype(int))
    return x[chosen], y[chosen]
