"""Stress data sets as their publishers pack them, and what is said of files that are not right."""

from __future__ import annotations

import gzip
import os
import shutil
import zipfile

import numpy as np
import pytest

from firmware_host.errors import LabelError, RecordingError
from tests.unit.training.test_stress_datasets import START, write_labels, write_session
from training.datasets import physionet, stress_predict
from training.datasets.bad_people import skipping_bad
from training.datasets.base import EXERCISE
from training.datasets.e4_sessions import repeated_from_s
from training.datasets.stress_windows import load_windows

LABELS = [(5, 0, 60, 0), (5, 60, 240, 1)]
V2_TAGS = (700, 800, 1000, 1300, 1330, 1360, 1400, 1700, 1730)


def pack(folder, target):
    """Zip a folder with its own name in front, as a repository's download is."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder.parent))
    return target


def published_stress_predict(root):
    session = write_session(root / "Raw_data" / "S05", seconds=320, tags=(60, 300))
    (session / "tags.csv").rename(session / "tags_S05.csv")
    (session / "HR.csv").write_text(f"{START}\n1\n70\n")
    write_labels(root, LABELS)
    processed = root / "Processed_data"
    processed.mkdir()
    labels = root / "labels.csv.gz"
    text = gzip.decompress(labels.read_bytes())
    (processed / "Improved_All_Combined_hr_rsp_binary.csv").write_bytes(text)
    labels.unlink()
    return root


def edges(session):
    return [(s.name, s.label, s.start_utc - START, s.end_utc - START) for s in session.stages]


def test_stress_predict_is_the_same_when_a_repository_or_its_archive(tmp_path):
    root = published_stress_predict(tmp_path / "Stress-Predict-Dataset-main")
    packed = pack(root, tmp_path / "download.zip")
    (folder,) = stress_predict.sessions(root)
    (archive,) = stress_predict.sessions(packed)
    assert folder.person == archive.person == "stress-predict/S05"
    assert edges(folder) == edges(archive)
    assert len(edges(folder)) == 2
    assert folder.source.open().tags_utc.tolist() == [START + 60, START + 300]
    windows = load_windows([folder, archive], cache_dir=tmp_path / "cache")
    np.testing.assert_array_equal(windows[0].features, windows[1].features)
    assert windows[0].content_sha256 == windows[1].content_sha256


@pytest.fixture
def wearable(tmp_path):
    """The publisher's folder with an interrupted session and an aerobic one in two parts."""
    root = tmp_path / "Wearable_Dataset"
    second_start = 900
    first = [t for t in V2_TAGS if t < second_start]
    rest = [t - second_start for t in V2_TAGS if t >= second_start]
    write_session(root / "STRESS" / "f14_a", seconds=850, tags=first)
    write_session(
        root / "STRESS" / "f14_b", seconds=900, tags=rest, seed=1, start=START + second_start
    )
    write_session(root / "AEROBIC" / "S11_a", seconds=90, seed=2)
    write_session(root / "AEROBIC" / "S11_b", seconds=90, seed=3, start=START + 200)
    return root


@pytest.mark.parametrize("is_packed", [False, True])
def test_physionet_parts_are_one_person_when_a_session_was_interrupted(
    wearable, tmp_path, is_packed
):
    root = tmp_path
    if is_packed:
        root = pack(wearable, tmp_path / "download.zip")
        shutil.rmtree(wearable)
    first, second, *aerobic = physionet.sessions(root)
    assert {first.participant, second.participant} == {"f14"}
    assert [name for name, *_ in edges(first)] == ["baseline"]
    assert edges(second) == [
        ("rest-1", "rest", 1000, 1300),
        ("opinion", "stress", 1300, 1360),
        ("rest-2", "rest", 1400, 1700),
        ("subtract", "stress", 1700, 1730),
    ]
    assert [s.participant for s in aerobic] == ["S11", "S11"]
    assert [[stage.label for stage in s.stages] for s in aerobic] == [[EXERCISE]] * 2
    assert first.source.open().channels["bvp"].rate_hz == 64


def spoil(folder, name, change):
    path = folder / name
    path.write_text(change(path.read_text()))


def other_rate(text):
    start, _rate, rest = text.split("\n", 2)
    return f"{start}\n128\n{rest}"


def half_the_rows(text):
    rows = text.splitlines()
    return "\n".join(rows[: len(rows) // 2]) + "\n"


def twice(text):
    start, rate, *rows = text.split()
    return "\n".join([start, rate, *rows[: len(rows) // 2], *rows[: len(rows) // 2]]) + "\n"


@pytest.mark.parametrize(
    ("name", "change", "line"),
    [
        ("BVP.csv", other_rate, r"BVP\.csv: expected 64 Hz, got 128 Hz"),
        ("BVP.csv", half_the_rows, r"BVP\.csv that ends 170 s before"),
        ("EDA.csv", half_the_rows, r"EDA\.csv that ends 170 s before"),
        ("ACC.csv", lambda text: text[:-7], r"ACC\.csv: expected 3 value"),
        ("EDA.csv", twice, r"EDA\.csv: expected each second once, got from 170 s on"),
    ],
)
def test_file_is_named_when_it_is_not_right(tmp_path, name, change, line):
    root = tmp_path / "physionet-stress-exercise"
    write_session(root / "stress" / "S04", seconds=340, seed=4)
    spoil(write_session(root / "stress" / "S05", seconds=340, tags=(60, 240)), name, change)
    with pytest.raises(RecordingError, match=line) as caught:
        physionet.sessions(tmp_path)
    assert "\n" not in str(caught.value)
    assert "S05" in str(caught.value)


def test_file_is_named_when_it_is_missing(tmp_path, capsys):
    root = tmp_path / "physionet-stress-exercise"
    write_session(root / "stress" / "S04", seconds=100)
    bad = write_session(root / "stress" / "S05", seconds=100, seed=1)
    (bad / "EDA.csv").unlink()
    with pytest.raises(RecordingError, match=r"S05.*got no EDA\.csv"):
        physionet.sessions(tmp_path)
    with skipping_bad():
        assert [s.participant for s in physionet.sessions(tmp_path)] == ["S04"]
    assert capsys.readouterr().err.startswith("left out physionet-stress-exercise/S05: ")


def test_archive_is_named_when_it_is_cut(tmp_path):
    root = tmp_path / "physionet-stress-exercise" / "stress"
    whole = pack(write_session(tmp_path / "S05", seconds=100), tmp_path / "S05.zip").read_bytes()
    root.mkdir(parents=True)
    (root / "S05.zip").write_bytes(whole[:-500])
    with pytest.raises(RecordingError, match=r"S05\.zip: expected a complete zip archive"):
        physionet.sessions(tmp_path)


def test_session_is_refused_when_there_twice(tmp_path):
    root = tmp_path / "physionet-stress-exercise" / "stress"
    pack(write_session(root / "S05", seconds=100), root / "S05.zip")
    with pytest.raises(RecordingError, match=r"one ACC\.csv of stress/S05"):
        physionet.sessions(tmp_path)
    write_session(root / "S06", seconds=100, seed=6)
    with skipping_bad():
        assert [s.participant for s in physionet.sessions(tmp_path)] == ["S06"]


def two_of_stress_predict(root):
    """S01 and S02 as archives with labels."""
    (root / "e4").mkdir(parents=True)
    for number in (1, 2):
        session = write_session(root.parent / f"S0{number}", seconds=320, seed=number)
        pack(session, root / "e4" / f"S0{number}.zip")
        shutil.rmtree(session)
    write_labels(root, [(n, *rest) for n in (1, 2, 3) for _, *rest in LABELS])
    return root


def test_a_copy_is_no_person_when_a_session_is_there_under_two_names(tmp_path, capsys):
    root = two_of_stress_predict(tmp_path / "stress-predict")
    shutil.copy(root / "e4" / "S01.zip", root / "e4" / "S03.zip")
    with pytest.raises(RecordingError, match=r"S03\.zip.*: expected another .* S01, got a copy"):
        stress_predict.sessions(tmp_path)
    with skipping_bad():
        assert [s.participant for s in stress_predict.sessions(tmp_path)] == ["S01", "S02"]
    assert capsys.readouterr().err.startswith("left out stress-predict/S03: ")


def test_a_copy_is_no_person_when_unpacked_and_started_at_another_time(tmp_path):
    root = tmp_path / "physionet-stress-exercise"
    write_session(root / "stress" / "S04", seconds=100)
    write_session(root / "aerobic" / "S05", seconds=100, start=START + 900)
    with pytest.raises(RecordingError, match=r"S04.*that of aerobic/S05, got a copy"):
        physionet.sessions(tmp_path)


def test_what_is_left_alone_is_named_once_when_it_looks_like_a_session(tmp_path, capsys):
    root = two_of_stress_predict(tmp_path / "stress-predict")
    for name in (b"S01_copy.zip", b"S\xff.zip"):
        shutil.copy(root / "e4" / "S01.zip", os.fsencode(root / "e4") + b"/" + name)
    with skipping_bad(skip=False):
        for _ in range(2):
            assert [s.participant for s in stress_predict.sessions(tmp_path)] == ["S01", "S02"]
    why = "not named as a session of this data set"
    told = f"note: {root}: left alone e4/S01_copy.zip/S01, e4/S\ufffd.zip/S01: {why}\n"
    assert capsys.readouterr().err == told


def test_what_macos_adds_is_no_recording_when_beside_one(tmp_path, capsys):
    root = two_of_stress_predict(tmp_path / "stress-predict")
    (root / "__MACOSX" / "e4").mkdir(parents=True)
    for name in ("e4/._S01.zip", "e4/.DS_Store", "__MACOSX/e4/S01.zip", "._labels.csv.gz"):
        (root / name).write_bytes(b"Mac OS X")
    assert [s.participant for s in stress_predict.sessions(tmp_path)] == ["S01", "S02"]
    assert capsys.readouterr().err == ""


def test_only_its_person_is_left_out_when_an_archive_is_cut(tmp_path, capsys):
    root = two_of_stress_predict(tmp_path / "stress-predict")
    whole = (root / "e4" / "S02.zip").read_bytes()
    (root / "e4" / "S02.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordingError, match=r"S02\.zip: expected a complete zip archive"):
        stress_predict.sessions(tmp_path)
    with skipping_bad():
        assert [s.participant for s in stress_predict.sessions(tmp_path)] == ["S01"]
    err = capsys.readouterr().err
    assert err.startswith("left out stress-predict/S02: ")
    assert err.count("\n") == 1


def test_a_data_set_that_is_one_cut_archive_is_refused_also_when_skipping(tmp_path):
    (tmp_path / "stress-predict.zip").write_bytes(b"not a zip")
    with skipping_bad(), pytest.raises(RecordingError, match=r"expected a complete zip archive"):
        stress_predict.sessions(tmp_path)


def test_a_file_is_told_from_nothing_when_it_is_no_folder(tmp_path):
    (tmp_path / "README.md").write_text("hello")
    with pytest.raises(RecordingError, match=r"README\.md: expected .*, got a file"):
        stress_predict.sessions(tmp_path / "README.md")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda data: data[:-40], "expected a complete text file"),
        (lambda _data: b"Participant,HR,respr,Time(sec),Label\n5,70,1", "in row 2"),
        (lambda _data: b"Participant,HR\n5,70\n", "a first row with Participant"),
        (lambda _data: b"something else\n", "a first row with Participant"),
    ],
)
def test_label_file_is_named_when_it_is_cut(tmp_path, change, line):
    root = tmp_path / "stress-predict"
    write_session(root / "e4" / "S05", seconds=320)
    write_labels(root, LABELS)
    packed = root / "labels.csv.gz"
    content = change(packed.read_bytes())
    if not content.startswith(b"\x1f"):
        packed.unlink()
        packed = root / "labels.csv"
    packed.write_bytes(content)
    with pytest.raises(LabelError, match=line):
        stress_predict.sessions(tmp_path)


def test_flat_skin_conductance_is_no_copy_when_looked_at(rng):
    still = np.full(4000, 150_000)
    assert repeated_from_s(still, 4.0) is None
    alive = np.cumsum(rng.integers(-5, 6, 4000))
    assert repeated_from_s(alive, 4.0) is None
    assert repeated_from_s(np.concatenate([alive, alive]), 4.0) == 1000.0


@pytest.mark.needs_data
def test_real_sessions_are_the_same_when_laid_out_as_published(data_dir, tmp_path):
    source = data_dir / "physionet-stress-exercise"
    for kind in ("stress", "aerobic"):
        first = sorted((source / kind).glob("*.zip"))[0]
        target = tmp_path / "Wearable_Dataset" / kind.upper() / first.stem
        with zipfile.ZipFile(first) as archive:
            archive.extractall(target)
    published = physionet.sessions(tmp_path)
    ours = {(s.participant, s.kind): s for s in physionet.sessions(data_dir)}
    assert len(published) == 2
    for session in published:
        twin = ours[session.participant, session.kind]
        assert session.stages == twin.stages
        assert session.source.open().content_sha256() == twin.source.open().content_sha256()
