"""Recordings through the stream's own clocks and gaps into other formats."""

from __future__ import annotations

import json
import struct
import sys
import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from firmware_host.cli.main import main
from firmware_host.cli.progress import ProgressBar
from firmware_host.errors import RecordingError
from firmware_host.protocol.messages import Block, Button, Channel, Event, EventKind, Hello, Message
from firmware_host.recording.labels import Label
from firmware_host.recording.mcap_file import McapReader, McapWriter
from firmware_host.recording.registry import open_recording
from firmware_host.recording.take import Take
from firmware_host.recording.take_reader import TakeReader
from firmware_host.runtime.convert import convert
from firmware_host.runtime.takes import take_of
from tests.unit.recording.e4_fixtures import START_UTC as E4_START_UTC
from tests.unit.recording.e4_fixtures import session_files, write_zip
from tests.unit.recording.take_fixtures import (
    EVENTS,
    LABELS,
    MARKERS,
    assert_same_signals,
    make_take,
    whole_take,
)

FORMATS = [".mcap", ".edf", ".xdf", ".csv"]
# What 16 bits leave of a range, once it is no longer known that counts were those of a sensor.
_TOLERANCE = {"eda": 5e-5, "acc": 4e-4}
EDA = Channel(2, "eda", "uS", 4.0, 0.001, 0.0, "u16", 1)
UTC0 = 1.7e9


def _mcap(path: Path, take: Take) -> Path:
    """The take as a recording of a live board."""
    with McapWriter(path) as writer:
        for utc, message in TakeReader(path, lambda _: take).messages():
            writer.write(message, utc)
        for label in take.labels:
            writer.write_label(label, label.t_end_utc)
        for utc, text in take.markers:
            writer.write_marker(text, utc)
    return path


def _take(path: Path) -> Take:
    return take_of(open_recording(path), where=path)


def _block(n: int, *, session: int = 1, ticks_us: int, idx: int, values: list[int]) -> Block:
    return Block(session, 2, n, ticks_us, 0, idx, struct.pack(f"<{len(values)}H", *values))


@pytest.mark.parametrize("make", [make_take, whole_take])
def test_board_messages_become_the_same_take(make: type, tmp_path: Path) -> None:
    take = make()
    back = _take(_mcap(tmp_path / "a.mcap", take))
    assert_same_signals(take, back, tolerance={}, start_s=2e-6)
    assert [x.label for x in back.labels] == [x.label for x in LABELS]
    assert [e[1:] for e in back.events] == [e[1:] for e in EVENTS]
    assert list(back.markers) == list(MARKERS)


@pytest.mark.parametrize(("first", "second"), list(product(FORMATS, FORMATS)))
def test_any_to_any_keeps_signals_labels_and_notes(first: str, second: str, tmp_path: Path) -> None:
    take = make_take()
    source = _mcap(tmp_path / "source.mcap", take)
    convert(source, tmp_path / f"a{first}", report=lambda _: None)
    shares: list[float] = []
    done = convert(tmp_path / f"a{first}", tmp_path / f"b{second}", report=shares.append)
    back = _take(tmp_path / f"b{second}")
    assert_same_signals(take, back, tolerance=_TOLERANCE, start_s=3e-6)
    assert [x.label for x in back.labels] == ["rest", "stress"]
    assert [e[1:] for e in back.events] == [e[1:] for e in EVENTS]
    assert [m[1] for m in back.markers] == [m[1] for m in MARKERS]
    assert (done["labels"], done["markers"]) == (2, 2)
    assert all(0 <= share <= 1 for share in shares)
    assert shares == sorted(shares)


def test_mcap_to_mcap_keeps_every_message(tmp_path: Path) -> None:
    source = _mcap(tmp_path / "a.mcap", make_take())
    done = convert(source, tmp_path / "b.mcap", report=lambda _: None)
    assert done["lost"] == []
    a, b = McapReader(source), McapReader(tmp_path / "b.mcap")
    assert list(a.messages()) == list(b.messages())
    assert (a.labels(), a.markers()) == (b.labels(), b.markers())


def test_reboot_is_a_gap_between_two_pieces(tmp_path: Path) -> None:
    with McapWriter(tmp_path / "a.mcap") as writer:
        for session, start in ((1, 0.0), (2, 60.0)):
            writer.write(Hello(session, "b", "f", (EDA,)), UTC0 + start)
            for n in range(10):
                block = _block(
                    n, session=session, ticks_us=n * 1_000_000, idx=4 * n, values=[n] * 4
                )
                writer.write(block, UTC0 + start + n + 1)
    (track,) = _take(tmp_path / "a.mcap").tracks
    assert [len(piece.raw) for piece in track.pieces] == [40, 40]
    apart_s = track.pieces[1].start_utc - track.pieces[0].start_utc
    assert apart_s == pytest.approx(60.0, abs=1e-3)


def test_channel_that_changes_its_meaning_is_refused(tmp_path: Path) -> None:
    with McapWriter(tmp_path / "a.mcap") as writer:
        for session, scale in ((1, 0.001), (2, 0.002)):
            writer.write(Hello(session, "b", "f", (replace(EDA, scale=scale),)), UTC0 + 9 * session)
            block = _block(0, session=session, ticks_us=0, idx=0, values=[1] * 4)
            writer.write(block, UTC0 + 9 * session + 1)
    with pytest.raises(RecordingError, match="one description of channel eda"):
        _take(tmp_path / "a.mcap")


def test_floats_become_counts_of_the_same_values(tmp_path: Path) -> None:
    channel = replace(EDA, dtype="f32", scale=1.0)
    values = np.array([0.125, 1.5, -3.75, 2.0], dtype="<f4")
    with McapWriter(tmp_path / "a.mcap") as writer:
        writer.write(Hello(1, "b", "f", (channel,)), UTC0)
        writer.write(Block(1, 2, 0, 0, 0, 0, values.tobytes()), UTC0 + 1)
    (track,) = _take(tmp_path / "a.mcap").tracks
    assert track.values(track.pieces[0])[:, 0].tolist() == values.tolist()
    assert track.channel.scale == 0.001


def _pressed(path: Path, labels: list[Label]) -> Take:
    presses: list[tuple[float, Message]] = [
        (UTC0 + 5, Event(1, 5_000_000, EventKind.BUTTON, Button.STRESS_STARTS, 0)),
        (UTC0 + 9, Event(1, 9_000_000, EventKind.BUTTON, Button.STRESS_ENDS, 1)),
    ]
    with McapWriter(path) as writer:
        writer.write(Hello(1, "b", "f", (EDA,)), UTC0)
        for n in range(10):
            block = _block(n, ticks_us=n * 1_000_000, idx=4 * n, values=[n] * 4)
            writer.write(block, UTC0 + n + 1)
            for utc, message in presses:
                if utc == UTC0 + n + 1:
                    writer.write(message, utc)
        for label in labels:
            writer.write_label(label, label.t_end_utc)
    return _take(path)


def test_labels_of_the_button_come_along_once(tmp_path: Path) -> None:
    (told,) = _pressed(tmp_path / "a.mcap", []).labels
    assert (told.label, told.source) == ("stress", "button")
    assert told.t_end_utc - told.t_start_utc == pytest.approx(4.0)
    known = Label(told.t_start_utc, told.t_end_utc, "stress", "button")
    assert len(_pressed(tmp_path / "b.mcap", [known]).labels) == 1


def test_one_label_of_a_recording_is_said_as_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _pressed(tmp_path / "a.mcap", [])
    again = ["record", "--device", f"replay:{tmp_path / 'a.mcap'}", "--out"]
    assert main([*again, str(tmp_path / "b.mcap")]) == 0
    assert f", 1 label: {tmp_path / 'b.mcap'}" in capsys.readouterr().err


def test_command_says_what_is_lost_and_never_overwrites(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_zip(tmp_path / "S01.zip", session_files())
    target = tmp_path / "a.edf"
    assert main(["convert", str(source), str(target), "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["to"] == str(target)
    assert done["start_utc"] == E4_START_UTC
    assert [c["name"] for c in done["channels"]] == ["bvp", "eda", "temp", "acc"]
    assert "1 press whose time lies outside the recording" in done["lost"]
    before = target.read_bytes()
    assert main(["convert", str(source), str(target)]) == 4
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "a file that is already there" in said.err
    assert target.read_bytes() == before
    assert main(["convert", str(source), str(tmp_path / "b.csv")]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("not in the new file: the board's own clock")
    assert (
        lines[-1]
        == f"{tmp_path / 'b.csv'}: 20 s streamed: bvp 64 Hz, eda 4 Hz, temp 4 Hz, acc 32 Hz; 0 labels"
    )


def test_last_line_says_what_the_new_file_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take = whole_take()
    acc = take.tracks[3]
    gyro = replace(acc, channel=replace(acc.channel, stream=4, name="gyro", unit="dps"))
    source = _mcap(tmp_path / "a.mcap", replace(take, tracks=(*take.tracks, gyro)))
    for suffix, channels, labels in (
        (".zip", "bvp 64 Hz, eda 4 Hz, temp 4 Hz, acc 32 Hz", "0 labels"),
        (".csv", "bvp 64 Hz, eda 4 Hz, temp 4 Hz, acc 32 Hz, gyro 32 Hz", "2 labels"),
        (".mcap", "bvp 64 Hz, eda 4 Hz, temp 4 Hz, acc 32 Hz, gyro 32 Hz", "2 labels"),
    ):
        target = tmp_path / f"b{suffix}"
        assert main(["convert", str(source), str(target)]) == 0
        last = capsys.readouterr().err.splitlines()[-1]
        assert last.endswith(f": {channels}; {labels}")
        written = open_recording(target)
        names = [f"{c.name} {c.rate_hz:g} Hz" for c in written.hello.channels]
        assert (", ".join(names), f"{len(written.labels())} labels") == (channels, labels)
        n_markers = len(written.markers())
        assert main(["convert", str(source), str(tmp_path / f"c{suffix}"), "--json"]) == 0
        done = json.loads(capsys.readouterr().out)
        assert (done["labels"], done["markers"]) == (len(written.labels()), n_markers)


_SPANS = st.tuples(
    st.sampled_from(["rest", "stress"]), st.integers(0, 39_000), st.integers(1, 20_000)
)


@pytest.mark.parametrize("first", FORMATS)
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(spans=st.lists(_SPANS, max_size=9))
@example(spans=[("rest", 4_000, 36_000), ("rest", 4_000, 36_000), ("rest", 9_000, 100)])
def test_labels_that_overlap_are_as_many_wherever_they_go(
    first: str, tmp_path: Path, spans: list[tuple[str, int, int]]
) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    take = whole_take()
    zero_utc = take.start_utc
    labels = tuple(
        Label(zero_utc + at / 1e3, zero_utc + (at + long) / 1e3, word, "file")
        for word, at, long in spans
    )
    slow = replace(take, tracks=take.tracks[1:2], labels=labels, events=())
    source = _mcap(folder / "source.mcap", slow)
    there, back = folder / f"a{first}", folder / "b.mcap"
    for made, of in ((there, source), (back, there)):
        assert convert(of, made, report=lambda _: None)["labels"] == len(spans)
    found = [
        (x.label, *(round((t - zero_utc) * 1e3) for t in (x.t_start_utc, x.t_end_utc)))
        for x in McapReader(back).labels()
    ]
    assert sorted(found) == sorted((word, at, at + long) for word, at, long in spans)


@pytest.mark.parametrize("target", ["a.wav", "a"])
def test_unknown_target_makes_no_file(target: str, tmp_path: Path) -> None:
    source = write_zip(tmp_path / "S01.zip", session_files())
    with pytest.raises(RecordingError, match=r"expected \.mcap \.zip \.edf \.xdf \.csv, got"):
        convert(source, tmp_path / target, report=lambda _: None)
    assert [p.name for p in tmp_path.iterdir()] == ["S01.zip"]


def test_source_that_fails_halfway_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    source.write_text("time,eda[uS]\n1,2\n2,3\n3,4\n")
    with pytest.raises(RecordingError, match="as an E4 has them"):
        convert(source, tmp_path / "b.zip", report=lambda _: None)
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_bar_is_for_terminals_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ProgressBar() as progress:
        progress(0.5)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with ProgressBar() as progress:
        progress(0.5)
        progress(0.501)
    shown = capsys.readouterr().err
    assert shown.count(" 50 %") == 1
    assert shown.endswith("\r")
