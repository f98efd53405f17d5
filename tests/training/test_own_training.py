"""From own recordings to a bundle that the host runs: one command, on simulated wearers."""

from __future__ import annotations

import argparse
import errno
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from firmware_host.errors import ConfigError, RecordingError, StorageError
from firmware_host.inference.bundle import find_bundle, load_bundle
from tests.unit.training.own_fixture import WALK, label_file, record, spans
from training import cli, train
from training.datasets.own_recording import read_parts

N_WEARERS = 5
NOBODY: dict[str, list[str]] = {"stress": [], "gait": []}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five wearers' days; the labels of one lie beside, the others pressed the buttons."""
    folder = tmp_path_factory.mktemp("lab")
    for i in range(N_WEARERS):
        record(folder / "own" / f"p{i}" / "day.mcap", seed=20 + i, presses=i > 0)
    first = folder / "own" / "p0" / "day.mcap"
    start = read_parts(first)[0].signals.start_utc
    label_file(first.with_name("day.labels.csv"), spans(start))
    record(folder / "own" / "p0" / "walk-1.mcap", seed=20, day=WALK)
    return folder


def sources(folder: Path) -> train.Sources:
    return train.Sources(folder)


@pytest.mark.needs_tf
def test_own_recordings_become_a_bundle_that_the_host_runs(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(lab), "--name", "lab", "--version", "1.0.0"]
    arguments += ["--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    assert cli.main(["train", *arguments]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    folder = Path(told["bundle"])
    assert folder == tmp_path / "out" / "lab-1.0.0"
    assert (told["stress"], told["gait"]) == ("trained", "base")
    base = load_bundle(find_bundle())
    assert f"gait: 0 people who walk for 180 s, 6 needed; taken from {base.label}\n" in err

    bundle = load_bundle(folder)
    own = {name for name in bundle.recordings if name.startswith("own/")}
    assert own == {f"own/p{i}" for i in range(N_WEARERS)}
    assert not any(name.startswith("stress-predict/") for name in bundle.recordings)
    assert bundle.files["gait.tflite"] == base.files["gait.tflite"]
    assert bundle.files["stress.tflite"] != base.files["stress.tflite"]
    assert cli.main(["check", "--bundle", str(folder)]) == 0

    events = run(lab / "own" / "p1" / "day.mcap", folder, tmp_path / "state")
    states = {event["state"] for event in events if event["kind"] == "stress"}
    assert states & {"rest", "stress"}
    (summary,) = (event for event in events if event["kind"] == "summary")
    assert summary["seen_in_training"]


def run(recording: Path, bundle: Path, state: Path) -> list[dict]:
    command = [sys.executable, "-m", "firmware_host", "run", "--json"]
    command += ["--device", f"replay:{recording}?speed=max", "--bundle", str(bundle)]
    command += ["--state", str(state), "--key-file", str(state.with_name("key"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_nothing_is_trained_when_people_are_too_few(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(train.MIN_STRESS_PEOPLE - 1):
        shutil.copytree(lab / "own" / f"p{i}", tmp_path / "own" / f"p{i}")
    assert cli.main(["train", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 4
    err = capsys.readouterr().err
    assert "3 people with rest and stress in one recording, 4 needed" in err
    assert "0 people who walk for 180 s, 6 needed" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_only_what_was_asked_for_is_trained_or_refused(lab: Path, tmp_path: Path) -> None:
    arguments = train_arguments("--data", lab, "--only", "stress")
    assert train._reasons(arguments, sources(lab), NOBODY) == {"gait": "--only stress"}
    arguments = train_arguments("--data", lab, "--only", "gait")
    with pytest.raises(RecordingError, match="enough to train gait on"):
        train._reasons(arguments, sources(lab), NOBODY)


def test_held_out_people_are_not_counted_when_there_are_just_enough(lab: Path) -> None:
    arguments = train_arguments("--data", lab, "--base", "signet")
    held = {"stress": ["own/p1"], "gait": []}
    assert "stress" not in train._reasons(arguments, sources(lab), held)
    held["stress"].append("own/p2")
    with pytest.raises(RecordingError, match="got 3 people with rest and stress"):
        train._reasons(arguments, sources(lab), held)


def test_base_is_used_when_somebody_held_out_leaves_too_few(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wisdm-watch").mkdir()
    arguments = train_arguments("--data", lab, "--hold-out", "own/p1", "--hold-out", "own/p2")
    both = train.Sources(lab, tmp_path)
    held = dict(zip(train.HALVES, train.held_out(both, arguments.hold_out[:]), strict=True))
    reasons = train._reasons(arguments, both, held)
    assert reasons == {"stress": "3 people with rest and stress in one recording, 4 needed"}


def test_base_that_cannot_be_used_is_refused_before_the_work(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(*_: object) -> None:
        raise AssertionError("the base comes first")

    monkeypatch.setattr(train, "_train_stress", trained)
    base = str(tmp_path / "no-bundle")
    arguments = ["--data", str(lab), "--out", str(tmp_path / "out"), "--base", base]
    assert cli.main(["train", *arguments, "--only", "stress"]) == 5
    err = capsys.readouterr().err
    assert f"expected a folder with bundle.toml, got no folder {base}" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("out", "code", "line"),
    [
        ("/dev/full", 2, "--out: expected a folder for the bundle, got '/dev/full'"),
        ("/dev/full/bundles", 2, "--out: expected a folder for the bundle"),
        ("/proc/bundles", 8, "--out /proc/bundles: expected a place to write to, got "),
    ],
)
def test_place_is_refused_before_the_work_when_it_cannot_be_written(
    tmp_path: Path, out: str, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # Nothing to train on: it is said only where the place is right.
    assert cli.main(["train", "--data", str(tmp_path), "--out", out]) == code
    err = capsys.readouterr().err
    assert line in err
    assert err.count("\n") == 1


def test_a_full_disk_is_one_line_when_the_bundle_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(sys.modules, "training.bundle.export", SimpleNamespace(
        NAME="signet", VERSION="1.0.0", export_bundle=full))  # fmt: skip
    arguments = train_arguments("--data", tmp_path, "--out", tmp_path / "out")
    with pytest.raises(StorageError, match="expected a place to write to, got No space left"):
        train._export(arguments, sources(tmp_path), {"stress": None, "gait": None})


def test_the_card_is_told_every_option_that_makes_another_bundle(tmp_path: Path) -> None:
    said = train._said(train_arguments(
        "--data", tmp_path, "--public", tmp_path / "mine", "--only", "gait", "--base",
        tmp_path / "base-1.0.0", "--seed", "3", "--name", "mine", "--version", "1.2.3",
        "--skip-bad", "--out", tmp_path / "out"))  # fmt: skip
    assert said == (
        " --public PUBLIC --only gait --base base-1.0.0 --seed 3 --name mine --version 1.2.3 --skip-bad"
    )
    assert train._said(train_arguments("--data", tmp_path)) == ""


def test_a_file_is_named_as_one_when_a_folder_was_expected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "README.md"
    file.write_text("hello")
    assert cli.main(["train", "--data", str(file)]) == 2
    assert f"got '{file}, a file'" in capsys.readouterr().err


def test_both_are_trained_when_public_sets_are_there(lab: Path, tmp_path: Path) -> None:
    for name in ("stress-predict", "wisdm-watch"):
        (tmp_path / name).mkdir()
    both = train.Sources(lab, tmp_path)
    assert train._reasons(train_arguments("--data", lab), both, NOBODY) == {}
    with both.joined(["own", "stress-predict", "wesad"]) as folder:
        assert sorted(path.name for path in folder.iterdir()) == ["own", "stress-predict"]
        assert (folder / "own").resolve() == lab / "own"


def test_a_set_is_refused_when_it_is_in_both_folders(lab: Path, tmp_path: Path) -> None:
    for root in (tmp_path / "a", tmp_path / "b"):
        (root / "wesad").mkdir(parents=True)
    both = train.Sources(tmp_path / "a", tmp_path / "b")
    with pytest.raises(ConfigError, match="--public"):
        both.public_sets(["wesad"])


def test_own_people_can_be_held_out_when_named(lab: Path) -> None:
    assert train.held_out(sources(lab), ["own/p0", "own/p2"]) == (["own/p0", "own/p2"], ["own/p0"])
    with pytest.raises(ConfigError, match="somebody in"):
        train.held_out(sources(lab), ["own/nobody"])


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--name", value) for value in ("../x", "")),
        *(("--version", value) for value in ("one", "1", "1.0", "1.0.0.0", "1.0.")),
    ],
)
def test_name_is_refused_when_it_makes_no_folder(
    lab: Path, option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", "--data", str(lab), option, value]) == 2
    assert option in capsys.readouterr().err


def train_arguments(*options: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    return parser.parse_args([str(option) for option in options])
