"""Whom a wearer is told from: a distribution of walks, from which imagined walkers are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

# Enrolment trains on four fifths, each row about twice; with 256 rows the error on the wrist is
# half a point higher. The rest sets the scale of the scores.
N_DRAWN = 1280
_CLIP = 5.0
_FIELDS = ("center", "scale", "mean", "factors", "rest")


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """Normal distribution of walking windows at one placement, fitted on background people.

    In units of `scale` around `center` (F,), which is the average person: `mean` (F,), `factors`
    (r, F) whose combinations carry most of the variance, and `rest` (F,), the standard deviation
    of each feature that they leave out. Nobody's window or mean is among them.
    """

    center: FloatArray
    scale: FloatArray
    mean: FloatArray
    factors: FloatArray
    rest: FloatArray

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.floating[Any]]], placement: str) -> Background:
        """Background of one placement from the arrays of the bundle's cohort file."""
        return cls(**{n: np.asarray(arrays[f"{placement}.{n}"], np.float32) for n in _FIELDS})

    def arrays(self, placement: str) -> dict[str, NDArray[np.floating[Any]]]:
        """Arrays for the cohort file; half precision where that is far finer than the data."""
        half = {"factors", "rest", "mean"}
        return {
            f"{placement}.{name}": getattr(self, name).astype(np.float16 if name in half else None)
            for name in _FIELDS
        }

    def draw(self, *, seed: int, n: int = N_DRAWN) -> FloatArray:
        """(n, F) windows of imagined walkers in the features' own units; same seed, same rows."""
        rng = np.random.default_rng(seed)
        weights = rng.standard_normal((n, len(self.factors)), dtype=np.float32)
        rest = rng.standard_normal((n, len(self.mean)), dtype=np.float32)
        rest *= self.rest
        # In place: each of these tables is 3 MB, on a host that has little to spare.
        rows: FloatArray = weights @ self.factors
        rows += self.mean
        rows += rest
        np.clip(rows, -_CLIP, _CLIP, out=rows)
        rows *= self.scale
        rows += self.center
        return rows
