"""Train the gait model: one activity gate on all data sets, identity for each placement apart."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.config import DEFAULT_PLACEMENT
from firmware_host.errors import DataError
from firmware_host.identity.background import Background
from firmware_host.signals.gait import WINDOW_S
from firmware_host.signals.gait_features import FEATURE_NAMES
from firmware_host.signals.gait_smoothing import STAY
from training.bundle.artifacts import GaitArtifacts, Recordings
from training.datasets.registry import GAIT, gait_sets
from training.gait.gate import LABELS, GateWeights, train_gate
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
from training.gait.people import Person, load_people
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
    if len(background) < _MIN_BACKGROUND:
        raise DataError(f"expected walks of {_MIN_BACKGROUND} people, got {len(background)}")
    scores = [
        score for fold in range(_N_FOLDS) for score in [_inner_scores(background, fold, seed)]
    ]
    genuine = np.concatenate([score.genuine for score in scores])
    impostor = np.concatenate([score.impostor for score in scores])
    threshold = equal_error(genuine, impostor).threshold
    sure = float(np.quantile(impostor, 1.0 - _SURE_FAR))
    return replace(_fit(background, seed), threshold=threshold, margin=max(0.0, sure - threshold))


def _inner_scores(background: Sequence[Walks], fold: int, seed: int) -> Scores:
    others = [walks for i, walks in enumerate(background) if i % _N_FOLDS != fold]
    identity = _fit(others, seed)
    limit = identity.min_periodicity
    trials = [split_walk(walks, min_periodicity=limit) for walks in background[fold::_N_FOLDS]]
    return identity.score(trials, seed=seed)["10s"]


def _fit(background: Sequence[Walks], seed: int) -> Identity:
    every = np.concatenate([walks.periodicity for walks in background])
    min_periodicity = float(np.quantile(every, PERIODICITY_QUANTILE))
    arrays = fit_identity(background, seed=seed)
    periodic = [walks.pick(walks.periodicity >= min_periodicity) for walks in background]
    periodic = [walks for walks in periodic if len(walks) > 1]
    return Identity(arrays, fit_distribution(periodic, arrays), min_periodicity)


def train_gait_artifacts(
    data_dir: Path, seed: int, hold_out: Collection[str] = frozenset()
) -> GaitArtifacts:
    """Train on everyone under `data_dir` but those held out ("dataset/participant").

    Identity is fitted for every placement with walks of at least six people. `thresholds` has
    `min_walk_probability` and, for each placement, `<placement>_min_periodicity`,
    `<placement>_verification` and `<placement>_verification_margin`; `cohort` has the arrays of
    `identity.background.Background` by placement.

    Raises
    ------
    DataError
        If no placement has enough people.
    """
    people = load_people(data_dir, gait_sets(data_dir), hold_out=hold_out)
    walks = _by_placement(people)
    identities = {name: fit_background(own, seed=seed) for name, own in walks.items()}
    gate = train_gate([stream for p in people for stream in p.streams], seed=seed)
    thresholds = {"min_walk_probability": MIN_WALK_PROBABILITY}
    cohort: dict[str, Any] = {}
    figures: dict[str, str] = {}
    for name, identity in identities.items():
        thresholds[f"{name}_min_periodicity"] = identity.min_periodicity
        thresholds[f"{name}_verification"] = identity.threshold
        thresholds[f"{name}_verification_margin"] = identity.margin
        cohort |= identity.background.arrays(name)
        figures |= _figures(name, walks[name], seed)
    return GaitArtifacts(
        network=_network(gate, list(identities.values())),
        feature_names=FEATURE_NAMES,
        labels=LABELS,
        thresholds=thresholds,
        smoothing_s=round(WINDOW_S / (1.0 - STAY), 6),
        cohort=cohort,
        golden=_golden(gate, list(identities.values()), seed),
        placements=tuple(identities),
        recordings=Recordings({p.name: p.sha256 for p in people}, tuple(sorted(hold_out))),
        figures=figures,
    )


def _by_placement(people: Sequence[Person]) -> dict[str, list[Walks]]:
    """Walks by where on the body they were recorded, the wrist first: it is the default."""
    found: dict[str, list[Walks]] = {}
    for person in people:
        if person.walks is not None:
            placement = GAIT[person.name.partition("/")[0]].PLACEMENT
            found.setdefault(placement, []).append(person.walks)
    enough = {name: own for name, own in found.items() if len(own) >= _MIN_BACKGROUND}
    if not enough:
        counts = {name: len(own) for name, own in sorted(found.items())}
        raise DataError(
            f"expected walks of {_MIN_BACKGROUND} people on one place of the body, got {counts}"
        )
    return dict(sorted(enough.items(), key=lambda item: (item[0] != DEFAULT_PLACEMENT, item[0])))


def _network(gate: GateWeights, identities: Sequence[Identity]) -> Any:
    from models.gait import GaitNet, GaitWeights
    from training.bundle.rounding import rounded_weights

    placed = ("center", "scale", "directions", "shrink")
    arrays = {name: np.stack([one.arrays[name] for one in identities]) for name in placed}
    shared = {n: v for n, v in identities[0].arrays.items() if n not in placed}
    weights = GaitWeights(
        gate=gate.weights, gate_center=gate.center, gate_scale=gate.scale, **arrays, **shared
    )
    return GaitNet(rounded_weights(weights))


def _golden(gate: GateWeights, identities: Sequence[Identity], seed: int) -> dict[str, FloatArray]:
    """Inputs to compare runtimes on: made up, because a shipped file must hold nobody's walk."""
    rng = np.random.default_rng(seed)
    t_s = np.arange(100)[:, None] / 20.0
    step_hz = rng.uniform(0.3, 3.0, (8, 1, 6))
    waves = np.sin(2.0 * np.pi * (step_hz * t_s + rng.uniform(size=(8, 1, 6))))
    waves = waves + rng.normal(scale=0.3, size=waves.shape)
    imu = gate.center + rng.uniform(0.05, 2.0, (8, 1, 1)) * gate.scale * waves
    which = np.arange(8) % len(identities)
    features = np.stack([identities[place].cohort[row] for row, place in enumerate(which)])
    placement = np.eye(len(identities), dtype=np.float32)[which]
    return {"imu": imu.astype(np.float32), "features": features, "placement": placement}


def _figures(placement: str, walks: Sequence[Walks], seed: int) -> dict[str, str]:
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
        f"{placement} verification, equal error rate, 10 s": _percent(equal),
        f"{placement} verification, false rejects, 10 s": _percent(
            [100.0 * r.frr for _, r in rates]
        ),
        f"{placement} verification, false accepts, 10 s": _percent(
            [100.0 * r.far for _, r in rates]
        ),
    }


def _percent(values: Sequence[float]) -> str:
    return f"{np.mean(values):.1f} % (folds {min(values):.1f} to {max(values):.1f} %)"
