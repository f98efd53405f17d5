"""What background people teach about telling walkers apart: whitening, others, and thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import DataError
from firmware_host.identity.background import Background
from training.gait.identity import (
    PERIODICITY_QUANTILE,
    Scores,
    Trial,
    fit_distribution,
    fit_identity,
    score_trials,
    split_walk,
)
from training.gait.numpy_model import NumpyGaitModel
from training.gait.verification_metrics import balanced_threshold
from training.gait.windows import Walks

FloatArray = NDArray[np.float32]

# The gate must find walking likelier than everything else together.
MIN_WALK_PROBABILITY = 0.5
# Scores within the margin are called unsure: above it, this share of impostors is let in.
_SURE_FAR = 0.02
MIN_BACKGROUND = 6
N_FOLDS = 3


@dataclass(frozen=True, eq=False)
class Identity:
    """Identity of one placement fitted on background people: network, others, and the limits."""

    arrays: dict[str, FloatArray]
    background: Background
    min_periodicity: float
    threshold: float = float("nan")
    margin: float = float("nan")

    @cached_property
    def cohort(self) -> FloatArray:
        """(n, F) imagined others, the same at every enrolment of an evaluation."""
        return self.background.draw(seed=0)

    def score(self, trials: Sequence[Trial], *, seed: int) -> dict[str, Scores]:
        """Enrol each person of `trials` and score everyone's probes, by probe length."""
        return score_trials(
            trials,
            lambda: NumpyGaitModel(self.arrays),
            self.cohort,
            fill=self.arrays["center"],
            seed=seed,
        )


def fit_background(background: Sequence[Walks], *, seed: int) -> Identity:
    """Whitening, others and periodicity limit of all, score threshold on thirds left out in turn.

    Raises
    ------
    DataError
        If there are fewer than six people.
    """
    if len(background) < MIN_BACKGROUND:
        raise DataError(f"expected walks of {MIN_BACKGROUND} people, got {len(background)}")
    scores = [score for fold in range(N_FOLDS) for score in [_inner_scores(background, fold, seed)]]
    genuine = np.concatenate([score.genuine for score in scores])
    impostor = np.concatenate([score.impostor for score in scores])
    threshold = balanced_threshold(genuine, impostor)
    sure = float(np.quantile(impostor, 1.0 - _SURE_FAR))
    return replace(
        fit_without_threshold(background, seed=seed),
        threshold=threshold,
        margin=max(0.0, sure - threshold),
    )


def _inner_scores(background: Sequence[Walks], fold: int, seed: int) -> Scores:
    others = [walks for i, walks in enumerate(background) if i % N_FOLDS != fold]
    identity = fit_without_threshold(others, seed=seed)
    limit = identity.min_periodicity
    trials = [split_walk(walks, min_periodicity=limit) for walks in background[fold::N_FOLDS]]
    return identity.score(trials, seed=seed)["10s"]


def fit_without_threshold(background: Sequence[Walks], *, seed: int) -> Identity:
    """Whitening, others and periodicity limit of all; the threshold is left open."""
    every = np.concatenate([walks.periodicity for walks in background])
    min_periodicity = float(np.quantile(every, PERIODICITY_QUANTILE))
    arrays = fit_identity(background, seed=seed)
    periodic = [walks.pick(walks.periodicity >= min_periodicity) for walks in background]
    periodic = [walks for walks in periodic if len(walks) > 1]
    return Identity(arrays, fit_distribution(periodic, arrays), min_periodicity)
