"""Recordings -> windows, through the very extractor that runs on the host."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_host.signals.gait import GATE_RATE_HZ, N_GATE, WINDOW_S, GaitFeatures, GaitWindow
from training.datasets.motion import MotionRecording

FloatArray = NDArray[np.float32]


def windows_of(
    recording: MotionRecording, *, hop_s: float, use_gyro: bool = True
) -> list[GaitWindow]:
    """Every window of one recording, one each `hop_s`, fed in the order a board would send."""
    rate_hz = recording.sample_rate_hz
    rates = {"acc": rate_hz, "gyro": rate_hz} if use_gyro else {"acc": rate_hz}
    extractor = GaitFeatures(rates)
    windows, fed = [], 0
    n_windows = int((recording.duration_s - WINDOW_S) / hop_s + 1e-6) + 1
    for k in range(n_windows):
        stop = round((WINDOW_S + k * hop_s) * rate_hz)
        extractor.feed("acc", fed / rate_hz, recording.acc_ms2[fed:stop], 0)
        if use_gyro:
            extractor.feed("gyro", fed / rate_hz, recording.gyro_rads[fed:stop], 0)
        fed = stop
        windows.append(extractor.compute(stop / rate_hz))
    return windows


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """The gate's six channels of a whole recording, (n, 6) at 20 Hz, and what the person did."""

    person: str
    trial: str
    activity: int
    values: FloatArray

    @property
    def n_windows(self) -> int:
        """Windows of 5 s that do not overlap."""
        return len(self.values) // N_GATE

    def windows(self) -> FloatArray:
        """(n_windows, 100, 6) in order of time."""
        return self.values[: self.n_windows * N_GATE].reshape(-1, N_GATE, self.values.shape[1])


def stream_of(recording: MotionRecording, labels: Sequence[str]) -> Stream:
    """Join the windows of a recording, end to end; `labels` gives the class numbers."""
    windows = windows_of(recording, hop_s=N_GATE / GATE_RATE_HZ)
    values = np.concatenate([window.inv for window in windows] or [np.zeros((0, 6), np.float32)])
    activity = labels.index(recording.activity.value)
    return Stream(recording.person, recording.trial, activity, values)


@dataclass(frozen=True, slots=True, eq=False)
class Walks:
    """One person's walking windows in order of time.

    `features` (n, F), `periodicity` (n,), `inv` (n, 100, 6), `trial` (n,) names, `start_s` (n,)
    of each window within its trial. Windows overlap by half.
    """

    person: str
    features: FloatArray
    periodicity: FloatArray
    inv: FloatArray
    trial: NDArray[np.str_]
    start_s: FloatArray

    def __len__(self) -> int:
        return len(self.features)

    def pick(self, chosen: NDArray[np.bool_]) -> Walks:
        """The windows where `chosen` is true."""
        arrays = (self.features, self.periodicity, self.inv, self.trial, self.start_s)
        return Walks(self.person, *(array[chosen] for array in arrays))


def walks_of(
    person: str, recordings: Iterable[MotionRecording], *, hop_s: float, use_gyro: bool = True
) -> Walks:
    """Windows with identity features of every given recording of one person."""
    rows = [
        (window, recording.trial)
        for recording in recordings
        for window in windows_of(recording, hop_s=hop_s, use_gyro=use_gyro)
    ]
    return Walks(
        person=person,
        features=np.stack([window.features() for window, _ in rows]),
        periodicity=np.array([window.periodicity for window, _ in rows], np.float32),
        inv=np.stack([window.inv for window, _ in rows]),
        trial=np.array([trial for _, trial in rows]),
        start_s=np.array([window.t_end_s - WINDOW_S for window, _ in rows], np.float32),
    )
