"""Movement features that mean the same at 20 and at 110 samples a second. Needs channel: acc.

The signal is cut into seconds. Each gives its mean vector (posture) and the root mean square
deviation from it (movement): a variance does not depend on how often it is sampled. Both are free
of the sensor's orientation.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.signals.ibi import sorted_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

ACC_FEATURE_NAMES = (
    "log_movement",
    "log_movement_p90",
    "log_posture_change",
    "log_movement_median",
    "log_posture_spread",
)
# A still wrist; see FLOOR_MS2 for the scale.
ACC_FALLBACK = (-2.5, -1.8, -2.0, -2.5, -2.0)
# About the noise of a consumer accelerometer in one axis; keeps the logarithm of rest finite.
FLOOR_MS2 = 0.03
# Fewer complete seconds than this say nothing about a minute.
MIN_SECONDS = 10
# Tells exercise from desk work better than mean, median or any higher quantile.
SUSTAINED_SHARE = 0.25


class SecondsTrack:
    """Per-second posture and movement of the recent past; seconds with a gap are NaN."""

    def __init__(self, *, sample_rate_hz: float, span_s: int) -> None:
        self._rate_hz = sample_rate_hz
        self._span_s = span_s
        self._rows: dict[int, tuple[float, float, float, float]] = {}
        self._pending: list[FloatArray] = []
        self._number = 0

    def skip(self, n_missing: int) -> None:
        """Samples are missing: the second they fall into is lost."""
        self._pending.clear()
        self._number += n_missing

    def feed(self, values: FloatArray) -> None:
        """Add present samples, (n, 3) in m/s²."""
        self._pending.append(values)
        first = self._number - sum(len(p) for p in self._pending[:-1])
        self._number += len(values)
        if self._second_of(self._number) == self._second_of(first):
            return
        block = np.concatenate(self._pending)
        second = self._second_of(first)
        while (stop := self._first_of(second + 1)) <= self._number:
            start = self._first_of(second)
            if start >= first:
                self._rows[second] = _summary(block[start - first : stop - first])
            second += 1
        rest = max(self._first_of(second) - first, 0)
        self._pending = [block[rest:].copy()]
        self._forget(second)

    def window(self, stop: int, n_seconds: int) -> FloatArray:
        """(n_seconds, 4) posture x, y, z and movement of the complete seconds before `stop`."""
        last = self._second_of(stop)
        missing = (math.nan,) * 4
        return np.array([self._rows.get(s, missing) for s in range(last - n_seconds, last)])

    def _second_of(self, number: int) -> int:
        return math.floor(number / self._rate_hz + 1e-9)

    def _first_of(self, second: int) -> int:
        return math.ceil(second * self._rate_hz - 1e-6)

    def _forget(self, second: int) -> None:
        while self._rows and (oldest := next(iter(self._rows))) < second - self._span_s:
            del self._rows[oldest]


def _summary(block: FloatArray) -> tuple[float, float, float, float]:
    # `mean` and `sum` do the same additions, behind twice the work of a block this small.
    mean = np.add.reduce(block, axis=0) / len(block)
    deviation = block - mean
    movement = math.sqrt(float(np.add.reduce(deviation * deviation, axis=None)) / len(block))
    x, y, z = mean.tolist()
    return x, y, z, movement


def acc_features(seconds: FloatArray) -> tuple[tuple[float, ...], float]:
    """The five movement features of a window and its sustained movement in m/s².

    Sustained movement is the lower quartile of the seconds: exercise keeps it up, a gesture or a
    change of posture does not.

    Parameters
    ----------
    seconds
        (n, 4) rows of `SecondsTrack.window`; NaN rows are left out.

    Returns
    -------
    `ACC_FALLBACK` and zero movement when under `MIN_SECONDS` rows are present.
    """
    present = np.isfinite(seconds[:, 3])
    good = seconds[present, 3]
    if len(good) < MIN_SECONDS:
        return ACC_FALLBACK, 0.0
    posture = seconds[:, :3]
    turns = np.sqrt(((posture[1:] - posture[:-1]) ** 2).sum(axis=1))
    turns = turns[np.isfinite(turns)]
    mean = float(good.mean())
    turn = float(turns.mean()) if len(turns) else 0.0
    ordered = np.sort(good)
    peak = sorted_quantile(ordered, 0.9)
    # How far the wrist wandered from its mean posture over the whole window.
    wander = math.sqrt(float(seconds[present, :3].var(axis=0).sum()))
    features = (
        math.log(mean + FLOOR_MS2),
        math.log(peak + FLOOR_MS2),
        math.log(turn + FLOOR_MS2),
        math.log(sorted_quantile(ordered, 0.5) + FLOOR_MS2),
        math.log(wander + FLOOR_MS2),
    )
    return features, sorted_quantile(ordered, SUSTAINED_SHARE)
