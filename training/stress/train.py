"""Train the generic stress model on all people of a folder, and measure it as it is trained."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from firmware_host.errors import RecordingError
from firmware_host.signals.normalise import CLIP
from firmware_host.signals.stress import FEATURE_NAMES
from training.metrics import summarise
from training.stress.detector import StressThresholds, calibrate, decide, fit_detector
from training.stress.loso import (
    DEFAULT_SEED,
    cross_dataset,
    leave_each_out,
    load_people,
    time_only_scores,
)
from training.stress.people import center_of
from training.stress.time_control import time_table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from training.stress.detector import Scored
    from training.stress.loso import StressData


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
    """Train on every person found, calibrate thresholds by leaving each one out.

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
    lab, exercise = leave_each_out(everyone, [], seed=seed, exercise=data.exercise)
    thresholds = calibrate(lab, exercise)
    detector = fit_detector(everyone, seed=seed)
    return TrainedStress(
        weights=detector.net.arrays(),
        spread=detector.spread,
        center=center_of(everyone),
        clip=CLIP,
        thresholds=thresholds,
        feature_names=FEATURE_NAMES,
        time_table=time_table(everyone),
        trained_on=[
            {"person": p.person, "kind": p.kind, "content_sha256": p.content_sha256}
            for p in (*everyone, *data.exercise)
        ],
        held_out=sorted(held_out),
        figures=_figures(data, lab, seed),
        decisions=_decisions(data, lab, exercise, thresholds),
        seed=seed,
    )


def _figures(data: StressData, lab: list[Scored], seed: int) -> dict[str, dict]:
    """By dataset: summary, participants, time-only control, and the other datasets' transfer."""
    found = {}
    for name, people in data.lab.items():
        scores = [s.score() for s in lab if s.person.dataset == name]
        transfer = {
            f"trained_on_{other}": summarise(cross_dataset(train, people, seed=seed)).as_dict()
            for other, train in data.lab.items()
            if other != name and train
        }
        found[name] = {
            **summarise(scores).as_dict(),
            "time_only_balanced_accuracy": summarise(time_only_scores(people)).balanced_accuracy,
            "participants": [asdict(score) for score in scores],
            **transfer,
        }
    return found


def _decisions(
    data: StressData, lab: list[Scored], exercise: list[Scored], thresholds: StressThresholds
) -> dict[str, dict]:
    found = {}
    for name in data.lab:
        report = decide(
            [s for s in lab if s.person.dataset == name],
            [s for s in exercise if s.person.dataset == name],
            thresholds,
        )
        found[name] = {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in asdict(report).items()
        }
    return found
