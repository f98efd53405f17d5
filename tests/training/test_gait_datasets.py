"""Loaders of the two walking datasets: units, merging, and what they say when a file is wrong."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from firmware_host.errors import RecordingError
from firmware_host.events import Activity
from training.datasets import motionsense, wisdm_watch

HEADER = (
    ",attitude.roll,attitude.pitch,attitude.yaw,gravity.x,gravity.y,gravity.z,"
    "rotationRate.x,rotationRate.y,rotationRate.z,"
    "userAcceleration.x,userAcceleration.y,userAcceleration.z"
)


def _motionsense_csv(n: int) -> str:
    rows = [f"{i},0,0,0,0,0,-1,0.1,0.2,0.3,0.5,0,0.25" for i in range(n)]
    return "\n".join([HEADER, *rows]) + "\n"


def _archive(path: Path, members: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_LZMA) as archive:
        for name, text in members.items():
            archive.writestr(name, text)


def test_motionsense_when_read_gives_si_units_and_drops_handling(tmp_path):
    text = _motionsense_csv(1000)
    _archive(tmp_path / "motionsense" / "sub_3.zip", {"A_DeviceMotion_data/wlk_7/sub_3.csv": text})
    (recording,) = motionsense.index(tmp_path).load("3")
    assert recording.activity is Activity.WALK
    assert recording.duration_s == pytest.approx(12.0)
    np.testing.assert_allclose(recording.acc_ms2[0], [4.903325, 0.0, -7.3549875])
    np.testing.assert_allclose(recording.gyro_rads[0], [0.1, 0.2, 0.3])


def test_motionsense_when_in_plain_folders_finds_the_same_people(tmp_path):
    for trial, person in (("jog_9", 10), ("sit_5", 2)):
        file = tmp_path / "A_DeviceMotion_data" / trial / f"sub_{person}.csv"
        file.parent.mkdir(parents=True)
        file.write_text(_motionsense_csv(900))
    dataset = motionsense.index(tmp_path)
    assert list(dataset.people) == ["2", "10"]
    assert dataset.load("10")[0].activity is Activity.RUN
    assert dataset.load("2")[0].activity is Activity.STILL


def test_motionsense_when_columns_differ_names_the_file(tmp_path):
    text = _motionsense_csv(10).replace("gravity.x", "grav.x")
    _archive(tmp_path / "sub_3.zip", {"A_DeviceMotion_data/wlk_7/sub_3.csv": text})
    with pytest.raises(RecordingError, match=r"wlk_7/sub_3\.csv with"):
        motionsense.index(tmp_path).load("3")


def _watch_rows(code: str, start_ns: int, n: int, value: float) -> str:
    return "".join(
        f"1600,{code},{start_ns + i * 50_000_000},{value},0.0,{i * 0.05:.3f};\n" for i in range(n)
    )


def _watch(folder: Path, acc: str, gyro: str) -> None:
    members = {
        "raw/watch/accel/data_1600_accel_watch.txt": acc,
        "raw/watch/gyro/data_1600_gyro_watch.txt": gyro,
    }
    _archive(folder / "wisdm-watch" / "1600.zip", members)


def test_wisdm_when_clocks_differ_merges_the_common_time(tmp_path):
    acc = _watch_rows("A", 10**9, 1000, 9.8) + _watch_rows("F", 10**12, 1000, 1.0)
    gyro = _watch_rows("A", 2 * 10**9 + 20_000_000, 1000, 0.5)
    _watch(tmp_path, acc, gyro)
    (recording,) = wisdm_watch.index(tmp_path).load("1600")
    assert recording.activity is Activity.WALK
    assert recording.sample_rate_hz == 20.0
    assert recording.acc_ms2.shape == recording.gyro_rads.shape
    # Both third axes are a clock in seconds; the gyroscope's started 1.02 s later.
    lag = recording.acc_ms2[:, 2] - recording.gyro_rads[:, 2]
    np.testing.assert_allclose(lag, 1.02, atol=2e-3)


def test_wisdm_when_a_hand_does_something_calls_it_other(tmp_path):
    rows = _watch_rows("S", 10**9, 1000, 1.0)
    _watch(tmp_path, rows, rows)
    assert [r.activity for r in wisdm_watch.index(tmp_path).load("1600")] == [Activity.OTHER]


def test_wisdm_when_a_row_is_cut_names_the_file(tmp_path):
    rows = _watch_rows("A", 10**9, 1000, 1.0)
    _watch(tmp_path, rows[:-9], rows)
    with pytest.raises(RecordingError, match="accel_watch"):
        wisdm_watch.index(tmp_path).load("1600")


def test_wisdm_when_a_word_is_among_the_numbers_names_the_file(tmp_path):
    rows = _watch_rows("A", 10**9, 1000, 1.0)
    _watch(tmp_path, rows.replace("1.0,0.0", "one,0.0", 1), rows)
    with pytest.raises(RecordingError, match="accel_watch"):
        wisdm_watch.index(tmp_path).load("1600")


@pytest.mark.parametrize("dataset", [motionsense, wisdm_watch])
def test_index_when_nobody_is_there_says_what_was_expected(tmp_path, dataset):
    with pytest.raises(RecordingError, match="expected"):
        dataset.index(tmp_path)
    with pytest.raises(RecordingError, match="no such folder"):
        dataset.index(tmp_path / "missing")


def test_index_when_a_person_is_there_twice_refuses(tmp_path):
    text = _motionsense_csv(10)
    for name in ("a.zip", "b.zip"):
        _archive(tmp_path / name, {"A_DeviceMotion_data/wlk_7/sub_3.csv": text})
    with pytest.raises(RecordingError, match="one copy"):
        motionsense.index(tmp_path)


def test_index_when_an_archive_is_damaged_names_it(tmp_path):
    (tmp_path / "sub_1.zip").write_bytes(b"not a zip")
    with pytest.raises(RecordingError, match=r"sub_1\.zip"):
        motionsense.index(tmp_path)


@pytest.mark.needs_data
def test_real_recordings_when_walking_show_gravity_and_a_step_rate(data_dir):
    for module in (motionsense, wisdm_watch):
        dataset = module.index(data_dir)
        person = next(iter(dataset.people))
        walks = [r for r in dataset.load(person) if r.activity is Activity.WALK]
        assert walks
        for recording in walks:
            assert np.linalg.norm(recording.acc_ms2.mean(axis=0)) == pytest.approx(9.8, abs=2.5)
            assert 0.1 < recording.gyro_rads.std() < 5.0
