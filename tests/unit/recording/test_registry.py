from __future__ import annotations

from pathlib import Path

import pytest

from firmware_host.errors import RecordingError
from firmware_host.protocol.messages import Hello
from firmware_host.recording.e4_reader import E4Reader
from firmware_host.recording.mcap_file import McapReader, McapWriter
from firmware_host.recording.registry import open_recording
from tests.unit.recording.e4_fixtures import session_files, write_folder, write_zip


def test_format_is_chosen_by_suffix(tmp_path: Path) -> None:
    with McapWriter(tmp_path / "a.MCAP") as writer:
        writer.write(Hello(1, "b", "f", ()), 1.7e9)
        writer.write(Hello(1, "b", "f", ()), 1.7e9 + 5)
    assert isinstance(open_recording(tmp_path / "a.MCAP"), McapReader)
    assert isinstance(open_recording(write_zip(tmp_path / "S01.zip", session_files())), E4Reader)
    assert isinstance(
        open_recording(str(write_folder(tmp_path / "S02", session_files()))), E4Reader
    )


def test_recording_without_any_time_in_it_is_refused(tmp_path: Path) -> None:
    with McapWriter(tmp_path / "a.mcap") as writer:
        writer.write(Hello(1, "b", "f", ()), 1.7e9)
    with pytest.raises(RecordingError, match="got 0 s of readable data"):
        open_recording(tmp_path / "a.mcap")


@pytest.mark.parametrize("name", ["a.wav", "a"])
def test_unknown_suffix_lists_the_known_ones(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(
        RecordingError, match=r"expected \.mcap \.zip \.edf \.xdf \.csv or an E4 folder"
    ):
        open_recording(tmp_path / name)


def test_nothing_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="nothing there"):
        open_recording(tmp_path / "gone.mcap")
