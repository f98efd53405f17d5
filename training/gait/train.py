"""Train the gait model: one activity gate on all data sets, identity for each placement apart."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.config import DEFAULT_PLACEMENT
from firmware_host.errors import DataError
from firmware_host.signals.gait import WINDOW_S
from firmware_host.signals.gait_features import FEATURE_NAMES
from firmware_host.signals.gait_smoothing import STAY
from training.bundle.artifacts import Backbone, GaitArtifacts, Recordings
from training.datasets.registry import GAIT, gait_sets
from training.gait.background import (
    MIN_BACKGROUND,
    MIN_WALK_PROBABILITY,
    Identity,
    fit_background,
)
from training.gait.card_figures import gate_card, verification_card
from training.gait.gate import LABELS, GateWeights, train_gate
from training.gait.made_up import made_up_motion
from training.gait.people import Person, load_people
from training.gait.windows import Walks

FloatArray = NDArray[np.float32]


def train_gait_artifacts(
    data_dir: Path,
    seed: int,
    hold_out: Collection[str] = frozenset(),
    *,
    backbone: Backbone = "int8",
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
    figures = gate_card(people, seed=seed)
    for name, identity in identities.items():
        thresholds[f"{name}_min_periodicity"] = identity.min_periodicity
        thresholds[f"{name}_verification"] = identity.threshold
        thresholds[f"{name}_verification_margin"] = identity.margin
        cohort |= identity.background.arrays(name)
        figures |= verification_card(name, walks[name], seed)
    return GaitArtifacts(
        network=_network(gate, list(identities.values()), backbone),
        feature_names=FEATURE_NAMES,
        labels=LABELS,
        thresholds=thresholds,
        smoothing_s=round(WINDOW_S / (1.0 - STAY), 6),
        cohort=cohort,
        golden=_golden(gate, list(identities.values()), seed),
        placements=tuple(identities),
        recordings=Recordings({p.name: p.sha256 for p in people}, tuple(sorted(hold_out))),
        figures=figures,
        backbone=backbone,
    )


def _by_placement(people: Sequence[Person]) -> dict[str, list[Walks]]:
    """Walks by where on the body they were recorded, the wrist first: it is the default."""
    found: dict[str, list[Walks]] = {}
    for person in people:
        if person.walks is not None:
            placement = GAIT[person.name.partition("/")[0]].PLACEMENT
            found.setdefault(placement, []).append(person.walks)
    enough = {name: own for name, own in found.items() if len(own) >= MIN_BACKGROUND}
    if not enough:
        counts = {name: len(own) for name, own in sorted(found.items())}
        raise DataError(
            f"expected walks of {MIN_BACKGROUND} people on one place of the body, got {counts}"
        )
    return dict(sorted(enough.items(), key=lambda item: (item[0] != DEFAULT_PLACEMENT, item[0])))


def _network(gate: GateWeights, identities: Sequence[Identity], backbone: Backbone) -> Any:
    from models.gait import GaitWeights
    from models.gait_stored import NETWORKS
    from training.bundle.rounding import rounded_weights

    placed = ("center", "scale", "directions", "shrink")
    arrays = {name: np.stack([one.arrays[name] for one in identities]) for name in placed}
    shared = {n: v for n, v in identities[0].arrays.items() if n not in placed}
    weights = GaitWeights(
        gate=gate.weights, gate_center=gate.center, gate_scale=gate.scale, **arrays, **shared
    )
    return NETWORKS[backbone](rounded_weights(weights, backbone))


def _golden(gate: GateWeights, identities: Sequence[Identity], seed: int) -> dict[str, FloatArray]:
    """Inputs to compare runtimes on: made up, because a shipped file must hold nobody's walk."""
    rng = np.random.default_rng(seed)
    imu = made_up_motion(gate.center, gate.scale, 8, rng)
    which = np.arange(8) % len(identities)
    features = np.stack([identities[place].cohort[row] for row, place in enumerate(which)])
    placement = np.eye(len(identities), dtype=np.float32)[which]
    return {"imu": imu, "features": features, "placement": placement}
