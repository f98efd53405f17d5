"""A sensor that changes for good at some moment: what is left of its signal, and noise of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_host.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CHANNELS = ("bvp", "eda", "temp")
_KEYS = ("channel", "minutes", "gain", "offset", "noise")
_STREAM = 31


@dataclass(frozen=True, slots=True)
class SensorDrift:
    """From ``start_s`` on the sensor reads ``gain * x + offset`` and noise of spread ``noise``.

    Offset and noise in the channel's unit.
    """

    channel: str
    start_s: float
    gain: float = 1.0
    offset: float = 0.0
    noise: float = 0.0

    def apply(self, values: Floats, *, seed: int, piece_idx: int) -> Floats:
        """What the sensor makes of (n, axes) values of one piece."""
        rng = np.random.default_rng([seed, _STREAM, CHANNELS.index(self.channel), piece_idx])
        noise = self.noise * rng.standard_normal(values.shape)
        return np.asarray(self.gain * values + self.offset + noise)


def build_drifts(rows: object) -> tuple[SensorDrift, ...]:
    """Drifts from a scenario's ``[[drift]]`` tables, minutes since its start.

    Raises
    ------
    ConfigError
        For an unknown key or channel, or a value out of range.
    """
    if not isinstance(rows, list):
        raise ConfigError("drift", "a list of tables", rows)
    return tuple(_drift(row) for row in rows)


def _drift(row: object) -> SensorDrift:
    if not isinstance(row, dict):
        raise ConfigError("drift", "a table", row)
    unknown = sorted(set(row) - set(_KEYS))
    if unknown:
        raise ConfigError("drift", f"only the keys {', '.join(_KEYS)}", ", ".join(unknown))
    channel = row.get("channel")
    if channel not in CHANNELS:
        raise ConfigError("drift.channel", f"one of {', '.join(CHANNELS)}", channel)
    return SensorDrift(
        channel,
        start_s=60.0 * _number(row, "minutes", math.nan, low=0.0),
        gain=_number(row, "gain", 1.0, low=0.0),
        offset=_number(row, "offset", 0.0),
        noise=_number(row, "noise", 0.0, low=0.0),
    )


def _number(row: Mapping[str, Any], key: str, default: float, *, low: float = -1e6) -> float:
    value = row.get(key, default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= 1e6:
        raise ConfigError(f"drift.{key}", f"a number from {low:g} to 1e6", value)
    return float(value)
