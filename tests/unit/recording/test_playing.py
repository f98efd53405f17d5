"""What of a recording is played, when, and what the host makes of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from firmware_host.devices import ReplayTransport
from firmware_host.errors import ConfigError, LinkEnded, RecordingError
from firmware_host.protocol.messages import (
    Block,
    Channel,
    Event,
    EventKind,
    Hello,
    Message,
    Ping,
    Pong,
)
from firmware_host.protocol.parser import MessageParser
from firmware_host.recording.mcap_reader import McapReader
from firmware_host.recording.mcap_writer import McapWriter
from firmware_host.recording.playing import ROUND, SKIPPED, Played, Playing, play
from firmware_host.recording.positions import parse_length_s, position_utc
from firmware_host.recording.take_reader import TakeReader
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.samples import Samples, StreamEvent
from tests.unit.recording.take_fixtures import make_take

UTC0 = 1_700_000_000.0
HELLO = Hello(7, "board", "fw", (Channel(0, "bvp", "au", 4.0, 0.5, 0.0, "i16", 1),))
BLOCK_S = 0.5


@dataclass
class FakeReader:
    """Half a second a block; HELLO each 5 s; nothing arrives in ``silences``, (from, to) in seconds."""

    n_s: int = 60
    silences: tuple[tuple[float, float], ...] = ()
    ppm: float = 0.0
    set_back_s: float = 0.0
    hello: Hello = HELLO
    start_utc: float = UTC0

    @property
    def duration_s(self) -> float:
        return float(self.n_s)

    def messages(self, since_utc: float = -math.inf) -> Iterator[tuple[float, Message]]:
        hello = (UTC0, HELLO)
        is_given = since_utc == -math.inf
        for utc, message in self._all():
            if utc < since_utc:
                hello = (utc, message) if isinstance(message, Hello) else hello
                continue
            if not is_given:
                is_given = True
                yield hello
            yield utc, message

    def _all(self) -> Iterator[tuple[float, Message]]:
        for i in range(int(self.n_s / BLOCK_S)):
            t_s = i * BLOCK_S
            ticks_us = int(t_s * (1 + self.ppm * 1e-6) * 1e6)
            if any(a <= t_s < b for a, b in self.silences):
                continue
            late_s = -self.set_back_s if t_s >= self.n_s / 2 else 0.0
            if t_s % 5 == 0:
                yield UTC0 + t_s + late_s, Hello(*_fields(HELLO), ticks_us=ticks_us)
            utc = UTC0 + t_s + BLOCK_S + late_s
            yield utc, Block(7, 0, i, ticks_us, 0, 2 * i, bytes([i % 256, 0, i % 256, 0]))

    def labels(self) -> list[object]:
        return []

    def close(self) -> None:
        pass


def _fields(hello: Hello) -> tuple[object, ...]:
    return (hello.session, hello.board_id, hello.firmware, hello.channels, hello.protocol_version)


def _assembled(pieces: list[Played]) -> tuple[list[Samples], list[StreamEvent]]:
    parser, assembler = MessageParser(), StreamAssembler()
    samples: list[Samples] = []
    notes: list[StreamEvent] = []
    for piece in pieces:
        for message in parser.feed(piece.data):
            for item in assembler.feed(message, piece.arrival_utc):
                (samples if isinstance(item, Samples) else notes).append(item)
    return samples, notes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1h", 3600), ("1m30", 90), ("2.5s", 2.5)],
)  # fmt: skip
def test_lengths(text: str, seconds: float) -> None:
    assert parse_length_s(text, "x") == seconds


@pytest.mark.parametrize("text", ["", "m", "-5", "10x", "1h 5m", "nan", "1e3"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"expected a length such as"):
        parse_length_s(text, "x")


def test_places_in_a_recording() -> None:
    start = datetime(2024, 5, 4, 23, 30).timestamp()
    place = {"key": "from", "start_utc": start, "duration_s": 7200.0}
    assert position_utc("10m", **place) == start + 600
    assert position_utc("25%", **place) == start + 1800
    assert position_utc("23:45", **place) == start + 900
    assert position_utc("0:15:30", **place) == start + 2730
    assert position_utc("2024-05-05T01:00", **place) == start + 5400
    for wrong in ("3h", "101%", "23:00", "2024-05-04", "noon", "-1m"):
        with pytest.raises(ConfigError, match=r"^from: expected "):
            position_utc(wrong, **place)


def test_an_hour_is_played_without_drift_by_a_clock_that_oversleeps() -> None:
    class Real:
        now_s = 50.0

        def monotonic(self) -> float:
            return self.now_s

        def sleep(self, seconds: float) -> None:
            # Every wait ends late, and reading takes its time too.
            self.now_s += seconds + 0.002

    real = Real()
    reader = FakeReader(n_s=3600)
    transport = ReplayTransport(
        reader, url="replay:x", speed=1.0, monotonic=real.monotonic, sleep=real.sleep
    )
    late_s = []
    with pytest.raises(LinkEnded):
        while True:
            chunk = transport.read(0.25)
            if chunk is not None:
                late_s.append(real.now_s - 50.0 - (chunk.arrival_utc - UTC0))
                real.now_s += 0.001
    assert len(late_s) > 7000
    assert max(late_s) < 0.010
    assert min(late_s) >= 0.0


@pytest.mark.parametrize("text", ["5m", "50%"])
def test_seek_goes_on_as_a_host_that_attaches_there(text: str) -> None:
    pieces = list(play(FakeReader(n_s=600), Playing(start=text)))
    assert pieces[0].due_s == 0.0
    assert pieces[-1].due_s == pytest.approx(300.0)
    samples, notes = _assembled(pieces)
    assert [note.what for note in notes] == ["session"]
    assert samples[0].values[0, 0] * 2 == (300 / BLOCK_S - 1) % 256
    assert sum(len(s.values) for s in samples) == 2 * (300 / BLOCK_S + 1)
    assert all(s.gap_before_samples == 0 for s in samples)
    assert 0.0 <= samples[0].t0_s < 3.0


def test_end_is_the_last_arrival_before() -> None:
    pieces = list(play(FakeReader(), Playing(start="10", end="20")))
    assert pieces[1].arrival_utc == UTC0 + 10.0
    assert pieces[-1].arrival_utc == UTC0 + 19.5


@pytest.mark.parametrize("start", ["", "30"])
def test_every_round_is_a_board_started_anew_at_a_later_time(start: str) -> None:
    reader = FakeReader(ppm=40.0)
    pieces = list(play(reader, Playing(start=start, rounds=3)))
    arrivals = [piece.arrival_utc for piece in pieces]
    assert arrivals == sorted(arrivals)
    samples, notes = _assembled(pieces)
    assert [note.what for note in notes] == ["session", "reboot", "reboot"]
    assert len({note.detail["session"] for note in notes}) == 3
    once, _ = _assembled(list(play(reader, Playing(start=start))))
    for round_ in range(3):
        again = samples[round_ * len(once) : (round_ + 1) * len(once)]
        assert [(s.t0_s, s.values.tolist()) for s in again] == [
            (s.t0_s, s.values.tolist()) for s in once
        ]
    assert all(s.gap_before_samples == 0 for s in samples)
    span_s = 60.0 if not start else 30.0
    marks = [mark for piece in pieces for mark in piece.marks]
    assert marks == [
        (ROUND, {"round": 2, "later_s": span_s + 3}),
        (ROUND, {"round": 3, "later_s": 2 * (span_s + 3)}),
    ]


@dataclass
class Rebooting(FakeReader):
    """A second of each session: HELLO, a button and an answer."""

    sessions: tuple[int, ...] = (3, 2)

    def _all(self) -> Iterator[tuple[float, Message]]:
        for i, session in enumerate(self.sessions):
            yield UTC0 + i, Hello(session, "board", "fw", HELLO.channels)
            yield UTC0 + i + 0.5, Event(session, 9, EventKind.BUTTON, 0)
            yield UTC0 + i + 0.6, Pong(session, 10, 1)


# Those of a later round are others by one, and then by as many as keep it from beginning as the last one ended.
@pytest.mark.parametrize("sessions", [(3, 2), (3, 4), (65_535, 1), (3, 7, 3)])
def test_rounds_of_a_recording_with_reboots_never_meet_with_one_number(
    sessions: tuple[int, ...],
) -> None:
    reader = Rebooting(n_s=len(sessions), sessions=sessions)
    _, notes = _assembled(list(play(reader, Playing(rounds=4))))
    numbers = [note.detail["session"] for note in notes if note.what in ("session", "reboot")]
    assert len(numbers) == 4 * len(sessions)
    assert all(a != b for a, b in pairwise(numbers))
    assert [note.what for note in notes].count("button") == 4 * len(sessions)


def test_place_where_a_board_had_just_started_begins_with_that_board() -> None:
    pieces = list(play(Rebooting(n_s=2), Playing(start="1")))
    said = [m for piece in pieces for m in MessageParser().feed(piece.data)]
    assert [m.session for m in said if isinstance(m, Hello)] == [2]
    assert pieces[0].arrival_utc == UTC0 + 1.0
    _, notes = _assembled(pieces)
    assert [note.what for note in notes] == ["session", "button"]


def test_endless_rounds_do_not_end() -> None:
    pieces = play(FakeReader(n_s=5), Playing(rounds=None))
    last = [next(pieces) for _ in range(1000)][-1]
    assert last.due_s > 500


def test_skipped_silence_is_said_and_changes_nothing_but_the_wait() -> None:
    reader = FakeReader(n_s=600, silences=((100.0, 400.0),))
    plain = list(play(reader))
    cut = list(play(reader, Playing(skip_gaps_s=30.0)))
    assert [(p.arrival_utc, p.data) for p in cut] == [(p.arrival_utc, p.data) for p in plain]
    marks = [(p.arrival_utc, *mark) for p in cut for mark in p.marks]
    assert marks == [(UTC0 + 400.0, SKIPPED, {"silent_s": 300.0})]
    assert plain[-1].due_s == 600.0
    assert cut[-1].due_s == 301.0
    assert not any(piece.marks for piece in plain)


def test_host_clock_that_was_set_back_makes_neither_a_wait_nor_a_rush() -> None:
    pieces = list(play(FakeReader(n_s=100, set_back_s=30.0)))
    steps = [b.due_s - a.due_s for a, b in pairwise(pieces)]
    assert max(steps) <= 0.5
    assert pieces[-1].due_s == pytest.approx(100.0, abs=1.0)


def test_questions_of_the_host_come_back_for_the_clock_but_not_from_a_board() -> None:
    class Asked(FakeReader):
        def _all(self) -> Iterator[tuple[float, Message]]:
            yield UTC0, HELLO
            yield UTC0 + 1, Ping(3)
            yield UTC0 + 1.1, Pong(7, 1_000_000, 3)

    parsed = [m for piece in play(Asked()) for m in MessageParser().feed(piece.data)]
    assert parsed[1] == Ping(3)
    said = [m for piece in play(Asked(), questions=False) for m in MessageParser().feed(piece.data)]
    assert [type(m) for m in said] == [Hello, Pong]


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"loop": "0"}, "loop: expected a number of rounds"),
        ({"loop": "often"}, "loop: expected a number of rounds"),
        ({"skip_gaps": "1s"}, "skip gaps: expected a length above 1 s"),
        ({"skip_gaps": "x"}, "skip gaps: expected a length"),
        ({"start": "2m"}, "play from: expected a place in the recording"),
        ({"start": "30", "end": "30"}, "play to: expected a place after 30"),
        ({"end": "0"}, "play to: expected a place after the start"),
    ],
)
def test_mistake_is_one_line(texts: dict[str, str], words: str) -> None:
    nothing = {"start": "", "end": "", "loop": "", "skip_gaps": ""}
    with pytest.raises(ConfigError, match=words):
        Playing.of(**{**nothing, **texts}).span(FakeReader())


def test_nothing_from_there_on_is_said() -> None:
    reader = FakeReader(n_s=60, silences=((20.0, 60.0),))
    with pytest.raises(RecordingError, match="something to play from there on"):
        list(play(reader, Playing(start="30")))


@pytest.mark.parametrize("cut", [False, True])
def test_seek_in_an_mcap_file_gives_what_reading_it_all_gives(tmp_path: Path, cut: bool) -> None:
    path = tmp_path / "a.mcap"
    pairs = list(FakeReader(n_s=120).messages())
    with McapWriter(path) as writer:
        for utc, message in pairs:
            writer.write(message, utc)
    if cut:
        # Without its index it is read from the start.
        path.write_bytes(path.read_bytes()[:-50])
    reader = McapReader(path)
    assert reader.chunks.is_complete != cut
    for since_s in (0.0, 0.3, 4.9, 5.0, 61.7, 119.0, 119.9):
        since_utc = UTC0 + since_s
        expected = [pair for pair in pairs if pair[0] >= since_utc]
        before = [p for p in pairs if p[0] < since_utc and isinstance(p[1], Hello)]
        got = list(reader.messages(since_utc))
        assert got[0] == (before[-1] if before else pairs[0])
        assert got[1:] == expected
    assert list(reader.messages(UTC0 + 500)) == []


def test_seek_in_a_take_gives_what_reading_it_all_gives() -> None:
    reader = TakeReader("a.xdf", lambda _: make_take())
    pairs = list(reader.messages())
    for since_s in (0.0, 7.3, 30.0):
        since_utc = reader.start_utc + since_s
        got = list(reader.messages(since_utc))
        assert got == [pairs[0], *(pair for pair in pairs[1:] if pair[0] >= since_utc)]
