"""Mobilise-D's lab example (mobgap, Apache-2.0): lower back, 100 Hz, walks marked by pressure insoles.

Both forms are in the folder `example_data` of the publisher's source package (mobgap 1.2.0 on
PyPI). `data_csv`: `<cohort>/<number>/<recording>.csv` with acceleration (g) and rotation rate
(degrees/s), no times and no reference. `data/lab`: `<cohort>/<number>/data.mat` with the same
signals and the reference systems' walking bouts. Motion is read from the CSV files where there are
any, else from data.mat; the reference from data.mat only, so put that file beside or above the CSV
files. Without it there is motion and no reference.

References
----------
Mazzà et al., "Technical validation of real-world monitoring of gait", BMJ Open 2021 (the protocol
and the INDIP reference system).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import RecordingError
from firmware_host.units import g_to_ms2
from training.datasets.base import locate
from training.datasets.members import Member, find_members, parse_numbers
from training.datasets.mobgap_mat import MatRecording, WalkingBout, read_mat

NAME = "mobgap-lab"
PLACEMENT = "lower back"
SAMPLE_RATE_HZ = 100.0

_CSV = r"([A-Z]+)/(\d+)/(TimeMeasure\d+_Test\d+_Trial\d+)\.csv"
_MAT = r"([A-Z]+)/(\d+)/data\.mat"
_COLUMNS = ("samples", "acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")
# What a sensor at rest measures, and how far the median of a person's day in the lab may be off.
_GRAVITY_G, _MAX_GRAVITY_ERROR = 1.0, 0.15
# A trunk turning at over 500 degrees/s half of the time is rad/s read as degrees, or worse.
_MAX_MEDIAN_DPS = 500.0
_MAX_RATE_ERROR = 0.02

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LabRecording:
    """Acceleration (n, 3) in m/s² and rotation rate (n, 3) in rad/s, 100 Hz, time from 0.

    `bouts` are the walks the insoles found, `camera_bouts` those the cameras saw; None if their
    file is not there.
    """

    participant: str
    trial: str
    acc_ms2: FloatArray
    gyro_rads: FloatArray
    bouts: tuple[WalkingBout, ...] | None
    camera_bouts: tuple[WalkingBout, ...] | None

    @property
    def duration_s(self) -> float:
        """Length of the recording."""
        return len(self.acc_ms2) / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class LabDataset:
    """People by name ("HA-001": cohort and number); nothing is read before `load`."""

    people: Mapping[str, Callable[[], list[LabRecording]]]

    def load(self, participant: str) -> list[LabRecording]:
        """Every recording of one participant, by name."""
        return self.people[participant]()


def index(data_dir: Path) -> LabDataset:
    """List the people found under `data_dir`, in folders or archives.

    Raises
    ------
    RecordingError
        If there is nobody.
    """
    root = locate(data_dir, NAME)
    tables: dict[str, list[Member]] = defaultdict(list)
    for member in find_members(root, _CSV):
        tables["-".join(member.groups[:2])].append(member)
    mats = {"-".join(member.groups): member for member in find_members(root, _MAT)}
    people = sorted({*tables, *mats})
    if not people:
        expected = "<cohort>/<number>/<recording>.csv or <cohort>/<number>/data.mat"
        raise RecordingError(root, expected, "neither, plain or in zip archives")
    return LabDataset({who: partial(_load, who, tables[who], mats.get(who)) for who in people})


def _load(participant: str, tables: list[Member], mat: Member | None) -> list[LabRecording]:
    by_trial = {} if mat is None else read_mat(mat)
    if not tables and mat is not None:
        return [_from_mat(participant, trial, one, mat) for trial, one in sorted(by_trial.items())]
    found = []
    for member in tables:
        trial = member.groups[2]
        reference = None if mat is None else _reference(by_trial, trial, mat)
        acc_g, gyro_dps = _read_csv(member)
        found.append(_recording(participant, trial, acc_g, gyro_dps, reference, member))
    return found


def _reference(by_trial: Mapping[str, MatRecording], trial: str, mat: Member) -> MatRecording:
    if trial not in by_trial:
        received = f"only {', '.join(sorted(by_trial)) or 'nothing'}"
        raise RecordingError(mat.place, f"the recording {trial}", received)
    return by_trial[trial]


def _from_mat(participant: str, trial: str, one: MatRecording, mat: Member) -> LabRecording:
    where = mat.place / trial
    _require_rate(one.declared_hz, "declared", where)
    if one.measured_hz is not None:
        _require_rate(one.measured_hz, "measured by its time stamps", where)
    return _recording(participant, trial, one.acc_g, one.gyro_dps, one, mat)


def _require_rate(rate_hz: float, how: str, where: Path) -> None:
    if not abs(rate_hz / SAMPLE_RATE_HZ - 1.0) <= _MAX_RATE_ERROR:
        raise RecordingError(where, f"{SAMPLE_RATE_HZ:g} Hz", f"{rate_hz:.5g} Hz {how}")


def _read_csv(member: Member) -> tuple[FloatArray, FloatArray]:
    header, _, body = member.read().replace(b"\r", b"").partition(b"\n")
    columns = tuple(header.decode("ascii", "replace").split(","))
    if columns != _COLUMNS:
        expected, received = ",".join(_COLUMNS), ",".join(columns)
        raise RecordingError(member.place, f"columns {expected}", received)
    table = parse_numbers(body.strip().replace(b"\n", b","), len(_COLUMNS), member)
    steps = np.diff(table[:, 0])
    if table[0, 0] != 0.0 or np.any(steps != 1.0):
        # The index is all there is of time: samples left out would be walked through unseen.
        raise RecordingError(member.place, "samples numbered 0, 1, 2, …", "some left out")
    return table[:, 1:4], table[:, 4:7]


def _recording(
    participant: str,
    trial: str,
    acc_g: FloatArray,
    gyro_dps: FloatArray,
    reference: MatRecording | None,
    member: Member,
) -> LabRecording:
    where = member.place / trial
    gravity_g = float(np.median(np.linalg.norm(acc_g, axis=1)))
    if not abs(gravity_g - _GRAVITY_G) <= _MAX_GRAVITY_ERROR:
        received = f"a median length of {gravity_g:.3g}"
        raise RecordingError(where, "acceleration in g, 1 at rest", received)
    turning_dps = float(np.median(np.linalg.norm(gyro_dps, axis=1)))
    if not turning_dps <= _MAX_MEDIAN_DPS:
        raise RecordingError(where, "rotation rate in degrees/s", f"a median of {turning_dps:.3g}")
    recording = LabRecording(
        participant,
        trial,
        g_to_ms2(1.0) * acc_g,
        np.deg2rad(gyro_dps),
        None if reference is None else reference.bouts,
        None if reference is None else reference.camera_bouts,
    )
    for bout in recording.bouts or ():
        if bout.end_s > recording.duration_s + 1.0:
            expected = f"motion up to the walk's end at {bout.end_s:.1f} s"
            raise RecordingError(where, expected, f"{recording.duration_s:.1f} s; the file is cut")
    return recording
