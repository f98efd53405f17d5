"""Walkers drawn from a small world of numbers: windows whose features need no signal."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from training.gait.numpy_model import NumpyGaitModel

N_FEATURES = 24


@dataclass
class FakeWindow:
    """What identity reads of a window."""

    t_end_s: float
    values: np.ndarray
    periodicity: float = 0.8
    missing: float = 0.0
    n_read: int = field(default=0)

    def features(self) -> np.ndarray:
        self.n_read += 1
        return self.values


@dataclass
class World:
    """People with a centre each, and windows around it."""

    rng: np.random.Generator
    spread: float = 0.3

    def __post_init__(self) -> None:
        self.people = self.rng.normal(size=(12, N_FEATURES))

    def features(self, person: int, n: int) -> np.ndarray:
        noise = self.rng.normal(scale=self.spread, size=(n, N_FEATURES))
        return (self.people[person] + noise).astype(np.float32)

    def windows(self, person: int, n: int, *, t0_s: float = 5.0) -> list[FakeWindow]:
        rows = self.features(person, n)
        return [FakeWindow(t0_s + 2.5 * i, row) for i, row in enumerate(rows)]

    def cohort(self) -> np.ndarray:
        return np.concatenate([self.features(person, 12) for person in range(3, 12)])

    def model(self) -> NumpyGaitModel:
        rng = np.random.default_rng(5)
        directions, _ = np.linalg.qr(rng.normal(size=(N_FEATURES, 3)))
        arrays = {
            "center": np.zeros(N_FEATURES),
            "scale": np.ones(N_FEATURES),
            "directions": directions.T,
            "shrink": np.full(3, 0.3),
            "lora_a": rng.normal(size=(4, N_FEATURES)),
            "lora_b": np.zeros((N_FEATURES, 4)),
            "head_w": np.zeros((1, N_FEATURES)),
            "head_b": np.zeros(1),
        }
        return NumpyGaitModel({name: np.asarray(v, np.float32) for name, v in arrays.items()})
