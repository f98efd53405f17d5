"""The lab example: units, reference walks, and what is said when a file is wrong or not there."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from firmware_host.errors import RecordingError
from training.cli import main
from training.datasets import mobgap_lab
from training.gait.cadence_figures import cadence_figures

pytest.importorskip("scipy.io")

from tests.training.lab_files import (
    HEADER,
    TRIAL,
    csv_text,
    lab_walk,
    period,
    write_csv,
    write_mat,
)

G_MS2 = 9.80665


def _still(n: int) -> str:
    return csv_text(np.tile([1.0, 0.0, 0.0], (n, 1)), np.zeros((n, 3)))


def test_people_when_in_an_archive_are_read_in_si_units(tmp_path):
    text = csv_text(np.tile([0.0, 1.0, 0.0], (30, 1)), np.tile([180.0, 0.0, 0.0], (30, 1)))
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
    assert recording.camera_bouts is None


def test_walks_when_contacts_are_unknown_doubled_or_late_keep_the_true_ones(tmp_path, rng):
    acc_g, gyro_dps, _ = lab_walk(rng, 100.0, walks=((2.0, 8.0),), end_s=12.0)
    write_csv(tmp_path / "HA" / "001", csv_text(acc_g, gyro_dps))
    marked = np.array([2.0, 2.6, np.nan, 3.8, 4.4, 4.41, 5.0, 9.0])
    write_mat(tmp_path / "HA" / "001", [period(marked, end_s=5.2)])
    (recording,) = mobgap_lab.index(tmp_path).load("HA-001")
    (bout,) = recording.bouts
    np.testing.assert_allclose(bout.contact_s, [2.0, 2.6, 3.8, 4.4, 5.0])
    assert bout.n_contacts == 6
    assert bout.start_s == pytest.approx(2.0)
    assert bout.cadence_spm == 100.0
    np.testing.assert_allclose(bout.step_s, [0.6, 0.6, 0.59, 4.0])
    np.testing.assert_allclose(bout.stride_s, [1.2, 0.61, 0.6, 4.59])
    assert recording.camera_bouts == ()


def test_motion_when_only_data_mat_is_there_comes_from_it(tmp_path, rng):
    acc_g, gyro_dps, contacts = lab_walk(rng, 100.0, walks=((2.0, 8.0),), end_s=12.0)
    cameras = [period(contacts[0] + 0.02)]
    write_mat(tmp_path / "HA" / "001", [period(contacts[0])], (acc_g, gyro_dps), cameras=cameras)
    walked, still = mobgap_lab.index(tmp_path).load("HA-001")
    np.testing.assert_allclose(walked.acc_ms2, acc_g * G_MS2)
    np.testing.assert_allclose(walked.bouts[0].contact_s, contacts[0])
    np.testing.assert_allclose(walked.camera_bouts[0].contact_s, contacts[0] + 0.02)
    assert (still.trial, still.bouts) == ("TimeMeasure1_Test5_Trial1", ())


def test_rate_when_declared_or_measured_is_another_is_said(tmp_path, rng):
    acc_g, gyro_dps, contacts = lab_walk(rng, 100.0, walks=((2.0, 8.0),), end_s=12.0)
    signals = (acc_g, gyro_dps)
    folder = tmp_path / "HA" / "001"
    write_mat(folder, [period(contacts[0])], signals, rate_hz=128.0)
    with pytest.raises(RecordingError, match="expected 100 Hz, got 128 Hz declared"):
        mobgap_lab.index(tmp_path).load("HA-001")
    write_mat(folder, [period(contacts[0])], signals, stamps=np.arange(len(acc_g)) / 50.0)
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
    write_csv(tmp_path / "HA" / "001", change(_still(40)))
    with pytest.raises(RecordingError, match=message) as info:
        mobgap_lab.index(tmp_path).load("HA-001")
    assert TRIAL in str(info.value)


def test_motion_when_it_ends_before_the_reference_is_cut(tmp_path, rng):
    acc_g, gyro_dps, contacts = lab_walk(rng, 100.0, walks=((2.0, 9.0),), end_s=12.0)
    write_csv(tmp_path / "HA" / "001", csv_text(acc_g[:600], gyro_dps[:600]))
    write_mat(tmp_path / "HA" / "001", [period(contacts[0])])
    with pytest.raises(RecordingError, match=r"6\.0 s; the file is cut"):
        mobgap_lab.index(tmp_path).load("HA-001")


def test_reference_when_damaged_or_of_another_recording_is_named(tmp_path):
    folder = tmp_path / "HA" / "001"
    write_csv(folder, _still(40)).rename(folder / "TimeMeasure1_Test4_Trial1.csv")
    mat = write_mat(folder, [period(np.arange(1.0, 5.0, 0.6))])
    with pytest.raises(RecordingError, match="the recording TimeMeasure1_Test4_Trial1"):
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
        acc_g, gyro_dps, contacts = lab_walk(rng, spm, walks=walks, end_s=60.0)
        write_csv(tmp_path / who, csv_text(acc_g, gyro_dps))
        aside = np.array([54.0, 54.6, 55.2])
        write_mat(tmp_path / who, [period(marks) for marks in (*contacts, aside)])
    found = cadence_figures(tmp_path)
    assert found["cadence_mae_spm"] < 1.0
    assert found["cadence_over"] == "healthy"
    assert [one["id"] for one in found["participants"]] == ["HA-001", "HA-002", "MS-001"]
    assert [one["n_bouts"] for one in found["participants"]] == [3, 3, 3]
    assert abs(found["step_count_error"]) < 0.08
    assert found["step_count_correlation"] > 0.97
    assert found["cadence_correlation"] > 0.99
    assert found["cadence_mae_by_reference_spm"]["median_strides"] < 1.0
    assert found["cadence_mae_by_reference_spm"]["cameras"] is None
    assert found["insoles_to_cameras_spm"] is None
    assert len(found["agreement"]) == 9
    assert found["reasons"] == {}
    assert cadence_figures(tmp_path) == found
    json.dumps(found, allow_nan=False)


def test_references_when_the_walker_pauses_and_limps_each_say_their_own(tmp_path, rng):
    """Steps of 0.5 and 0.7 s in turn and one pause of 3 s; cameras see steps of 0.6 s."""
    steps_s = np.array([0.5, 0.7, 0.5, 0.7, 0.5, 3.0, 0.5, 0.7, 0.5])
    marks = 3.0 + np.concatenate(([0.0], np.cumsum(steps_s)))
    seen = marks[0] + 0.6 * np.arange(9)
    out_of_view = period(seen + 30.0)
    acc_g, gyro_dps, _ = lab_walk(rng, 100.0, walks=((3.0, 11.0),), end_s=14.0)
    write_mat(
        tmp_path / "HA" / "001",
        [period(marks, cadence=95.0)],
        (acc_g, gyro_dps),
        cameras=[out_of_view, period(seen)],
    )
    (one,) = cadence_figures(tmp_path)["participants"]
    errors = one["cadence_mae_by_reference_spm"]
    assert errors["median_contacts"] == pytest.approx(20.0, abs=1.0)
    assert errors["median_strides"] == pytest.approx(0.0, abs=1.0)
    assert errors["cameras"] == pytest.approx(0.0, abs=1.0)
    assert errors["stated"] == pytest.approx(5.0, abs=1.0)
    assert errors["mean_contacts"] > 25.0
    assert one["insoles_to_cameras_spm"] == pytest.approx(20.0, abs=0.1)
    (walk,) = one["walks"]
    assert walk["references_spm"]["median_contacts"] == pytest.approx(120.0)
    assert walk["references_spm"]["cameras"] == pytest.approx(100.0)
    assert (walk["n_steps_reference"], walk["start_s"]) == (10, pytest.approx(3.0))


def test_figures_when_there_is_no_reference_say_so(tmp_path):
    write_csv(tmp_path / "HA" / "001", _still(600))
    found = cadence_figures(tmp_path)
    assert found["cadence_mae_spm"] is None
    assert "data.mat" in found["reasons"]["cadence_mae_spm"]
    assert found["participants"][0]["n_bouts"] == 0
    assert found["participants"][0]["walks"] == []
    json.dumps(found, allow_nan=False)


def test_command_when_no_bundle_is_named_needs_none(tmp_path, rng, capsys):
    acc_g, gyro_dps, contacts = lab_walk(rng, 100.0, walks=((2.0, 12.0),), end_s=16.0)
    write_mat(tmp_path / "HA" / "001", [period(contacts[0])], (acc_g, gyro_dps))
    out, page = tmp_path / "out.json", tmp_path / "out.html"
    words = ["evaluate", "--task", "gait", "--dataset", "mobgap-lab", "--data", str(tmp_path)]
    assert main([*words, "--json", str(out), "--html", str(page)]) == 0
    result = json.loads(out.read_text())
    assert result["cadence_mae_spm"] < 1.0
    assert result["eer_5s"] is None
    assert "bundle" not in result
    assert "cadence is measured, not learned" in page.read_text()
    assert main([*words, "--bundle", str(tmp_path / "gone")]) == 5
    capsys.readouterr()


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


@pytest.fixture(scope="module")
def reference_dir(request: pytest.FixtureRequest) -> Path:
    """Folder with the publisher's data.mat files: SIGNET_MOBGAP, or the data sets' own."""
    named = os.environ.get("SIGNET_MOBGAP")
    folder = Path(named) if named else request.getfixturevalue("data_dir") / mobgap_lab.NAME
    if not next(folder.rglob("data.mat"), None):
        pytest.skip(f"no data.mat under {folder}: set SIGNET_MOBGAP to mobgap's example_data")
    return folder


@pytest.mark.needs_data
def test_published_references_are_where_the_walks_are(reference_dir):
    """The 19 walks of six contacts or more that the three published people have."""
    found = cadence_figures(reference_dir)
    walks = {one["id"]: one["n_bouts"] for one in found["participants"]}
    published = {"HA-001": 8, "HA-002": 3, "MS-001": 8}
    assert walks.items() >= published.items()
    by_person = {one["id"]: one["cadence_mae_spm"] for one in found["participants"]}
    assert max(by_person["HA-001"], by_person["HA-002"]) < 3.5
    assert by_person["MS-001"] < 10.0
    assert found["insoles_to_cameras_spm"] < 8.0


@pytest.mark.needs_data
def test_published_forms_hold_the_same_motion(reference_dir, tmp_path):
    """The CSV files were written with 9.81 m/s² for a g, so they are 0.03 % larger."""
    both = mobgap_lab.index(reference_dir)
    for participant in both.people:
        mat = next(reference_dir.rglob(f"{participant.replace('-', '/')}/data.mat"))
        alone = tmp_path / participant.replace("-", "/")
        alone.mkdir(parents=True)
        (alone / "data.mat").symlink_to(mat.resolve())
        from_mat = {one.trial: one for one in mobgap_lab.index(tmp_path).load(participant)}
        for recording in both.load(participant):
            other = from_mat[recording.trial]
            np.testing.assert_allclose(recording.acc_ms2, other.acc_ms2, rtol=5e-4)
            np.testing.assert_allclose(recording.gyro_rads, other.gyro_rads)
