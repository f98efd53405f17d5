"""Loaders of the two walking datasets: units, merging, and what they say when a file is wrong."""

from __future__ import annotations

import io
import itertools
import zipfile
from pathlib import Path

import numpy as np
import pytest

from firmware_host.errors import RecordingError
from firmware_host.events import Activity
from training.datasets import motionsense, wisdm_watch
from training.datasets.bad_people import skipping_bad
from training.gait.people import load_people

HEADER = (
    ",attitude.roll,attitude.pitch,attitude.yaw,gravity.x,gravity.y,gravity.z,"
    "rotationRate.x,rotationRate.y,rotationRate.z,"
    "userAcceleration.x,userAcceleration.y,userAcceleration.z"
)


def _motionsense_csv(n: int, turn: float = 0.1) -> str:
    rows = [f"{i},0,0,0,0,0,-1,{turn},0.2,0.3,0.5,0,0.25" for i in range(n)]
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
    for trial, person in itertools.product(("jog_9", "sit_5"), (10, 2)):
        file = tmp_path / "A_DeviceMotion_data" / trial / f"sub_{person}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_motionsense_csv(900, turn=person / 10))
    dataset = motionsense.index(tmp_path)
    assert list(dataset.people) == ["2", "10"]
    for person in ("2", "10"):
        kinds = [recording.activity for recording in dataset.load(person)]
        assert kinds == [Activity.RUN, Activity.STILL]


def test_motionsense_when_columns_differ_names_the_file(tmp_path):
    text = _motionsense_csv(10).replace("gravity.x", "grav.x")
    _archive(tmp_path / "sub_3.zip", {"A_DeviceMotion_data/wlk_7/sub_3.csv": text})
    with pytest.raises(RecordingError, match=r"wlk_7/sub_3\.csv: expected columns"):
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
    _watch(tmp_path, _watch_rows("S", 10**9, 1000, 1.0), _watch_rows("S", 10**9, 1000, 0.5))
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


def test_index_when_skipping_leaves_out_a_copy_but_not_one_that_differs(tmp_path, capsys):
    trials = [f"A_DeviceMotion_data/{trial}/sub_3.csv" for trial in ("wlk_7", "sit_5")]
    for name in ("a.zip", "b.zip"):
        _archive(tmp_path / name, {t: _motionsense_csv(900, i) for i, t in enumerate(trials)})
    with skipping_bad():
        assert len(motionsense.index(tmp_path).load("3")) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"left out {tmp_path.name}/b: ")
    assert err.count("\n") == 1
    _archive(tmp_path / "b.zip", dict.fromkeys(trials, _motionsense_csv(901)))
    with skipping_bad(), pytest.raises(RecordingError, match="one copy"):
        motionsense.index(tmp_path)


def _zipped(members: dict[str, str | bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _motionsense_people() -> dict[str, str]:
    names = itertools.product(("wlk_7", "wlk_15", "std_6"), (3, 11))
    return {
        f"A_DeviceMotion_data/{trial}/sub_{person}.csv": _motionsense_csv(900, turn=i / 10)
        for i, (trial, person) in enumerate(names)
    }


def test_motionsense_when_everybody_is_in_one_archive_within_another_is_the_same(tmp_path):
    inner = _zipped(_motionsense_people() | {"__MACOSX/A_DeviceMotion_data/._wlk_7": ""})
    other = _zipped({"B_Accelerometer_data/wlk_7/sub_3.csv": "1,2,3\n"})
    packed = {"data/A_DeviceMotion_data.zip": inner, "data/B_Accelerometer_data.zip": other}
    (tmp_path / "motion-sense-master.zip").write_bytes(_zipped(packed))
    plain = tmp_path / "plain"
    for name, text in _motionsense_people().items():
        (plain / name).parent.mkdir(parents=True, exist_ok=True)
        (plain / name).write_text(text)
    nested = motionsense.index(tmp_path / "motion-sense-master.zip")
    folders = motionsense.index(plain)
    assert list(nested.people) == list(folders.people) == ["3", "11"]
    assert [r.trial for r in nested.load("11")] == ["std_6", "wlk_7", "wlk_15"]
    for ours, theirs in zip(nested.load("3"), folders.load("3"), strict=True):
        np.testing.assert_array_equal(ours.acc_ms2, theirs.acc_ms2)
    assert nested.content_sha256["3"]() == folders.content_sha256["3"]()


def test_motionsense_when_a_trial_is_missing_or_cut_names_the_file(tmp_path):
    people = _motionsense_people()
    short = {name: text[:2000] for name, text in people.items()}
    lacking = {name: text for name, text in people.items() if "std_6/sub_11" not in name}
    _archive(tmp_path / "a" / "all.zip", lacking)
    with pytest.raises(RecordingError, match=r"std_6/sub_11\.csv"):
        motionsense.index(tmp_path / "a")
    _archive(tmp_path / "b" / "all.zip", short)
    with pytest.raises(RecordingError, match=r"std_6/sub_3\.csv: expected rows of 13"):
        motionsense.index(tmp_path / "b").load("3")


def test_bad_person_when_skipping_is_named_and_left_out(tmp_path, capsys):
    people = {
        name: text for name, text in _motionsense_people().items() if "std_6/sub_3" not in name
    }
    _archive(tmp_path / "all.zip", people)
    with skipping_bad():
        assert list(motionsense.index(tmp_path).people) == ["11"]
    line = capsys.readouterr().err
    assert line.startswith("left out motionsense/3: ")
    assert line.count("\n") == 1


def _watch_files(person: int, acc: str, gyro: str) -> dict[str, str]:
    return {
        f"wisdm-dataset/raw/watch/accel/data_{person}_accel_watch.txt": acc,
        f"wisdm-dataset/raw/watch/gyro/data_{person}_gyro_watch.txt": gyro,
        f"wisdm-dataset/raw/phone/accel/data_{person}_accel_phone.txt": "not read",
    }


def test_wisdm_when_in_the_publishers_archive_lists_everybody(tmp_path):
    rows = [_watch_rows("A", 10**9, 1000, 9.8 + i) for i in range(4)]
    files = _watch_files(1600, *rows[:2]) | _watch_files(1601, *rows[2:])
    (tmp_path / "uci.zip").write_bytes(_zipped({"wisdm-dataset.zip": _zipped(files)}))
    dataset = wisdm_watch.index(tmp_path)
    assert list(dataset.people) == ["1600", "1601"]
    assert [r.activity for r in dataset.load("1601")] == [Activity.WALK]


@pytest.mark.parametrize("sensor", ["accel", "gyro"])
def test_wisdm_when_a_sensor_is_missing_names_the_file(tmp_path, sensor):
    rows = _watch_rows("A", 10**9, 1000, 9.8)
    files = {n: t for n, t in _watch_files(1600, rows, rows).items() if f"/{sensor}/" not in n}
    files["raw/watch/x/data_1601_accel_watch.txt"] = rows
    (tmp_path / "all.zip").write_bytes(_zipped(files))
    with pytest.raises(RecordingError, match=rf"data_1600_{sensor}_watch\.txt"):
        wisdm_watch.index(tmp_path)


def test_wisdm_when_the_rate_is_another_names_file_and_rate(tmp_path):
    rows = _watch_rows("A", 10**9, 1000, 9.8)
    slow = "".join(f"1600,A,{10**9 + i * 100_000_000},1.0,0.0,0.0;\n" for i in range(1000))
    _watch(tmp_path, slow, rows)
    with pytest.raises(
        RecordingError, match=r"accel_watch\.txt: expected about 20 Hz, got 10\.0 Hz"
    ):
        wisdm_watch.index(tmp_path).load("1600")


def test_index_when_an_archive_is_cut_names_it(tmp_path):
    whole = _zipped(_motionsense_people())
    (tmp_path / "all.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordingError, match=r"all\.zip: expected a complete zip archive"):
        motionsense.index(tmp_path)


def test_index_when_an_archive_is_damaged_names_it(tmp_path):
    (tmp_path / "sub_1.zip").write_bytes(b"not a zip")
    with pytest.raises(RecordingError, match=r"sub_1\.zip"):
        motionsense.index(tmp_path)


def test_index_when_skipping_leaves_out_only_the_person_of_a_cut_archive(tmp_path, capsys):
    text = _motionsense_csv(900)
    for person in (3, 11):
        member = {f"A_DeviceMotion_data/wlk_7/sub_{person}.csv": text}
        _archive(tmp_path / "motionsense" / f"sub_{person}.zip", member)
    cut = tmp_path / "motionsense" / "sub_11.zip"
    cut.write_bytes(cut.read_bytes()[:-30])
    with skipping_bad():
        assert list(motionsense.index(tmp_path).people) == ["3"]
    assert capsys.readouterr().err.startswith(f"left out motionsense/sub_11: {cut}: expected")


def test_people_when_skipping_leaves_out_only_whose_file_is_cut(tmp_path, capsys):
    people = _motionsense_people()
    people["A_DeviceMotion_data/std_6/sub_3.csv"] = _motionsense_csv(900, turn=0.9)[:-20]
    _archive(tmp_path / "all.zip", people)
    with pytest.raises(RecordingError, match=r"std_6/sub_3\.csv: expected rows"):
        load_people(tmp_path, ["motionsense"])
    with skipping_bad():
        assert [p.name for p in load_people(tmp_path, ["motionsense"])] == ["motionsense/11"]
    assert capsys.readouterr().err.startswith("left out motionsense/3: ")


def test_index_when_a_file_is_nearly_named_so_names_it(tmp_path, capsys):
    files = _motionsense_people() | {"A_DeviceMotion_data/wlk_7/sub_3 (1).csv": "x"}
    _archive(tmp_path / "all.zip", files)
    assert list(motionsense.index(tmp_path).people) == ["3", "11"]
    err = capsys.readouterr().err
    assert err.startswith(f"note: {tmp_path}: left alone all/A_DeviceMotion_data/wlk_7/sub_3 (1)")
    assert err.count("\n") == 1


def _refused(tmp_path: Path, capsys, dataset, *, kept: list[str], match: str) -> None:
    """Listing says so in one line; within `skipping_bad` only the copy is left out."""
    with pytest.raises(RecordingError, match=match):
        dataset.index(tmp_path)
    with skipping_bad():
        assert list(dataset.index(tmp_path).people) == kept
    err = capsys.readouterr().err
    assert err.startswith(f"left out {dataset.NAME}/")
    assert err.count("\n") == 1


def test_a_copy_is_no_person_when_a_walk_is_there_under_two_names(tmp_path, capsys):
    people = _motionsense_people()
    walk = people["A_DeviceMotion_data/wlk_7/sub_3.csv"]
    # Another header line and other line ends do not make it another walk.
    people["A_DeviceMotion_data/wlk_15/sub_11.csv"] = walk.replace("\n", "\r\n")
    _archive(tmp_path / "all.zip", people)
    match = r"wlk_15/sub_11\.csv: expected another recording than .*wlk_7/sub_3\.csv, got a copy"
    _refused(tmp_path, capsys, motionsense, kept=["3"], match=match)


def test_a_walk_is_no_second_one_when_a_person_has_it_twice(tmp_path, capsys):
    people = _motionsense_people()
    people["A_DeviceMotion_data/wlk_15/sub_3.csv"] = people["A_DeviceMotion_data/wlk_7/sub_3.csv"]
    _archive(tmp_path / "all.zip", people)
    _refused(tmp_path, capsys, motionsense, kept=["11"], match=r"sub_3\.csv, got a copy")


def test_people_are_not_copies_when_their_files_only_begin_alike(tmp_path):
    longer = {f"A_DeviceMotion_data/wlk_7/sub_{i}.csv": _motionsense_csv(3000 + i) for i in (3, 11)}
    assert all(len(text) > 2**16 for text in longer.values())
    _archive(tmp_path / "all.zip", longer)
    assert list(motionsense.index(tmp_path).people) == ["3", "11"]


def test_sitting_may_be_there_twice_as_the_publisher_has_it(tmp_path):
    csv = {t: _motionsense_csv(900, i) for i, t in enumerate(("wlk_7", "sit_5"))}
    files = {f"A_DeviceMotion_data/{trial}/sub_1.csv": text for trial, text in csv.items()}
    files["A_DeviceMotion_data/sit_13/sub_1.csv"] = csv["sit_5"]
    _archive(tmp_path / "all.zip", files)
    assert list(motionsense.index(tmp_path).people) == ["1"]


def test_a_copy_is_no_person_when_number_and_clock_were_changed(tmp_path, capsys):
    rows = [_watch_rows("A", 10**9, 3000, 9.8 + i) for i in range(3)]
    renamed = _watch_rows("A", 7 * 10**12, 3000, 9.8).replace("1600,", "16010,")
    files = _watch_files(1600, *rows[:2]) | _watch_files(1601, renamed, rows[2])
    (tmp_path / "all.zip").write_bytes(_zipped(files))
    match = r"data_1601_accel_watch\.txt: expected another recording than .*data_1600_accel"
    _refused(tmp_path, capsys, wisdm_watch, kept=["1600"], match=match)


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
