"""Where a learning job stands: all that a step needs of the ones before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from firmware_host.adaptation.choice import Learned
from firmware_host.inference.base import FloatArray

NONE = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True)
class Task:
    """One training: a candidate on one turn's calibration, or (turn None) on everything."""

    candidate: int
    turn: int | None


@dataclass(slots=True)
class JobState:
    """Where a job stands. Nothing in here can be computed again without training.

    `n_steps` steps done in all; the training at position `task` has `step` steps behind it and
    started at `loss_before`; `adapter` holds its values and momentum, None between trainings.
    `p_generic`, `p_current`, `margins_generic` are empty until weighed; `learned` is by candidate and
    turn.
    """

    n_steps: int = 0
    task: int = 0
    step: int = 0
    loss_before: float = 0.0
    adapter: Mapping[str, FloatArray] | None = None
    p_generic: FloatArray = field(default_factory=lambda: NONE)
    p_current: FloatArray = field(default_factory=lambda: NONE)
    margins_generic: FloatArray = field(default_factory=lambda: NONE)
    learned: dict[tuple[int, int], Learned] = field(default_factory=dict)
