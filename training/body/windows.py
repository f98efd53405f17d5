"""Windows of one person in one condition, as columns of measures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Windows = dict[str, FloatArray]
"""Measure -> (n_windows,) values, NaN where a window does not show it."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one recording, in its own seconds."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What was measured of one person in one condition; ``real`` or simulated."""

    person: str
    condition: str
    windows: Windows


def table(rows: Sequence[Mapping[str, float]]) -> Windows:
    """Columns from rows; what a row lacks is NaN."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}


def joined(parts: Iterable[Windows]) -> Windows:
    """Windows of several recordings, one after the other."""
    listed = [part for part in parts if part]
    names = list(dict.fromkeys(name for part in listed for name in part))

    def column(part: Windows, name: str) -> FloatArray:
        n = len(next(iter(part.values())))
        return part.get(name, np.full(n, np.nan))

    return {name: np.concatenate([column(part, name) for part in listed]) for name in names}
