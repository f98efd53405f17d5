"""The lab example: units, reference walks, and what is said when a file is wrong or not there."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from firmware_host.errors import RecordingError
from training.datasets import mobgap_lab
from training.gait.cadence_figures import cadence_figures

scipy_io = pytest.importorskip("scipy.io")

G_MS2 = 9.80665
RATE_HZ = 100.0
TRIAL = "TimeMeasure1_Test11_Trial1"
HEADER = "samples,acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z"


def _lab_walk(
    rng: np.random.Generator, spm: float, *, walks: tuple[tuple[float, float], ...], end_s: float
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


def _csv(acc_g: np.ndarray, gyro_dps: np.ndarray) -> str:
    rows = np.hstack((acc_g, gyro_dps)).tolist()
    lines = [",".join(map(str, [i, *row])) for i, row in enumerate(rows)]
    return "\n".join([HEADER, *lines]) + "\n"


def _period(contact_s: np.ndarray, *, end_s: float | None = None) -> dict[str, object]:
    marked = contact_s + 1.0 / RATE_HZ
    return {
        "Start": marked[0],
        "End": float(np.nanmax(marked)) if end_s is None else end_s,
        "InitialContact_Event": marked,
        "InitialContact_LeftRight": np.array(["Left", "Right"] * len(marked))[: len(marked)],
        "Cadence": 100.0,
    }


def _write_mat(
    folder: Path,
    periods: list[dict[str, object]],
    signals=None,
    *,
    rate_hz: float = RATE_HZ,
    stamps=None,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    acc_g, gyro_dps = (
        (np.tile([1.0, 0, 0], (50, 1)), np.zeros((50, 3))) if signals is None else signals
    )
    sensor = {"Acc": acc_g, "Gyr": gyro_dps, "Fs": {"Acc": rate_hz, "Gyr": rate_hz}}
    if stamps is not None:
        sensor["Timestamp"] = stamps
    test = {
        "SU": {"LowerBack": sensor},
        "Standards": {"INDIP": {"Fs": RATE_HZ, "ContinuousWalkingPeriod": periods}},
    }
    path = folder / "data.mat"
    scipy_io.savemat(path, {"data": {"TimeMeasure1": {"Test11": {"Trial1": test}}}})
    return path


def _write_csv(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{TRIAL}.csv"
    path.write_text(text)
    return path


def test_people_when_in_an_archive_are_read_in_si_units(tmp_path):
    text = _csv(np.tile([0.0, 1.0, 0.0], (30, 1)), np.tile([180.0, 0.0, 0.0], (30, 1)))
    with zipfile.ZipFile(tmp_path / "data_csv.zip", "w") as archive:
        for name in ("HA/002", "MS/001", "HA/001"):
            archive.writestr(f"{name}/{TRIAL}.csv", text)
        archive.writestr("README.md", "units differ")
    dataset = mobgap_lab.index(tmp_path)
    assert list(dataset.people) == ["HA-001", "HA-002", "MS-001"]
    (recording,) = dataset.load("MS-001")
    assert recording.trial == TRIAL
    assert recording.duration_s == pytest.approx(0.3)
    np.testing.assert_allclose(recording.acc_ms2[0], [0.0, G_MS2, 0.0])
    np.testing.assert_allclose(recording.gyro_rads[0], [np.pi, 0.0, 0.0])
    assert recording.bouts is None


def test_walks_when_contacts_are_unknown_doubled_or_late_keep_the_true_ones(tmp_path, rng):
    acc_g, gyro_dps, _ = _lab_walk(rng, 100.0, walks=((2.0, 8.0),), end_s=12.0)
    _write_csv(tmp_path / "HA" / "001", _csv(acc_g, gyro_dps))
    marked = np.array([2.0, 2.6, np.nan, 3.8, 4.4, 4.41, 5.0, 9.0])
    _write_mat(tmp_path / "HA" / "001", [_period(marked, end_s=5.2)])
    (recording,) = mobgap_lab.index(tmp_path).load("HA-001")
    (bout,) = recording.bouts
    np.testing.assert_allclose(bout.contact_s, [2.0, 2.6, 3.8, 4.4, 5.0])
    assert bout.n_contacts == 6
    assert bout.start_s == pytest.approx(2.0)
    assert bout.cadence_spm == 100.0


def test_motion_when_only_data_mat_is_there_comes_from_it(tmp_path, rng):
    acc_g, gyro_dps, contacts = _lab_walk(rng, 100.0, walks=((2.0, 8.0),), end_s=12.0)
    stamps = 1.6e9 + np.arange(len(acc_g)) / RATE_HZ
    _write_mat(tmp_path / "HA" / "001", [_period(contacts[0])], (acc_g, gyro_dps), stamps=stamps)
    (recording,) = mobgap_lab.index(tmp_path).load("HA-001")
    np.testing.assert_allclose(recording.acc_ms2, acc_g * G_MS2)
    np.testing.assert_allclose(recording.bouts[0].contact_s, contacts[0])


def test_rate_when_declared_or_measured_is_another_is_said(tmp_path, rng):
    acc_g, gyro_dps, contacts = _lab_walk(rng, 100.0, walks=((2.0, 8.0),), end_s=12.0)
    signals = (acc_g, gyro_dps)
    folder = tmp_path / "HA" / "001"
    _write_mat(folder, [_period(contacts[0])], signals, rate_hz=128.0)
    with pytest.raises(RecordingError, match="expected 100 Hz, got 128 Hz declared"):
        mobgap_lab.index(tmp_path).load("HA-001")
    _write_mat(folder, [_period(contacts[0])], signals, stamps=np.arange(len(acc_g)) / 50.0)
    with pytest.raises(RecordingError, match="got 50 Hz measured"):
        mobgap_lab.index(tmp_path).load("HA-001")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("acc_x", "ax"), "expected columns samples,acc_x"),
        (lambda text: text.replace("\n7,", "\n8,"), "some left out"),
        (lambda text: text[: len(text) // 2].rsplit(",", 1)[0], "the file is cut"),
        (lambda text: text.replace("1.0,0.0", "9.81,0.0"), "acceleration in g"),
        (lambda _: HEADER + "\n", "rows of 7"),
    ],
)
def test_csv_when_cut_renamed_or_in_other_units_is_named(tmp_path, change, message):
    text = _csv(np.tile([1.0, 0.0, 0.0], (40, 1)), np.zeros((40, 3)))
    _write_csv(tmp_path / "HA" / "001", change(text))
    with pytest.raises(RecordingError, match=message) as info:
        mobgap_lab.index(tmp_path).load("HA-001")
    assert TRIAL in str(info.value)


def test_motion_when_it_ends_before_the_reference_is_cut(tmp_path, rng):
    acc_g, gyro_dps, contacts = _lab_walk(rng, 100.0, walks=((2.0, 9.0),), end_s=12.0)
    _write_csv(tmp_path / "HA" / "001", _csv(acc_g[:600], gyro_dps[:600]))
    _write_mat(tmp_path / "HA" / "001", [_period(contacts[0])])
    with pytest.raises(RecordingError, match=r"6\.0 s; the file is cut"):
        mobgap_lab.index(tmp_path).load("HA-001")


def test_reference_when_damaged_or_of_another_recording_is_named(tmp_path):
    text = _csv(np.tile([1.0, 0.0, 0.0], (40, 1)), np.zeros((40, 3)))
    folder = tmp_path / "HA" / "001"
    _write_csv(folder, text).rename(folder / "TimeMeasure1_Test5_Trial1.csv")
    mat = _write_mat(folder, [_period(np.arange(1.0, 5.0, 0.6))])
    with pytest.raises(RecordingError, match="the recording TimeMeasure1_Test5_Trial1"):
        mobgap_lab.index(tmp_path).load("HA-001")
    mat.write_bytes(mat.read_bytes()[:300])
    with pytest.raises(RecordingError, match=r"a Mobilise-D data\.mat"):
        mobgap_lab.index(tmp_path).load("HA-001")


def test_index_when_nobody_is_there_says_what_was_expected(tmp_path):
    with pytest.raises(RecordingError, match="<cohort>/<number>"):
        mobgap_lab.index(tmp_path)
    with pytest.raises(RecordingError, match="no such folder"):
        mobgap_lab.index(tmp_path / "gone")


def test_figures_when_the_cadence_is_known_find_it(tmp_path, rng):
    walks = ((3.0, 11.0), (16.0, 21.0), (30.0, 50.0))
    for who, spm in (("HA/001", 96.0), ("HA/002", 118.0), ("MS/001", 84.0)):
        acc_g, gyro_dps, contacts = _lab_walk(rng, spm, walks=walks, end_s=60.0)
        _write_csv(tmp_path / who, _csv(acc_g, gyro_dps))
        aside = np.array([54.0, 54.6, 55.2])
        _write_mat(tmp_path / who, [_period(marks) for marks in (*contacts, aside)])
    found = cadence_figures(tmp_path)
    assert found["cadence_mae_spm"] < 1.0
    assert found["cadence_over"] == "healthy"
    assert [one["id"] for one in found["participants"]] == ["HA-001", "HA-002", "MS-001"]
    assert [one["n_bouts"] for one in found["participants"]] == [3, 3, 3]
    assert abs(found["step_count_error"]) < 0.08
    assert found["step_count_correlation"] > 0.97
    assert found["cadence_correlation"] > 0.99
    assert len(found["agreement"]) == 9
    assert found["reasons"] == {}
    assert cadence_figures(tmp_path) == found
    json.dumps(found, allow_nan=False)


def test_figures_when_there_is_no_reference_say_so(tmp_path):
    _write_csv(tmp_path / "HA" / "001", _csv(np.tile([1.0, 0, 0], (600, 1)), np.zeros((600, 3))))
    found = cadence_figures(tmp_path)
    assert found["cadence_mae_spm"] is None
    assert "data.mat" in found["reasons"]["cadence_mae_spm"]
    assert found["participants"][0]["n_bouts"] == 0
    json.dumps(found, allow_nan=False)


@pytest.mark.needs_data
def test_published_archive_reads_as_it_lies(data_dir):
    dataset = mobgap_lab.index(data_dir)
    for participant in dataset.people:
        for recording in dataset.load(participant):
            assert recording.duration_s > 7.0
            assert np.median(np.linalg.norm(recording.acc_ms2, axis=1)) == pytest.approx(
                G_MS2, abs=0.5
            )
    found = cadence_figures(data_dir)
    assert len(found["participants"]) == len(dataset.people)
    assert (found["cadence_mae_spm"] is None) == bool(found["reasons"])
