"""A sensor that changes for good, at once or over days: what is left of its signal, and noise of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CHANNELS = ("bvp", "eda", "temp")
_KEYS = ("channel", "minutes", "gain", "offset", "noise", "over_days")
_DAY_S = 86_400.0
_MOST = 1e6
_STREAM = 31


@dataclass(frozen=True, slots=True)
class SensorDrift:
    """From ``start_s`` on the sensor reads ``gain * x + offset`` and noise of spread ``noise``.

    Offset and noise in the channel's unit. Over ``over_days`` it gets there in a straight line, as
    light sources and electrodes age; 0 is at once, as dirt comes. How much and how fast is the
    scenario's to say: nothing here was measured on a sensor.
    """

    channel: str
    start_s: float
    gain: float = 1.0
    offset: float = 0.0
    noise: float = 0.0
    over_days: float = 0.0

    def apply(self, values: Floats, *, seed: int, piece_idx: int, now_s: float) -> Floats:
        """What the sensor makes of (n, axes) values of one piece that begins at ``now_s``."""
        rng = np.random.default_rng([seed, _STREAM, CHANNELS.index(self.channel), piece_idx])
        share = self._share(now_s)
        noise = self.noise * rng.standard_normal(values.shape)
        gain = 1.0 + share * (self.gain - 1.0)
        return np.asarray(gain * values + share * (self.offset + noise))

    def _share(self, now_s: float) -> float:
        """How much of the change has happened, 0..1."""
        if now_s < self.start_s:
            return 0.0
        span_s = _DAY_S * self.over_days
        return min((now_s - self.start_s) / span_s, 1.0) if span_s > 0.0 else 1.0


def build_drifts(rows: Iterable[object]) -> tuple[SensorDrift, ...]:
    """Drifts from a scenario's ``[[drift]]`` tables, minutes since its start.

    Raises
    ------
    ConfigError
        For an unknown key or channel, or a value out of range.
    """
    return tuple(_drift(Table(row, _KEYS, where="drift")) for row in rows)


def _drift(row: Table) -> SensorDrift:
    return SensorDrift(
        row.choice("channel", CHANNELS),
        start_s=60.0 * row.number("minutes", low=0.0, high=_MOST),
        gain=row.number("gain", 1.0, low=0.0, high=_MOST),
        offset=row.number("offset", 0.0, low=-_MOST, high=_MOST),
        noise=row.number("noise", 0.0, low=0.0, high=_MOST),
        over_days=row.number("over_days", 0.0, low=0.0, high=_MOST),
    )
