"""Whitening, the cohort of others, and thresholds: all from background people only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_host.identity.background import Background
from firmware_host.identity.enrolment import MIN_WINDOWS, enrol
from firmware_host.identity.walking import EmbeddingModel, fill_missing
from firmware_host.signals.gait import WINDOW_S
from training.gait.numpy_model import NumpyGaitModel
from training.gait.verification_metrics import rank1
from training.gait.windows import Walks
from training.splits import WindowKey, check_no_overlap

FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]

N_DIRECTIONS = 24
# Of the distribution of others: 128 give the same error rates.
N_FACTORS = 64
# The least periodic windows of background people are where most false rejects come from.
PERIODICITY_QUANTILE = 0.3
_CLIP = 5.0
_LORA_RANK = 4
# Windows of 5 s that do not overlap: every second one at a hop of 2.5 s.
_STRIDE = 2
PROBE_WINDOWS = {"5s": 1, "10s": 2, "30s": 6}
# What figures are quoted for; a minute is better and is reported beside it.
ENROL_S = 30.0


def fit_identity(background: Sequence[Walks], *, seed: int) -> dict[str, FloatArray]:
    """Arrays of the identity half of the network, by the names of `GaitWeights`.

    Within-person directions are scaled down to the level of the others (low-rank within-class
    whitening); everything else is left as it is.
    """
    stacked = np.concatenate([walks.features for walks in background]).astype(np.float64)
    center, scale = stacked.mean(axis=0), stacked.std(axis=0) + 1e-6
    standardised = [np.clip((w.features - center) / scale, -_CLIP, _CLIP) for w in background]
    within = np.mean([np.cov(x.T) for x in standardised], axis=0)
    variances, directions = np.linalg.eigh(within)
    variances, directions = variances[::-1], directions[:, ::-1]
    residual = variances[N_DIRECTIONS:].mean()
    shrink = 1.0 - np.sqrt(residual / np.maximum(variances[:N_DIRECTIONS], residual))
    n_features = len(center)
    rng = np.random.default_rng(seed)
    arrays = {
        "center": center,
        "scale": scale,
        "directions": directions[:, :N_DIRECTIONS].T,
        "shrink": shrink,
        "lora_a": rng.normal(0.0, 1.0 / np.sqrt(n_features), (_LORA_RANK, n_features)),
        "lora_b": np.zeros((n_features, _LORA_RANK)),
        "head_w": np.zeros((1, n_features)),
        "head_b": np.zeros(1),
    }
    return {name: np.asarray(value, np.float32) for name, value in arrays.items()}


def fit_distribution(background: Sequence[Walks], arrays: Mapping[str, FloatArray]) -> Background:
    """Normal distribution of an imagined person's window, which enrolment draws others from.

    Its covariance is that between people plus that of one person's windows. Only its strongest
    directions are kept, mixed from everybody, so nothing in it is anybody's.
    """
    center, scale = arrays["center"], arrays["scale"]
    x = [np.clip((w.features - center) / scale, -_CLIP, _CLIP) for w in background]
    means = np.stack([rows.mean(axis=0) for rows in x]).astype(np.float64)
    within = np.concatenate([rows - rows.mean(axis=0) for rows in x]).astype(np.float64)
    covariance = np.cov(means.T) + within.T @ within / max(len(within) - 1, 1)
    variances, directions = np.linalg.eigh(covariance)
    factors = directions[:, -N_FACTORS:] * np.sqrt(np.maximum(variances[-N_FACTORS:], 0.0))
    rest = np.diag(covariance) - (factors**2).sum(axis=1)
    return Background(
        center,
        scale,
        means.mean(axis=0).astype(np.float32),
        factors.T.astype(np.float32),
        np.sqrt(np.maximum(rest, 0.0)).astype(np.float32),
    )


@dataclass(frozen=True, eq=False)
class Trial:
    """One wearer: windows to enrol with and windows to probe with, apart in time."""

    person: str
    enrolment: FloatArray
    probe: FloatArray


def split_walk(
    walks: Walks,
    *,
    min_periodicity: float,
    enrol_s: float = ENROL_S,
    probe_from_s: float = 60.0,
    pause_s: float = 10.0,
) -> Trial:
    """Enrol on the start of the first trial; probe in the other trials, or later if there are none.

    Windows under `min_periodicity` are dropped on both sides, and enrolment goes on until it has
    the least number of windows, as on the host. Probe windows do not overlap; in a trial that was
    enrolled on they start at `probe_from_s`, or `pause_s` after enrolment if that is later.
    """
    first = walks.trial == walks.trial[0]
    periodic = walks.periodicity >= min_periodicity
    usable_ends = walks.start_s[first & periodic] + WINDOW_S
    if len(usable_ends) >= MIN_WINDOWS:
        enrol_s = max(enrol_s, float(usable_ends[MIN_WINDOWS - 1]))
    early = first & (walks.start_s + WINDOW_S <= enrol_s + 1e-3)
    late = ~first
    if first.all():
        late = walks.start_s >= max(probe_from_s, enrol_s + pause_s)
    position = np.zeros(len(walks), int)
    for trial in np.unique(walks.trial):
        here = walks.trial == trial
        position[here] = np.arange(here.sum())
    probe = late & periodic & (position % _STRIDE == 0)
    check_no_overlap(_keys(walks, early & periodic), _keys(walks, probe))
    return Trial(walks.person, walks.features[early & periodic], walks.features[probe])


def _keys(walks: Walks, chosen: NDArray[np.bool_]) -> list[WindowKey]:
    """What the chosen windows are made of, for the leak check; a trial is a recording."""
    return [
        WindowKey(walks.person, str(trial), float(start_s), float(start_s) + WINDOW_S)
        for trial, start_s in zip(walks.trial[chosen], walks.start_s[chosen], strict=True)
    ]


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of probes against enrolled wearers for one probe length.

    `per_person` is wearer -> (genuine, impostor) scores against that wearer's reference.
    """

    genuine: DoubleArray
    impostor: DoubleArray
    rank1: float
    per_person: dict[str, tuple[DoubleArray, DoubleArray]]


def score_trials(
    trials: Sequence[Trial],
    new_model: Callable[[], EmbeddingModel],
    cohort: FloatArray,
    *,
    fill: FloatArray,
    seed: int,
    lora_rate: float = 0.0,
) -> dict[str, Scores]:
    """Enrol each person of `trials` as the host does and score everyone's probes.

    Parameters
    ----------
    new_model
        Gives a model to enrol the next wearer on. It may be the same one each time, such as a
        shipped file: enrolment resets it, and a wearer is scored before the next is enrolled.
    cohort, fill
        (m, F) others and (F,) the average person, as in `enrolment.enrol`.

    Returns
    -------
    Scores by probe length, "5s", "10s", "30s". A wearer with too little to enrol on is left out.
    """
    usable = [trial for trial in trials if len(trial.enrolment) >= MIN_WINDOWS]
    if not usable:
        raise ValueError(f"expected people with {MIN_WINDOWS} enrolment windows, got none")
    probes = fill_missing(np.concatenate([trial.probe for trial in usable]), fill)
    columns = []
    for i, trial in enumerate(usable):
        model = new_model()
        rng = np.random.default_rng(seed + i)
        enrol(
            model, trial.enrolment, cohort, threshold=0.0, fill=fill, rng=rng, lora_rate=lora_rate
        )
        columns.append(_scores_of(model, probes))
    owner = np.repeat(np.arange(len(usable)), [len(trial.probe) for trial in usable])
    table = np.stack(columns, axis=1).astype(np.float64)
    names = [trial.person for trial in usable]
    return {name: _pool(table, owner, names, k) for name, k in PROBE_WINDOWS.items()}


def _scores_of(model: EmbeddingModel, features: FloatArray) -> FloatArray:
    """(n,) scores of (n, F) windows, one call each unless the model takes many at once."""
    if isinstance(model, NumpyGaitModel):
        return model.embed(features)["score"][:, 0]
    rows = [model.run("embed", features=row[None])["score"][0, 0] for row in features]
    return np.array(rows, np.float32)


def _pool(table: DoubleArray, owner: NDArray[np.int64], names: list[str], k: int) -> Scores:
    """Means of k consecutive windows of the same person."""
    rows, true = [], []
    for i in range(len(names)):
        own = table[owner == i]
        n = len(own) // k
        rows.append(own[: n * k].reshape(n, k, table.shape[1]).mean(axis=1))
        true.append(np.full(n, i))
    scores, true_idx = np.concatenate(rows), np.concatenate(true)
    is_own = np.arange(len(names)) == true_idx[:, None]
    per_person = {
        name: (scores[true_idx == i, i], scores[true_idx != i, i]) for i, name in enumerate(names)
    }
    return Scores(scores[is_own], scores[~is_own], rank1(scores, true_idx), per_person)
