"""A folder with a few people in a publisher's layout, and the bundle that ships: nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.cli import main

STRESS_KEYS = {
    "balanced_accuracy", "macro_f1", "auc", "ece", "coverage", "time_only_balanced_accuracy",
    "worst", "participants",
}  # fmt: skip
GAIT_KEYS = {
    "eer_5s", "eer_10s", "eer_30s", "rank1_5s", "rank1_30s", "gate_macro_f1", "gate_recall",
    "cadence_mae_spm", "participants",
}  # fmt: skip
# Folder of the archives, their names, and the files that describe all of them.
LAYOUT = {
    "stress-predict": (("e4",), "S*.zip", ("labels.csv.gz",)),
    "physionet-stress-exercise": (("stress", "aerobic", "anaerobic"), "*.zip", ()),
    "motionsense": ((".",), "sub_*.zip", ()),
    "wisdm-watch": ((".",), "16*.zip", ()),
    "mobgap-lab": ((".",), "data_csv.zip", ()),
}

pytestmark = pytest.mark.needs_data


def copy_people(source: Path, target: Path, n: int) -> list[str]:
    """Link the first `n` people of a data set into a new folder; gives their names."""
    folders, pattern, shared = LAYOUT[source.name]
    names = [path.name for path in sorted((source / folders[0]).glob(pattern))][:n]
    for folder in folders:
        (target / folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            if (source / folder / name).exists():
                (target / folder / name).symlink_to(source / folder / name)
    for name in shared:
        (target / name).symlink_to(source / name)
    return [name.removesuffix(".zip") for name in names]


def evaluate(tmp_path, task, dataset, *more):
    """Run the command on `tmp_path`/people and read what it wrote."""
    out, page = tmp_path / "out.json", tmp_path / "out.html"
    words = ["evaluate", "--task", task, "--dataset", dataset, "--data", str(tmp_path / "people")]
    assert main([*words, "--json", str(out), "--html", str(page), *more]) == 0
    assert "<script" not in page.read_text()
    return json.loads(out.read_text())


@pytest.mark.parametrize("protocol", ["generic", "personal", "earlier"])
def test_stress_is_scored_when_three_people_are_there(data_dir, tmp_path, capsys, protocol):
    names = copy_people(data_dir / "stress-predict", tmp_path / "people", 3)
    more = ("--protocol", protocol, "--cache", str(tmp_path / "cache"))
    result = evaluate(tmp_path, "stress", "stress-predict", *more)
    assert set(result) >= STRESS_KEYS
    assert [one["id"].split("/")[1] for one in result["participants"]] == names
    for one in result["participants"]:
        assert (one["personal"] is None) == (protocol == "generic")
    summary = json.loads(capsys.readouterr().out)
    assert summary["balanced_accuracy"] == result["balanced_accuracy"]
    assert "participants" not in summary


def test_exercise_is_scored_when_the_data_set_has_it(data_dir, tmp_path, capsys):
    copy_people(data_dir / "physionet-stress-exercise", tmp_path / "people", 1)
    more = ("--cache", str(tmp_path / "cache"), "--window-s", "30")
    result = evaluate(tmp_path, "stress", "physionet-stress-exercise", *more)
    assert result["balanced_accuracy_sd"] is None
    assert result["reasons"]["balanced_accuracy_sd"]
    assert 0 <= result["exercise_called_stress"] <= result["exercise_called_stress_worst"] <= 1
    assert "out" not in capsys.readouterr().err


@pytest.mark.parametrize("dataset", ["motionsense", "wisdm-watch"])
def test_gait_is_scored_when_three_people_are_there(data_dir, tmp_path, capsys, dataset):
    names = copy_people(data_dir / dataset, tmp_path / "people", 3)
    result = evaluate(tmp_path, "gait", dataset)
    assert set(result) >= GAIT_KEYS
    assert len(result["participants"]) == len(names)
    assert result["gallery_size"] + len(result["not_enrolled"]) == len(names)
    assert result["cadence_mae_spm"] is None
    assert 0 <= result["eer_30s"] <= result["eer_5s"] + 0.1
    assert result["gate_macro_f1"] > 0.6
    assert json.loads(capsys.readouterr().out)["eer_5s"] == result["eer_5s"]


def test_one_person_alone_gives_what_one_person_can(data_dir, tmp_path, capsys):
    copy_people(data_dir / "wisdm-watch", tmp_path / "people", 1)
    result = evaluate(tmp_path, "gait", "wisdm-watch")
    assert result["eer_5s"] is None
    assert "two people" in result["reasons"]["eer_5s"]
    assert result["gate_macro_f1"] is not None
    capsys.readouterr()


def test_cadence_is_asked_of_the_laboratory_walks(data_dir, tmp_path, capsys):
    copy_people(data_dir / "mobgap-lab", tmp_path / "people", 1)
    result = evaluate(tmp_path, "gait", "mobgap-lab")
    assert set(result) >= GAIT_KEYS
    assert result["eer_5s"] is None
    assert (result["cadence_mae_spm"] is None) == ("cadence_mae_spm" in result["reasons"])
    capsys.readouterr()
