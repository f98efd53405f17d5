"""One change to how a walk is told, and people scored without themselves in the background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from firmware_host.inference.base import FloatArray
from firmware_host.signals.gait_features import FEATURE_NAMES
from training.bundle.artifacts import Backbone
from training.bundle.rounding import rounded_arrays
from training.evaluation.progress import progress
from training.gait.background import fit_without_threshold
from training.gait.identity import Scores, score_trials, split_walk
from training.gait.numpy_model import NumpyGaitModel
from training.gait.verification_metrics import eer
from training.gait.windows import Walks
from training.numpy_model import Outputs
from training.splits import leave_groups_out

# A whole turn of the sensor leaves these as they are; the other features come from all axes.
_SIZES = ("acc_norm", "acc_vertical", "gyro_norm", "gyro_vertical", "correlation", "rhythm")
IS_SIZE = np.array([name.startswith(_SIZES) for name in FEATURE_NAMES])
IS_ACC = np.array(["gyro" not in name for name in FEATURE_NAMES])
# Larger steps of the low-rank factors end worse than none.
LORA_RATE = 0.01


@dataclass(frozen=True)
class Setting:
    """What differs from the recipe that ships."""

    name: str
    features: NDArray[np.bool_] = field(
        default_factory=lambda: np.ones(len(FEATURE_NAMES), np.bool_)
    )
    whitening: bool = True
    personal: str = "head"
    pooled: bool = False
    storage: Backbone = "float"
    every_window: bool = False
    shuffled: bool = False


SETTINGS = (
    Setting("as shipped, float32"),
    Setting("as shipped, int8", storage="int8"),
    Setting("as shipped, 4 bits", storage="nf4"),
    Setting("sizes and verticals only, no vectors", features=IS_SIZE),
    Setting("vectors of all axes only", features=~IS_SIZE),
    Setting("without gyroscope", features=IS_ACC),
    Setting("no whitening", whitening=False),
    Setting("mean template, no head", personal="template"),
    Setting("mean template, no whitening", personal="template", whitening=False),
    Setting("LoRA and head", personal="lora"),
    Setting("background pooled over placements", pooled=True),
    Setting("every window, uneven steps too", every_window=True),
    Setting("every window, mean template", every_window=True, personal="template"),
    Setting(
        "every window, mean template, no whitening",
        every_window=True,
        personal="template",
        whitening=False,
    ),
    Setting("identities shuffled (control)", shuffled=True),
)


class TemplateModel(NumpyGaitModel):
    """Score is the cosine to the mean of the wearer's windows; training only remembers them."""

    def _train(self, features: FloatArray, y: FloatArray, **_given: FloatArray) -> Outputs:
        self._seen.append(super().embed(features[y[:, 0] > 0])["embedding"])
        return {"loss": np.zeros(1, np.float32)}

    def _reset(self) -> Outputs:
        self._seen: list[FloatArray] = []
        return super()._reset()

    def embed(self, features: FloatArray) -> Outputs:
        """Embedding of (N, F) features and its cosine to the template; 0 before there is one."""
        found = super().embed(features)
        if not self._seen:
            return found
        mean = np.concatenate(self._seen).mean(axis=0)
        template = mean / max(float(np.linalg.norm(mean)), 1e-12)
        return {**found, "score": found["embedding"] @ template[:, None]}


@dataclass(frozen=True)
class Verification:
    """Error rates by probe length, over folds, and of each person at 5 s."""

    eer: Mapping[str, float]
    rank1: Mapping[str, float]
    each: Mapping[str, float]


def verify(
    people: Sequence[Walks],
    others: Sequence[Walks],
    setting: Setting,
    *,
    n_folds: int,
    n_partitions: int,
    seed: int,
) -> Verification:
    """Everybody unseen once a partition; `others` are the other placement's people.

    `each` is the share of a person's own probes that fall below the pooled threshold of equal
    errors, plus that of the others' above it, halved.
    """
    found: list[dict[str, Scores]] = []
    by_name = {walks.person: _seen(walks, setting) for walks in people}
    if setting.shuffled:
        by_name = _dealt(by_name, seed)
    rest = [_seen(walks, setting) for walks in others] if setting.pooled else []
    plan = [
        fold
        for partition in range(n_partitions)
        for fold in leave_groups_out({n: n for n in by_name}, n_folds=n_folds, seed=partition)
    ]
    for train, test in progress(plan, setting.name, unit="fold"):
        background = [by_name[name] for name in train] + rest
        found.append(_scores(background, [by_name[name] for name in test], setting, seed))
    lengths = list(found[0])
    return Verification(
        {k: float(np.mean([eer(s[k].genuine, s[k].impostor) for s in found])) for k in lengths},
        {k: float(np.mean([s[k].rank1 for s in found])) for k in lengths},
        _each(found),
    )


def _seen(walks: Walks, setting: Setting) -> Walks:
    return replace(walks, features=walks.features[:, setting.features])


def _dealt(people: Mapping[str, Walks], seed: int) -> dict[str, Walks]:
    """Everybody's windows dealt out anew: no window says whose it is."""
    order = np.random.default_rng(seed).permutation(sum(len(w) for w in people.values()))
    features = np.concatenate([walks.features for walks in people.values()])[order]
    parts = np.split(features, np.cumsum([len(walks) for walks in people.values()])[:-1])
    return {n: replace(w, features=f) for (n, w), f in zip(people.items(), parts, strict=True)}


def _scores(
    background: Sequence[Walks], test: Sequence[Walks], setting: Setting, seed: int
) -> dict[str, Scores]:
    identity = fit_without_threshold(background, seed=seed)
    arrays = identity.arrays
    if not setting.whitening:
        arrays = {**arrays, "shrink": np.zeros_like(arrays["shrink"])}
    arrays = rounded_arrays(arrays, setting.storage)
    used_from = -np.inf if setting.every_window else identity.min_periodicity
    model = TemplateModel if setting.personal == "template" else NumpyGaitModel
    return score_trials(
        [split_walk(walks, min_periodicity=used_from) for walks in test],
        lambda: model(arrays),
        identity.cohort,
        fill=arrays["center"],
        seed=seed,
        lora_rate=LORA_RATE if setting.personal == "lora" else 0.0,
    )


def _each(found: Sequence[Mapping[str, Scores]]) -> dict[str, float]:
    """Mean over partitions of each person's equal error rate at 5 s."""
    rates: dict[str, list[float]] = {}
    for scores in found:
        for person, (genuine, impostor) in scores["5s"].per_person.items():
            if len(genuine) and len(impostor):
                rates.setdefault(person, []).append(eer(genuine, impostor))
    return {person: float(np.mean(values)) for person, values in rates.items()}
