from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_host.inference.tflite import installed_runtimes
from training import cli, train


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["train", "--data", "/nowhere"], 2, "--data: expected a folder with the datasets"),
        pytest.param(
            ["train", "--data", ".", "--hold-out", "S05", "--name", "other"],
            2,
            "expected DATASET/PARTICIPANT",
            marks=pytest.mark.needs_tf,
        ),
        (["check", "--bundle", "/nowhere"], 5, "expected a folder with bundle.toml"),
    ],
)
def test_wrong_option_is_one_line_and_a_code_when_called(
    arguments: list[str], code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert line in err
    assert err.count("\n") == 1


@pytest.mark.needs_tf
@pytest.mark.needs_data
def test_nobody_cannot_be_held_out_when_training(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = ["--hold-out", "stress-predict/S999"]
    assert cli.main(["train", "--data", str(data_dir), "--name", "other", *nobody]) == 2
    assert "stress-predict/S999" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", [("--hold-out", "own/p1"), ("--only", "gait"), ("--backbone", "nf4")]
)
def test_another_bundle_does_not_replace_the_one_that_ships(
    option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", "--data", ".", *option]) == 2
    assert "it would replace the bundle that ships" in capsys.readouterr().err


@pytest.mark.needs_tf
@pytest.mark.needs_data
def test_held_out_people_go_to_the_model_that_knows_them(data_dir: Path) -> None:
    person = f"stress-predict/{min(p.stem for p in (data_dir / 'stress-predict/e4').iterdir())}"
    names = [person, "wisdm-watch/1600"]
    assert train.held_out(train.Sources(data_dir), names) == ([person], ["wisdm-watch/1600"])


@pytest.mark.parametrize(
    "verb", [[], ["train"], ["check"], ["loso"], ["evaluate"], ["loso", "--task", "stress"]]
)
def test_help_is_printed_when_asked(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([*verb, "--help"])
    assert caught.value.code == 0
    assert "usage: python -m training" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["train", "--data", ".", "--sead", "3"], "unrecognized arguments: --sead 3"),
        (["loso"], "expected --task gait or stress"),
        (["loso", "--task", "gait", "--dataset", "moon"], "invalid choice: 'moon'"),
        (["loso", "--task", "sleep"], "invalid choice: 'sleep'"),
        (["loso", "--task", "stress", "--dataset", "moon"], "invalid choice: 'moon'"),
    ],
)
def test_usage_is_shown_when_options_are_wrong(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert line in capsys.readouterr().err


@pytest.mark.needs_tf
def test_check_prints_the_largest_difference_when_all_is_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.training.test_export import export

    folder = export(tmp_path)
    assert cli.main(["check", "--bundle", str(folder)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["bundle"] == folder.name
    checked = set(result["largest_difference"])
    assert checked == {f"{m} on {r}" for m in ("stress", "gait") for r in installed_runtimes()}


def test_the_folder_one_stands_in_is_checked_and_not_the_bundle_that_ships(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["check", "--bundle", "."]) == 5
    assert f"got none in {tmp_path}" in capsys.readouterr().err


def _said_to(stdout: int) -> subprocess.CompletedProcess[str]:
    program = (
        "from training import cli, train; train.run = lambda _: {'bundle': 'x' * 100_000}; "
        "raise SystemExit(cli.main(['train', '--data', '.']))"
    )
    command = [sys.executable, "-c", program]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


def test_result_is_one_line_and_a_code_when_standard_output_is_full() -> None:
    with Path("/dev/full").open("w") as full:
        done = _said_to(full.fileno())
    expected = "error: standard output: expected a place to write to, got No space left on device\n"
    assert (done.returncode, done.stderr) == (8, expected)


def test_nothing_is_said_when_the_reader_of_the_result_went_away() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = _said_to(writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
