from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_host.errors import LabelError
from firmware_host.recording.labels import Label, is_said, participant_of, read_labels

T0 = 1_700_000_000
PER_SECOND = "Participant,HR,respr,Time(sec),Label"


def _write(tmp_path: Path, text: str, name: str = "labels.csv") -> Path:
    path = tmp_path / name
    data = text.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    return path


def _read(path: Path, participant: str | None = "5", *, n_s: float = 1000.0) -> list[Label]:
    return read_labels(path, participant=participant, start_utc=T0, end_utc=T0 + n_s)


def _spans(labels: list[Label]) -> list[tuple[float, float, str]]:
    return [(x.t_start_utc - T0, x.t_end_utc - T0, x.label) for x in labels]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("S05.zip", "5"), ("/data/2022/S05", "5"), ("f13.zip", "13"), ("wearer.mcap", None)],
)
def test_participant_comes_from_the_file_name(name: str, expected: str | None) -> None:
    assert participant_of(name) == expected


@pytest.mark.parametrize("name", ["labels.csv", "labels.csv.gz", "any-name"])
def test_our_layout_is_read_plain_and_zipped(tmp_path: Path, name: str) -> None:
    text = f"start_utc,end_utc,label\n{T0 + 60},{T0 + 120.5},stress\n{T0},{T0 + 60},rest\n\n"
    labels = _read(_write(tmp_path, text, name))
    assert _spans(labels) == [(0.0, 60.0, "rest"), (60.0, 120.5, "stress")]
    assert labels[0].source == "file"


def test_iso_times_are_utc_unless_they_say_otherwise(tmp_path: Path) -> None:
    text = "start_utc,end_utc,label\n2023-11-14T22:13:20,2023-11-14T23:14:20+01:00,rest\n"
    assert _spans(_read(_write(tmp_path, text))) == [(0.0, 60.0, "rest")]


def test_only_rows_of_the_person_are_taken(tmp_path: Path) -> None:
    text = (
        f"start_utc,end_utc,label,participant\n{T0},{T0 + 60},stress,S05\n"
        f"{T0},{T0 + 60},rest,6\n{T0 + 60},{T0 + 90},rest,05\n"
    )
    assert _spans(_read(_write(tmp_path, text))) == [(0.0, 60.0, "stress"), (60.0, 90.0, "rest")]


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 20)), min_size=1, max_size=12))
def test_runs_of_seconds_become_stretches(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[int, int]]
) -> None:
    """Runs of alternating label; a hole of some seconds may lie before each."""
    rows, expected, at = [PER_SECOND], [], T0
    for i, (length, hole) in enumerate(runs):
        at += hole
        rows += [f"5,70,15,{at + s},{i % 2}" for s in range(length)]
        expected.append((at - T0, at - T0 + length, ("rest", "stress")[i % 2]))
        at += length
    path = _write(tmp_path_factory.mktemp("labels"), "\n".join(rows), "labels.csv.gz")
    assert _spans(_read(path)) == expected


def test_labels_are_clipped_to_the_recording(tmp_path: Path) -> None:
    text = f"start_utc,end_utc,label\n{T0 - 50},{T0 + 50},rest\n{T0 + 90},{T0 + 900},stress\n"
    assert _spans(_read(_write(tmp_path, text), n_s=100.0)) == [
        (0.0, 50.0, "rest"),
        (90.0, 100.0, "stress"),
    ]


OURS = "start_utc,end_utc,label"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "header row"),
        ("\n\n", "header row"),
        ("a,b,c\n1,2,3\n", "header row"),
        (f"{OURS},person\n", "header row"),
        (f"{OURS}\n", "at least one row"),
        (f"{PER_SECOND}\n", "at least one row"),
        (f"{OURS}\n{T0},{T0 + 9}\n", "3 cells in row 2"),
        (f"{OURS}\n{T0},{T0 + 9},happy\n", "label stress or rest in row 2"),
        (f"{OURS}\n{T0 + 9},{T0},rest\n", "start_utc before end_utc in row 2"),
        (f"{OURS}\n{T0},{T0},rest\n", "start_utc before end_utc"),
        (f"{OURS}\nnan,{T0},rest\n", "UNIX seconds or ISO 8601 in row 2"),
        (f"{OURS}\nyesterday,{T0},rest\n", "UNIX seconds or ISO 8601 in row 2"),
        (f"{OURS}\n{T0},{T0 + 60},rest\n{T0 + 30},{T0 + 90},stress\n", "one label for each"),
        (f"{PER_SECOND}\n5,70,15,{T0},0\n5,70,15,{T0},1\n", "one label for each"),
        (f"{PER_SECOND}\n5,70,15,{T0},2\n", "label 0 or 1 in row 2"),
        (f"{PER_SECOND}\n5,70,{T0},1\n", "5 cells"),
        (f"{PER_SECOND}\n4,70,15,{T0},0\n", "only other people's"),
        (f"{OURS},participant\n{T0},{T0 + 9},rest,S04\n", "only other people's"),
        (f"{OURS}\n{T0 + 5000},{T0 + 5100},rest\n", "none nearer than 4000 s"),
        (f"{OURS}\n{T0 - 5000},{T0 - 4900},rest\n", "none nearer than 4900 s"),
        ('"start_utc,end_utc,label\n', "header row"),
    ],
)
def test_unusable_file_is_one_clear_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(LabelError, match=words) as caught:
        _read(_write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_message_names_nobody(tmp_path: Path) -> None:
    path = _write(tmp_path, f"{OURS},participant\n{T0},{T0 + 9},rest,Ada Lovelace\n")
    with pytest.raises(LabelError) as caught:
        _read(path, "Charles")
    assert "Ada" not in str(caught.value)
    assert "Charles" not in str(caught.value)


def test_recording_of_nobody_takes_a_file_about_one_person_only(tmp_path: Path) -> None:
    one = f"{OURS},participant\n{T0},{T0 + 9},rest,7\n"
    assert len(_read(_write(tmp_path, one), None)) == 1
    with pytest.raises(LabelError, match="2 people"):
        _read(_write(tmp_path, f"{one}{T0},{T0 + 9},stress,8\n"), None)


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe\x00\x01", gzip.compress(b"x" * 500, mtime=0)[:20], b"\x1f\x8bnot gzip at all"],
)
def test_bytes_that_are_no_text_are_one_clear_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(data)
    with pytest.raises(LabelError, match=r"labels\.csv: expected"):
        _read(path)


def test_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="No such file"):
        _read(tmp_path / "none.csv")


@pytest.mark.needs_data
def test_published_labels_cover_their_recordings(data_dir: Path) -> None:
    from firmware_host.recording.e4_reader import E4Reader

    path = data_dir / "stress-predict" / "labels.csv.gz"
    for recording in sorted((data_dir / "stress-predict" / "e4").glob("*.zip"))[1:3]:
        reader = E4Reader(recording)
        end_utc = reader.start_utc + reader.duration_s
        labels = read_labels(
            path,
            participant=participant_of(recording),
            start_utc=reader.start_utc,
            end_utc=end_utc,
        )
        assert {x.label for x in labels} == {"rest", "stress"}
        assert sum(x.t_end_utc - x.t_start_utc for x in labels) > 2_000
        assert 3 <= sum(x.label == "stress" for x in labels) <= 20


def test_label_is_said_when_both_ends_agree_to_a_second():
    said = [(100.0, 200.0, "stress")]
    assert is_said((100.4, 199.5, "stress"), said)
    assert not is_said((100.4, 199.5, "rest"), said)
    assert not is_said((101.5, 200.0, "stress"), said)
    assert not is_said((100.0, 201.5, "stress"), said)
    assert not is_said((100.0, 200.0, "stress"), [])
