"""Which way is down, and six channels of motion that do not depend on how the device is worn.

References
----------
Gravity as the slow part of acceleration: Mizell, "Using gravity to estimate accelerometer
orientation", ISWC 2003 (vertical and horizontal parts from the mean vector).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

CHANNEL_NAMES = (
    "acc_norm_ms2",
    "acc_vertical_ms2",
    "acc_horizontal_ms2",
    "gyro_norm_rads",
    "gyro_vertical_rads",
    "gyro_horizontal_rads",
)
# Slow enough to average over a step, fast enough to follow a turned wrist; 0.7 to 4 s were tried on
# 18 pocket and 36 wrist wearers, and identity is told best from 0.7 to 1 s.
GRAVITY_TIME_CONSTANT_S = 1.0
# Free fall or a broken sensor: below this there is no direction to speak of.
_MIN_GRAVITY_MS2 = 1e-3


class GravityTracker:
    """Gravity in device axes: exponential mean of acceleration, sample by sample.

    Until one time constant has passed it is the plain mean of what was seen, so the first seconds
    after a start are usable. A scalar loop, because only then is every bit the same however the
    samples are chunked.
    """

    def __init__(self, *, sample_rate_hz: float) -> None:
        self._alpha = -math.expm1(-1.0 / (sample_rate_hz * GRAVITY_TIME_CONSTANT_S))
        self._n_settle = math.ceil(1.0 / self._alpha)
        self.reset()

    def reset(self) -> None:
        """Forget the past: the device was off, or restarted."""
        self._n = 0
        self._gravity = [0.0, 0.0, 0.0]

    def track(self, acc_ms2: FloatArray) -> FloatArray:
        """(n, 3) gravity after each of the (n, 3) acceleration samples, both in m/s²."""
        n_settling = max(0, min(len(acc_ms2), self._n_settle - self._n))
        tracked = np.empty((len(acc_ms2), 3))
        # Axis by axis: three short loops take half the time of one over triples.
        for axis, values in enumerate(acc_ms2.T.tolist()):
            tracked[:, axis] = self._track_axis(axis, values, n_settling)
        self._n += n_settling
        return tracked

    def _track_axis(self, axis: int, values: list[float], n_settling: int) -> list[float]:
        out: list[float] = []
        append, gravity, alpha = out.append, self._gravity[axis], self._alpha
        for count, value in enumerate(values[:n_settling], start=self._n + 1):
            gravity += (value - gravity) / count
            append(gravity)
        for value in values[n_settling:]:
            gravity += alpha * (value - gravity)
            append(gravity)
        self._gravity[axis] = gravity
        return out


def orientation_free(
    acc_ms2: FloatArray, gravity_ms2: FloatArray, gyro_rads: FloatArray | None
) -> FloatArray:
    """(n, 6) channels of `CHANNEL_NAMES`; the three of the gyroscope are zero without one.

    Vertical acceleration is what is left along gravity after gravity is taken away. Turning the
    device about any axis leaves all six unchanged.
    """
    acc, gravity = _columns(acc_ms2), _columns(gravity_ms2)
    down = gravity / np.maximum(_length(gravity), _MIN_GRAVITY_MS2)
    out = np.zeros((6, len(acc_ms2)))
    along = _dot(acc, down)
    out[0] = _length(acc)
    out[1] = along - _dot(gravity, down)
    out[2] = _length(acc - along * down)
    if gyro_rads is not None:
        gyro = _columns(gyro_rads)
        turn = _dot(gyro, down)
        out[3] = _length(gyro)
        out[4] = turn
        out[5] = _length(gyro - turn * down)
    return np.ascontiguousarray(out.T)


def length(rows: FloatArray) -> FloatArray:
    """(n,) Euclidean length of (n, 3) vectors."""
    return _length(_columns(rows))


def _columns(rows: FloatArray) -> FloatArray:
    """(3, n) axes as contiguous rows: numpy takes long stretches at once for less."""
    return np.ascontiguousarray(rows.T)


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """(n,) products of (3, n), written out: their rounding must not depend on how many they are."""
    x, y, z = a * b
    total: FloatArray = x + y + z
    return total


def _length(columns: FloatArray) -> FloatArray:
    return np.sqrt(_dot(columns, columns))
