"""Walks whose cadence, direction of gravity and gaps are known by construction."""

from __future__ import annotations

import numpy as np

G_MS2 = 9.80665


def walk(
    rng: np.random.Generator,
    *,
    sample_rate_hz: float,
    duration_s: float,
    cadence_spm: float = 112.0,
) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) acceleration and rotation of a swinging, stepping device, gravity along z."""
    t_s = np.arange(round(duration_s * sample_rate_hz)) / sample_rate_hz
    step = 2 * np.pi * cadence_spm / 60.0 * t_s
    stride = step / 2
    acc = np.stack(
        (
            1.1 * np.sin(stride) + 0.4 * np.cos(2 * step),
            0.8 * np.cos(stride + 0.4),
            G_MS2 + 2.4 * np.sin(step) + 0.9 * np.sin(2 * step + 0.7),
        ),
        axis=1,
    )
    gyro = np.stack((1.6 * np.sin(stride), 0.5 * np.sin(step), 0.7 * np.cos(stride)), axis=1)
    noise = rng.normal(scale=0.05, size=(2, *acc.shape))
    return acc + noise[0], gyro + noise[1]


def turn(rng: np.random.Generator) -> np.ndarray:
    """(3, 3) random rotation."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else q[:, ::-1]
