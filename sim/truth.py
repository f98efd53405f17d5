"""Ground truth as a file: who did what when, in wall-clock time."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from firmware_host.errors import StorageError
from sim.fault_plan import FaultPlan
from sim.schedule import Schedule


@dataclass(frozen=True, slots=True)
class TruthRow:
    """One stretch of time and what it was."""

    start_utc: float
    end_utc: float
    label: str


@dataclass(frozen=True, slots=True)
class BodyClock:
    """Body seconds to wall-clock time, which is that of a clock that nobody sets.

    The body lives by the board's crystal, so its seconds are stretched by ``drift_ppm`` and by what
    the ``plan`` does to it; a link in real time at ``speed`` lives through them that much faster.
    """

    start_utc: float
    drift_ppm: float = 0.0
    speed: float = 1.0
    plan: FaultPlan = field(default_factory=FaultPlan)

    def utc(self, body_s: float) -> float:
        """When a moment of the body's time is."""
        crystal_s = body_s / (1.0 + self.drift_ppm * 1e-6)
        return self.start_utc + self.plan.true_s(crystal_s) / self.speed


def truth_rows(schedule: Schedule, clock: BodyClock) -> Iterator[TruthRow]:
    """Rows of the day, neighbours of one label joined."""
    utc = clock.utc
    first, label = 0, schedule.bouts[0].label
    for bout in (*schedule.bouts, None):
        if bout is not None and bout.label == label:
            continue
        end_s = schedule.duration_s if bout is None else bout.start_s
        yield TruthRow(utc(first), utc(end_s), label)
        if bout is not None:
            first, label = bout.start_s, bout.label


def write_truth(path: Path, schedule: Schedule, clock: BodyClock) -> None:
    """Write ``start_utc,end_utc,label`` rows.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    rows = truth_rows(schedule, clock)
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["start_utc", "end_utc", "label"])
            for row in rows:
                writer.writerow([f"{row.start_utc:.3f}", f"{row.end_utc:.3f}", row.label])
    except OSError as err:
        raise StorageError(f"{path}: cannot write the ground truth: {err.strerror}") from err
