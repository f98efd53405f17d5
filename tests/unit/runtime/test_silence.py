"""No data is said once, its end is said, and what lasts too long is the end with a code of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_host.errors import StreamSilent
from firmware_host.protocol.messages import (
    Channel,
    Hello,
    MessageParser,
    Ping,
    Pong,
    encode_hello,
    encode_pong,
)
from firmware_host.recording.mcap_file import McapReader
from firmware_host.runtime import recorder as recorder_module
from firmware_host.runtime.asking import ClockAsker
from firmware_host.runtime.silence import MUTE_SILENCES, SilenceLimits, SilenceWatch
from firmware_host.transport.base import Chunk

UTC0 = 1.7e9
EDA = Channel(2, "eda", "uS", 4.0, 0.001, 0.0, "u16", 1)
BATTERY = Channel(3, "battery", "V", 0.1, 0.01, 0.0, "u16", 1)


class _Link:
    """As far as a watch looks at one."""

    def __init__(self, *, is_up: bool = True, is_finite: bool = False) -> None:
        self.is_up, self.is_finite = is_up, is_finite
        self.sent: list[bytes] = []

    def now_utc(self) -> float:
        return UTC0

    def write(self, data: bytes) -> None:
        self.sent.append(data)


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
        said.append(watch.look((EDA,)))
    assert [x for x in said if x] == [what]
    assert said.index(what) == 19
    assert watch.heard() == pytest.approx(10.0)
    assert watch.heard() is None


def test_slow_board_is_not_silent_between_two_samples() -> None:
    time = _Time()
    watch = _watch(_Link(), time, SilenceLimits())
    time.s += 29.0
    assert watch.look((BATTERY,)) is None
    time.s += 2.0
    assert watch.look((BATTERY,)) == "silence"


def test_mute_board_ends_it_and_one_that_is_away_is_awaited_for_days() -> None:
    time = _Time()
    watch = _watch(_Link(is_up=False), time, SilenceLimits())
    time.s += 3 * 86_400.0
    assert watch.look((EDA,)) == "link"
    watch = _watch(_Link(), time, SilenceLimits())
    time.s += 5.0 * MUTE_SILENCES
    assert watch.look((EDA,)) == "silence"
    with pytest.raises(StreamSilent, match="mute") as caught:
        watch.look((EDA,))
    assert caught.value.exit_code == 9


@pytest.mark.parametrize("is_up", [True, False])
def test_limit_that_was_asked_for_holds_for_both(is_up: bool) -> None:
    time = _Time()
    watch = _watch(_Link(is_up=is_up), time, SilenceLimits(end_s=600.0))
    time.s += 599.0
    assert watch.look((EDA,))
    assert watch.look((EDA,)) is None
    time.s += 1.0
    with pytest.raises(StreamSilent, match="no data for 600 s"):
        watch.look((EDA,))


def test_end_that_comes_first_is_said_before_it_ends() -> None:
    time = _Time()
    watch = _watch(_Link(), time, SilenceLimits(say_s=5.0, end_s=2.0))
    time.s += 2.0
    assert watch.look((EDA,)) == "silence"
    with pytest.raises(StreamSilent):
        watch.look((EDA,))


def test_finite_source_is_never_silent() -> None:
    time = _Time()
    watch = _watch(_Link(is_finite=True), time, SilenceLimits(end_s=1.0))
    time.s += 1e6
    assert watch.look(()) is None


def test_board_is_asked_often_at_first_and_not_while_it_is_away() -> None:
    time, link = _Time(), _Link()
    asker, asked = ClockAsker(link, time), list[float]()  # type: ignore[arg-type]
    for k in range(1200):
        time.s += 0.25
        link.is_up = not 400 <= k < 600
        asker.ask_if_due(k * 0.25, lambda _ping, utc: asked.append(utc))
    # Every 2 s in the first minute, then every 10 s, none in the 50 s away.
    assert len(asked) == len(link.sent) == 30 + 4 + 15
    assert link.sent


class _Board:
    """A live transport that answers, says little and then nothing."""

    url = "pty:/dev/null"
    virtual_time = False

    def __init__(self, time: _Time, *, n_hellos: int) -> None:
        self._time = time
        self._parser = MessageParser()
        self._left = n_hellos
        self._out = bytearray()

    def read(self, timeout_s: float) -> Chunk | None:
        self._time.s += timeout_s
        if self._left:
            self._left -= 1
            self._out += encode_hello(Hello(7, "b", "f", (EDA,)), seq=0, ticks_us=0)
        data, self._out = bytes(self._out), bytearray()
        return Chunk(self.now_utc(), data) if data else None

    def write(self, data: bytes) -> None:
        for message in self._parser.feed(data):
            if isinstance(message, Ping) and self._left:
                self._out += encode_pong(Pong(7, 1_000_000, message.token), seq=0)

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


def test_note_that_was_typed_before_the_board_spoke_is_kept(tmp_path: Path) -> None:
    recorder = recorder_module.Recorder(lambda name: tmp_path / f"{name}.mcap")
    recorder.mark("early", UTC0)
    recorder.feed(encode_hello(Hello(7, "b", "f", (EDA,)), seq=0, ticks_us=0), UTC0 + 1)
    recorder.close()
    assert McapReader(tmp_path / "b.mcap").markers() == [(UTC0, "early")]
