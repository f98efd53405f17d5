"""One person's folder of WESAD, made up in the published layout."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firmware_host.errors import LabelError, RecordingError
from firmware_host.recording.registry import open_recording
from firmware_host.recording.wesad_reader import WesadReader
from firmware_host.runtime.convert import convert
from tests.unit.recording.e4_fixtures import START_UTC, session_files, write_folder, write_zip

# The E4 had run for 20 s when the RespiBAN was switched on.
ZERO_UTC = START_UTC + 20
QUEST = (
    "# Subj;S2;;\n# ORDER;Base;TSST;Medi 1;Fun;sRead;\n"
    "# START;0;1.3;3;4;5.1;\n# END;1;2.5;3.5;4.3;5.2;\n;;;\n# PANAS;1;2;3;;\n"
)


def _respiban(began_utc: float = ZERO_UTC) -> str:
    began = datetime.fromtimestamp(began_utc, UTC)
    about = {
        "time": f"{began.hour + 1}:{began.minute}:{began.second}.0",
        "date": f"{began.year}-{began.month}-{began.day}",
    }
    return (
        f"# OpenSignals Text File Format\n# {json.dumps({'00:07': about})}\n# EndOfHeader\n0\t1\n"
    )


@pytest.fixture(params=["zip", "folder"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "S2"
    folder.mkdir()
    if request.param == "zip":
        write_zip(folder / "S2_E4_Data.zip", session_files(340))
    else:
        write_folder(folder / "S2_E4_Data", session_files(340))
    (folder / "S2_quest.csv").write_text(QUEST)
    (folder / "S2_respiban.txt").write_text(_respiban())
    return folder


def test_schedule_becomes_labels_on_the_clock_of_the_e4(folder: Path) -> None:
    reader = open_recording(folder)
    assert isinstance(reader, WesadReader)
    assert reader.start_utc == START_UTC
    # Ten seconds at both ends are left out; 1.3 is 1 min 30 s; meditation and reading have no label.
    assert [
        (x.label, x.t_start_utc - ZERO_UTC, x.t_end_utc - ZERO_UTC) for x in reader.labels()
    ] == [
        ("rest", 10, 50),
        ("stress", 100, 160),
        ("rest", 250, 260),
    ]


def test_it_plays_and_converts_with_its_labels(folder: Path, tmp_path: Path) -> None:
    done = convert(folder, tmp_path / "S2.csv", report=lambda _: None)
    assert done["labels"] == 3
    back = open_recording(tmp_path / "S2.csv").labels()
    assert [x.label for x in back] == ["rest", "stress", "rest"]


def test_without_the_chest_there_are_no_labels_and_a_line_says_so(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "S2_respiban.txt").unlink()
    assert open_recording(folder).labels() == []
    assert "nobody knows when the schedule began: no labels" in caplog.text


def test_other_clocks_and_broken_schedules_are_refused(folder: Path) -> None:
    (folder / "S2_respiban.txt").write_text(_respiban(ZERO_UTC - 86_400))
    with pytest.raises(RecordingError, match="a start within the E4's recording"):
        open_recording(folder)
    (folder / "S2_respiban.txt").write_text(_respiban())
    (folder / "S2_quest.csv").write_text(QUEST.replace("1.3;", "1.9x;"))
    with pytest.raises(LabelError, match=r"expected minutes\.seconds"):
        open_recording(folder)
    (folder / "S2_quest.csv").write_bytes(bytes(range(256)))
    with pytest.raises(LabelError, match="rows # ORDER, # START and # END"):
        open_recording(folder)


def test_folder_of_two_people_is_refused(folder: Path) -> None:
    (folder / "S3_quest.csv").write_text(QUEST)
    with pytest.raises(RecordingError, match="one person's folder"):
        open_recording(folder)


def test_folder_without_the_wrist_is_refused(tmp_path: Path) -> None:
    (tmp_path / "S2_quest.csv").write_text(QUEST)
    with pytest.raises(RecordingError, match="an E4 zip or folder"):
        open_recording(tmp_path)
