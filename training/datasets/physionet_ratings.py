"""How stressed the people of the PhysioNet set felt, 0 to 10, said after each stage.

`Stress_Level_v1.csv` (participants S..) and `Stress_Level_v2.csv` (f...) have a row a participant
and a column a question; several questions of one stage are averaged.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from firmware_host.errors import RecordingError
from training.datasets.base import locate
from training.datasets.physionet import NAME

_FILES = ("Stress_Level_v1.csv", "Stress_Level_v2.csv")
_OPINIONS = ("Real Opinion", "Opposite Opinion")
# Stage -> the questions asked about it.
_QUESTIONS: dict[str, tuple[str, ...]] = {
    "baseline": ("Baseline",),
    "stroop": ("Stroop",),
    "tmct": ("TMCT",),
    "rest-1": ("First Rest",),
    "rest-2": ("Second Rest",),
    "opinion": _OPINIONS,
    "subtract": ("Subtract",),
    "opinion-subtract": (*_OPINIONS, "Subtract"),
}
_SCALE = (0.0, 10.0)


def ratings(data_dir: Path) -> dict[str, dict[str, float]]:
    """Rating of every stage by name of the person ("dataset/participant") and of the stage.

    A stage with an answer missing has no rating.

    Raises
    ------
    RecordingError
        If a file is missing, or a rating is no number from 0 to 10.
    """
    root = locate(data_dir, NAME)
    found: dict[str, dict[str, float]] = {}
    for name in _FILES:
        path = root / name
        if not path.is_file():
            raise RecordingError(path, "self-ratings of the stages", "no such file")
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                person = row.pop("")
                said = {key: _rating(path, value) for key, value in row.items() if value}
                found[f"{NAME}/{person}"] = {
                    stage: float(np.mean([said[q] for q in questions]))
                    for stage, questions in _QUESTIONS.items()
                    if set(questions) <= set(said)
                }
    return found


def _rating(path: Path, text: str) -> float:
    low, high = _SCALE
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not low <= value <= high:
        raise RecordingError(path, f"ratings from {low:g} to {high:g}", text)
    return value
