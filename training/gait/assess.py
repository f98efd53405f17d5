"""Scores people's walks with a model that is there: enrolment, verification, gate.

One path for the bundle that ships (`evaluate`) and for models trained without a group of people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.events import Activity
from training.evaluation.progress import progress
from training.gait.figures import (
    NOBODY_ELSE,
    Shipped,
    intervals,
    participant,
    rates,
    spread_over_people,
    usable,
    verify,
)
from training.gait.gate_figures import LABELS, Infer, gate_figures, gate_rows
from training.gait.identity import Scores
from training.gait.train import Person
from training.gait.windows import Walks

_WALK = LABELS.index(Activity.WALK.value)
# What figures are quoted for, and the longer enrolment beside it.
ENROL_S, LONG_ENROL_S = 30.0, 60.0


@dataclass(frozen=True)
class Assessment:
    """Figures as JSON knows them, and the scores behind the pictures, by length of the probe."""

    result: dict[str, Any]
    scores: Mapping[str, Scores] = field(default_factory=dict)

    def headed(self, head: dict[str, Any]) -> Assessment:
        """The same with what was scored, and how, before the figures."""
        return replace(self, result={**head, **self.result})


def assess(
    people: Sequence[Person], seen: Sequence[bool], shipped: Shipped, infer: Infer, *, seed: int
) -> Assessment:
    """Score people against each other; who was in the training is scored apart.

    Parameters
    ----------
    seen
        Whether the model was trained on each person. Figures on top are of the others, who are
        enrolled and tested among themselves; of everybody only if there are no others.
    infer
        The activity gate.
    """
    new = [person for person, was in zip(people, seen, strict=True) if not was]
    known = [person for person, was in zip(people, seen, strict=True) if was]
    made = _group(new or known, shipped, infer, seed=seed)
    beside = _group(known, shipped, infer, seed=seed) if new and known else None
    listed = made.result.pop("participants")
    listed = [{**one, "seen_in_training": not new} for one in listed]
    if beside is not None:
        theirs = beside.result.pop("participants")
        listed += [{**one, "seen_in_training": True} for one in theirs]
    result = {
        "scored_people": "unseen" if new else "all were in the training",
        "n_people": len(new or known),
        "n_seen_in_training": len(known),
        **made.result,
        "cadence_mae_spm": None,
        "people_in_training": None if beside is None else beside.result,
        "participants": listed,
    }
    return Assessment(result, made.scores)


def _group(people: Sequence[Person], shipped: Shipped, infer: Infer, *, seed: int) -> Assessment:
    walkers = [person.walks for person in people if person.walks is not None]
    taken = {w.person: usable(w, _p_walk(w, infer), shipped.limits) for w in walkers}
    kept = [walks.pick(taken[walks.person]) for walks in walkers]
    limit = shipped.limits.min_periodicity
    scores, missing = verify(kept, shipped, enrol_s=ENROL_S, seed=seed, min_periodicity=limit)
    longer, _ = verify(kept, shipped, enrol_s=LONG_ENROL_S, seed=seed, min_periodicity=limit)
    plain, _ = verify(walkers, shipped, enrol_s=ENROL_S, seed=seed, min_periodicity=-np.inf)
    gate = _gate(people, infer)
    by_person = {one["id"]: one for one in gate.pop("participants", [])}
    listed = [
        _participant(person, taken.get(person.name), scores, shipped, by_person.get(person.name))
        for person in progress(people, "figures")
    ]
    result = {
        **rates(scores, shipped.limits),
        **gate,
        **spread_over_people(listed),
        "coverage": _share_of(taken.values()),
        "threshold": shipped.limits.threshold,
        "margin": shipped.limits.margin,
        "enrolled_60s": rates(longer, shipped.limits, brief=True),
        "all_windows": rates(plain, shipped.limits, brief=True),
        "intervals_95": intervals(scores),
        "not_enrolled": [{"id": who, "reason": why} for who, why in sorted(missing.items())],
        "reasons": _reasons(scores, gate),
        "participants": listed,
    }
    return Assessment(result, scores)


def _p_walk(walks: Walks, infer: Infer) -> NDArray[np.float32]:
    return np.asarray(infer(walks.inv), np.float32)[:, _WALK]


def _gate(people: Sequence[Person], infer: Infer) -> dict[str, Any]:
    streams = [stream for person in people for stream in person.streams]
    return gate_figures(gate_rows(streams, infer))


def _participant(
    person: Person,
    taken: NDArray[np.bool_] | None,
    scores: Mapping[str, Scores],
    shipped: Shipped,
    gate: Mapping[str, Any] | None,
) -> dict[str, Any]:
    n_windows = 0 if taken is None else len(taken)
    return {
        "id": person.name,
        "n_walking_windows": n_windows,
        "coverage": float(taken.mean()) if taken is not None and n_windows else None,
        **participant(person.name, scores, shipped.limits),
        **(gate or {}),
    }


def _share_of(taken: Any) -> float | None:
    each = [own.mean() for own in taken if len(own)]
    return float(np.mean(each)) if each else None


def _reasons(scores: Mapping[str, Scores], gate: Mapping[str, Any]) -> dict[str, str]:
    reasons = {"cadence_mae_spm": "this data set has no reference for cadence"}
    n = len(next(iter(scores.values())).per_person) if scores else 0
    if n < 2:
        reasons |= dict.fromkeys(("eer_5s", "eer_10s", "eer_30s", "rank1_5s", "rank1_30s"),
                                 NOBODY_ELSE)  # fmt: skip
    if gate.get("gate_macro_f1") is None:
        reasons["gate_macro_f1"] = "nobody's recordings are long enough for a window"
    return reasons
