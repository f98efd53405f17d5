"""What every exchange format has to bring back, and what no cut file may do; damaged ones: tests/fuzz."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from firmware_host.errors import RecordingError, SignetError, StorageError
from firmware_host.protocol.messages import Hello
from firmware_host.recording.exchange import new_file
from firmware_host.recording.labels import Label
from firmware_host.recording.notes import labels_of, notes_of
from firmware_host.recording.registry import READERS, WRITERS, open_recording, writer_of
from firmware_host.recording.take import Piece, Take, Track, checked_take
from firmware_host.recording.take_reader import TakeReader
from tests.unit.recording.e4_fixtures import session_files, write_zip
from tests.unit.recording.take_fixtures import (
    EVENTS,
    LABELS,
    MARKERS,
    START_UTC,
    assert_same_signals,
    bare_take,
    make_take,
    whole_take,
)

FORMATS = sorted(set(WRITERS) - {".zip"})
# What 16 bits leave of EDA's range; a thousandth of a step where CSV has no power of ten.
_TOLERANCE = {".edf": {"eda": 3e-5}, ".csv": {"acc": 1e-4}, ".xdf": {}}


def _write(take: Take, path: Path) -> list[str]:
    return writer_of(path)(take, path, lambda _: None).lost


def _read(path: Path) -> Take:
    reader = open_recording(path)
    assert isinstance(reader, TakeReader)
    return reader.take


def _short_take() -> Take:
    """Forty seconds of one slow channel."""
    take = bare_take()
    return replace(take, tracks=take.tracks[2:3])


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("make", [make_take, whole_take])
def test_round_trip_brings_everything_back(
    suffix: str, make: Callable[[], Take], tmp_path: Path
) -> None:
    take = make()
    _write(take, tmp_path / f"a{suffix}")
    back = _read(tmp_path / f"a{suffix}")
    assert_same_signals(take, back, tolerance=_TOLERANCE[suffix], start_s=2e-6)
    assert abs(back.start_utc - START_UTC) < 1e-6
    for said, got in zip(LABELS, back.labels, strict=True):
        assert said.label == got.label
        times = (got.t_start_utc - said.t_start_utc, got.t_end_utc - said.t_end_utc)
        assert max(map(abs, times)) < 1e-5
    assert [e[1:] for e in back.events] == [e[1:] for e in EVENTS]
    assert [m[1] for m in back.markers] == [m[1] for m in MARKERS]
    for said_at, got_at in zip([*EVENTS, *MARKERS], [*back.events, *back.markers], strict=True):
        assert abs(said_at[0] - got_at[0]) < 1e-5


_SPANS = st.tuples(
    st.sampled_from(["rest", "stress"]), st.integers(-2_000, 39_000), st.integers(1, 20_000)
)


def _labels(spans: list[tuple[str, int, int]]) -> tuple[Label, ...]:
    """Labels of a word, from when, and for how long; milliseconds since the start."""
    return tuple(
        Label(START_UTC + at / 1e3, START_UTC + (at + long) / 1e3, word, "file")
        for word, at, long in spans
    )


def _spans(labels: Iterable[Label]) -> list[tuple[str, int, int]]:
    edges = [(x.label, *(t - START_UTC for t in (x.t_start_utc, x.t_end_utc))) for x in labels]
    return sorted((word, round(a * 1e3), round(b * 1e3) - round(a * 1e3)) for word, a, b in edges)


@pytest.mark.parametrize("suffix", FORMATS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(spans=st.lists(_SPANS, max_size=9))
@example(spans=[("stress", 0, 9_000), ("stress", 4_000, 2_000), ("stress", 9_000, 100)])
@example(spans=[("rest", 4_000, 900), ("rest", 4_900, 900), ("rest", 4_000, 900)])
def test_labels_that_overlap_or_touch_come_back_as_they_were(
    suffix: str, tmp_path: Path, spans: list[tuple[str, int, int]]
) -> None:
    path = tmp_path / f"{uuid.uuid4().hex}{suffix}"
    take = _short_take()
    _write(replace(take, labels=_labels(spans), events=EVENTS, markers=MARKERS), path)
    back = _read(path)
    assert _spans(back.labels) == sorted(spans)
    assert [m[1] for m in back.markers] == [m[1] for m in MARKERS]
    assert [e[1:] for e in back.events] == [e[1:] for e in EVENTS]


def test_texts_of_labels_that_do_not_overlap_have_no_numbers() -> None:
    notes = notes_of(_labels([("stress", 5, 1), ("stress", 6, 1), ("stress", 6, 9)]), (), ())
    assert [text for _, text in notes] == [
        "stress begins", "stress ends", "stress begins", "stress begins #2", "stress ends",
        "stress ends #2",
    ]  # fmt: skip


def test_labels_that_an_earlier_release_wrote_over_each_other_read_as_before() -> None:
    texts = ["stress begins", "stress begins", "stress ends", "stress ends", "stress begins #0"]
    (label,), others = labels_of([(float(n), text) for n, text in enumerate(texts)])
    assert (label.t_start_utc, label.t_end_utc) == (1.0, 2.0)
    assert others == [(0.0, "stress begins"), (3.0, "stress ends"), (4.0, "stress begins #0")]


@pytest.mark.parametrize("suffix", FORMATS)
def test_second_round_trip_changes_nothing_more(suffix: str, tmp_path: Path) -> None:
    _write(make_take(), tmp_path / f"a{suffix}")
    once = _read(tmp_path / f"a{suffix}")
    _write(once, tmp_path / f"b{suffix}")
    assert_same_signals(once, _read(tmp_path / f"b{suffix}"), tolerance={}, start_s=1e-6)


@pytest.mark.parametrize("suffix", FORMATS)
def test_reader_plays_it_as_a_board_twice_the_same(suffix: str, tmp_path: Path) -> None:
    _write(make_take(), tmp_path / f"a{suffix}")
    reader = open_recording(tmp_path / f"a{suffix}")
    messages = list(reader.messages())
    assert isinstance(messages[0][1], Hello)
    assert messages == list(reader.messages())
    times = [utc for utc, _ in messages]
    assert times == sorted(times)
    # The last block is sent when its last sample is taken, a period before its end.
    assert 0 < times[0] + reader.duration_s - times[-1] <= 1 / 32


@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_file_that_is_there_is_never_overwritten(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        _write(whole_take(), path)
    with pytest.raises(RecordingError, match="already there"), new_file(path):
        raise AssertionError("a name was given out")
    assert path.read_text() == "mine"


def test_new_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with pytest.raises(StorageError, match="nothing was made"), new_file(path) as draft:
        draft.write_text("half")
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RecordingError, match="already there"), new_file(path) as draft:
        draft.write_text("whole")
        path.write_text("somebody was faster")
    assert path.read_text() == "somebody was faster"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_file_is_private(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    _write(whole_take(), path)
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("suffix", FORMATS)
def test_sensor_off_its_declared_rate_is_said_or_kept(suffix: str, tmp_path: Path) -> None:
    take = whole_take()
    bvp = take.tracks[0]
    slow = replace(bvp, pieces=(replace(bvp.pieces[0], rate_hz=63.0),))
    lost = _write(replace(take, tracks=(slow, *take.tracks[1:])), tmp_path / f"a{suffix}")
    if suffix == ".edf":
        assert "bvp: came at 63.0000 Hz, is written as 64 Hz" in lost
        return
    back = _read(tmp_path / f"a{suffix}").tracks[0]
    assert len(back.pieces) == 1
    assert back.pieces[0].rate_hz == pytest.approx(63.0, rel=1e-4)


def test_recording_of_too_many_channels_is_refused(tmp_path: Path) -> None:
    names = ",".join(f"c{i}[V]@4Hz" for i in range(33))
    rows = [f"{1.7e9 + i / 4}," + ",".join(["1"] * 33) for i in range(8)]
    (tmp_path / "a.csv").write_text("\n".join([f"time_utc,{names}", *rows]))
    with pytest.raises(RecordingError, match="at most 32 channels, got 33"):
        open_recording(tmp_path / "a.csv")


def test_counts_beyond_the_wire_are_refused(tmp_path: Path) -> None:
    take = whole_take()
    huge = Piece(START_UTC, np.full((8, 1), 1 << 40), 4.0)
    track = Track(take.tracks[1].channel, (huge,))
    with pytest.raises(RecordingError, match="counts of 32 bits"):
        TakeReader(tmp_path / "x", lambda _: replace(take, tracks=(track,)))


def test_channels_of_one_name_are_numbered(tmp_path: Path) -> None:
    take, name = whole_take(), "x" * 32
    twins = [replace(t, channel=replace(t.channel, name=name)) for t in take.tracks]
    told = checked_take(replace(take, tracks=tuple(twins)), tmp_path)
    expected = [name, *(f"{name[:30]}-{n}" for n in (2, 3, 4))]
    assert [t.channel.name for t in told.tracks] == expected
    TakeReader(tmp_path, lambda _: told)


def _example(suffix: str, folder: Path) -> Path:
    """A small whole file of the format."""
    path = folder / f"whole{suffix}"
    if path.exists():
        return path
    if suffix == ".zip":
        return write_zip(path, session_files(4))
    if suffix == ".mcap":
        from firmware_host.recording.mcap_file import McapWriter

        with McapWriter(path) as writer:
            for utc, message in TakeReader(path, lambda _: make_take()).messages():
                writer.write(message, utc)
        return path
    _write(make_take(), path)
    return path


def _opens_or_says_why(path: Path) -> bool:
    """Whether it opens; anything but an error of ours, in one line, fails the test."""
    try:
        reader = open_recording(path)
        list(reader.messages())
        reader.labels()
        reader.markers()
    except SignetError as err:
        assert "\n" not in str(err)
        return False
    return True


@pytest.mark.parametrize("suffix", sorted(READERS))
def test_file_cut_anywhere_opens_or_is_refused(suffix: str, tmp_path: Path) -> None:
    data = _example(suffix, tmp_path).read_bytes()
    cut = tmp_path / f"cut{suffix}"
    rng = np.random.default_rng(3)
    sizes = [0, 1, *rng.integers(2, len(data), 60).tolist(), len(data) - 1, len(data)]
    opened = []
    for size in sorted(sizes):
        cut.write_bytes(data[:size])
        opened.append(_opens_or_says_why(cut))
    assert opened[-1]
    assert not opened[0]


@pytest.mark.parametrize("suffix", sorted(READERS))
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(garbage=st.binary(max_size=400))
def test_garbage_is_refused(suffix: str, tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / f"garbage{suffix}"
    magic = {".xdf": b"XDF:", ".edf": b"0       ", ".mcap": b"\x89MCAP0\r\n"}.get(suffix, b"")
    path.write_bytes(magic + garbage)
    assert not _opens_or_says_why(path)
