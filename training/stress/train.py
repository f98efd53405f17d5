"""Train the generic stress model on all people of a folder, and measure it as it is trained."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.errors import RecordingError
from firmware_host.signals.normalise import CLIP
from firmware_host.signals.stress import FEATURE_NAMES
from training.metrics import expected_calibration_error, summarise
from training.stress.data import load_people
from training.stress.detector import StressThresholds, cross_dataset
from training.stress.outcomes import Judged, decide
from training.stress.people import center_of
from training.stress.recipe import DEFAULT_SEED, fit_recipe, leave_recipes_out
from training.stress.time_control import time_only_scores, time_table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from firmware_host.inference.contract import Calibration
    from training.stress.data import StressData
    from training.stress.detector import Scored


@dataclass(frozen=True)
class TrainedStress:
    """All that came out of training, as plain arrays and values.

    `weights` w1 (26, 32), b1 (32,), w2 (32, 16), b2 (16,), head_w (42, 2), head_b (2,), float32,
    matrices (in, out), head input concat[hidden, z], logits (rest, stress). `spread`, `center` (26,).
    `time_table` (90,) P(stress) by minute since the start of the recording: the control, never a
    feature. `trained_on` one dict a recording: person, kind, content_sha256; it includes exercise
    sessions, which set the movement threshold only. `figures` leave-one-subject-out figures by
    dataset, `decisions` the same with every threshold applied.
    """

    weights: dict[str, NDArray[np.float32]]
    spread: NDArray[np.float64]
    center: NDArray[np.float64]
    clip: float
    thresholds: StressThresholds
    calibration: Calibration
    feature_names: tuple[str, ...]
    time_table: NDArray[np.float64]
    trained_on: list[dict[str, str]]
    held_out: list[str]
    figures: dict[str, dict]
    decisions: dict[str, dict]
    seed: int


def train_stress(
    data_dir: Path,
    seed: int = DEFAULT_SEED,
    *,
    hold_out: Iterable[str] = (),
    cache_dir: Path | None = None,
) -> TrainedStress:
    """Train on every person found; every figure leaves its person out of all that was chosen.

    Parameters
    ----------
    hold_out
        People ("dataset/participant") whose recordings are not opened at all.

    Raises
    ------
    RecordingError
        If nobody is left to train on.
    """
    held_out = frozenset(hold_out)
    data = load_people(data_dir, cache_dir=cache_dir, hold_out=held_out)
    if not data.everyone():
        raise RecordingError(data_dir, "at least one dataset with labelled people", "none")
    return train_on(data, seed, held_out=held_out)


def train_on(
    data: StressData, seed: int, *, held_out: Iterable[str] = frozenset()
) -> TrainedStress:
    """Train on people already loaded; `held_out` is only written down."""
    everyone = data.everyone()
    recipe = fit_recipe(everyone, data.exercise, seed=seed)
    lab, exercise = leave_recipes_out(everyone, data.exercise, seed=seed)
    return TrainedStress(
        weights=recipe.detector.net.arrays(),
        spread=recipe.detector.spread,
        center=center_of(everyone),
        clip=CLIP,
        thresholds=recipe.thresholds,
        calibration=recipe.calibration,
        feature_names=FEATURE_NAMES,
        time_table=time_table(everyone),
        trained_on=[
            {"person": p.person, "kind": p.kind, "content_sha256": p.content_sha256}
            for p in (*everyone, *data.exercise)
        ],
        held_out=sorted(held_out),
        figures=_figures(data, lab, seed),
        decisions=_decisions(data, lab, exercise),
        seed=seed,
    )


def _figures(data: StressData, lab: list[Judged], seed: int) -> dict[str, dict]:
    """By dataset: summary, participants, time-only control, and the other datasets' transfer."""
    found = {}
    for name, people in data.lab.items():
        own = [one for one in lab if one.scored.person.dataset == name]
        scores = [one.scored.score(one.thresholds.stress) for one in own]
        transfer = {
            f"trained_on_{other}": summarise(cross_dataset(train, people, seed=seed)).as_dict()
            for other, train in data.lab.items()
            if other != name and train
        }
        found[name] = {
            **summarise(scores).as_dict(),
            "ece": _calibration_error([one.scored for one in own]),
            "time_only_balanced_accuracy": summarise(time_only_scores(people)).balanced_accuracy,
            "participants": [asdict(score) for score in scores],
            **transfer,
        }
    return found


def _calibration_error(scored: list[Scored]) -> float:
    """Over all windows of these people at once: a bin of one person's holds too few."""
    truth = np.concatenate([one.person.y[one.mask] for one in scored])
    return expected_calibration_error(
        truth, np.concatenate([one.probability[one.mask] for one in scored])
    )


def _decisions(data: StressData, lab: list[Judged], exercise: list[Judged]) -> dict[str, dict]:
    found = {}
    for name in data.lab:
        report = decide(
            [one for one in lab if one.scored.person.dataset == name],
            [one for one in exercise if one.scored.person.dataset == name],
        )
        found[name] = {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in asdict(report).items()
        }
    return found
