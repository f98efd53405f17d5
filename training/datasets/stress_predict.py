"""Stress-Predict (Iqbal et al. 2022, Sensors 22(21):8135): E4 wrist, one session a person.

Labels are seconds of 0/1. The third task, two minutes of hyperventilation, is labelled stress but
is a respiratory provocation: it is neither learned nor scored. A person without a label row is
read from the button tags.
"""

from __future__ import annotations

import csv
import gzip
import itertools
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING

from firmware_host.errors import LabelError
from firmware_host.recording.e4 import E4Archive
from training.datasets.base import (
    REST,
    STRESS,
    UNSCORED,
    Session,
    Stage,
    locate,
    recordings_in,
    require_sessions,
)

if TYPE_CHECKING:
    from pathlib import Path

NAME = "stress-predict"
LABEL_FILES = ("labels.csv.gz", "labels.csv", "Improved_All_Combined_hr_rsp_binary.csv")
# Stroop lasts over four minutes, the interview nine; hyperventilation about two.
MAX_HYPERVENTILATION_S = 200
MIN_HYPERVENTILATION_S = 60
# A second missing from the label file does not end a stage.
MAX_LABEL_HOLE_S = 5
# With tags only: the session's first minute is putting the device on.
SETTLE_S = 60.0


def sessions(data_dir: Path) -> list[Session]:
    """Every session in the folder that has labels or usable tags, by participant."""
    root = locate(data_dir, NAME)
    labels = _read_labels(root)
    folder = root / "e4" if (root / "e4").is_dir() else root
    found = []
    for participant, path in recordings_in(folder, r"S\d+"):
        runs = labels.get(int(participant[1:]))
        stages = _stages(runs) if runs else _stages_from_tags(path)
        if stages:
            found.append(Session(NAME, participant, "stress", path, stages))
    return require_sessions(found, folder, "Stress-Predict archives named S<number>")


@lru_cache(maxsize=4)
def _read_labels(root: Path) -> dict[int, list[tuple[int, int, int]]]:
    """Runs (start, end, label) of equal label by participant number; end is exclusive."""
    path = next((root / name for name in LABEL_FILES if (root / name).is_file()), None)
    if path is None:
        raise LabelError(f"{root}: expected a label file, one of {', '.join(LABEL_FILES)}")
    runs: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for row in csv.DictReader(lines):
            second, label = int(float(row["Time(sec)"])), int(float(row["Label"]))
            _extend(runs[int(float(row["Participant"]))], second, label)
    return dict(runs)


def _extend(runs: list[tuple[int, int, int]], second: int, label: int) -> None:
    if runs and runs[-1][2] == label and 0 <= second - runs[-1][1] <= MAX_LABEL_HOLE_S:
        runs[-1] = (runs[-1][0], second + 1, label)
    else:
        runs.append((second, second + 1, label))


def _stages(runs: list[tuple[int, int, int]]) -> tuple[Stage, ...]:
    return tuple(_stage(start, end, label == 1, i) for i, (start, end, label) in enumerate(runs))


def _stage(start_utc: float, end_utc: float, is_task: bool, place: int) -> Stage:
    if is_task and end_utc - start_utc <= MAX_HYPERVENTILATION_S:
        return Stage("hyperventilation", UNSCORED, start_utc, end_utc)
    if is_task:
        return Stage(f"task-{place}", STRESS, start_utc, end_utc)
    name = "baseline" if place == 0 else f"rest-{place}"
    return Stage(name, REST, start_utc, end_utc)


def _stages_from_tags(path: Path) -> tuple[Stage, ...]:
    """Stages counted back from hyperventilation, the one short interval after a long one.

    Tags mark: Stroop, relax, interview, relax, hyperventilation, recovery. Empty if the tags do
    not show that order.
    """
    archive = E4Archive(path)
    tags = archive.tags_utc.tolist()
    for i in range(4, len(tags) - 1):
        edges = tags[i - 4 : i + 2]
        lengths = [b - a for a, b in itertools.pairwise(edges)]
        short = MIN_HYPERVENTILATION_S <= lengths[4] <= MAX_HYPERVENTILATION_S
        if short and min(lengths[:4]) > MAX_HYPERVENTILATION_S and lengths[2] == max(lengths):
            bounds = [archive.start_utc + SETTLE_S, *edges, archive.end_utc]
            return tuple(
                _stage(start, end, n % 2 == 1, n)
                for n, (start, end) in enumerate(itertools.pairwise(bounds))
            )
    return ()
