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
from training.gait.figures import (
    NO_WALK,
    NOBODY_ELSE,
    Limits,
    Shipped,
    intervals,
    participant,
    rates,
    spread_over_people,
    usable,
    verify,
)
from training.gait.gate_figures import LABELS, GateRow, Infer, gate_figures, gate_rows
from training.gait.identity import Scores
from training.gait.people import Person
from training.gait.windows import Walks

Single = NDArray[np.float32]

_WALK = LABELS.index(Activity.WALK.value)
_WITHOUT_GYRO = ("gate_macro_f1", "gate_recall", "gate_macro_f1_five", "gate_recall_five")
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


@dataclass(frozen=True)
class Group:
    """People enrolled and tested among themselves.

    `taken` is (n,) by name: walking windows that the host would use; `missing` why somebody could
    not be enrolled. `longer` are scores after a longer enrolment, `plain` with every window used.
    """

    people: list[Person]
    limits: Limits
    taken: dict[str, NDArray[np.bool_]]
    scores: dict[str, Scores]
    longer: dict[str, Scores]
    plain: dict[str, Scores]
    missing: dict[str, str]

    def rates(self) -> dict[str, Any]:
        """Error rates of the group."""
        return {
            **rates(self.scores, self.limits),
            "enrolled_60s": rates(self.longer, self.limits, brief=True),
            "all_windows": rates(self.plain, self.limits, brief=True),
        }

    def participants(self, gate: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Everybody's own figures; `gate` are those of the activity gate by name."""
        return [
            {
                "id": person.name,
                **_coverage(self.taken.get(person.name)),
                **participant(person.name, self.scores, self.limits),
                **gate.get(person.name, {}),
            }
            for person in self.people
        ]


def score_group(
    people: Sequence[Person], p_walk: Mapping[str, Single], shipped: Shipped, *, seed: int
) -> Group:
    """Enrol and test people among themselves.

    Parameters
    ----------
    p_walk
        (n,) by name: the gate's probability of walking for each of a person's walking windows.
    """
    walkers = [person.walks for person in people if person.walks is not None]
    taken = {w.person: usable(w, p_walk[w.person], shipped.limits) for w in walkers}
    kept = [walks.pick(taken[walks.person]) for walks in walkers]
    limit = shipped.limits.min_periodicity
    scores, missing = verify(kept, shipped, enrol_s=ENROL_S, seed=seed, min_periodicity=limit)
    longer, _ = verify(kept, shipped, enrol_s=LONG_ENROL_S, seed=seed, min_periodicity=limit)
    plain, _ = verify(walkers, shipped, enrol_s=ENROL_S, seed=seed, min_periodicity=-np.inf)
    missing |= {person.name: NO_WALK for person in people if person.walks is None}
    return Group(list(people), shipped.limits, taken, scores, longer, plain, missing)


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
    result, scores = _scored(new or known, shipped, infer, seed=seed)
    listed = [{**one, "seen_in_training": not new} for one in result.pop("participants")]
    beside = None
    if new and known:
        beside, _ = _scored(known, shipped, infer, seed=seed)
        listed += [{**one, "seen_in_training": True} for one in beside.pop("participants")]
    return Assessment(
        {
            "scored_people": "unseen" if new else "all were in the training",
            "n_people": len(new or known),
            "n_seen_in_training": len(known),
            **result,
            "people_in_training": beside,
            "participants": listed,
        },
        scores,
    )


def _scored(
    people: Sequence[Person], shipped: Shipped, infer: Infer, *, seed: int
) -> tuple[dict[str, Any], dict[str, Scores]]:
    p_walk = {p.name: walk_probability(p.walks, infer) for p in people if p.walks is not None}
    group = score_group(people, p_walk, shipped, seed=seed)
    streams = [stream for person in people for stream in person.streams]
    rows, blind = (gate_rows(streams, infer, use_gyro=gyro) for gyro in (True, False))
    return result_of([group], rows, blind, group.rates()), group.scores


def result_of(
    groups: Sequence[Group],
    gate: Sequence[GateRow],
    blind: Sequence[GateRow],
    figures: Mapping[str, Any],
) -> dict[str, Any]:
    """Figures of groups that together hold everybody once, with everybody's own rows.

    `blind` are rows of the gate without a gyroscope.
    """
    about_gate = gate_figures(gate)
    without = gate_figures(blind)
    about_gate |= {f"{name}_without_gyro": without[name] for name in _WITHOUT_GYRO}
    by_name = {one["id"]: one for one in about_gate.pop("participants")}
    listed = [row for group in groups for row in group.participants(by_name)]
    missing = {who: why for group in groups for who, why in group.missing.items()}
    limits = groups[0].limits
    return {
        **figures,
        **about_gate,
        **spread_over_people(listed),
        "cadence_mae_spm": None,
        "coverage": _mean([one["coverage"] for one in listed]),
        "threshold": limits.threshold,
        "margin": limits.margin,
        "intervals_95": intervals([group.scores for group in groups]),
        "not_enrolled": [{"id": who, "reason": why} for who, why in sorted(missing.items())],
        "reasons": _reasons(figures, about_gate),
        "participants": listed,
    }


def walk_probability(walks: Walks, infer: Infer) -> Single:
    """(n,) probability of walking of each window of a walk."""
    return np.asarray(infer(walks.inv), np.float32)[:, _WALK]


def _coverage(taken: NDArray[np.bool_] | None) -> dict[str, Any]:
    n_windows = 0 if taken is None else len(taken)
    share = float(taken.mean()) if taken is not None and n_windows else None
    return {"n_walking_windows": n_windows, "coverage": share}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _reasons(figures: Mapping[str, Any], gate: Mapping[str, Any]) -> dict[str, str]:
    reasons = {"cadence_mae_spm": "this data set has no reference for cadence"}
    names = [name for name in ("eer_5s", "eer_10s", "eer_30s", "rank1_5s", "rank1_30s")
             if figures[name] is None]  # fmt: skip
    reasons |= dict.fromkeys(names, NOBODY_ELSE)
    if gate["gate_macro_f1"] is None:
        reasons["gate_macro_f1"] = "nobody's recordings are long enough for a window"
    return reasons
