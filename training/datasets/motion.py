"""What the gait datasets have in common: one person's motion during one known activity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_host.events import Activity

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class MotionRecording:
    """Uniformly sampled acceleration (n, 3) in m/s² and rotation rate (n, 3) in rad/s.

    `trial` is the publisher's name of the recording.
    """

    dataset: str
    participant: str
    trial: str
    activity: Activity
    sample_rate_hz: float
    acc_ms2: FloatArray
    gyro_rads: FloatArray

    @property
    def person(self) -> str:
        """Name of the participant across datasets: "dataset/participant"."""
        return f"{self.dataset}/{self.participant}"

    @property
    def duration_s(self) -> float:
        """Length of the recording."""
        return len(self.acc_ms2) / self.sample_rate_hz


@dataclass(frozen=True, slots=True)
class MotionDataset:
    """People of one dataset; nothing is read before `load`.

    `people` maps a participant to a function that reads their recordings, `content_sha256` says
    which bytes those come from.
    """

    name: str
    placement: str
    people: Mapping[str, Callable[[], list[MotionRecording]]]
    content_sha256: Mapping[str, Callable[[], str]]

    def load(self, participant: str) -> list[MotionRecording]:
        """Every recording of one participant, ordered by activity and trial."""
        return self.people[participant]()


Index = Callable[[Path], MotionDataset]
