"""What a run counts: as much as a recording of the same bytes, of all sessions, in bounds, without its own echo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_host.cli.stream_lines import stream_lines
from firmware_host.events import AnyEvent, to_json
from firmware_host.inference.bundle import load_bundle
from firmware_host.protocol.encode import (
    encode_block,
    encode_command,
    encode_hello,
    encode_ping,
    encode_pong,
)
from firmware_host.protocol.messages import (
    Block,
    Channel,
    Command,
    CommandKind,
    Hello,
    Message,
    Ping,
    Pong,
)
from firmware_host.recording.frames import pieces
from firmware_host.runtime.baseline import WearerBaseline
from firmware_host.runtime.build import open_models
from firmware_host.runtime.drops import drop_words, drops
from firmware_host.runtime.pipeline import Listeners, Pipeline
from firmware_host.runtime.recorder import Recorder
from firmware_host.runtime.summary import summarise
from tests.unit.runtime.test_pipeline import CHANNELS, UTC, HandBoard

ACC = CHANNELS[2]
Timed = Iterable[tuple[float, bytes]]
Make = Callable[..., Pipeline]


@pytest.fixture(scope="module")
def make() -> Make:
    bundle = load_bundle()
    models = open_models(bundle, runtime="auto", placement="wrist")

    def pipeline(**options: Any) -> Pipeline:
        baseline = WearerBaseline(window_s=bundle.stress.window_s)
        return Pipeline(bundle, models, baseline=baseline, **options)

    return pipeline


class _Board:
    """A board that says nothing but zeros, in blocks of half a second."""

    def __init__(self, channels: tuple[Channel, ...], session: int) -> None:
        self.hello = encode_hello(
            Hello(session, f"board-{session}", "test", channels), seq=0, ticks_us=0
        )
        self._channels, self._session = channels, session

    def second(self, s: int) -> bytes:
        return b"".join(self._block(c, k) for k in (2 * s, 2 * s + 1) for c in self._channels)

    def _block(self, channel: Channel, k: int) -> bytes:
        n_samples = round(channel.rate_hz / 2)
        data = bytes(n_samples * channel.sample_bytes)
        block = Block(self._session, channel.stream, k, k * 500_000, k // 3, k * n_samples, data)
        return encode_block(block)


def _two_boards() -> Timed:
    """Losses and repeats on a board, then on another one with other channels; noise between."""
    yield UTC, _Board(CHANNELS, 7).second(0)
    for n, channels in enumerate((CHANNELS, (ACC, replace(CHANNELS[0], name="ppg")))):
        board, utc = _Board(channels, session=7 + n), UTC + 100 * n
        yield utc, board.hello
        for s in range(12):
            data = board.second(s)
            if s % 5:
                yield utc + s + 1, data
            if s % 4 == 1:
                yield utc + s + 1.5, data + encode_ping(Ping(s), seq=0) + b"\7\7\0"


def test_a_run_and_a_recording_count_the_same(make: Make, tmp_path: Path) -> None:
    pipeline = make(is_live=True)
    recorder = Recorder(lambda _: tmp_path / "a.mcap")
    recorder.parser.board_only = True
    for utc, data in _two_boards():
        pipeline.feed(data, utc)
        recorder.feed(data, utc)
    pipeline.finish()
    recorder.close()
    recorded = drops(recorder.assembler, recorder.parser)
    summary = summarise(pipeline, Counter(), wall_s=0.0)
    assert {name: summary[name] for name in recorded} == recorded
    assert set(drop_words(recorded)) == set(drop_words(summary))
    assert recorded["host_frames"] == 6
    channels = summary["channels"]
    assert list(channels) == ["acc", "ppg", "bvp", "eda"]
    assert [name for name, channel in channels.items() if channel["is_sent"]] == ["acc", "ppg"]
    of_blocks = {name: channels["acc"][name] for name in recorded if name in channels["acc"]}
    assert {"duplicate_blocks", "board_dropped"} <= set(of_blocks)
    for name in of_blocks:
        assert sum(channel[name] for channel in channels.values()) == recorded[name]
    assert recorded["duplicate_blocks"] > channels["acc"]["duplicate_blocks"] > 0
    missing = sum(channel["missing_samples"] for channel in channels.values())
    assert missing == recorder.n_missing > 0
    assert channels["eda"]["n_samples"] == channels["bvp"]["n_samples"] / 16 > 0


def test_status_tells_rates_of_what_is_sent_and_losses_of_all(make: Make) -> None:
    pipeline = make()
    for utc, data in _two_boards():
        pipeline.feed(data, utc)
    health = {
        **summarise(pipeline, Counter(), wall_s=0.0),
        **{"quality": {}, "links_lost": 0, "lines": {}, "silent_s": 0.0, "last_data_utc": UTC},
        **{"is_up": True, "is_live": True, "told_utc": UTC, "ended": "", "is_going_on": True},
    }
    lines = {line.split()[0]: line for line in stream_lines(health, UTC)}
    assert "ppg 64 declared" in lines["rates"]
    assert "eda" not in lines["rates"]
    assert "blocks twice" in lines["losses"]


def test_names_of_channels_without_number_stay_in_bounds(make: Make) -> None:
    pipeline = make()
    for n in range(300):
        odd = replace(CHANNELS[1], name=f"c{n}")
        board = _Board((ACC, odd), session=n + 1)
        pipeline.feed(board.hello + board.second(0), UTC + 2 * n)
    channels = summarise(pipeline, Counter(), wall_s=0.0)["channels"]
    assert len(channels) <= 258
    assert max(map(len, (pipeline.counts.samples, pipeline.assembler.tracks.totals))) <= 258
    assert sum(channel["n_samples"] for channel in channels.values()) == 300 * (32 + 4)
    assert channels["acc"]["n_samples"] == 300 * 32
    assert channels["(others)"]["n_samples"] > 200 * 4
    assert channels["(others)"]["declared_hz"] == 0.0


def _live(pipeline: Pipeline, *, echo: bool) -> list[AnyEvent]:
    """Seventy seconds, asked for the time every second; the line gives back what is sent, and more."""
    board = HandBoard()
    events = pipeline.feed(board.hello(), UTC)
    for s in range(70):
        pipeline.asked(Ping(s), UTC + s + 0.99)
        data = encode_pong(Pong(7, (s + 1) * 1_000_000, s), seq=s)
        if echo:
            data = encode_ping(Ping(s), seq=s) + data
            data += encode_ping(Ping(s + 1), seq=s)
            data += encode_command(Command(CommandKind.STOP), seq=s)
        events += pipeline.feed(data + board.second(s), UTC + s + 1.01)
    return events


def test_echo_of_questions_and_orders_is_counted_and_neither_heard_nor_recorded(make: Make) -> None:
    heard: list[tuple[float, Message]] = []

    def listen(message: Message, utc: float, _: float | None) -> None:
        heard.append((utc, message))

    plain, live = make(is_live=True), make(is_live=True, listeners=Listeners(message=listen))
    quiet = [to_json(event) for event in _live(plain, echo=False)]
    told = [to_json(event) for event in _live(live, echo=True)]
    assert any('"kind":"stress"' in line for line in told)
    assert told == quiet
    assert (plain.parser.host_frames, live.parser.host_frames) == (0, 210)
    assert [m for _, m in heard if isinstance(m, Ping | Command)] == [Ping(s) for s in range(70)]

    # What was recorded has our own questions in it, and its replay hears them.
    again = make()
    replayed = [e for utc, data in pieces(heard, questions=True) for e in again.feed(data, utc)]
    assert [to_json(event) for event in replayed] == told
    assert again.assembler.clock is not None
    assert live.assembler.clock is not None
    assert again.assembler.clock.health() == live.assembler.clock.health()
    assert again.assembler.clock.health().round_trip_ms == pytest.approx(20.0, abs=0.1)
    assert again.parser.host_frames == 0
