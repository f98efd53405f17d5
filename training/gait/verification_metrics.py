"""Error rates of verification: genuine and impostor scores, equal error rate, rank-1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """False rejects of the wearer and false accepts of others at one threshold, 0..1."""

    threshold: float
    frr: float
    far: float


def error_rates(genuine: FloatArray, impostor: FloatArray, threshold: float) -> ErrorRates:
    """Rates when a score at or above the threshold is accepted; NaN for an empty class."""
    frr = float(np.mean(genuine < threshold)) if len(genuine) else float("nan")
    far = float(np.mean(impostor >= threshold)) if len(impostor) else float("nan")
    return ErrorRates(float(threshold), frr, far)


def _require_both(genuine: FloatArray, impostor: FloatArray) -> None:
    if not len(genuine) or not len(impostor):
        msg = f"expected genuine and impostor scores, got {len(genuine)} and {len(impostor)}"
        raise ValueError(msg)


def equal_error(genuine: FloatArray, impostor: FloatArray) -> ErrorRates:
    """The threshold at which both rates meet; between two scores, the mean of the two.

    Raises
    ------
    ValueError
        If a class is empty.
    """
    _require_both(genuine, impostor)
    genuine, impostor = np.sort(genuine), np.sort(impostor)
    thresholds = np.unique(np.concatenate((genuine, impostor)))
    frr = np.searchsorted(genuine, thresholds, "left") / len(genuine)
    far = 1.0 - np.searchsorted(impostor, thresholds, "left") / len(impostor)
    best = int(np.argmin(np.abs(frr - far)))
    below = thresholds[max(best - 1, 0)]
    threshold = 0.5 * (below + thresholds[best])
    return ErrorRates(float(threshold), float(frr[best]), float(far[best]))


def balanced_threshold(genuine: FloatArray, impostor: FloatArray) -> float:
    """The score as many spreads below the wearers' median as it is above the others'.

    The threshold of `equal_error` lies between two single scores; where the two groups hardly
    overlap, that is wherever the few people at hand leave a hole, and other people's wearers are
    turned away. Medians and median absolute deviations use all scores.

    Raises
    ------
    ValueError
        If a class is empty.
    """
    _require_both(genuine, impostor)
    (high, own), (low, others) = (_median_and_spread(scores) for scores in (genuine, impostor))
    if own + others <= 0.0:
        return 0.5 * (high + low)
    return (high * others + low * own) / (own + others)


def _median_and_spread(scores: FloatArray) -> tuple[float, float]:
    median = float(np.median(scores))
    return median, float(np.median(np.abs(scores - median)))


def eer(genuine: FloatArray, impostor: FloatArray) -> float:
    """Equal error rate, 0..1."""
    rates = equal_error(genuine, impostor)
    return 0.5 * (rates.frr + rates.far)


def rank1(scores: FloatArray, true_idx: NDArray[np.int64]) -> float:
    """Share of probes whose own model scores highest; scores (n_probes, n_models)."""
    return float(np.mean(scores.argmax(axis=1) == true_idx))
