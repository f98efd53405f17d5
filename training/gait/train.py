"""Train the gait model: the activity gate on both datasets, identity on those of one placement."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import DataError
from firmware_host.signals.gait import WINDOW_S
from firmware_host.signals.gait_features import FEATURE_NAMES
from firmware_host.signals.gait_smoothing import STAY
from training.bundle.artifacts import GaitArtifacts, Recordings
from training.datasets import wisdm_watch
from training.datasets.registry import GAIT as DATASETS
from training.datasets.registry import gait_sets
from training.gait.gate import LABELS, GateWeights, train_gate
from training.gait.identity import (
    PERIODICITY_QUANTILE,
    Scores,
    Trial,
    fit_identity,
    sampled_cohort,
    score_trials,
    split_walk,
)
from training.gait.numpy_model import NumpyGaitModel
from training.gait.people import load_people
from training.gait.verification_metrics import equal_error, error_rates
from training.gait.windows import Walks

FloatArray = NDArray[np.float32]

# The gate must find walking likelier than everything else together.
MIN_WALK_PROBABILITY = 0.5
# Scores within the margin are called unsure: above it, this share of impostors is let in.
_SURE_FAR = 0.02
_MIN_BACKGROUND = 6
_N_FOLDS = 3


@dataclass(frozen=True, eq=False)
class Identity:
    """Identity fitted on background people: network arrays, cohort, and the limits."""

    arrays: dict[str, FloatArray]
    cohort: FloatArray
    min_periodicity: float
    threshold: float
    margin: float

    def score(self, trials: Sequence[Trial], *, seed: int) -> dict[str, Scores]:
        """Enrol each person of `trials` and score everyone's probes, by probe length."""
        return _score(trials, self.arrays, self.cohort, seed)


def _score(
    trials: Sequence[Trial], arrays: dict[str, FloatArray], cohort: FloatArray, seed: int
) -> dict[str, Scores]:
    return score_trials(
        trials, lambda: NumpyGaitModel(arrays), cohort, fill=arrays["center"], seed=seed
    )


def fit_background(background: Sequence[Walks], *, seed: int) -> Identity:
    """Whitening, cohort and periodicity limit on all, score threshold on thirds left out in turn.

    Raises
    ------
    DataError
        If there are fewer than six people.
    """
    if len(background) < _MIN_BACKGROUND:
        raise DataError(f"expected walks of {_MIN_BACKGROUND} people, got {len(background)}")
    scores = [
        score for fold in range(_N_FOLDS) for score in [_inner_scores(background, fold, seed)]
    ]
    genuine = np.concatenate([score.genuine for score in scores])
    impostor = np.concatenate([score.impostor for score in scores])
    threshold = equal_error(genuine, impostor).threshold
    sure = float(np.quantile(impostor, 1.0 - _SURE_FAR))
    min_periodicity, arrays, cohort = _fit(background, seed)
    return Identity(arrays, cohort, min_periodicity, threshold, max(0.0, sure - threshold))


def _inner_scores(background: Sequence[Walks], fold: int, seed: int) -> Scores:
    others = [walks for i, walks in enumerate(background) if i % _N_FOLDS != fold]
    min_periodicity, arrays, cohort = _fit(others, seed)
    trials = [
        split_walk(walks, min_periodicity=min_periodicity) for walks in background[fold::_N_FOLDS]
    ]
    return _score(trials, arrays, cohort, seed)["10s"]


def _fit(background: Sequence[Walks], seed: int) -> tuple[float, dict[str, FloatArray], FloatArray]:
    every = np.concatenate([walks.periodicity for walks in background])
    min_periodicity = float(np.quantile(every, PERIODICITY_QUANTILE))
    arrays = fit_identity(background, seed=seed)
    periodic = [walks.pick(walks.periodicity >= min_periodicity) for walks in background]
    periodic = [walks for walks in periodic if len(walks) > 1]
    return min_periodicity, arrays, sampled_cohort(periodic, arrays, seed=seed)


def train_gait_artifacts(
    data_dir: Path,
    seed: int,
    placement: str = wisdm_watch.PLACEMENT,
    hold_out: Collection[str] = frozenset(),
) -> GaitArtifacts:
    """Train on everyone under `data_dir` but those held out ("dataset/participant").

    `thresholds` has `min_walk_probability`, `min_periodicity`, `verification` and
    `verification_margin`; `cohort` has `features` (256, F), which are nobody's, and `fill` (F,).

    Raises
    ------
    DataError
        If no dataset has the placement, or too few people are left.
    """
    identity_data = [name for name, module in DATASETS.items() if placement == module.PLACEMENT]
    if not identity_data:
        known = sorted(module.PLACEMENT for module in DATASETS.values())
        raise DataError(f"expected a placement out of {known}, got {placement!r}")
    people = load_people(data_dir, gait_sets(data_dir), hold_out=hold_out)
    walks = [p.walks for p in people if p.walks and p.name.split("/")[0] in identity_data]
    identity = fit_background(walks, seed=seed)
    gate = train_gate([stream for p in people for stream in p.streams], seed=seed)
    return GaitArtifacts(
        network=_network(gate, identity.arrays),
        feature_names=FEATURE_NAMES,
        labels=LABELS,
        thresholds={
            "min_walk_probability": MIN_WALK_PROBABILITY,
            "min_periodicity": identity.min_periodicity,
            "verification": identity.threshold,
            "verification_margin": identity.margin,
        },
        smoothing_s=round(WINDOW_S / (1.0 - STAY), 6),
        cohort={"features": identity.cohort, "fill": identity.arrays["center"]},
        golden=_golden(gate, identity, seed),
        placement=placement,
        recordings=Recordings({p.name: p.sha256 for p in people}, tuple(sorted(hold_out))),
        figures=_figures(walks, seed),
    )


def _network(gate: GateWeights, arrays: dict[str, FloatArray]) -> Any:
    from models.gait import GaitNet, GaitWeights
    from training.bundle.rounding import rounded_weights

    weights = GaitWeights(
        gate=gate.weights, gate_center=gate.center, gate_scale=gate.scale, **arrays
    )
    return GaitNet(rounded_weights(weights))


def _golden(gate: GateWeights, identity: Identity, seed: int) -> dict[str, FloatArray]:
    """Inputs to compare runtimes on: made up, because a shipped file must hold nobody's walk."""
    rng = np.random.default_rng(seed)
    t_s = np.arange(100)[:, None] / 20.0
    step_hz = rng.uniform(0.3, 3.0, (8, 1, 6))
    waves = np.sin(2.0 * np.pi * (step_hz * t_s + rng.uniform(size=(8, 1, 6))))
    waves = waves + rng.normal(scale=0.3, size=waves.shape)
    imu = gate.center + rng.uniform(0.05, 2.0, (8, 1, 1)) * gate.scale * waves
    return {"imu": imu.astype(np.float32), "features": identity.cohort[:8]}


def _figures(walks: Sequence[Walks], seed: int) -> dict[str, str]:
    """Error rates on thirds of the people left out in turn, threshold from the other two."""
    rates = []
    for fold in range(_N_FOLDS):
        others = [w for i, w in enumerate(walks) if i % _N_FOLDS != fold]
        if len(others) < _MIN_BACKGROUND:
            return {}
        identity = fit_background(others, seed=seed)
        trials = [
            split_walk(w, min_periodicity=identity.min_periodicity) for w in walks[fold::_N_FOLDS]
        ]
        scores = identity.score(trials, seed=seed)["10s"]
        rates.append(
            (
                equal_error(scores.genuine, scores.impostor),
                error_rates(scores.genuine, scores.impostor, identity.threshold),
            )
        )
    equal = [50.0 * (e.frr + e.far) for e, _ in rates]
    return {
        "verification, equal error rate, 10 s": _percent(equal),
        "verification, false rejects, 10 s": _percent([100.0 * r.frr for _, r in rates]),
        "verification, false accepts, 10 s": _percent([100.0 * r.far for _, r in rates]),
    }


def _percent(values: Sequence[float]) -> str:
    return f"{np.mean(values):.1f} % (folds {min(values):.1f} to {max(values):.1f} %)"
