"""How a channel's counts become the 16-bit counts of EDF, and the numbers that fit its header."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np
from numpy.typing import NDArray

from firmware_host.recording.take import Track

_TEXT_CHARS = 8
_TOP = 32767


@dataclass(frozen=True, slots=True)
class EdfScale:
    """Physical limits as header texts, and the counts they stand for; the lowest count means missing."""

    physical_min: str
    physical_max: str
    digital_min: int
    digital_max: int

    @property
    def step(self) -> float:
        """Physical value of one count."""
        span = float(self.physical_max) - float(self.physical_min)
        return span / (self.digital_max - self.digital_min)

    def counts(self, values: NDArray[np.float64]) -> NDArray[np.int16]:
        """Nearest counts, never the one that means missing."""
        counts = np.rint((values - float(self.physical_min)) / self.step) + self.digital_min
        inside: NDArray[np.int16] = counts.clip(self.digital_min + 1, self.digital_max).astype(
            "<i2"
        )
        return inside


def scale_of(track: Track) -> EdfScale:
    """The scale that keeps a channel's own counts; if 16 bits cannot, the finest over its range.

    Raises
    ------
    ValueError
        If the values do not fit the header's eight characters at all.
    """
    low = min(int(piece.raw.min()) for piece in track.pieces)
    high = max(int(piece.raw.max()) for piece in track.pieces)
    return _exact(track, max(abs(low), abs(high), 1) + 1) or _ranged(track, low, high)


def _exact(track: Track, n_least: int) -> EdfScale | None:
    """Symmetric limits of whole counts that eight characters say exactly."""
    channel = track.channel
    for n in range(_TOP, n_least - 1, -1):
        limits = [_exact_text(sign * n * channel.scale + channel.offset) for sign in (-1.0, 1.0)]
        if limits[0] and limits[1] and limits[0] != limits[1]:
            return EdfScale(limits[0], limits[1], -n, n)
    return None


def _ranged(track: Track, low: int, high: int) -> EdfScale:
    channel = track.channel
    ends = sorted(raw * channel.scale + channel.offset for raw in (low, high))
    # One count of the finest grid stays free at the bottom for what is missing.
    margin = (ends[1] - ends[0]) / _TOP or abs(channel.scale)
    return EdfScale(
        _rounded_text(ends[0] - margin, ROUND_FLOOR),
        _rounded_text(ends[1] + margin, ROUND_CEILING),
        -_TOP - 1,
        _TOP,
    )


def _exact_text(value: float) -> str:
    text = f"{value:.7g}"
    is_exact = math.isclose(float(text), value, rel_tol=1e-12, abs_tol=0.0)
    return text if is_exact and "e" not in text and len(text) <= _TEXT_CHARS else ""


def _rounded_text(value: float, rounding: str) -> str:
    for places in range(_TEXT_CHARS - 2, -1, -1):
        text = str(Decimal(value).quantize(Decimal(1).scaleb(-places), rounding=rounding))
        if len(text) <= _TEXT_CHARS and "E" not in text:
            return text
    msg = f"{value:g} does not fit {_TEXT_CHARS} characters"
    raise ValueError(msg)
