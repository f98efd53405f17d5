"""Mobilise-D's data.mat: motion and reference walks of one person, as MATLAB structures.

`data.<TimeMeasure>.<Test>.<Trial>` holds `SU.LowerBack` (Acc in g, Gyr in degrees/s, Fs, Timestamp
in UNIX seconds) and in `Standards` two reference systems: INDIP (pressure insoles and foot sensors)
and Stereophoto (cameras, where they see the walker). `ContinuousWalkingPeriod` of each has one
structure a walking bout, and nothing where the system saw none.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import RecordingError
from training.datasets.members import Member

FloatArray = NDArray[np.float64]

# Times come as MATLAB's sample numbers over the rate, and MATLAB counts from one.
_FIRST_SAMPLE = 1
# Two feet do not land within this: one contact, marked twice.
_MIN_STEP_S = 0.15
# What a cut or foreign file makes of reading it.
_BROKEN = (
    AttributeError, KeyError, NotImplementedError, OSError, TypeError, ValueError, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class WalkingBout:
    """One walk by the reference system; times in s of the recording.

    `contact_s` (n,) are the initial contacts of either foot in order; contacts the system knows of
    without knowing when are left out of it, but counted in `n_contacts`. The rest is the system's
    own: durations of its steps and strides, those it could not time left out, and its cadence, NaN
    if it gave none.
    """

    start_s: float
    end_s: float
    contact_s: FloatArray
    n_contacts: int
    cadence_spm: float
    step_s: FloatArray
    stride_s: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class MatRecording:
    """Acceleration (n, 3) in g and rotation rate (n, 3) in degrees/s; `measured_hz` by its stamps.

    `bouts` are INDIP's walks, `camera_bouts` Stereophoto's; None without the system.
    """

    acc_g: FloatArray
    gyro_dps: FloatArray
    declared_hz: float
    measured_hz: float | None
    bouts: tuple[WalkingBout, ...] | None
    camera_bouts: tuple[WalkingBout, ...] | None


def read_mat(member: Member) -> dict[str, MatRecording]:
    """Recordings by name ("TimeMeasure1_Test5_Trial1").

    Raises
    ------
    RecordingError
        If it is no MATLAB file, or a field is not there.
    """
    from scipy.io import loadmat

    try:
        content = loadmat(io.BytesIO(member.read()), squeeze_me=True, struct_as_record=False)
        found = {"_".join(path): _recording(test) for path, test in _tests(content["data"], ())}
    except _BROKEN as err:
        received = f"one that does not read ({err})"
        raise RecordingError(member.place, "a Mobilise-D data.mat", received) from err
    return found


def _tests(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    names = node._fieldnames
    if "SU" in names:
        yield path, node
        return
    for name in names:
        inner = getattr(node, name)
        if hasattr(inner, "_fieldnames"):
            yield from _tests(inner, (*path, name))


def _recording(test: Any) -> MatRecording:
    sensor = test.SU.LowerBack
    stamps = np.atleast_1d(getattr(sensor, "Timestamp", np.zeros(0))).astype(float)
    standards = getattr(test, "Standards", None)
    rate_hz = float(sensor.Fs.Acc)
    return MatRecording(
        _rows(sensor.Acc),
        _rows(sensor.Gyr),
        rate_hz,
        (len(stamps) - 1) / float(stamps[-1] - stamps[0]) if len(stamps) > 1 else None,
        _bouts(standards, "INDIP", rate_hz),
        _bouts(standards, "Stereophoto", rate_hz),
    )


def _rows(values: Any) -> FloatArray:
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != 3 or not np.isfinite(rows).all():
        msg = f"three finite columns expected, got shape {rows.shape}"
        raise ValueError(msg)
    return rows


def _bouts(standards: Any, system: str, rate_hz: float) -> tuple[WalkingBout, ...] | None:
    reference = getattr(standards, system, None)
    if reference is None:
        return None
    periods = np.atleast_1d(getattr(reference, "ContinuousWalkingPeriod", np.zeros(0)))
    return tuple(_bout(period, rate_hz) for period in periods)


def _bout(period: Any, rate_hz: float) -> WalkingBout:
    shift_s = _FIRST_SAMPLE / rate_hz
    start_s, end_s = float(period.Start) - shift_s, float(period.End)
    marked_s = np.atleast_1d(period.InitialContact_Event).astype(float) - shift_s
    # The system is known to mark contacts after the end it gives.
    known = np.unique(marked_s[np.isfinite(marked_s) & (marked_s <= end_s)])
    apart = np.concatenate(([True], np.diff(known) >= _MIN_STEP_S)) if known.size else known > 0
    contact_s = known[apart]
    n_unknown = int(np.isnan(marked_s).sum())
    cadence = np.atleast_1d(getattr(period, "Cadence", np.nan)).astype(float)
    return WalkingBout(
        start_s,
        end_s,
        contact_s,
        len(contact_s) + n_unknown,
        float(cadence[0]) if cadence.size else float("nan"),
        _durations(period, "Step_Duration"),
        _durations(period, "Stride_Duration"),
    )


def _durations(period: Any, name: str) -> FloatArray:
    given_s = np.atleast_1d(getattr(period, name, np.zeros(0))).astype(float)
    return given_s[given_s >= _MIN_STEP_S]
