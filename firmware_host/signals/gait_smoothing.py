"""Causal smoothing of the activity gate: people do not change activity every window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_host.signals.gait import WINDOW_S

FloatArray = NDArray[np.float64]

# Chance to go on with the same activity for one window length. From 0.6 to 0.95 the figures of
# people left out differ by less than a point (docs/studies/gate.md).
STAY = 0.8
# No evidence rules a class out for good: the network is sure and wrong at times.
_LEAST_PROBABILITY = 1e-4


class ActivitySmoother:
    """Forward filter of a hidden Markov model whose states are the activities.

    Every window counts in full, though neighbours overlap and share half their evidence: counting
    only what is new follows a change later, and that costs more than the smoothing brings.

    Parameters
    ----------
    n_classes
        Number of activities.
    hop_s
        Time from one window to the next.
    """

    def __init__(self, n_classes: int, *, hop_s: float) -> None:
        stay = STAY ** min(1.0, hop_s / WINDOW_S)
        leave = (1.0 - stay) / (n_classes - 1)
        self._transition = np.full((n_classes, n_classes), leave)
        np.fill_diagonal(self._transition, stay)
        self._state = np.full(n_classes, 1.0 / n_classes)

    def reset(self) -> None:
        """Forget the past: a gap, or another session."""
        self._state = np.full_like(self._state, 1.0 / len(self._state))

    def update(self, probabilities: NDArray[np.float32] | FloatArray) -> FloatArray:
        """Smoothed probabilities (n_classes,) after one more window.

        Probabilities that are not finite are no evidence.
        """
        state: FloatArray = self._state @ self._transition
        evidence = np.asarray(probabilities, dtype=np.float64)
        if np.isfinite(evidence).all():
            state = state * np.maximum(evidence, _LEAST_PROBABILITY)
        self._state = state / state.sum()
        return self._state.copy()
