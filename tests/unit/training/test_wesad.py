"""WESAD in its published layout, in both forms, on made-up people."""

from __future__ import annotations

import os
import pickle
import shutil
import zipfile

import numpy as np
import pytest

from firmware_host.errors import LabelError, RecordingError
from tests.unit.training.wesad_fixture import (
    E4_AHEAD_S,
    START,
    live,
    quest,
    respiban,
    write_e4,
    write_pickle,
)
from training.datasets import wesad
from training.datasets.base import REST, STRESS, UNSCORED
from training.datasets.members import Member
from training.datasets.stress_windows import load_windows
from training.datasets.wesad_labels import stages_of_quest

STAGES = [("baseline", REST), ("tsst", STRESS), ("amusement", REST), ("meditation", UNSCORED)]


@pytest.fixture(scope="module")
def stay():
    return live(seed=5)


@pytest.fixture
def both(tmp_path, stay):
    """The same stay as a pickle and as E4 files with a schedule, in two data folders."""
    write_pickle(tmp_path / "a" / "WESAD" / "S2", stay)
    write_e4(tmp_path / "b" / "WESAD" / "S2", stay)
    return tmp_path / "a", tmp_path / "b"


def relative(session, zero):
    stages = session.stages
    return [(s.name, s.label, s.start_utc - zero, s.end_utc - zero) for s in stages]


def test_both_forms_tell_the_same_protocol_when_listed(both):
    (first,), (second,) = (wesad.sessions(folder) for folder in both)
    assert first.person == second.person == "wesad/S2"
    stages = relative(first, 0.0)
    assert [(name, label) for name, label, *_ in stages] == STAGES
    assert stages[:2] == [("baseline", REST, 60.0, 300.0), ("tsst", STRESS, 330.0, 540.0)]
    assert relative(second, START + E4_AHEAD_S) == stages


def test_a_copied_pickle_is_no_person_when_listed(tmp_path, stay):
    for person in ("S2", "S3"):
        write_pickle(tmp_path / "WESAD" / person, stay)
    with pytest.raises(RecordingError, match=r"S3\.pkl: expected another .* S2, got a copy"):
        wesad.sessions(tmp_path)


def test_both_forms_give_the_same_signals_when_opened(both):
    (first,), (second,) = (wesad.sessions(folder) for folder in both)
    wrist, archive = first.source.open(), second.source.open()
    for name, channel in wrist.channels.items():
        theirs = archive.channels[name].values[round(E4_AHEAD_S * channel.rate_hz) :]
        np.testing.assert_allclose(channel.values, theirs, atol=0.006)
        assert channel.rate_hz == archive.channels[name].rate_hz


def test_windows_of_a_pickle_know_their_condition_when_made(both, tmp_path):
    sessions = wesad.sessions(both[0])
    (windows,) = load_windows(sessions, cache_dir=tmp_path / "cache")
    counts = {label: int((windows.label == label).sum()) for label in (REST, STRESS, UNSCORED)}
    assert counts == {REST: 19 + 7, STRESS: 16, UNSCORED: 7}
    assert windows.quality[:, 0].mean() > 0.7


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_pickle_of_any_age_is_read_when_it_holds_arrays(tmp_path, stay, protocol):
    write_pickle(tmp_path / "S4", stay, protocol=protocol)
    (session,) = wesad.sessions(tmp_path)
    assert len(session.stages) == 4


class _Attack:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def test_pickle_runs_nothing_when_it_asks_to(tmp_path, stay):
    folder, mark = tmp_path / "S2", tmp_path / "ran"
    write_pickle(folder, stay)
    content = {"signal": {"wrist": stay.signals}, "label": _Attack(mark)}
    (folder / "S2.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(RecordingError, match=r"S2\.pkl: expected .* numpy arrays .*system"):
        wesad.sessions(tmp_path)
    assert not mark.exists()


def _without_channel(content):
    del content["signal"]["wrist"]["EDA"]


def _short_bvp(content):
    content["signal"]["wrist"]["BVP"] = content["signal"]["wrist"]["BVP"][:-64_00]


def _words(content):
    content["signal"]["wrist"]["TEMP"] = np.array(["warm"] * 40)


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (_without_channel, "another content"),
        (_short_bvp, "of one length, got bvp"),
        (_words, "all numbers"),
    ],
)
def test_pickle_is_named_when_it_is_not_right(tmp_path, stay, spoil, line):
    path = write_pickle(tmp_path / "S2", stay)
    content = pickle.loads(path.read_bytes())
    spoil(content)
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(RecordingError, match=line) as caught:
        wesad.sessions(tmp_path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_pickle_is_named_when_it_is_cut(tmp_path, stay):
    path = write_pickle(tmp_path / "S2", stay)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(RecordingError, match=r"S2\.pkl: expected a complete pickle"):
        wesad.sessions(tmp_path)


def test_data_is_the_same_when_unpacked_beside_its_archive_or_all_in_one(tmp_path, stay):
    folder = tmp_path / "x" / "WESAD" / "S2"
    write_e4(folder, stay)
    with zipfile.ZipFile(folder / "S2_E4_Data.zip") as archive:
        archive.extractall(folder / "S2_E4_Data")
    (plain,) = wesad.sessions(tmp_path / "x")
    (folder / "S2_E4_Data.zip").unlink()
    packed = shutil.make_archive(str(tmp_path / "wesad"), "zip", tmp_path / "x", "WESAD")
    (archived,) = wesad.sessions(tmp_path)
    assert archived.stages == plain.stages
    assert archived.source.open().content_sha256() == plain.source.open().content_sha256()
    assert str(archived.path).startswith(packed)


def test_our_label_file_is_taken_when_there_is_one(tmp_path, stay):
    folder = tmp_path / "S2"
    write_e4(folder, stay, is_packed=False)
    rows = f"start_utc,end_utc,label\n{START + 5},{START + 65},rest\n{START + 70},{START + 99},stress\n"
    (folder / "S2_labels.csv").write_text(rows)
    (session,) = wesad.sessions(tmp_path)
    assert [(s.label, s.start_utc - START) for s in session.stages] == [(REST, 5), (STRESS, 70)]


@pytest.mark.parametrize(
    ("name", "text", "error", "line"),
    [
        ("S2_quest.csv", None, RecordingError, r"no S2_quest\.csv"),
        ("S2_respiban.txt", None, RecordingError, r"no S2_respiban\.txt"),
        ("S2_quest.csv", "# ORDER;Base;TSST\n# START;1\n# END;2\n", LabelError, "of one length"),
        ("S2_quest.csv", quest("S2").replace("# START;", "# START;x"), LabelError, "minutes.sec"),
        ("S2_quest.csv", quest("S2").replace("Base", "B").replace("TSST", "T")
         .replace("Fun", "F").replace("Medi", "M"), LabelError, "got none"),
        ("S2_respiban.txt", "# OpenSignals\n# {\n", RecordingError, "a second line with"),
        ("S2_respiban.txt", respiban().replace("2017-5-22", "2018-5-22"), RecordingError,
         "does not fit the E4"),
    ],
)  # fmt: skip
def test_schedule_is_named_when_it_is_not_right(tmp_path, stay, name, text, error, line):
    folder = tmp_path / "S2"
    write_e4(folder, stay)
    (folder / name).unlink()
    if text is not None:
        (folder / name).write_text(text)
    with pytest.raises(error, match=line) as caught:
        wesad.sessions(tmp_path)
    assert "\n" not in str(caught.value)


def test_published_schedule_is_read_as_minutes_when_zeros_are_missing(tmp_path):
    schedule = tmp_path / "S2_quest.csv"
    schedule.write_text(
        "# Subj;S2;;\n# ORDER;Base;TSST;Medi 1;Fun;Medi 2;sRead;fRead;;\n"
        "# START;7.08;39.55;70.19;81.25;93.38;54.42;89.51;;\n"
        "# END;26.32;50.3;77.1;87.47;100.15;56.07;91.15;;\n"
    )
    header = tmp_path / "S2_respiban.txt"
    header.write_text(respiban())
    zero = START + E4_AHEAD_S
    span = (START, START + 7900.0)
    stages = stages_of_quest(Member(schedule, (), ""), Member(header, (), ""), span)
    assert [(s.name, s.start_utc - zero, s.end_utc - zero) for s in stages] == [
        ("baseline", 438, 1582), ("tsst", 2405, 3020), ("meditation", 4229, 4620),
        ("amusement", 4895, 5257), ("meditation", 5628, 6005),
    ]  # fmt: skip


def test_nobody_is_an_error_when_the_folder_is_empty(tmp_path):
    with pytest.raises(RecordingError, match="WESAD folders"):
        wesad.sessions(tmp_path)
