"""Loaders on made-up archives in the publishers' layouts, and on the real ones."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from firmware_host.errors import LabelError, RecordingError
from training.datasets import physionet, stress_predict
from training.datasets.bad_people import skipping_bad
from training.datasets.base import EXERCISE, REST, STRESS, UNSCORED
from training.datasets.stress_windows import load_windows, stage_of_windows
from training.stress.people import people_of, spread_of

START = 1_644_000_000


def write_session(folder, *, seconds, tags=(), seed=0, start=START):
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    t = np.arange(seconds * 64) / 64
    signals = {
        "BVP.csv": (64, 30 * np.sin(2 * np.pi * 1.2 * t + seed)),
        "EDA.csv": (4, 2 + 0.01 * rng.normal(size=seconds * 4)),
        "TEMP.csv": (4, np.full(seconds * 4, 33.0)),
    }
    for name, (rate, x) in signals.items():
        rows = [f"{start}", f"{rate}", *(f"{v:.4f}" for v in x)]
        (folder / name).write_text("\n".join(rows) + "\n")
    acc = rng.integers(-3, 3, size=(seconds * 32, 3)) + np.array([0, 0, 64])
    rows = [f"{start},{start},{start}", "32,32,32", *(f"{a},{b},{c}" for a, b, c in acc)]
    (folder / "ACC.csv").write_text("\n".join(rows) + "\n")
    (folder / "tags.csv").write_text("".join(f"{start + tag}\n" for tag in tags))
    return folder


def write_labels(root, rows):
    root.mkdir(parents=True, exist_ok=True)
    with gzip.open(root / "labels.csv.gz", "wt") as out:
        out.write("Participant,HR,respr,Time(sec),Label\n")
        for participant, start, n, label in rows:
            for second in range(start, start + n):
                out.write(f"{participant},70,12.5,{START + second},{label}\n")


@pytest.fixture
def predict_root(tmp_path):
    root = tmp_path / "stress-predict"
    write_session(root / "e4" / "S07", seconds=900)
    stages = [(7, 60, 240, 0), (7, 300, 240, 1), (7, 540, 120, 0), (7, 660, 90, 1), (7, 750, 90, 0)]
    write_labels(root, stages)
    return tmp_path


def test_label_runs_become_stages_when_read(predict_root):
    (session,) = stress_predict.sessions(predict_root)
    assert session.person == "stress-predict/S07"
    assert [(s.name, s.label, s.end_utc - s.start_utc) for s in session.stages] == [
        ("baseline", REST, 240),
        ("task-1", STRESS, 240),
        ("rest-2", REST, 120),
        ("hyperventilation", UNSCORED, 90),
        ("rest-4", REST, 90),
    ]


@pytest.mark.parametrize(("window_s", "n_unscored"), [(60.0, 4), (30.0, 7)])
def test_windows_lie_wholly_inside_their_stage_when_numbered(
    predict_root, tmp_path, window_s, n_unscored
):
    (session,) = stress_predict.sessions(predict_root)
    (windows,) = load_windows([session], cache_dir=tmp_path / "cache", window_s=window_s)
    assert windows.t_end_s[0] == window_s
    for t_end_s, stage in zip(windows.t_end_s, windows.stage, strict=True):
        inside = [
            i
            for i, s in enumerate(session.stages)
            if t_end_s - window_s >= s.start_utc - START and t_end_s <= s.end_utc - START
        ]
        assert inside == ([stage] if stage >= 0 else [])
    assert (windows.label == UNSCORED).sum() == n_unscored
    assert windows.features[20, 0] == pytest.approx(72.0, abs=0.5)


def test_cache_gives_the_same_windows_and_notices_a_change_when_reused(predict_root, tmp_path):
    cache = tmp_path / "cache"
    (session,) = stress_predict.sessions(predict_root)
    first, again = (load_windows([session], cache_dir=cache)[0] for _ in range(2))
    np.testing.assert_array_equal(first.features, again.features)
    assert len(list(cache.iterdir())) == 1
    eda = session.path / "EDA.csv"
    eda.write_text(eda.read_text().replace("\n2.0", "\n3.0"))
    changed = load_windows([session], cache_dir=cache)[0]
    assert not np.array_equal(first.features, changed.features)
    assert len(list(cache.iterdir())) == 2
    shorter = load_windows([session], cache_dir=cache, window_s=30.0)[0]
    assert len(shorter.t_end_s) == len(changed.t_end_s) + 3


def test_tags_stand_in_when_a_person_has_no_labels(tmp_path):
    root = tmp_path / "stress-predict"
    tags = (300, 600, 900, 1500, 1800, 1930, 2400)
    write_session(root / "e4" / "S01", seconds=2460, tags=tags)
    write_labels(root, [(2, 0, 10, 0)])
    (session,) = stress_predict.sessions(tmp_path)
    assert [(s.label, round(s.end_utc - START)) for s in session.stages] == [
        (REST, 300), (STRESS, 600), (REST, 900), (STRESS, 1500), (REST, 1800),
        (UNSCORED, 1930), (REST, 2460),
    ]  # fmt: skip


def test_person_is_refused_or_named_when_neither_labels_nor_tags_tell(tmp_path, capsys):
    root = tmp_path / "stress-predict"
    write_session(root / "e4" / "S01", seconds=120, tags=(10, 20))
    write_session(root / "e4" / "S02", seconds=120, seed=1)
    write_labels(root, [(2, 0, 10, 0)])
    with pytest.raises(RecordingError, match="rows of this person in the label file"):
        stress_predict.sessions(tmp_path)
    with skipping_bad():
        (session,) = stress_predict.sessions(tmp_path)
    assert session.participant == "S02"
    assert capsys.readouterr().err.startswith("left out stress-predict/S01: ")


def test_missing_labels_are_named_when_absent(tmp_path):
    write_session(tmp_path / "stress-predict" / "e4" / "S01", seconds=70)
    with pytest.raises(LabelError, match=r"labels\.csv"):
        stress_predict.sessions(tmp_path)


def test_physionet_stages_follow_the_protocol_when_tagged(tmp_path):
    root = tmp_path / "physionet-stress-exercise"
    v1 = (60, 240, 260, 380, 600, 760, 900, 930, 950, 980, 1000, 1030)
    v2 = (700, 800, 1000, 1300, 1330, 1360, 1400, 1700, 1730)
    write_session(root / "stress" / "S05", seconds=1100, tags=v1)
    write_session(root / "stress" / "f03", seconds=1800, tags=v2, seed=1)
    write_session(root / "aerobic" / "S05", seconds=90, seed=2)
    first, second, third = physionet.sessions(tmp_path)
    edges = [(s.label, s.start_utc - START, s.end_utc - START) for s in first.stages]
    assert edges == [
        (REST, 60, 240), (STRESS, 260, 380), (REST, 380, 600), (STRESS, 600, 760),
        (REST, 760, 900), (STRESS, 900, 1030),
    ]  # fmt: skip
    edges = [(s.label, s.start_utc - START, s.end_utc - START) for s in second.stages]
    assert edges == [
        (REST, 100, 700), (STRESS, 800, 1000), (REST, 1000, 1300), (STRESS, 1300, 1360),
        (REST, 1400, 1700), (STRESS, 1700, 1730),
    ]  # fmt: skip
    assert third.kind == "aerobic"
    assert third.person == first.person
    assert [s.label for s in third.stages] == [EXERCISE]


def test_later_stages_are_absent_when_a_session_was_cut_short(tmp_path):
    root = tmp_path / "physionet-stress-exercise"
    write_session(root / "stress" / "S05", seconds=400, tags=(60, 240, 260, 380))
    (session,) = physionet.sessions(tmp_path)
    assert [s.name for s in session.stages] == ["baseline", "stroop"]


def test_data_dir_may_be_the_dataset_itself_when_given(predict_root):
    inner = stress_predict.sessions(predict_root / "stress-predict")
    assert inner == stress_predict.sessions(predict_root)


def test_absent_folder_is_refused_when_listed(tmp_path):
    with pytest.raises(RecordingError, match="no such folder"):
        physionet.sessions(tmp_path / "nowhere")


@pytest.mark.parametrize("kind", ["guided", "unlabelled"])
def test_baseline_is_learned_when_people_are_made(predict_root, tmp_path, kind):
    windows = load_windows(stress_predict.sessions(predict_root), cache_dir=tmp_path / "cache")
    (person,) = people_of(windows, baseline=kind)
    assert person.baseline.n_windows >= 6
    assert np.isfinite(person.z(spread_of([person]))).all()
    assert set(person.y) == {-1, 0, 1}


def test_window_at_the_edge_belongs_to_its_stage_when_exactly_inside(predict_root):
    (session,) = stress_predict.sessions(predict_root)
    stage = stage_of_windows(session, float(START), np.array([119.9, 120.0, 300.0, 300.1]))
    assert stage.tolist() == [-1, 0, 0, -1]


@pytest.mark.needs_data
def test_real_datasets_list_people_with_both_labels_when_present(data_dir):
    for sessions in (stress_predict.sessions(data_dir), physionet.sessions(data_dir)):
        lab = [s for s in sessions if s.kind == "stress"]
        assert len({s.person for s in lab}) == len(lab) >= 10
        for session in lab:
            assert {REST, STRESS} <= {stage.label for stage in session.stages}
            assert session.stages[0].name == "baseline"
            starts = [stage.start_utc for stage in session.stages]
            assert starts == sorted(starts)
