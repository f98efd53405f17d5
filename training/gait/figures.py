"""Scores of enrolled wearers -> the figures of a gait evaluation, people first.

What a data set cannot give is None, with a reason: an error rate of one person against nobody, a
gate's recall of an activity that nobody did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.identity.enrolment import MIN_WINDOWS
from firmware_host.identity.walking import EmbeddingModel
from training.gait.identity import PROBE_WINDOWS, Scores, Trial, score_trials, split_walk
from training.gait.verification_metrics import eer, equal_error, error_rates
from training.gait.windows import Walks

FloatArray = NDArray[np.float64]
SINGLE = NDArray[np.float32]

LENGTHS = tuple(PROBE_WINDOWS)
# Whole people are drawn again; each draw sorts every score.
_N_RESAMPLES = 300
_SEED = 20261121
NOBODY_ELSE = "needs two people: nobody here to be taken for another"
TOO_LITTLE = f"fewer than {MIN_WINDOWS} usable walking windows to enrol on"
NO_WALK = "no walking among the recordings"
NO_PROBES = "no usable walk is left to test on"


@dataclass(frozen=True, slots=True)
class Limits:
    """When a walking window is used (probability of walking, periodicity), and who is accepted.

    Scores from `threshold` on are the wearer's; within `margin` of it the host says unsure.
    """

    min_walk: float
    min_periodicity: float
    threshold: float
    margin: float


@dataclass(frozen=True, slots=True, eq=False)
class Shipped:
    """What enrolment and scoring need of a bundle: the open model, others, the average person."""

    model: EmbeddingModel
    cohort: SINGLE
    fill: SINGLE
    limits: Limits


def usable(walks: Walks, p_walk: SINGLE, limits: Limits) -> NDArray[np.bool_]:
    """(n,) walking windows that the host would use to tell a person by."""
    return (p_walk >= limits.min_walk) & (walks.periodicity >= limits.min_periodicity)


def verify(
    walks: Sequence[Walks], shipped: Shipped, *, enrol_s: float, seed: int, min_periodicity: float
) -> tuple[dict[str, Scores], dict[str, str]]:
    """Enrol everyone and score everyone's later walks against every reference.

    Returns
    -------
    Scores by length of the probe (empty if nobody could be enrolled), and why somebody is
    missing, by name.
    """
    trials: list[Trial] = []
    missing: dict[str, str] = {}
    for own in walks:
        if not len(own):
            missing[own.person] = TOO_LITTLE
            continue
        trial = split_walk(own, min_periodicity=min_periodicity, enrol_s=enrol_s)
        reason = _reason_against(trial)
        if reason is None:
            trials.append(trial)
        else:
            missing[own.person] = reason
    if not trials:
        return {}, missing
    scores = score_trials(
        trials, lambda: shipped.model, shipped.cohort, fill=shipped.fill, seed=seed
    )
    return scores, missing


def _reason_against(trial: Trial) -> str | None:
    if len(trial.enrolment) < MIN_WINDOWS:
        return TOO_LITTLE
    return None if len(trial.probe) else NO_PROBES


def rates(scores: Mapping[str, Scores], limits: Limits, *, brief: bool = False) -> dict[str, Any]:
    """Error rates 0..1 by length of the probe; None where there is nobody to confuse with.

    `eer_*` at the threshold where both errors meet, `frr_*` (the wearer taken for another) and
    `far_*` (another taken for the wearer) at the bundle's own; `rank1_*` among `gallery_size`
    people. `brief` leaves the rates at the bundle's threshold out.
    """
    figures: dict[str, Any] = {"gallery_size": 0}
    for length in LENGTHS:
        score = scores.get(length)
        n = 0 if score is None else len(score.per_person)
        pair = score is not None and len(score.genuine) > 0 and len(score.impostor) > 0
        figures["gallery_size"] = n
        figures[f"eer_{length}"] = eer(score.genuine, score.impostor) if score and pair else None
        figures[f"rank1_{length}"] = score.rank1 if score and n > 1 and pair else None
        if not brief:
            figures |= _at_threshold(score, length, limits)
    return figures


def _at_threshold(score: Scores | None, length: str, limits: Limits) -> dict[str, float | None]:
    empty = np.zeros(0)
    genuine = empty if score is None else score.genuine
    impostor = empty if score is None else score.impostor
    at = error_rates(genuine, impostor, limits.threshold)
    return {f"frr_{length}": at.frr, f"far_{length}": at.far}


def eer_points(scores: Mapping[str, Scores]) -> dict[str, tuple[float, float]]:
    """(false accepts, false rejects) where both meet, by length; without lengths nobody has."""
    points = {}
    for length, score in scores.items():
        if len(score.genuine) and len(score.impostor):
            at = equal_error(score.genuine, score.impostor)
            points[length] = (at.far, at.frr)
    return points


def intervals(groups: Sequence[Mapping[str, Scores]]) -> dict[str, list[float] | None]:
    """95 % bootstrap interval of each equal error rate when whole wearers are drawn again.

    Scores of a wearer stay together; groups are people scored by different models, pooled.
    """
    return {
        f"eer_{length}": _interval([group[length] for group in groups if length in group])
        for length in LENGTHS
    }


def _interval(scores: Sequence[Scores]) -> list[float] | None:
    every = [pair for score in scores for pair in score.per_person.values()]
    own = [pair for pair in every if len(pair[0]) and len(pair[1])]
    if len(own) < 2:
        return None
    rng = np.random.default_rng(_SEED)
    drawn = []
    for _ in range(_N_RESAMPLES):
        chosen = rng.integers(0, len(own), len(own))
        genuine = np.concatenate([own[i][0] for i in chosen])
        drawn.append(eer(genuine, np.concatenate([own[i][1] for i in chosen])))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return [float(low), float(high)]


def participant(person: str, scores: Mapping[str, Scores], limits: Limits) -> dict[str, Any]:
    """One wearer's own figures against everybody else; None where nothing can be said."""
    figures: dict[str, Any] = {}
    for length in LENGTHS:
        pair = scores[length].per_person.get(person) if length in scores else None
        genuine, impostor = pair or (np.zeros(0), np.zeros(0))
        at = error_rates(genuine, impostor, limits.threshold)
        both = len(genuine) and len(impostor)
        figures |= {
            f"eer_{length}": eer(genuine, impostor) if both else None,
            f"frr_{length}": at.frr,
            f"far_{length}": at.far,
            f"n_probes_{length}": len(genuine),
        }
    return figures


def spread_over_people(people: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How unequal people are: mean, spread and worst of their own rates."""
    figures: dict[str, Any] = {}
    for name in ("eer_5s", "frr_5s", "far_5s", "coverage"):
        known = [(one[name], one["id"]) for one in people if _known(one[name])]
        values = np.array([value for value, _ in known])
        worst = (min if name == "coverage" else max)(known, default=(None, None))
        figures |= {
            f"{name}_mean_of_people": float(values.mean()) if len(values) else None,
            f"{name}_sd": float(values.std(ddof=1)) if len(values) > 1 else None,
            f"{name}_worst": worst[0],
            f"{name}_worst_person": worst[1],
        }
    return figures


def _known(value: float | None) -> bool:
    return value is not None and bool(np.isfinite(value))
