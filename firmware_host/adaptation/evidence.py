"""What a wearer's labels offer a learning job: parts to learn from, parts to judge by, and all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Labelled:
    """Windows for or against an update.

    x (n, F), y (n,) 0 rest or 1 stress, weight (n,) such that every episode of a class counts the
    same.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    weight: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Compared:
    """Pairs of windows of compared moments, the more stressful one first.

    more, less (m, F), weight (m,) such that every comparison counts the same.
    """

    more: NDArray[np.float32]
    less: NDArray[np.float32]
    weight: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Comparisons:
    """What the wearer said by comparing, divided.

    `turns` are what each turn of the labelled windows may learn from, none of it of a moment that
    the turn holds back; `held_back` was said later than all of `turns`, of other moments.
    """

    turns: tuple[Compared, ...]
    held_back: Compared
    everything: Compared


@dataclass(frozen=True, slots=True)
class Evidence:
    """Labelled windows, divided.

    `turns` are pairs of (calibration, held back), `n_stories` as in `Split`; `everything` is what
    the chosen update learns from again once it passed. `fresh` (n,) marks, over the held-back
    windows of all turns in order, those that the weights in force never learned from: only these
    may speak for them. `comparisons` None where too little was compared.
    """

    turns: tuple[tuple[Labelled, Labelled], ...]
    everything: Labelled
    n_stories: int
    fresh: NDArray[np.bool_]
    comparisons: Comparisons | None = None

    @property
    def held_back_x(self) -> NDArray[np.float32]:
        """(n, F) held-back windows of all turns."""
        joined: NDArray[np.float32] = np.concatenate([held_back.x for _, held_back in self.turns])
        return joined

    @property
    def held_back_y(self) -> NDArray[np.int64]:
        """(n,) their labels."""
        joined: NDArray[np.int64] = np.concatenate([held_back.y for _, held_back in self.turns])
        return joined

    @property
    def n_calibration(self) -> int:
        """Windows that the first turn learns from."""
        return len(self.turns[0][0].y)
