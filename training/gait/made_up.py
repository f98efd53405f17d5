"""Motion that nobody made, for files that must hold nobody's walk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_host.signals.gait import GATE_RATE_HZ, N_GATE

FloatArray = NDArray[np.float32]


def made_up_motion(
    center: FloatArray, scale: FloatArray, n: int, rng: np.random.Generator
) -> FloatArray:
    """(n, 100, 6) windows in SI units: waves of 0.3 to 3 Hz and noise, from still to strong."""
    t_s = np.arange(N_GATE)[:, None] / GATE_RATE_HZ
    step_hz = rng.uniform(0.3, 3.0, (n, 1, 6))
    waves = np.sin(2.0 * np.pi * (step_hz * t_s + rng.uniform(size=(n, 1, 6))))
    waves = waves + rng.normal(scale=0.3, size=waves.shape)
    motion = center + rng.uniform(0.05, 2.0, (n, 1, 1)) * scale * waves
    return np.asarray(motion, np.float32)
