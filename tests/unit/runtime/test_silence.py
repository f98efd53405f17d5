"""No data is said once, its end is said, and what lasts too long is the end with a code of its own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from firmware_host.errors import StreamSilent
from firmware_host.protocol.encode import encode_block, encode_hello, encode_pong
from firmware_host.protocol.messages import Block, Channel, Command, CommandKind, Hello, Ping, Pong
from firmware_host.protocol.parser import MessageParser
from firmware_host.recording.mcap_file import McapReader
from firmware_host.runtime import recorder as recorder_module
from firmware_host.runtime.asking import ClockAsker
from firmware_host.runtime.listening import Listening
from firmware_host.runtime.silence import MUTE_SILENCES, SilenceLimits, SilenceWatch
from firmware_host.transport.base import Chunk, LineNote

UTC0 = 1.7e9
EDA = Channel(2, "eda", "uS", 4.0, 0.001, 0.0, "u16", 1)
BATTERY = Channel(3, "battery", "V", 0.1, 0.01, 0.0, "u16", 1)


class _Link:
    """As far as a watch looks at one."""

    trouble = ""
    line_notes = staticmethod(list)

    def __init__(self, *, is_up: bool = True, is_finite: bool = False) -> None:
        self.is_up, self.is_finite = is_up, is_finite
        self.sent: list[bytes] = []
        self.utc = UTC0

    def now_utc(self) -> float:
        return self.utc

    def write(self, data: bytes) -> None:
        self.sent.append(data)


class _Stream:
    """As far as a watch looks at one."""

    def __init__(self, channel: Channel = EDA, *, block_s: float = 0.0) -> None:
        self.hello = Hello(7, "b", "f", (channel,))
        self.tracks = SimpleNamespace(block_s=block_s)


class _Time:
    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


def _watch(link: _Link, time: _Time, limits: SilenceLimits) -> SilenceWatch:
    return SilenceWatch(link, limits, time)  # type: ignore[arg-type]


@pytest.mark.parametrize(("is_up", "what"), [(True, "silence"), (False, "link")])
def test_silence_is_said_once_and_so_is_its_end(is_up: bool, what: str) -> None:
    time, link = _Time(), _Link(is_up=is_up)
    watch = _watch(link, time, SilenceLimits())
    said = []
    for _ in range(40):
        time.s += 0.25
        said.append(watch.look(_Stream()))
    assert [x for x in said if x] == [what]
    assert said.index(what) == 19
    assert watch.heard() == pytest.approx(10.0)
    assert watch.heard() is None


def test_slow_board_is_not_silent_between_two_samples() -> None:
    time = _Time()
    watch = _watch(_Link(), time, SilenceLimits())
    time.s += 29.0
    assert watch.look(_Stream(BATTERY)) is None
    time.s += 2.0
    assert watch.look(_Stream(BATTERY)) == "silence"


def test_mute_board_ends_it_and_one_that_is_away_is_awaited_for_days() -> None:
    time = _Time()
    watch = _watch(_Link(is_up=False), time, SilenceLimits())
    time.s += 3 * 86_400.0
    assert watch.look(_Stream()) == "link"
    watch = _watch(_Link(), time, SilenceLimits())
    time.s += 5.0 * MUTE_SILENCES
    assert watch.look(_Stream()) == "silence"
    with pytest.raises(StreamSilent, match="the board is there but sends no samples") as caught:
        watch.look(_Stream())
    assert caught.value.exit_code == 9


@pytest.mark.parametrize("is_up", [True, False])
def test_limit_that_was_asked_for_holds_for_both(is_up: bool) -> None:
    time = _Time()
    watch = _watch(_Link(is_up=is_up), time, SilenceLimits(end_s=600.0))
    time.s += 599.0
    assert watch.look(_Stream())
    assert watch.look(_Stream()) is None
    time.s += 1.0
    with pytest.raises(StreamSilent, match="no data for 600 s"):
        watch.look(_Stream())


def test_end_that_comes_first_is_said_before_it_ends() -> None:
    time = _Time()
    watch = _watch(_Link(), time, SilenceLimits(say_s=5.0, end_s=2.0))
    time.s += 2.0
    assert watch.look(_Stream()) == "silence"
    with pytest.raises(StreamSilent):
        watch.look(_Stream())


def test_finite_source_is_never_silent() -> None:
    time = _Time()
    watch = _watch(_Link(is_finite=True), time, SilenceLimits(end_s=1.0))
    time.s += 1e6
    assert watch.look(_Stream()) is None


def test_board_is_asked_often_at_first_and_not_while_it_is_away() -> None:
    link = _Link()
    asker, asked = ClockAsker(link), list[float]()  # type: ignore[arg-type]
    for k in range(1200):
        link.utc += 0.25
        link.is_up = not 400 <= k < 600
        asker.ask_if_due(k * 0.25, lambda _ping, utc: asked.append(utc))
    # Every 2 s in the first minute, then every 10 s, none in the 50 s away.
    assert len(asked) == len(link.sent) == 30 + 4 + 15


def test_board_is_asked_though_the_hosts_clock_was_set_back() -> None:
    link, asked = _Link(), list[float]()
    asker = ClockAsker(link)  # type: ignore[arg-type]
    for step_s in (0.0, -3600.0, 2.0):
        link.utc += step_s
        asker.ask_if_due(5.0, lambda _ping, utc: asked.append(utc))
    assert asked == [UTC0, UTC0 - 3600.0, UTC0 - 3598.0]


def test_board_of_long_blocks_is_not_silent_between_two_of_them() -> None:
    time = _Time()
    watch = _watch(_Link(), time, SilenceLimits())
    time.s += 55.0
    assert watch.look(_Stream(block_s=28.0)) is None
    time.s += 2.0
    assert watch.look(_Stream(block_s=28.0)) == "silence"


def test_board_that_is_back_after_hours_has_time_anew_before_it_is_mute() -> None:
    time, link = _Time(), _Link(is_up=False)
    watch = _watch(link, time, SilenceLimits())
    time.s += 3600.0
    assert watch.look(_Stream()) == "link"
    link.is_up = True
    time.s += 5.0 * MUTE_SILENCES - 1.0
    assert watch.look(_Stream()) is None
    time.s += 1.0
    with pytest.raises(StreamSilent):
        watch.look(_Stream())


def test_silences_that_were_said_are_added_up() -> None:
    time = _Time()
    watch = _watch(_Link(), time, SilenceLimits())
    for silent_s in (4.0, 20.0, 7.0):
        time.s += silent_s
        watch.look(_Stream())
        watch.heard()
    time.s += 6.0
    assert watch.told_s == pytest.approx(27.0)
    watch.look(_Stream())
    assert watch.told_s == pytest.approx(33.0)


class _Board:
    """A live transport that says what it is and answers for some reads, with a block each for the first ones."""

    url = "pty:/dev/null"
    virtual_time = False

    def __init__(self, time: _Time, *, n_hellos: int, n_blocks: int = 0) -> None:
        self._time = time
        self._parser = MessageParser()
        self._left = n_hellos
        self._n_blocks = n_blocks
        self._n_reads = 0
        self._out = bytearray()
        self.commands: list[Command] = []

    def read(self, timeout_s: float) -> Chunk | None:
        self._time.s += timeout_s
        if self._left:
            self._left -= 1
            ticks_us = self._n_reads * 250_000
            self._out += encode_hello(Hello(7, "b", "f", (EDA,)), seq=0, ticks_us=ticks_us)
            if self._n_reads < self._n_blocks:
                n = self._n_reads
                self._out += encode_block(Block(7, 2, n, ticks_us, 0, n, b"\1\0"))
        self._n_reads += 1
        data, self._out = bytes(self._out), bytearray()
        return Chunk(self.now_utc(), data) if data else None

    def write(self, data: bytes) -> None:
        for message in self._parser.feed(data):
            if isinstance(message, Command):
                self.commands.append(message)
            elif isinstance(message, Ping) and self._left:
                self._out += encode_pong(Pong(7, self._n_reads * 250_000, message.token), seq=0)

    def now_utc(self) -> float:
        return UTC0 + self._time.s

    def close(self) -> None:
        """Nothing to let go of."""


def test_recording_asks_for_the_time_marks_silence_and_ends_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = _Time()
    board = _Board(time, n_hellos=40)
    monkeypatch.setattr(recorder_module, "open_device", lambda _url: board)
    with pytest.raises(StreamSilent, match="no data for 60 s"):
        recorder_module.record(
            board.url,
            lambda name: tmp_path / f"{name}.mcap",
            stop=lambda: False,
            silence=SilenceLimits(end_s=60.0),
            limits=recorder_module.Recording(),
            monotonic=time,
        )
    reader = McapReader(tmp_path / "b.mcap")
    kinds = [type(message).__name__ for _, message in reader.messages()]
    assert kinds.count("Ping") >= 2
    assert "Pong" in kinds
    assert [text for _, text in reader.markers()] == ["silence silent_s 5.0"]


@pytest.mark.parametrize("end_s", [0.0, 60.0])
def test_board_that_says_what_it_is_and_answers_but_sends_no_samples_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end_s: float
) -> None:
    time = _Time()
    board = _Board(time, n_hellos=10_000, n_blocks=80)
    monkeypatch.setattr(recorder_module, "open_device", lambda _url: board)
    with pytest.raises(StreamSilent, match="there but sends no samples"):
        recorder_module.record(
            board.url,
            lambda name: tmp_path / f"{name}.mcap",
            stop=lambda: time.s > 4000.0,
            silence=SilenceLimits(end_s=end_s),
            limits=recorder_module.Recording(),
            monotonic=time,
        )
    assert time.s == pytest.approx(120.0 + (end_s or 300.0), abs=1.0)
    reader = McapReader(tmp_path / "b.mcap")
    assert [text for _, text in reader.markers()] == ["silence silent_s 5.0"]
    # It is told to stream again, and the recording says that it was.
    starts = [m for _, m in reader.messages() if isinstance(m, Command)]
    assert [m.kind for m in starts] == [CommandKind.START]
    assert starts[0] in board.commands


def test_clock_is_asked_for_only_once_the_board_has_said_what_it_is(tmp_path: Path) -> None:
    time, link = _Time(), _Link()
    recorder = recorder_module.Recorder(lambda name: tmp_path / f"{name}.mcap")
    data = [encode_block(Block(7, 2, 0, 0, 0, 0, b"\1\0"))]
    link.read = lambda: Chunk(UTC0, data.pop()) if data else None  # type: ignore[attr-defined]
    link.marks, link.has_board = list, True  # type: ignore[attr-defined]
    listening = Listening(link, recorder, monotonic=time)  # type: ignore[arg-type]
    for _ in range(8):
        time.s += 0.25
        listening.once()
    kinds = {type(m) for m in MessageParser().feed(b"".join(link.sent))}
    # Asked who it is, as its block is of a session that nobody announced, and nothing else.
    assert kinds == {Command}
    data.append(encode_hello(Hello(7, "b", "f", (EDA,)), seq=0, ticks_us=0))
    listening.once()
    assert Ping in {type(m) for m in MessageParser().feed(b"".join(link.sent))}
    recorder.close()


def test_note_that_was_typed_before_the_board_spoke_is_kept(tmp_path: Path) -> None:
    recorder = recorder_module.Recorder(lambda name: tmp_path / f"{name}.mcap")
    recorder.mark("early", UTC0)
    recorder.feed(encode_hello(Hello(7, "b", "f", (EDA,)), seq=0, ticks_us=0), UTC0 + 1)
    recorder.close()
    assert McapReader(tmp_path / "b.mcap").markers() == [(UTC0, "early")]


def test_lines_that_do_not_fit_are_told_and_are_the_reason_of_the_silence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    time, link = _Time(), _Link()
    out = tmp_path / "b.mcap"
    recorder = recorder_module.Recorder(lambda _name: out)
    data = [encode_hello(Hello(7, "b", "f", (EDA,)), seq=0, ticks_us=0)]
    link.read = lambda: Chunk(UTC0, data.pop()) if data else None  # type: ignore[attr-defined]
    link.marks, link.has_board = list, True  # type: ignore[attr-defined]
    notes = [LineNote(UTC0 + 1.0, "columns", {"printed": 3, "expected": 2}, "3 columns now")]
    link.line_notes = lambda: [notes.pop()] if notes else []  # type: ignore[method-assign]
    link.trouble = "lines come but none fits"
    listening = Listening(link, recorder, SilenceLimits(5.0, 8.0), {}, time)  # type: ignore[arg-type]
    with pytest.raises(StreamSilent, match="no data for 8 s: lines come but none fits; what came"):
        for _ in range(40):
            listening.once()
            time.s += 0.25
    assert listening.doing() == "lines come but none fits"
    recorder.close()
    texts = [record.getMessage() for record in caplog.records]
    assert texts[:2] == ["3 columns now", "no data for 5 s: lines come but none fits"]
    marks = [text for _, text in McapReader(out).markers()]
    assert marks == [
        "columns printed 3 expected 2",
        "silence silent_s 5.0 why lines come but none fits",
    ]
