"""What the command line refuses before it begins, and words that stand at its end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from firmware_host.cli.main import build_parser, main
from firmware_host.cli.streaming import say_silence, silence_limits
from firmware_host.cli.times import length_words
from firmware_host.cli.typed import TypedNotes
from firmware_host.config import Config, parse_config
from firmware_host.errors import ConfigError
from firmware_host.runtime.silence import SilenceLimits

BOARD = "synthetic:?hours=0.01"


def _refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    try:
        code = main(list(arguments))
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("name", ["x.edf", "x", ""])
@pytest.mark.parametrize("verb", [("record", "--out"), ("run", "--record")])
def test_recording_of_another_name_than_mcap_is_refused(
    name: str, verb: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / name) if name else ""
    line = _refused(capsys, verb[0], "--device", BOARD, verb[1], out)
    assert "ends in .mcap (signet convert" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [("replay", ""), ("convert", "", "a.csv"), ("convert", "a.csv", "")]
)
def test_recording_without_a_name_is_refused(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "expected the name of a recording, got an empty one" in _refused(capsys, *arguments)


def test_one_channel_has_one_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rates = ("--rate", "acc=100", "--rate", "acc=50", "--out", str(tmp_path / "a.mcap"))
    line = _refused(capsys, "record", "--device", BOARD, *rates)
    assert "each channel once, got 'acc=100, acc=50'" in line


def test_pipe_is_no_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "a.csv")
    assert main(["replay", str(tmp_path / "a.csv")]) == 4
    assert "a pipe or a device" in capsys.readouterr().err


def test_help_of_replay_shows_a_share_as_it_is_typed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["replay", "--help"])
    assert "(25%)" in capsys.readouterr().out


def test_missing_settings_are_said_in_our_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = _refused(capsys, "status", "--config", str(tmp_path / "none.toml"))
    assert line.endswith("expected a readable TOML file, got 'no such file or directory'")


def test_folder_that_depends_on_where_one_stands_is_refused() -> None:
    with pytest.raises(ConfigError, match="HOME: expected an absolute path"):
        Config().state_dir({"HOME": "here"})
    assert Config().state_dir({"HOME": ""}).is_absolute()
    there = {"HOME": "/home/a", "XDG_STATE_HOME": "relative"}
    assert Config().state_dir(there) == Path("/home/a/.local/state/signet")


def test_length_is_told_in_the_same_words() -> None:
    assert length_words(33.2, 110.4) == "33 s streamed over 110 s"
    assert length_words(33.2, 33.9) == "33 s streamed"


def test_silence_is_told_if_there_was_any(capsys: pytest.CaptureFixture[str]) -> None:
    say_silence({"silent_s": 0.0})
    assert capsys.readouterr().err == ""
    say_silence({"silent_s": 61.2})
    assert capsys.readouterr().err.startswith("no data for 61 s in all")


def test_arrow_key_in_a_note_is_not_obeyed_later(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, typist = os.openpty()
    with open(typist, closefd=True) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        os.write(ours, b"coffee\x1b[A\n")
        (note,) = TypedNotes()()
    os.close(ours)
    assert note.isprintable()
    assert note.startswith("coffee")


def _limits(text: str, *options: str) -> SilenceLimits:
    args = build_parser().parse_args(["record", *options])
    return silence_limits(args, parse_config(f"[device]\n{text}\n", source="x.toml"))


def test_option_and_setting_mean_the_same_silence(capsys: pytest.CaptureFixture[str]) -> None:
    assert _limits("max_silence_s = 7").end_s == 7.0
    assert _limits("max_silence_s = 7", "--max-silence", "0").end_s == 0.0
    assert _limits("max_silence_s = 0", "--max-silence", "2.5").end_s == 2.5
    assert _limits("max_silence_s = 2.5").end_s == 2.5
    for text in ("inf", "nan", "-1"):
        line = _refused(capsys, "record", "--device", BOARD, f"--max-silence={text}")
        assert "expected 0 (as long as it takes) or a number of seconds" in line
        with pytest.raises(ConfigError, match="max_silence_s: expected 0"):
            _limits(f"max_silence_s = {text}")
