"""Signals that are plain arrays: what a pickle or a Signet recording is read into."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Steady:
    """One channel: `values` (n, n_axes) in SI units, NaN where samples are lost."""

    start_utc: float
    rate_hz: float
    values: NDArray[np.float64]

    @property
    def end_utc(self) -> float:
        """Time just after the last value, UNIX seconds."""
        return self.start_utc + len(self.values) / self.rate_hz


@dataclass(frozen=True, eq=False)
class ArraySignals:
    """Channels by name: bvp (au), eda (µS), temp (°C), acc (m/s²), gyro (rad/s).

    `known_sha256` is the hash of the content where something else than the values defines it.
    """

    channels: Mapping[str, Steady]
    known_sha256: str = ""

    @property
    def start_utc(self) -> float:
        """Earliest first value, UNIX seconds."""
        return min(channel.start_utc for channel in self.channels.values())

    @property
    def end_utc(self) -> float:
        """Time just after the last value, UNIX seconds."""
        return max(channel.end_utc for channel in self.channels.values())

    def content_sha256(self) -> str:
        """Hash of every channel's values, to single precision, unless it is known."""
        if self.known_sha256:
            return self.known_sha256
        digest = hashlib.sha256()
        for name, channel in sorted(self.channels.items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(channel.values, "<f4").tobytes())
        return digest.hexdigest()
