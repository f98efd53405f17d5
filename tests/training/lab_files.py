"""Files laid out as Mobilise-D's lab example lies on disk, with walks whose contacts are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.io

RATE_HZ = 100.0
TRIAL = "TimeMeasure1_Test11_Trial1"
HEADER = "samples,acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z"
# How MATLAB wrote what there was none of.
NOTHING = np.zeros((0, 0), np.uint8)


def lab_walk(
    rng: np.random.Generator, spm: float, *, walks: Sequence[tuple[float, float]], end_s: float
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Lower back: one bump a step inside of the walks, quiet between; contacts of each walk."""
    t_s = np.arange(round(end_s * RATE_HZ)) / RATE_HZ
    acc_g = np.zeros((len(t_s), 3))
    acc_g[:, 0] = 1.0
    step_s, contacts = 60.0 / spm, []
    for start_s, stop_s in walks:
        inside = (t_s >= start_s) & (t_s < stop_s)
        phase = 2 * np.pi * (t_s[inside] - start_s) / step_s
        acc_g[inside, 0] += 0.2 * np.cos(phase) + 0.08 * np.cos(2 * phase + 1.0)
        acc_g[inside, 1] += 0.1 * np.sin(phase / 2)
        contacts.append(np.arange(start_s, stop_s + 1e-9, step_s))
    acc_g += 0.01 * rng.standard_normal(acc_g.shape)
    return acc_g, 10.0 * rng.standard_normal(acc_g.shape), contacts


def csv_text(acc_g: np.ndarray, gyro_dps: np.ndarray) -> str:
    """One recording of `data_csv`."""
    rows = np.hstack((acc_g, gyro_dps)).tolist()
    lines = [",".join(map(str, [i, *row])) for i, row in enumerate(rows)]
    return "\n".join([HEADER, *lines]) + "\n"


def write_csv(folder: Path, text: str) -> Path:
    """Write one recording of `data_csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{TRIAL}.csv"
    path.write_text(text)
    return path


def period(
    contact_s: np.ndarray, *, end_s: float | None = None, cadence: float = 100.0
) -> dict[str, object]:
    """One walking bout: times are MATLAB's sample numbers over the rate, from one."""
    marked = contact_s + 1.0 / RATE_HZ
    feet = np.array(["Left", "Right"] * len(marked), dtype=object)[: len(marked)]
    return {
        "Start": marked[0],
        "End": float(np.nanmax(marked)) if end_s is None else end_s,
        "Cadence": cadence,
        "NumberStrides": max(0, len(marked) - 2),
        "TerminationReason": "Pause",
        "Break_Start": NOTHING,
        "Stride_Duration": marked[2:] - marked[:-2],
        "InitialContact_Event": marked,
        "InitialContact_LeftRight": feet,
        "Step_Duration": np.diff(marked),
    }


def system(periods: Sequence[dict[str, object]]) -> dict[str, object]:
    """One reference system: an array of structures, or nothing where it saw no walk."""
    return {
        "ContinuousWalkingPeriod": _structures(periods),
        "MicroWB": _structures(periods),
        "Fs": 100,
    }


def _structures(periods: Sequence[dict[str, object]]) -> np.ndarray:
    if not periods:
        return NOTHING
    array = np.zeros((1, len(periods)), dtype=[(name, object) for name in periods[0]])
    for i, one in enumerate(periods):
        array[0, i] = tuple(one.values())
    return array


def write_mat(
    folder: Path,
    periods: Sequence[dict[str, object]],
    signals: tuple[np.ndarray, np.ndarray] | None = None,
    *,
    cameras: Sequence[dict[str, object]] = (),
    rate_hz: float = RATE_HZ,
    stamps: np.ndarray | None = None,
) -> Path:
    """Write the data.mat of a person: one recording with walks, and one where nobody walked."""
    folder.mkdir(parents=True, exist_ok=True)
    acc_g, gyro_dps = signals or (np.tile([1.0, 0, 0], (50, 1)), np.zeros((50, 3)))
    if stamps is None:
        stamps = 1.6e9 + np.arange(len(acc_g)) / rate_hz
    walked = _test(acc_g, gyro_dps, stamps, rate_hz, (periods, cameras))
    still = _test(acc_g[:20], gyro_dps[:20], stamps[:20], rate_hz, ((), ()))
    tests = {"Test5": {"Trial1": still}, "Test11": {"Trial1": walked}}
    path = folder / "data.mat"
    scipy.io.savemat(path, {"data": {"TimeMeasure1": tests}})
    return path


def _test(acc_g, gyro_dps, stamps, rate_hz, seen):
    rates = dict.fromkeys(("Acc", "Gyr", "Mag", "Bar"), rate_hz)
    sensor = {"Acc": acc_g, "Gyr": gyro_dps, "Mag": 10.0 * acc_g, "Timestamp": stamps, "Fs": rates}
    insoles, cameras = (system(periods) for periods in seen)
    return {
        "StartDateTime": "2020-12-10T14:09:03.815+01:00",
        "TimeZone": "Europe/Berlin",
        "SU": {"LowerBack": sensor},
        "Standards": {"Stereophoto": cameras, "INDIP": insoles},
    }
