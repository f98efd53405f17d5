"""The pipeline on hand-made bytes: rates, contact, sessions, boards it cannot use."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

from firmware_host.errors import ContractError, ProtocolMismatch
from firmware_host.inference.bundle import load_bundle
from firmware_host.protocol import frame
from firmware_host.protocol.encode import (
    encode_block,
    encode_event,
    encode_hello,
    encode_log,
    encode_status,
)
from firmware_host.protocol.messages import (
    Block,
    Channel,
    Event,
    EventKind,
    Hello,
    Log,
    Message,
    Status,
)
from firmware_host.protocol.parser import MessageParser
from firmware_host.runtime.baseline import WearerBaseline
from firmware_host.runtime.build import open_models
from firmware_host.runtime.pipeline import Pipeline

UTC = 1_767_600_000.0
CHANNELS = (
    Channel(0, "bvp", "au", 64.0, 0.01, 0.0, "i32", 1),
    Channel(1, "eda", "uS", 4.0, 1e-6, 0.0, "i32", 1),
    Channel(2, "acc", "m/s2", 32.0, 0.01, 0.0, "i16", 3),
)
DTYPES = {"i16": "<i2", "i32": "<i4"}


class HandBoard:
    """A board whose clock and samples the test decides."""

    def __init__(self, channels=CHANNELS, *, session: int = 7, true_rate: float = 1.0) -> None:
        self.channels, self.session, self.true_rate = channels, session, true_rate
        self.n = dict.fromkeys(range(len(channels)), 0)

    def hello(self) -> bytes:
        return encode_hello(Hello(self.session, "hand", "test", self.channels), seq=0, ticks_us=0)

    def second(self, s: int) -> bytes:
        """One second of every channel, pulse at 72 bpm, skin at 1 µS, still wrist."""
        out = b""
        for c in self.channels:
            n = round(c.rate_hz * self.true_rate)
            t = (self.n[c.stream] + np.arange(n)) / (c.rate_hz * self.true_rate)
            values = {
                "bvp": 50 * np.sin(2 * np.pi * 1.2 * t),
                "eda": 1 + 0.001 * t,
                "acc": np.stack([0 * t, 0 * t, 9.8 + 0 * t], axis=1),
            }[c.name]
            raw = np.round(np.atleast_1d(values) / c.scale).astype(DTYPES[c.dtype])
            for at in range(0, n, c.max_block_samples):
                part = raw[at : at + c.max_block_samples]
                ticks = round((s + at / n) * 1e6)
                idx = self.n[c.stream] + at
                block = Block(self.session, c.stream, 0, ticks, 0, idx, part.tobytes())
                out += encode_block(block)
            self.n[c.stream] += n
        return out

    def event(self, kind: EventKind, value: int, t_s: float) -> bytes:
        return encode_event(Event(self.session, round(t_s * 1e6), kind, value))


@pytest.fixture(scope="module")
def bundle():
    return load_bundle()


@pytest.fixture
def pipeline(bundle):
    baseline = WearerBaseline(window_s=bundle.stress.window_s)
    return Pipeline(
        bundle, open_models(bundle, runtime="auto", placement="wrist"), baseline=baseline
    )


def _play(pipeline: Pipeline, board: HandBoard, seconds: range) -> list:
    events = []
    for s in seconds:
        events += pipeline.feed(board.second(s), UTC + s + 1)
    return events


def _states(events: list) -> list[str]:
    return [e.state.value for e in events if e.kind == "stress"]


def test_first_minutes_learn_the_baseline_then_states_follow(pipeline: Pipeline) -> None:
    board = HandBoard()
    pipeline.feed(board.hello(), UTC)
    events = _play(pipeline, board, range(660))
    states = _states(events)
    assert len(states) == 61
    assert set(states[:54]) == {"learning_baseline"}
    assert set(states[-5:]) <= {"rest", "stress", "unsure"}
    assert [e.what for e in events if e.kind == "stream"] == ["baseline"]


def test_declared_rate_not_met_is_an_event_and_a_warning(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    board = HandBoard(true_rate=0.9)
    pipeline.feed(board.hello(), UTC)
    with caplog.at_level(logging.WARNING):
        events = _play(pipeline, board, range(70))
    rates = [e for e in events if e.kind == "stream" and e.what == "rate"]
    assert {e.channel for e in rates} >= {"bvp"}
    assert all(e.detail["is_off"] for e in rates)
    assert "declared 64 Hz, measured 57." in caplog.text or "measured 58" in caplog.text


def test_board_that_says_off_skin_is_believed(pipeline: Pipeline) -> None:
    board = HandBoard()
    pipeline.feed(board.hello(), UTC)
    pipeline.feed(board.event(EventKind.WEAR, 0, 0.0), UTC)
    events = _play(pipeline, board, range(90))
    assert set(_states(events)) == {"not_worn"}
    # Nobody does anything in a band that is off.
    assert [e for e in events if e.kind in ("activity", "wearer")] == []
    pipeline.feed(board.event(EventKind.WEAR, 1, 90.0), UTC + 90)
    events = _play(pipeline, board, range(90, 190))
    states = _states(events)
    assert states[0] == "not_worn"
    assert states[-1] == "learning_baseline"
    first = next(e for e in events if e.kind == "activity")
    assert 90.0 + 5.0 <= first.t_s <= 90.0 + 10.0


def test_quality_of_each_channel_is_told_with_every_window(pipeline: Pipeline) -> None:
    board = HandBoard()
    pipeline.feed(board.hello(), UTC)
    scored = [e for e in _play(pipeline, board, range(70)) if e.kind == "stress"]
    assert scored
    assert set(scored[-1].channel_quality) == {"bvp", "eda", "temp", "acc"}
    assert scored[-1].channel_quality["acc"] == 1.0
    # The board has no thermometer.
    assert scored[-1].channel_quality["temp"] == 0.0
    assert pipeline.quality == scored[-1].channel_quality
    assert scored[-1].quality == min(scored[-1].channel_quality[name] for name in ("bvp", "eda"))


def test_host_that_comes_later_loses_no_minute_by_what_it_is_told(pipeline: Pipeline) -> None:
    board = HandBoard()
    pipeline.feed(board.hello(), UTC)
    events = _play(pipeline, board, range(2))
    for at_s in (2.0, 70.0):
        # As of now: the band may have been on for hours.
        events += pipeline.feed(board.event(EventKind.WEAR, 1, at_s), UTC + at_s)
        events += _play(pipeline, board, range(int(at_s), int(at_s) + 68))
    assert set(_states(events)) == {"learning_baseline"}
    assert next(e.t_s for e in events if e.kind == "activity") == 5.0
    assert sum(e.kind == "stream" and e.what == "wear" for e in events) == 1
    # Taken off and put on again counts from then.
    for value in (0, 1):
        pipeline.feed(board.event(EventKind.WEAR, value, 138.0), UTC + 138)
    states = _states(_play(pipeline, board, range(138, 210)))
    assert (states[0], states[-1]) == ("not_worn", "learning_baseline")


def test_band_that_is_off_is_off_at_another_rate_too(pipeline: Pipeline) -> None:
    board = HandBoard()
    pipeline.feed(board.hello(), UTC)
    pipeline.feed(board.event(EventKind.WEAR, 0, 0.0), UTC)
    faster = HandBoard((CHANNELS[0], replace(CHANNELS[1], stream=3, rate_hz=8.0), CHANNELS[2]))
    faster.n[3] = 0
    notes = pipeline.feed(faster.hello(), UTC + 0.1)
    assert [e.what for e in notes] == ["layout"]
    assert set(_states(_play(pipeline, faster, range(70)))) == {"not_worn"}


def test_pocket_has_no_skin_to_touch(bundle) -> None:
    pocket = Pipeline(
        bundle,
        open_models(bundle, runtime="auto", placement="pocket"),
        baseline=WearerBaseline(window_s=bundle.stress.window_s),
        placement="pocket",
    )
    board = HandBoard()
    pocket.feed(board.hello(), UTC)
    pocket.feed(board.event(EventKind.WEAR, 0, 0.0), UTC)
    assert any(e.kind == "activity" for e in _play(pocket, board, range(30)))


def test_lost_samples_are_counted_and_said(pipeline: Pipeline) -> None:
    board = HandBoard()
    pipeline.feed(board.hello(), UTC)
    _play(pipeline, board, range(20))
    board.second(20)
    events = _play(pipeline, board, range(21, 40))
    gaps = {e.channel: e.detail["missing_samples"] for e in events if e.kind == "stream"}
    assert gaps == {"bvp": 64, "eda": 4, "acc": 32}
    assert dict(pipeline.counts.missing) == gaps


def test_reboot_starts_windows_over(pipeline: Pipeline) -> None:
    board = HandBoard()
    pipeline.feed(board.hello(), UTC)
    _play(pipeline, board, range(30))
    again = HandBoard(session=8)
    notes = pipeline.feed(again.hello(), UTC + 31)
    assert [e.what for e in notes] == ["reboot"]
    states = []
    for s in range(61):
        states += _states(pipeline.feed(again.second(s), UTC + 32 + s))
    assert len(states) == 1


def test_board_without_any_channel_we_need_is_refused(pipeline: Pipeline) -> None:
    board = HandBoard((Channel(0, "mic", "Pa", 64.0, 1.0, 0.0, "i16", 1),))
    with pytest.raises(ContractError, match="bvp is missing"):
        pipeline.feed(board.hello(), UTC)


def test_one_model_goes_on_when_the_other_lacks_a_channel(pipeline: Pipeline) -> None:
    board = HandBoard((Channel(0, "acc", "m/s2", 32.0, 0.01, 0.0, "i16", 3),))
    notes = pipeline.feed(board.hello(), UTC)
    off = [e for e in notes if e.what == "model_off"]
    assert [e.detail["model"] for e in off] == ["stress"]
    events = _play(pipeline, board, range(12))
    assert {e.kind for e in events} == {"activity"}


def test_stress_is_not_told_when_the_board_is_worn_in_the_pocket(
    bundle, caplog: pytest.LogCaptureFixture
) -> None:
    baseline = WearerBaseline(window_s=bundle.stress.window_s)
    models = open_models(bundle, runtime="auto", placement="pocket")
    pipe = Pipeline(bundle, models, baseline=baseline, placement="pocket")
    board = HandBoard()
    with caplog.at_level(logging.WARNING):
        events = pipe.feed(board.hello(), UTC) + _play(pipe, board, range(75))
    assert [e.detail["model"] for e in events if e.kind == "stream" and e.what == "model_off"] == [
        "stress"
    ]
    assert {e.kind for e in events if e.kind != "stream"} == {"activity"}
    (said,) = [text for text in caplog.messages if "stress" in text]
    assert "worn at the pocket" in said


def test_other_protocol_version_is_refused(pipeline: Pipeline) -> None:
    hello = frame.encode(frame.HELLO, 0, 1, 0, 0, 0, b"\x09")
    with pytest.raises(ProtocolMismatch, match="wire protocol 9"):
        pipeline.feed(hello, UTC)


@pytest.mark.parametrize("size", [1, 7, 250, 4096])
def test_events_do_not_depend_on_how_bytes_are_cut(bundle, size: int) -> None:
    from firmware_host.events import to_json

    board = HandBoard()
    stream = board.hello() + b"".join(board.second(s) for s in range(75))

    def events_of(step: int) -> list[str]:
        baseline = WearerBaseline(window_s=bundle.stress.window_s)
        pipe = Pipeline(
            bundle, open_models(bundle, runtime="auto", placement="wrist"), baseline=baseline
        )
        return [
            to_json(e)
            for at in range(0, len(stream), step)
            for e in pipe.feed(stream[at : at + step], UTC)
        ]

    assert events_of(size) == events_of(len(stream))


class _Measured(MessageParser):
    """Remembers how much it was given at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def feed(self, data: bytes) -> list[Message]:
        self.sizes.append(len(data))
        return super().feed(data)


def test_long_delivery_is_read_in_pieces(pipeline: Pipeline) -> None:
    pipeline.parser = parser = _Measured()
    pipeline.feed(bytes(50_001), UTC)
    assert sum(parser.sizes) == 50_001
    assert max(parser.sizes) <= 4096


def test_summary_tells_what_was_dropped_and_how_the_clock_runs(pipeline: Pipeline) -> None:
    from collections import Counter

    from firmware_host.runtime.summary import summarise

    board = HandBoard()
    pipeline.feed(board.second(0), UTC)  # before its HELLO
    pipeline.feed(board.hello(), UTC + 1)
    block = board.second(1)
    pipeline.feed(block, UTC + 2)
    pipeline.feed(block, UTC + 3)
    pipeline.feed(frame.encode(200, 0, 7, 0, 0, 0, b"x"), UTC + 3)
    summary = summarise(pipeline, Counter(), wall_s=1.0)
    assert summary["foreign_messages"] > 0
    assert summary["unknown_kinds"] == 1
    repeats = sum(c["duplicate_blocks"] + c["late_blocks"] for c in summary["channels"].values())
    assert repeats == len([p for p in block.split(b"\0") if p])
    assert set(summary["clock"]) >= {"drift_ppm", "jitter_ms"}


def test_low_battery_is_said_once_a_limit(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    board = HandBoard()
    pipeline.feed(board.hello(), UTC)
    with caplog.at_level(logging.WARNING):
        for s, percent in enumerate((80, 20, 19, 9)):
            pipeline.feed(board.event(EventKind.BATTERY, percent, s), UTC + s)
    assert [r.getMessage() for r in caplog.records] == [
        "the board's battery is at 20 %",
        "the board's battery is at 9 %",
    ]
    assert pipeline.battery.percent == 9


def test_what_waited_when_the_board_rebooted_has_its_own_time(pipeline: Pipeline) -> None:
    board = HandBoard()
    hello = Hello(7, "hand", "test", board.channels, ring_bytes=1)
    pipeline.feed(encode_hello(hello, seq=0, ticks_us=0), UTC)
    events = _play(pipeline, board, range(67))
    board.second(67)
    assert [e for e in _play(pipeline, board, range(68, 72)) if e.kind == "stress"] == []
    after = Hello(8, "hand", "test", board.channels, ring_bytes=1)
    events += pipeline.feed(encode_hello(after, seq=0, ticks_us=0), UTC + 1000)
    scored = [e for e in events if e.kind == "stress"]
    assert [e.t_s for e in scored] == [60.0, 70.0]
    assert [e.utc - UTC for e in scored] == pytest.approx([60.0, 70.0], abs=1.1)
    whats = [e.what for e in events if e.kind == "stream"]
    assert whats[-1] == "reboot"
    assert "gap" in whats


def test_what_a_board_says_of_itself_counts_in_the_session_that_it_announced(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    def feed(session: int, uptime_s: int) -> None:
        status = Status(session, 0, uptime_s)
        log = Log(session, 0, logging.WARNING, f"up for {uptime_s} s")
        said = encode_status(status, seq=0) + encode_log(log, seq=0)
        pipeline.feed(said, UTC + uptime_s)

    board = HandBoard()
    with caplog.at_level(logging.WARNING):
        feed(board.session, 1)  # before its HELLO
        assert pipeline.board_status is None
        pipeline.feed(board.hello(), UTC + 2)
        feed(board.session, 3)
        feed(board.session + 1, 4)
    assert pipeline.board_status == Status(board.session, 0, 3)
    assert [r.getMessage() for r in caplog.records] == ["the board says: 'up for 3 s'"]
    assert pipeline.assembler.n_foreign == 4
