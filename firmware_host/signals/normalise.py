"""From features to what the model sees: deviations from the wearer's own rest.

z = (x - rest mean) / (half the wearer's spread + half the typical spread), clipped, then shrunk to
zero where the channel was not trustworthy: a bad minute falls back to the other channels instead of
pulling with wrong numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.signals.stress import CHANNELS, FEATURE_CHANNELS, FEATURE_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

CLIP = 8.0
# Quality at which a channel starts to count and at which it counts in full. Noise alone in the
# pulse band reaches 0.34-0.48, so it counts for next to nothing; scores hardly depend on either.
RAMP_FROM = 0.4
RAMP_TO = 0.7
# Less trusted rest than about this many windows leaves a feature unknown.
MIN_WEIGHT = 1.0

_CHANNEL_IDX = np.array([CHANNELS.index(name) for name in FEATURE_CHANNELS])
_QUALITY_IDX = FEATURE_NAMES.index("bvp_quality")


@dataclass(frozen=True, slots=True)
class Baseline:
    """The wearer at rest: mean and standard deviation by feature over `n_windows` windows.

    A NaN centre means the feature was never trustworthy at rest; its z is always zero.
    """

    center: FloatArray
    scale: FloatArray
    n_windows: int


class BaselineEstimator:
    """Running mean and spread of rest windows, weighted by the same trust as the model's input."""

    def __init__(self) -> None:
        n = len(FEATURE_NAMES)
        self.n_windows = 0
        self._weight = np.zeros(n)
        self._mean = np.zeros(n)
        self._squares = np.zeros(n)

    def add(self, features: NDArray[np.float32], quality: Mapping[str, float]) -> None:
        """Count one window of rest, (26,) features with their channels' quality."""
        trust = feature_trust(quality)
        self._weight += trust
        safe = np.where(self._weight > 0, self._weight, 1.0)
        delta = features.astype(np.float64) - self._mean
        self._mean += delta * trust / safe
        self._squares += trust * delta * (features - self._mean)
        self.n_windows += 1

    def baseline(self) -> Baseline:
        """The estimate so far; features without enough trusted rest are unknown."""
        known = self._weight >= MIN_WEIGHT
        safe = np.where(known, self._weight, 1.0)
        center = np.where(known, self._mean, np.nan)
        scale = np.where(known, np.sqrt(np.maximum(self._squares, 0.0) / safe), 0.0)
        return Baseline(center, scale, self.n_windows)


def feature_trust(quality: Mapping[str, float]) -> FloatArray:
    """(26,) factors in 0..1 by the quality of each feature's channel; quality itself counts."""
    trust: FloatArray = _trust(_row(quality))[0]
    return trust


def normalise(
    features: NDArray[np.float32],
    quality: Mapping[str, float],
    baseline: Baseline,
    spread: FloatArray,
    *,
    clip: float = CLIP,
) -> NDArray[np.float32]:
    """The model's input for one window.

    Parameters
    ----------
    features, quality
        (26,) and by channel, from `StressWindow`.
    spread
        (26,) typical within-wearer standard deviations, from the model bundle; positive.

    Returns
    -------
    (26,) finite, within -clip..clip.
    """
    rows = normalise_rows(features[None, :], _row(quality), baseline, spread, clip=clip)
    z: NDArray[np.float32] = rows[0]
    return z


def normalise_rows(
    features: NDArray[np.float32],
    quality: FloatArray,
    baseline: Baseline,
    spread: FloatArray,
    *,
    clip: float = CLIP,
) -> NDArray[np.float32]:
    """The same for many windows: (n, 26) features and (n, 4) qualities in the order `CHANNELS`."""
    deviation = features.astype(np.float64) - baseline.center
    z = deviation / (0.5 * baseline.scale + 0.5 * spread)
    z = np.clip(np.where(np.isfinite(z), z, 0.0), -clip, clip)
    return (z * _trust(quality)).astype(np.float32)


def _row(quality: Mapping[str, float]) -> FloatArray:
    """(1, 4), a channel that is not named counts as worthless."""
    return np.array([[quality.get(name, 0.0) for name in CHANNELS]])


def _trust(quality: FloatArray) -> FloatArray:
    """(n, 26) from (n, 4)."""
    ramp = np.clip((quality - RAMP_FROM) / (RAMP_TO - RAMP_FROM), 0.0, 1.0)
    trust: FloatArray = ramp[:, _CHANNEL_IDX]
    trust[:, _QUALITY_IDX] = 1.0
    return trust
