from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from firmware_host.errors import RecordingError
from firmware_host.recording.csv_reader import CsvReader
from firmware_host.recording.csv_writer import write_csv
from tests.unit.recording.take_fixtures import START_UTC, make_take

HEADER = [
    "time_utc", "bvp[au]@64Hz", "eda[uS]@4Hz", "temp[degC]@4Hz",
    "acc_x[m/s2]@32Hz", "acc_y[m/s2]@32Hz", "acc_z[m/s2]@32Hz", "note",
]  # fmt: skip


def _table(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_table_is_what_the_header_says(tmp_path: Path) -> None:
    take = make_take()
    write_csv(take, tmp_path / "a.csv", lambda _: None)
    with (tmp_path / "a.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == HEADER
    assert all(len(row) == len(HEADER) for row in rows)
    times = [float(row[0]) for row in rows]
    assert times == sorted(times)
    assert times[0] == START_UTC
    # Nothing in the rows of the twelve seconds that all channels miss but what was said then.
    hole = [row for row in rows if START_UTC + 16 <= float(row[0]) < START_UTC + 28]
    assert hole == []
    bvp = np.array([float(row[1]) for row in rows if row[1]])
    pieces = take.tracks[0].pieces
    assert np.array_equal(bvp, np.round(np.concatenate([p.raw[:, 0] for p in pieces]) * 0.01, 2))
    assert [row[7] for row in rows if row[7]] == [
        "wear on", "rest begins", "button press", 'coffee, "black"', "battery 87", "rest ends",
        "stress begins", "button rest_starts", "Tür auf", "stress ends",
    ]  # fmt: skip


def test_others_table_without_rates_opens(tmp_path: Path) -> None:
    rows = [f"2024-05-01T10:00:{i // 50:02d}.{i % 50 * 20:03d},{i},{i / 8}" for i in range(200)]
    text = "\n".join(["time,gyro_x[dps],gyro_y[dps]", *rows])
    take = CsvReader(_table(tmp_path / "a.csv", text)).take
    (track,) = take.tracks
    assert (track.channel.name, track.channel.rate_hz, track.channel.axes) == ("gyro", 50.0, 2)
    assert take.start_utc == 1714557600.0
    assert np.array_equal(track.values(track.pieces[0])[:, 1], np.arange(200) / 8)


def test_late_rows_are_no_gap_but_missing_ones_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    times = 1.7e9 + np.arange(500) / 50 + rng.uniform(0, 0.004, 500)
    kept = np.delete(times, slice(200, 230))
    text = "time,eda[uS]@50Hz\n" + "\n".join(f"{t:.4f},1.5" for t in kept)
    (track,) = CsvReader(_table(tmp_path / "a.csv", text)).take.tracks
    assert [len(piece.raw) for piece in track.pieces] == [200, 270]


def test_what_is_whole_before_a_cut_is_read_and_the_cut_is_said(tmp_path: Path, caplog) -> None:
    write_csv(make_take(), tmp_path / "a.csv", lambda _: None)
    data = (tmp_path / "a.csv").read_bytes()
    whole = CsvReader(tmp_path / "a.csv").take
    ended = data.rstrip(b"\r\n")
    for size in (data.rindex(b",") - 8, len(ended) - 2, data.rindex("Tür".encode()) + 2):
        caplog.clear()
        (tmp_path / "cut.csv").write_bytes(data[:size])
        take = CsvReader(tmp_path / "cut.csv").take
        assert "cut in its last line" in caplog.text
        assert 0 <= whole.end_utc - take.end_utc < 20
        for track, cut in zip(whole.tracks, take.tracks, strict=True):
            assert np.array_equal(track.pieces[0].raw, cut.pieces[0].raw)
        # Half a note is no note.
        assert not any(text.startswith("T") and text != "Tür auf" for _, text in take.markers)


@pytest.mark.parametrize("size", [24, 40])
def test_table_cut_before_two_samples_is_refused(tmp_path: Path, size: int) -> None:
    text = "time_utc,eda[uS]@4Hz,note\n1700000000.25,1.5,\n1700000000.5,1.5,"
    with pytest.raises(RecordingError):
        CsvReader(_table(tmp_path / "a.csv", text[:size]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "first column is time_utc or time or timestamp, got an empty file"),
        ("x,eda[uS]\n1,2\n", "first column is time_utc or time or timestamp, got 'x'"),
        ("time,eda\n1,2\n", r"columns such as acc_x\[m/s2\]@32Hz or eda\[uS\], got 'eda'"),
        ("time,eda[uS]@0Hz\n1,2\n", "a rate above 0 Hz"),
        ("time,eda[uS],eda[V]\n1,2,3\n", "columns of different names"),
        ("time,eda[uS]\n1,2\n2\n", "2 cells in row 3, got 1; is the file cut"),
        ("time,eda[uS]\n1,2\n2,x\n", "a number or nothing in row 3 of eda, got 'x'"),
        ("time,eda[uS]\n1,2\n2,nan\n", "a number or nothing in row 3"),
        ("time,eda[uS]\n2,2\n1,2\n", "times that go forward in row 3, got '1'"),
        ("time,eda[uS]\n1,2\n1,2\n", "each at a time of its own, got two at one time"),
        ("time,eda[uS]\nnoon,2\n", "UNIX seconds or ISO 8601 in row 2, got 'noon'"),
        ("time,eda[uS]\n1,2\n2,1e300\n", "too large for any sensor"),
        ("time,eda[uS]\n", "samples, got none"),
        ("time,eda[uS]\n-9,2\n-8,3\n", "times between 1970 and 9999"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(RecordingError, match=expected) as caught:
        CsvReader(_table(tmp_path / "a.csv", text))
    assert "\n" not in str(caught.value)


def test_header_made_to_be_read_in_many_ways_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"time_utc,a{' ' * 100_000}b\n1,2\n")
    with pytest.raises(RecordingError, match="columns such as"):
        CsvReader(path)


def test_names_and_units_of_a_table_are_printable(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "time_utc,a\u202eb[\x1b[1m]@4Hz\n" + "".join(f"{1e9 + n / 4},{n}\n" for n in range(9))
    )
    with pytest.raises(RecordingError, match="columns such as") as caught:
        CsvReader(path)
    assert str(caught.value).isprintable()
    path.write_text(
        "time_utc,a\u202eb[u\x7fS]@4Hz\n" + "".join(f"{1e9 + n / 4},{n}\n" for n in range(9))
    )
    (channel,) = CsvReader(path).hello.channels
    assert (channel.name, channel.unit) == ("a\\u202eb", "u\\x7fS")
