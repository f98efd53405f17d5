from __future__ import annotations

import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firmware_host.errors import RecordingError
from firmware_host.recording.e4 import E4Archive
from firmware_host.recording.e4_writer import write_e4
from firmware_host.recording.registry import open_recording
from firmware_host.recording.take import Take
from firmware_host.runtime.takes import take_of
from tests.unit.recording.e4_fixtures import session_files, write_zip
from tests.unit.recording.take_fixtures import START_UTC, make_take, whole_take

DATA = Path(os.environ.get("SIGNET_DATA", "../shared/data"))


def _write(take: Take, path: Path) -> list[str]:
    return write_e4(take, path, lambda _: None).lost


def _assert_same(a: E4Archive, b: E4Archive) -> None:
    for name, channel in a.channels.items():
        other = b.channels[name]
        assert (channel.start_utc, channel.rate_hz) == (other.start_utc, other.rate_hz)
        assert np.array_equal(channel.raw, other.raw), name
    inside = (a.tags_utc >= a.start_utc) & (a.tags_utc <= a.end_utc)
    assert np.array_equal(np.sort(a.tags_utc[inside]), b.tags_utc)


@pytest.mark.parametrize("dates", [False, True])
def test_archive_of_either_header_style_comes_back_the_same(dates: bool, tmp_path: Path) -> None:
    first = write_zip(tmp_path / "a.zip", session_files(dates=dates))
    take = take_of(open_recording(first), where=first)
    assert _write(take, tmp_path / "b.zip") == [
        "the board's own clock, frame numbers and name: an E4 archive has none of them"
    ]
    _assert_same(E4Archive(first), E4Archive(tmp_path / "b.zip"))
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        head = archive.read("ACC.csv").decode().splitlines()[:2]
    assert head == [", ".join(["1644829925.000000"] * 3), ", ".join(["32.000000"] * 3)]


@pytest.mark.needs_data
@pytest.mark.parametrize("name", ["S05.zip", "S18.zip"])
def test_real_archive_comes_back_the_same(name: str, tmp_path: Path) -> None:
    path = DATA / "stress-predict" / "e4" / name
    if not path.exists():
        pytest.skip(f"no {path}")
    _write(take_of(open_recording(path), where=path), tmp_path / "b.zip")
    _assert_same(E4Archive(path), E4Archive(tmp_path / "b.zip"))


def test_two_exports_are_equal_byte_for_byte(tmp_path: Path) -> None:
    _write(whole_take(), tmp_path / "a.zip")
    _write(whole_take(), tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_gaps_are_filled_with_the_value_before_and_said(tmp_path: Path) -> None:
    take = make_take()
    lost = _write(take, tmp_path / "a.zip")
    assert (
        "bvp: 2 gaps (12.5 s) filled with the value before: "
        "an E4 archive cannot say that samples are missing"
    ) in lost
    assert any(line.startswith("2 labels: ") for line in lost)
    assert any(line.startswith("2 markers: ") for line in lost)
    assert any(line.startswith("3 reports of the board") for line in lost)
    bvp = E4Archive(tmp_path / "a.zip").channels["bvp"]
    assert len(bvp.raw) == 40 * 64
    first, second, third = take.tracks[0].pieces
    assert np.all(bvp.raw[6 * 64 : 6 * 64 + 32] == first.raw[-1])
    assert np.array_equal(bvp.raw[6 * 64 + 32 : 16 * 64], second.raw)
    assert np.array_equal(bvp.raw[28 * 64 :], third.raw)
    assert E4Archive(tmp_path / "a.zip").tags_utc.tolist() == [START_UTC + 3.0]


def test_one_of_anything_is_said_as_one(tmp_path: Path) -> None:
    spans = {"bvp": [(0, 6), (7, 40)], "eda": [(0, 40)], "temp": [(0, 40)], "acc": [(0, 40)]}
    take = make_take(spans)
    events = (take.events[0], take.events[1])
    one = replace(take, labels=take.labels[:1], events=events, markers=take.markers[:1])
    said = " / ".join(_write(one, tmp_path / "a.zip"))
    for text in ("bvp: 1 gap (1.0 s)", "/ 1 label: ", "/ 1 marker: ", "/ 1 report of the board"):
        assert text in said


def test_board_without_a_channel_of_the_e4_is_refused(tmp_path: Path) -> None:
    take = whole_take()
    with pytest.raises(RecordingError, match=r"as an E4 has them, got bvp \[au\], eda \[uS\]"):
        _write(replace(take, tracks=take.tracks[:3]), tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_more_channels_and_finer_steps_are_said(tmp_path: Path) -> None:
    take = whole_take()
    acc = take.tracks[3]
    gyro = replace(acc, channel=replace(acc.channel, name="gyro", unit="dps"))
    fine = replace(acc, channel=replace(acc.channel, scale=0.001))
    lost = _write(replace(take, tracks=(*take.tracks[:3], fine, gyro)), tmp_path / "a.zip")
    assert "channels gyro: an E4 has no such sensors" in lost
    assert "acc: rounded to steps of 0.1532 m/s2" in lost


def test_years_between_two_pieces_are_no_session(tmp_path: Path) -> None:
    take = whole_take()
    bvp = take.tracks[0]
    later = replace(bvp.pieces[0], start_utc=START_UTC + 3e7)
    split = replace(bvp, pieces=(bvp.pieces[0], later))
    with pytest.raises(RecordingError, match="a few days at most, got 8333 h"):
        _write(replace(take, tracks=(split, *take.tracks[1:])), tmp_path / "a.zip")
