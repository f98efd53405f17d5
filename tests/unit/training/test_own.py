"""Own recordings: where labels come from, and what is said of recordings that cannot be used."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from firmware_host.adaptation.episodes import LabelSpan
from firmware_host.adaptation.labels import put_label, remove_label
from firmware_host.errors import LabelError, RecordingError
from firmware_host.events import Activity
from firmware_host.protocol.messages import Block
from firmware_host.recording.mcap_file import McapReader, McapWriter
from firmware_host.vault.records import Vault
from firmware_host.vault.wearer import export
from tests.unit.training.own_fixture import DAY, WALK, label_file, record, spans
from tests.unit.training.test_stress_datasets import START as E4_START
from tests.unit.training.test_stress_datasets import write_session
from training.datasets import own
from training.datasets.bad_people import skipping_bad
from training.datasets.own_recording import read_parts
from training.datasets.registry import gait_sets, is_there
from training.datasets.stress_windows import load_windows


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A recording with button presses, one without, and a walk."""
    folder = tmp_path_factory.mktemp("made")
    record(folder / "day.mcap", seed=3)
    record(folder / "plain.mcap", seed=4, presses=False)
    record(folder / "walk-1.mcap", seed=3, day=WALK)
    return folder


@pytest.fixture
def anna(made, tmp_path):
    """The folder of one participant in a data folder, still empty."""
    folder = tmp_path / "own" / "anna"
    folder.mkdir(parents=True)

    def take(*names):
        for name in names:
            shutil.copy(made / name, folder / name)
        return folder

    return take


def told(session):
    return [(stage.label, round(stage.end_utc - stage.start_utc)) for stage in session.stages]


def test_presses_are_labels_when_nothing_lies_beside(anna, tmp_path):
    folder = anna("day.mcap")
    (session,) = own.sessions(tmp_path)
    assert session.person == "own/anna"
    assert session.path == folder / "day.mcap"
    assert [label for label, _ in told(session)] == ["rest", "stress", "rest"]
    for (_, lasted_s), (_, minutes) in zip(told(session), DAY, strict=True):
        assert lasted_s == pytest.approx(60 * minutes, abs=10)


def test_a_file_beside_outranks_presses_when_there(anna, tmp_path):
    folder = anna("day.mcap")
    start = read_parts(folder / "day.mcap")[0].signals.start_utc
    label_file(folder / "day.labels.csv", [(start + 10, start + 90, "rest")])
    (session,) = own.sessions(tmp_path)
    assert told(session) == [("rest", 80)]


def test_a_vaults_export_labels_what_carries_none_when_there(anna, tmp_path):
    folder = anna("plain.mcap")
    start = read_parts(folder / "plain.mcap")[0].signals.start_utc
    with Vault.create(tmp_path / "vault", tmp_path / "key") as vault:
        for first, last, label in ((20, 80, "rest"), (100, 200, "stress"), (200, 300, "stress")):
            span = LabelSpan(label, start + first, start + last)
            wrong = put_label(vault, span, source="cli", now_utc=start + 400)
        remove_label(vault, wrong, now_utc=start + 500)
        export(vault, folder / "mine.zip")
    (session,) = own.sessions(tmp_path)
    assert told(session) == [("rest", 60), ("stress", 100)]


def test_empatica_session_is_a_recording_when_laid_there(tmp_path):
    folder = tmp_path / "own" / "ben"
    write_session(folder / "lab", seconds=150)
    label_file(folder / "lab.labels.csv", [(E4_START + 5, E4_START + 70, "stress")])
    (session,) = own.sessions(tmp_path)
    assert told(session) == [("stress", 65)]
    assert session.source.open().channels["acc"].rate_hz == 32


def test_windows_are_those_of_the_wearer_when_made(anna, tmp_path):
    anna("day.mcap")
    (windows,) = load_windows(own.sessions(tmp_path), cache_dir=tmp_path / "cache")
    assert len(windows.t_end_s) == (8 * 60 - 60) // 10 + 1
    assert windows.quality.mean(axis=0).min() > 0.5
    assert {"rest", "stress"} <= set(windows.label.tolist())
    heart = windows.features[:, 0]
    assert heart[windows.label == "stress"].mean() > heart[windows.label == "rest"].mean()


def test_lost_samples_are_holes_when_a_recording_has_gaps(tmp_path):
    folder = tmp_path / "own" / "cleo"
    record(folder / "day.mcap", seed=5)
    whole = read_parts(folder / "day.mcap")[0].signals
    with McapWriter(folder / "gaps.mcap") as writer:
        blocks = 0
        for utc, message in McapReader(folder / "day.mcap").messages():
            blocks += isinstance(message, Block) and message.stream == 0
            is_lost = isinstance(message, Block) and message.stream == 0 and blocks % 50 == 0
            if not is_lost:
                writer.write(message, utc)
    holed = read_parts(folder / "gaps.mcap")[0].signals
    ours, theirs = holed.channels["bvp"].values[:, 0], whole.channels["bvp"].values[:, 0]
    kept = np.isfinite(ours)
    assert 0.95 < kept.mean() < 0.99
    np.testing.assert_array_equal(ours[kept], theirs[: len(ours)][kept])


def test_sitting_begins_at_the_rate_that_was_asked_for(tmp_path):
    path = record(tmp_path / "a.mcap", seed=5, day=(("rest", 1.5),), options=("--rate", "acc=100"))
    (part,) = read_parts(path)
    assert part.signals.channels["acc"].rate_hz == 100.0
    assert len(part.signals.channels["acc"].values) > 88 * 100


def test_walks_are_found_by_name_or_by_activity_file(anna, tmp_path):
    folder = anna("walk-1.mcap", "plain.mcap")
    assert gait_sets(tmp_path) == ["own"]
    dataset = own.index(tmp_path)
    assert list(dataset.people) == ["anna"]
    (walk,) = dataset.load("anna")
    assert walk.activity is Activity.WALK
    assert walk.duration_s == pytest.approx(90, abs=1)
    assert np.linalg.norm(walk.acc_ms2.mean(axis=0)) == pytest.approx(9.8, abs=1.5)
    start = read_parts(folder / "plain.mcap")[0].signals.start_utc
    label_file(folder / "plain.activity.csv", [(start + 30, start + 60, "still")])
    still, walk = sorted(dataset.load("anna"), key=lambda r: r.activity.value)
    assert still.activity is Activity.STILL
    assert still.duration_s == pytest.approx(30, abs=0.1)


def test_a_copy_is_no_person_when_a_walk_is_there_under_two_names(anna, tmp_path, capsys):
    folder = anna("walk-1.mcap")
    twin = folder.with_name("ben") / "walking.mcap"
    twin.parent.mkdir()
    shutil.copy(folder / "walk-1.mcap", twin)
    with pytest.raises(RecordingError, match=r"walking\.mcap: expected another .*anna/walk-1"):
        own.index(tmp_path)
    with skipping_bad():
        assert list(own.index(tmp_path).people) == ["anna"]
    assert capsys.readouterr().err.startswith("left out own/ben: ")


def test_activity_word_is_named_when_unknown(anna, tmp_path):
    folder = anna("plain.mcap")
    start = read_parts(folder / "plain.mcap")[0].signals.start_utc
    label_file(folder / "plain.activity.csv", [(start, start + 60, "swim")])
    with pytest.raises(LabelError, match=r"still or walk .*'swim'"):
        own.index(tmp_path).load("anna")


def test_recording_is_named_when_cut_to_nothing(anna, tmp_path, capsys):
    folder = anna("day.mcap")
    (folder / "bad.mcap").write_bytes((folder / "day.mcap").read_bytes()[:200])
    with pytest.raises(RecordingError, match=r"bad\.mcap"):
        own.sessions(tmp_path)
    with skipping_bad():
        assert [s.path.name for s in own.sessions(tmp_path)] == ["day.mcap"]
    assert capsys.readouterr().err.startswith("left out own/anna: ")


def test_only_its_person_is_left_out_when_an_archive_is_cut(anna, tmp_path, capsys):
    anna("day.mcap")
    (tmp_path / "own" / "ben").mkdir()
    (tmp_path / "own" / "ben" / "lab.zip").write_bytes(b"PK cut")
    with pytest.raises(RecordingError, match=r"lab\.zip: expected a complete zip archive"):
        own.sessions(tmp_path)
    with skipping_bad():
        assert [s.person for s in own.sessions(tmp_path)] == ["own/anna"]
    assert capsys.readouterr().err.startswith("left out own/ben: ")


def test_a_copy_is_no_person_when_in_two_folders(anna, tmp_path):
    shutil.copytree(anna("day.mcap"), tmp_path / "own" / "ben")
    with pytest.raises(RecordingError, match=r"ben/day\.mcap: expected another .*anna/day\.mcap"):
        own.sessions(tmp_path)


def test_what_is_left_alone_is_named_when_it_holds_no_recording(anna, tmp_path, capsys):
    folder = anna("day.mcap")
    root = tmp_path / "own"
    (root / "ben").mkdir()
    shutil.copytree(folder, root / os.fsdecode(b"cl\xff"))
    shutil.copy(folder / "day.mcap", root / "day.mcap")
    assert [s.person for s in own.sessions(tmp_path)] == ["own/anna"]
    why = "expected folders of participants with recordings in them"
    told = f"note: {root}: left alone ben, cl\ufffd, day.mcap: {why}\n"
    assert capsys.readouterr().err == told


def test_what_macos_adds_is_no_recording_when_beside_one(anna, tmp_path, capsys):
    folder = anna("day.mcap")
    for name in ("._day.mcap", "._mine.zip", ".DS_Store", "../.DS_Store", "../__MACOSX/._a.mcap"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"Mac OS X")
    assert len(own.sessions(tmp_path)) == 1
    assert capsys.readouterr().err == ""


def test_public_sets_are_not_participants_when_nobody_recorded(tmp_path):
    (tmp_path / "motionsense").mkdir()
    (tmp_path / "motionsense" / "sub_1.zip").write_bytes(b"")
    with pytest.raises(RecordingError, match=r"expected own/.*, got a folder with motionsense$"):
        own.sessions(tmp_path)


def test_labels_are_refused_when_of_another_time(anna, tmp_path):
    folder = anna("day.mcap")
    label_file(folder / "day.labels.csv", [(1000.0, 2000.0, "rest")])
    with pytest.raises(LabelError, match="labels of the time of this recording"):
        own.sessions(tmp_path)


def test_folder_of_participants_is_the_data_set_when_given_itself(anna, tmp_path):
    anna("day.mcap")
    assert is_there(tmp_path, "own")
    assert is_there(tmp_path / "own", "own")
    assert not is_there(tmp_path, "wesad")
    assert own.sessions(tmp_path / "own") == own.sessions(tmp_path)


def test_two_bouts_follow_each_other_when_a_day_is_recorded(made):
    (part,) = read_parts(made / "plain.mcap")
    lasted_s = sum(60 * minutes for _, minutes in DAY)
    assert part.labels == ()
    assert part.signals.end_utc - part.signals.start_utc == pytest.approx(lasted_s, abs=1)
    assert spans(part.signals.start_utc)[-1][1] == pytest.approx(part.signals.end_utc, abs=1)
