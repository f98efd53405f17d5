"""XDF as other readers see it, and files that other writers made."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import pyxdf

from firmware_host.errors import ConfigError, RecordingError
from firmware_host.recording.xdf_reader import XdfReader
from firmware_host.recording.xdf_writer import write_xdf
from tests.unit.recording.take_fixtures import START_UTC, make_take


def _number(data: bytes, at: int) -> tuple[int, int]:
    size = data[at]
    return int.from_bytes(data[at + 1 : at + 1 + size], "little"), at + 1 + size


def _chunks(data: bytes) -> list[tuple[int, bytes]]:
    """(tag, content) by the specification alone, without any library."""
    assert data[:4] == b"XDF:"
    at, found = 4, []
    while at < len(data):
        length, at = _number(data, at)
        found.append((int.from_bytes(data[at : at + 2], "little"), data[at + 2 : at + length]))
        at += length
    assert at == len(data)
    return found


def test_every_chunk_is_as_the_specification_has_it(tmp_path: Path) -> None:
    take = make_take()
    write_xdf(take, tmp_path / "a.xdf", lambda _: None)
    chunks = _chunks((tmp_path / "a.xdf").read_bytes())
    assert chunks[0][0] == 1
    heads: dict[int, ElementTree.Element] = {}
    values: dict[int, list[bytes]] = {}
    for tag, content in chunks[1:]:
        assert tag in {2, 3, 5, 6}
        stream = int.from_bytes(content[:4], "little")
        if tag == 2:
            heads[stream] = ElementTree.fromstring(content[4:])
        elif tag == 3 and heads[stream].findtext("channel_format") == "double64":
            n_channels = int(heads[stream].findtext("channel_count") or 0)
            n_samples, at = _number(content, 4)
            for _ in range(n_samples):
                at += 1 + content[at]
                values.setdefault(stream, []).append(content[at : at + 8 * n_channels])
                at += 8 * n_channels
            assert at == len(content)
        elif tag == 6:
            foot = ElementTree.fromstring(content[4:])
            if stream in values:
                assert int(foot.findtext("sample_count") or 0) == len(values[stream])
    for stream, track in enumerate(take.tracks, 1):
        assert heads[stream].findtext("name") == track.channel.name
        assert float(heads[stream].findtext("nominal_srate") or 0) == track.channel.rate_hz
        flat = np.frombuffer(b"".join(values[stream])).reshape(-1, track.channel.axes)
        expected = np.concatenate([track.values(piece) for piece in track.pieces])
        assert np.array_equal(flat, expected)
    assert float(heads[5].findtext("nominal_srate") or 1) == 0


def test_pyxdf_reads_the_same(tmp_path: Path) -> None:
    take = make_take()
    write_xdf(take, tmp_path / "a.xdf", lambda _: None)
    streams, _ = pyxdf.load_xdf(tmp_path / "a.xdf", dejitter_timestamps=False)
    for stream, track in zip(streams, take.tracks, strict=False):
        expected = np.concatenate([track.values(piece) for piece in track.pieces])
        times = np.concatenate(
            [p.start_utc + np.arange(len(p.raw)) / p.rate_hz for p in track.pieces]
        )
        assert np.array_equal(stream["time_series"], expected)
        assert np.abs(stream["time_stamps"] - times).max() < 2e-6
    units = streams[3]["info"]["desc"][0]["channels"][0]["channel"]
    assert [(u["label"][0], u["unit"][0]) for u in units] == [
        ("acc_x", "m/s2"), ("acc_y", "m/s2"), ("acc_z", "m/s2"),
    ]  # fmt: skip
    assert ["stress begins"] in streams[4]["time_series"]


def _chunk(tag: int, content: bytes) -> bytes:
    body = struct.pack("<H", tag) + content
    return b"\x04" + struct.pack("<I", len(body)) + body


def _foreign(path: Path, *, date: str, channels: str = "", clock: bytes = b"") -> Path:
    """A file as the Lab Streaming Layer's recorder writes it: times count from the machine's boot."""
    head = (
        "<info><name>Amp</name><type>EEG</type><channel_count>2</channel_count>"
        "<nominal_srate>100</nominal_srate><channel_format>float32</channel_format>"
        f"<desc>{channels}</desc></info>"
    )
    marks = (
        "<info><name>Keys</name><type>Markers</type><channel_count>1</channel_count>"
        "<nominal_srate>0</nominal_srate><channel_format>string</channel_format></info>"
    )
    samples = b"\x01\x64" + b"".join(
        (b"\x08" + struct.pack("<d", 500.0) if i == 0 else b"\0")
        + struct.pack("<2f", i / 10, -i / 4)
        for i in range(100)
    )
    mark = b"\x01\x01\x08" + struct.pack("<d", 500.5) + b"\x01\x05blink"
    one, two = struct.pack("<I", 1), struct.pack("<I", 2)
    path.write_bytes(
        b"XDF:"
        + _chunk(1, f"<info><version>1.0</version>{date}</info>".encode())
        + _chunk(2, one + head.encode())
        + _chunk(2, two + marks.encode())
        + clock
        + _chunk(3, one + samples)
        + _chunk(3, two + mark)
    )
    return path


def _two_streams(path: Path, times: np.ndarray, values: np.ndarray | None = None) -> Path:
    """A good stream of 4 Hz, and EEG that says 100 Hz with a time for each sample."""

    def head(name: str, rate_hz: int) -> bytes:
        return (
            f"<info><name>{name}</name><type>{name}</type><channel_count>1</channel_count>"
            f"<nominal_srate>{rate_hz}</nominal_srate><channel_format>double64</channel_format>"
            "<desc/></info>"
        ).encode()

    def samples(times: np.ndarray, values: np.ndarray) -> bytes:
        pairs = zip(times.tolist(), values.tolist(), strict=True)
        rows = b"".join(b"\x08" + struct.pack("<dd", t, v) for t, v in pairs)
        return b"\x04" + struct.pack("<I", len(times)) + rows

    one, two = struct.pack("<I", 1), struct.pack("<I", 2)
    path.write_bytes(
        b"XDF:"
        + _chunk(1, b"<info><version>1.0</version></info>")
        + _chunk(2, one + head("GSR", 4))
        + _chunk(2, two + head("EEG", 100))
        + _chunk(3, one + samples(START_UTC + np.arange(240) / 4, np.arange(240.0)))
        + _chunk(3, two + samples(times, np.arange(len(times)) if values is None else values))
    )
    return path


EVEN_S = START_UTC + np.arange(6000) / 100


def _jittered(periods: float) -> np.ndarray:
    return EVEN_S + np.random.default_rng(4).normal(0, periods / 100, len(EVEN_S))


@pytest.mark.parametrize("periods", [0.0, 0.05, 0.3, 1.0, 5.0])
def test_times_that_jitter_are_put_on_an_even_grid(periods: float, tmp_path: Path) -> None:
    path = _two_streams(tmp_path / "a.xdf", _jittered(periods))
    gsr, eeg = XdfReader(path).take.tracks
    assert (gsr.n_samples, eeg.n_samples) == (240, 6000)
    (piece,) = eeg.pieces
    found = piece.start_utc + np.arange(6000) / piece.rate_hz
    # Of 60 s; what exact times may be off is decided elsewhere.
    assert np.abs(found - EVEN_S).max() < 0.005
    assert eeg.values(piece)[:, 0].tolist() == list(range(6000))


def test_times_that_go_on_forward_but_jitter_make_no_gaps(tmp_path: Path) -> None:
    forward = np.sort(_jittered(1.0))
    assert np.diff(forward).max() > 0.025
    _, eeg = XdfReader(_two_streams(tmp_path / "a.xdf", forward)).take.tracks
    assert [len(piece.raw) for piece in eeg.pieces] == [6000]


@pytest.mark.parametrize("periods", [0.3, 1.0, 5.0])
def test_gap_among_times_that_jitter_is_a_gap(periods: float, tmp_path: Path) -> None:
    kept = np.delete(np.arange(6000), slice(2000, 2060))
    path = _two_streams(tmp_path / "a.xdf", _jittered(periods)[kept])
    _, eeg = XdfReader(path).take.tracks
    assert [len(piece.raw) for piece in eeg.pieces] == [2000, 3940]
    assert eeg.pieces[1].start_utc == pytest.approx(EVEN_S[2060], abs=0.01)


def test_samples_that_came_late_together_are_no_gap(tmp_path: Path) -> None:
    late = _jittered(0.4)
    late[3000:3050] = EVEN_S[3050]
    _, eeg = XdfReader(_two_streams(tmp_path / "a.xdf", late)).take.tracks
    assert [len(piece.raw) for piece in eeg.pieces] == [6000]


@pytest.mark.parametrize(
    ("times", "values", "why"),
    [
        (np.concatenate([EVEN_S[:3000], EVEN_S[:3000]]), None, "times go back by 30 s"),
        (EVEN_S[::-1], None, "times are up to 60 s off 100 Hz"),
        (np.where(np.arange(6000) == 9, np.nan, EVEN_S), None, "a time is no number"),
        (EVEN_S, np.full(6000, np.nan), "numbers are not finite"),
    ],
)
def test_stream_that_makes_no_sense_is_left_out_and_said(
    times: np.ndarray,
    values: np.ndarray | None,
    why: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = _two_streams(tmp_path / "a.xdf", times, values)
    (gsr,) = XdfReader(path).take.tracks
    assert (gsr.channel.name, gsr.n_samples) == ("GSR", 240)
    (line,) = [line for line in caplog.messages if "left out" in line]
    assert f"{path}: stream EEG is left out: {why}" in line


def test_file_of_a_recorder_opens_with_its_date(tmp_path: Path) -> None:
    date = "<datetime>2024-03-01T12:00:00+0100</datetime>"
    take = XdfReader(_foreign(tmp_path / "a.xdf", date=date)).take
    assert take.start_utc == 1709290800.0
    (track,) = take.tracks
    assert (track.channel.name, track.channel.axes, track.channel.rate_hz) == ("Amp", 2, 100.0)
    expected = np.column_stack([np.arange(100) / 10, -np.arange(100) / 4])
    assert np.abs(track.values(track.pieces[0]) - expected).max() < 1e-5
    assert take.markers == ((1709290800.5, "blink"),)


def test_columns_of_different_units_become_channels(tmp_path: Path) -> None:
    channels = (
        "<channels><channel><label>ECG</label><unit>mV</unit></channel>"
        "<channel><label>Resp</label><unit>a.u.</unit></channel></channels>"
    )
    take = XdfReader(_foreign(tmp_path / "a.xdf", date="", channels=channels)).take
    assert [(t.channel.name, t.channel.unit) for t in take.tracks] == [
        ("ECG", "mV"),
        ("Resp", "a.u."),
    ]


def test_clock_offsets_are_applied(tmp_path: Path) -> None:
    offsets = b"".join(
        _chunk(4, struct.pack("<Idd", 1, at, 1_699_999_500.0)) for at in (499.0, 504.0, 509.0)
    )
    take = XdfReader(_foreign(tmp_path / "a.xdf", date="", clock=offsets)).take
    assert take.tracks[0].pieces[0].start_utc == pytest.approx(1.7e9, abs=1e-3)


def test_date_is_missed_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert XdfReader(_foreign(tmp_path / "a.xdf", date="")).start_utc == 500.0
    assert "no date in the file" in caplog.text


def test_damaged_part_is_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = _foreign(tmp_path / "a.xdf", date="")
    whole = path.read_bytes()
    # Another chunk whose first sample has a time of neither none nor eight bytes, cut short.
    bad = _chunk(3, struct.pack("<I", 1) + b"\x01\x03" + b"\x08" + b"\0" * 9)
    path.write_bytes(whole + bad)
    assert XdfReader(path).take.tracks[0].n_samples == 100
    assert f"{path}: damaged in places; what is missing is a gap" in caplog.messages


def test_chunk_that_promises_more_samples_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = _foreign(tmp_path / "a.xdf", date="")
    lying = _chunk(3, struct.pack("<I", 1) + b"\x04" + struct.pack("<I", 1 << 31) + b"\0" * 20)
    path.write_bytes(path.read_bytes() + lying)
    with pytest.raises(RecordingError, match="a damaged chunk at byte"):
        XdfReader(path)


def test_missing_library_is_named_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_xdf(make_take(), tmp_path / "a.xdf", lambda _: None)
    monkeypatch.setitem(sys.modules, "pyxdf", None)
    with pytest.raises(ConfigError, match=r"pip install 'signet-wearable\[formats\]'"):
        XdfReader(tmp_path / "a.xdf")


def test_date_in_the_header_is_the_start(tmp_path: Path) -> None:
    write_xdf(make_take(), tmp_path / "a.xdf", lambda _: None)
    _, header = pyxdf.load_xdf(tmp_path / "a.xdf")
    assert header["info"]["datetime"][0] == "2023-11-14T22:13:20.250000+00:00"
    assert XdfReader(tmp_path / "a.xdf").start_utc == pytest.approx(START_UTC, abs=1e-6)
