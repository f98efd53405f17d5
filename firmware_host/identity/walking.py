"""Which windows are good enough to tell a person by: clearly walking, periodic, complete."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from firmware_host.signals.gait import GaitWindow

FloatArray = NDArray[np.float32]


class EmbeddingModel(Protocol):
    """What identity needs of a model: the signatures `embed`, `train`, `reset`, `get_adapter`."""

    def run(self, signature: str, **arrays: FloatArray) -> dict[str, FloatArray]:
        """Outputs of one signature by name."""
        ...


class Unusable(StrEnum):
    """Why a window says nothing about who is walking."""

    GAPS = "gaps"
    NOT_WALKING = "not_walking"
    NOT_PERIODIC = "not_periodic"


@dataclass(frozen=True, slots=True)
class WalkingGate:
    """Limits below which a window is not used for identity.

    `min_walk` is a probability of the activity gate, `min_periodicity` an autocorrelation; both
    come with the model. `max_missing` is a share of the window.
    """

    min_walk: float
    min_periodicity: float
    max_missing: float = 0.05

    def unusable(self, window: GaitWindow, walk_probability: float) -> Unusable | None:
        """Say the first reason against a window, None if there is none."""
        if window.missing > self.max_missing:
            return Unusable.GAPS
        if not walk_probability >= self.min_walk:
            return Unusable.NOT_WALKING
        if not window.periodicity >= self.min_periodicity:
            return Unusable.NOT_PERIODIC
        return None


def fill_missing(features: FloatArray, fill: FloatArray) -> FloatArray:
    """Put the average person's values where a feature is NaN (no gyroscope on this board).

    features (..., F), fill (F,).
    """
    return np.where(np.isnan(features), fill, features).astype(np.float32)
