"""The app on the official MicroPython build, in virtual time, on a body."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.protocol import frame
from firmware_host.protocol.encode import encode_command, encode_ping
from firmware_host.protocol.messages import (
    Ack,
    AckResult,
    Block,
    BootCause,
    Command,
    CommandKind,
    Event,
    Hello,
    Log,
    PartState,
    Ping,
    Pong,
    Reset,
    SettingOrder,
    Status,
)
from firmware_host.protocol.parser import MessageParser
from sim.board import VirtualBoard
from sim.micropython.process import board_json, put_app
from sim.sensor_stream import SensorStream
from sim.sensors import CHANNELS, NUMPY_DTYPES

pytestmark = pytest.mark.needs_node

RATES_HZ = {"acc": 100.0, "gyro": 100.0, "bvp": 64.0, "temp": 4.0, "eda": 4.0}
NATIVE_HZ = {channel.name: channel.rate_hz for channel in CHANNELS}


def _order(kind: CommandKind, value: int = 0, token: int = 1, **more: object) -> bytes:
    return encode_command(Command(kind, value, token, **more), seq=token)


def _samples(heard, channel) -> np.ndarray:
    blocks = [b for b in heard.of(Block) if b.stream == channel.stream]
    raw = np.frombuffer(b"".join(b.data for b in blocks), NUMPY_DTYPES[channel.dtype])
    return raw.reshape(-1, channel.axes)


def _numbers(heard, name: str) -> list[int]:
    return list(dict.fromkeys(h.channel(name).stream for h in heard.of(Hello)))


def _blocks(heard, stream: int) -> list[Block]:
    return [b for b in heard.of(Block) if b.stream == stream]


def _has_no_gap(heard, channel) -> bool:
    at = 0
    for block in _blocks(heard, channel.stream):
        if block.sample_idx != at:
            return False
        at += len(block.data) // channel.sample_bytes
    return True


def test_every_sample_is_the_bodys_at_its_time_and_twice_the_same(live, wearer) -> None:
    heard = live(21.0)
    hello = heard[0]
    assert isinstance(hello, Hello)
    assert {c.name: c.rate_hz for c in hello.channels} == RATES_HZ
    assert isinstance(heard[1], Status)
    for channel in hello.channels:
        own = next(c for c in CHANNELS if c.name == channel.name)
        assert (channel.unit, channel.scale, channel.offset) == (own.unit, own.scale, own.offset)
        raw = _samples(heard, channel)
        # A block of the fastest is out at the latest half a second after its first sample.
        assert len(raw) >= 19 * channel.rate_hz
        assert _has_no_gap(heard, channel)
        stream = SensorStream(wearer(), own)
        stream.change_rate(stream.factor_for(round(channel.rate_hz * 1000)), 9)
        np.testing.assert_array_equal(raw, stream.read(len(raw)))
        blocks = _blocks(heard, channel.stream)
        first, last = blocks[0], blocks[-1]
        took_us = (last.ticks_us - first.ticks_us) - last.sample_idx / channel.rate_hz * 1e6
        assert abs(took_us) <= 1
        assert [b.seq for b in blocks] == list(range(len(blocks)))
    assert [h.ticks_us // 1_000_000 for h in heard.of(Hello)] == [0, 5, 10, 15, 20]
    assert [s.uptime_s for s in heard.of(Status)] == [0, 10, 20]
    assert (heard.of(Status)[-1].n_late, heard.of(Status)[-1].n_overruns) == (0, 0)
    assert live(21.0) == heard


def test_counts_are_those_of_the_simulated_board(live, wearer) -> None:
    heard = live(12.0, config={"rates": NATIVE_HZ})
    board = VirtualBoard(wearer(), seed=7)
    theirs = [m for m in MessageParser().feed(board.advance(14.0)) if isinstance(m, Block)]
    for channel in heard[0].channels:
        own = next(c for c in CHANNELS if c.name == channel.name)
        ours = b"".join(b.data for b in _blocks(heard, channel.stream))
        other = b"".join(b.data for b in theirs if b.stream == own.stream)
        assert len(ours) >= 11 * own.rate_hz * own.sample_bytes
        assert other.startswith(ours)


def test_rate_changes_under_a_new_number_and_nothing_else(live) -> None:
    say = [
        (3.1, _order(CommandKind.RATE, 25_000, 1, stream=0)),
        (4.0, _order(CommandKind.RATE, 25_000, 2, stream=0)),
        (4.1, _order(CommandKind.RATE, 900_000, 3, stream=0)),
        (4.2, _order(CommandKind.RATE, 50_000, 4, stream=31)),
        (4.3, _order(CommandKind.RATE, -5, 5, stream=1)),
    ]
    heard = live(8.0, say=say)
    results = {ack.token: ack.result for ack in heard.of(Ack)}
    assert [results[n] for n in (1, 2)] == [AckResult.DONE] * 2
    assert {results[n] for n in (3, 4, 5)} == {AckResult.BAD_VALUE}
    assert _numbers(heard, "acc") == [0, 5]
    at = heard.index(heard.of(Ack)[0])
    *_, shorter, ack, hello = heard[: at + 2]
    assert (shorter.stream, len(shorter.data) < 228) == (0, True)
    assert (hello.channel("acc").rate_hz, hello.session) == (25.0, ack.session)
    assert all(b.stream != 0 for b in heard[at:] if isinstance(b, Block))
    old, new = _blocks(heard, 0), _blocks(heard, 5)
    assert (new[0].sample_idx, new[0].seq) == (0, 0)
    n_old = old[-1].sample_idx + len(old[-1].data) // 6
    took_s = (new[0].ticks_us - old[0].ticks_us) / 1e6
    assert took_s == pytest.approx(n_old / 100, abs=1e-5)
    assert _has_no_gap(heard, heard[0].channel("gyro"))


def test_backfill_sends_the_same_frames_again_oldest_first(live) -> None:
    say = [
        (6.0, _order(CommandKind.BACKFILL, 60, 1, stream=0, sample_idx=100)),
        (6.0, _order(CommandKind.BACKFILL, 10, 2, stream=2, sample_idx=64)),
        (6.1, _order(CommandKind.BACKFILL, 10, 3, stream=0, sample_idx=1_000_000)),
        (6.1, _order(CommandKind.BACKFILL, 0, 4, stream=0, sample_idx=0)),
    ]
    heard = live(9.0, say=say)
    acks = {ack.token: ack for ack in heard.of(Ack)}
    assert [acks[n].result for n in (1, 2, 3)] == [AckResult.DONE] * 3
    assert acks[4].result == AckResult.BAD_VALUE
    assert [(acks[n].gone, acks[n].frames) for n in (1, 2, 3)] == [(0, 3), (0, 1), (10, 0)]
    blocks = heard.of(Block)
    again = [b for i, b in enumerate(blocks) if b in blocks[:i]]
    assert [(b.stream, b.sample_idx) for b in again] == [(0, 76), (2, 64), (0, 114), (0, 152)]
    assert blocks.index(again[0]) < blocks.index(_blocks(heard, 0)[-1])


def test_backfill_of_what_left_the_ring_is_gone(live) -> None:
    say = [(9.0, _order(CommandKind.BACKFILL, 850, 1, stream=0, sample_idx=0))]
    heard = live(10.0, say=say, config={"ring": 4})
    assert heard[0].ring_bytes == 4096
    (ack,) = heard.of(Ack)
    assert 0 < ack.gone < 850
    assert ack.frames > 0
    blocks = _blocks(heard, 0)
    again = [b for i, b in enumerate(blocks) if b in blocks[:i]]
    assert min(b.sample_idx for b in again) >= ack.gone


def test_host_that_does_not_read_stops_no_sampling_and_gets_it_later(live_words) -> None:
    say = [(30.0, _order(CommandKind.BACKFILL, 2000, 1, stream=0, sample_idx=400))]
    heard = live_words(38.0, say=say, stalled_s=((5.0, 20.0),))
    status = heard.of(Status)[-1]
    assert status.n_dropped > 100
    # Of 15 s without a reader; a wait of half a second for every frame would cost all of them.
    assert status.n_late < 0.15 * 15 * sum(RATES_HZ.values())
    had = {b.sample_idx + i for b in _blocks(heard, 0) for i in range(len(b.data) // 6)}
    missing = set(range(400, 2400)) - had
    assert 0 < len(missing) <= status.n_late * 100 / sum(RATES_HZ.values()) + 5
    assert heard.of(Ack)[0].gone == 0


def test_host_that_speaks_and_reads_nothing_costs_no_more_than_a_silent_one(live_words) -> None:
    say = [(5.0 + 0.1 * i, encode_ping(Ping(i), seq=i)) for i in range(300)]
    said, silent = (live_words(42.0, say=each, stalled_s=((5.0, 35.0),)) for each in (say, []))
    n_late = said.of(Status)[-1].n_late
    assert 0 < n_late <= 1.2 * silent.of(Status)[-1].n_late
    # All that it did not read was not kept for it either.
    assert len(said.of(Pong)) < 10


def test_board_without_ring_knows_no_backfill(live) -> None:
    say = [(2.0, _order(CommandKind.BACKFILL, 6, 1, stream=0, sample_idx=0))]
    heard = live(3.0, say=say, config={"ring": 0})
    assert heard[0].ring_bytes == 0
    assert heard.of(Ack)[0].result == AckResult.UNKNOWN


def test_pause_shows_as_a_gap_of_its_length(live) -> None:
    say = [(3.0, _order(CommandKind.STOP, 0, 1)), (5.0, _order(CommandKind.START, 0, 2))]
    heard = live(8.0, say=say)
    stopped, started = heard.of(Ack)
    at = heard.index(stopped), heard.index(started)
    assert not [m for m in heard[at[0] : at[1]] if isinstance(m, Block)]
    assert isinstance(heard[at[1] + 1], Hello)
    before = [b for b in heard[: at[0]] if isinstance(b, Block) and b.stream == 0][-1]
    after = next(b for b in heard[at[1] :] if isinstance(b, Block) and b.stream == 0)
    idx, ticks = after.sample_idx - before.sample_idx, after.ticks_us - before.ticks_us
    assert ticks / 1e6 == pytest.approx(idx / 100, abs=1e-5)
    assert idx > 200


def test_noise_on_the_line_is_counted_and_passed_over(live) -> None:
    noise = bytes(range(1, 256)) * 3 + b"\0"
    ping = encode_ping(Ping(0xDEADBEEF), seq=0)
    say = [
        (2.0, noise + ping),
        (3.0, ping[:5]),
        (3.5, b"\0" + ping),
        (4.0, _order(CommandKind.STATUS)),
    ]
    heard = live(5.0, say=say)
    assert [pong.token for pong in heard.of(Pong)] == [0xDEADBEEF] * 2
    assert heard.of(Status)[-1].n_bad_frames == 2
    assert heard.of(Ack)[0].result == AckResult.DONE


def test_unknown_and_short_commands(live) -> None:
    short = frame.encode(frame.CMD, 0, 0, 0, 0, 0, b"\x04\0\0\0\0\x07\0\0\0")
    say = [(2.0, _order(200, 0, 1)), (2.1, short), (2.2, _order(CommandKind.CUE, 9, 2))]
    say += [(2.3, _order(CommandKind.CUE, 3, 3)), (2.4, _order(CommandKind.RESET, 9, 4))]
    heard = live(4.0, say=say)
    results = {ack.token: ack.result for ack in heard.of(Ack)}
    assert results == {
        1: AckResult.UNKNOWN,
        2: AckResult.BAD_VALUE,
        3: AckResult.DONE,
        4: AckResult.BAD_VALUE,
    }


def test_absent_sensor_is_told_and_the_others_stream(live) -> None:
    heard = live(4.0, parts=("lsm6ds3", "tmp117"))
    assert {c.name for c in heard[0].channels} == {"acc", "gyro", "temp", "eda"}
    parts = {part.name: part.state for part in heard.of(Status)[0].parts}
    assert parts["max30102"] is PartState.ABSENT
    assert parts["lsm6ds3"] is PartState.WORKS
    assert [log.text for log in heard.of(Log)] == ["max30102: nobody answers"]
    assert all(_has_no_gap(heard, channel) for channel in heard[0].channels)


def test_first_of_two_alternatives_that_answers_is_taken(live) -> None:
    config = {"sensors": ["mpu6050|lsm6ds3"], "i2c": [{"bus": 0}, {"bus": 1, "scl": 5, "sda": 4}]}
    heard = live(3.0, config=config)
    assert "lsm6ds3" in {part.name for part in heard.of(Status)[0].parts}
    assert {c.name for c in heard[0].channels} == {"acc", "gyro", "eda"}


def test_mpu6050_streams_too(live) -> None:
    heard = live(3.0, parts=("mpu6050",), config={"sensors": ["lsm6ds3|mpu6050"]})
    scale = heard[0].channel("acc").scale
    length = np.linalg.norm(_samples(heard, heard[0].channel("acc")) * scale, axis=1)
    assert np.median(length) == pytest.approx(9.81, abs=0.5)


def test_bus_that_fails_for_a_while_is_a_gap_and_counted(live) -> None:
    heard = live(12.0, broken_s=((4.0, 5.0),))
    acc = heard[0].channel("acc")
    blocks = _blocks(heard, acc.stream)
    ends = [b.sample_idx + len(b.data) // 6 for b in blocks]
    missing = sum(b.sample_idx - end for b, end in zip(blocks[1:], ends, strict=False))
    # And what a sensor needs until it has a first result.
    assert missing == pytest.approx(100 + 15, abs=2)
    parts = {part.name: part for part in heard.of(Status)[-1].parts}
    assert parts["lsm6ds3"].n_errors == pytest.approx(100, abs=2)
    assert parts["lsm6ds3"].state is PartState.WORKS
    assert blocks[-1].sample_idx / 100 > 10


def test_rate_asked_for_while_the_bus_fails_is_put_off_and_nothing_else(live) -> None:
    say = [(t, _order(CommandKind.RATE, 50_000, int(t), stream=0)) for t in (3.0, 6.0)]
    heard = live(9.0, broken_s=((2.0, 4.0),), say=say)
    assert [ack.result for ack in heard.of(Ack)] == [AckResult.NOT_NOW, AckResult.DONE]
    assert len({message.session for message in heard}) == 1
    assert _numbers(heard, "acc") == [0, 5]
    assert len(_blocks(heard, 5)) >= 4


def test_presses_of_the_body_come_as_events(live, wearer) -> None:
    wanted = [(e.t_s, e.value) for e in wearer().events() if e.kind == 1 and e.t_s < 55]
    assert wanted
    heard = live(60.0, config={"sensors": ["tmp117"]})
    start_us = _blocks(heard, 0)[0].ticks_us
    told = [((e.ticks_us - start_us) / 1e6, e.value) for e in heard.of(Event) if e.kind == 1]
    assert [value for _, value in told] == [value for _, value in wanted]
    np.testing.assert_allclose([t for t, _ in told], [t for t, _ in wanted], atol=0.1)


def test_battery_is_told_once(live) -> None:
    heard = live(3.0, battery_percent=37)
    assert [(e.kind, e.value) for e in heard.of(Event) if e.kind == 3] == [(3, 37)]


def test_reset_is_acknowledged_and_begins_anew(live) -> None:
    heard = live(8.0, say=[(3.0, _order(CommandKind.RESET, Reset.ANEW))])
    sessions = list(dict.fromkeys(m.session for m in heard))
    assert len(sessions) == 2
    assert heard.of(Ack)[0].session == sessions[0]
    before, *_, after = heard.of(Status)
    assert (before.cause, before.n_boots) == (BootCause.POWER, 1)
    assert (after.cause, after.n_boots) == (BootCause.ASKED, 2)
    again = [b for b in heard.of(Block) if b.session == sessions[1]]
    assert again[0].sample_idx == 0


@pytest.fixture
def flash(tmp_path):
    folder = tmp_path / "flash"
    put_app(folder, board_json(RATES_HZ))
    return folder


def test_settings_are_kept_and_count_from_the_next_boot(live, flash) -> None:
    keep = {"key": "rate.acc", "text": "50"}
    say = [
        (1.0, _order(CommandKind.SETTING, SettingOrder.KEEP, 1, **keep)),
        (1.1, _order(CommandKind.SETTING, SettingOrder.KEEP, 2, key="id", text="left-wrist")),
        (1.2, _order(CommandKind.SETTING, SettingOrder.KEEP, 3, key="ring", text="8")),
        (1.3, _order(CommandKind.SETTING, SettingOrder.TELL, 4, key="rate.acc")),
        (1.4, _order(CommandKind.SETTING, SettingOrder.KEEP, 5, key="colour", text="red")),
        (1.5, _order(CommandKind.SETTING, SettingOrder.KEEP, 6, key="rate.acc", text="fast")),
        (1.6, _order(CommandKind.SETTING, 7, 7, key="id")),
        (2.0, _order(CommandKind.RESET, Reset.ANEW, 8)),
        (4.0, _order(CommandKind.SETTING, SettingOrder.FORGET, 9, key="rate.acc")),
        (4.5, _order(CommandKind.RESET, Reset.ANEW, 10)),
    ]
    heard = live(7.0, say=say, flash=flash)
    acks = {ack.token: ack for ack in heard.of(Ack)}
    assert [acks[n].text for n in (1, 2, 3, 4)] == ["50", "left-wrist", "8", "50"]
    assert {acks[n].result for n in (5, 6, 7)} == {AckResult.BAD_VALUE}
    assert (acks[9].key, acks[9].text) == ("rate.acc", "")
    first, second, third = dict.fromkeys(h.session for h in heard.of(Hello))
    hellos = {h.session: h for h in heard.of(Hello)}
    assert [hellos[s].channel("acc").rate_hz for s in (first, second, third)] == [100, 50, 100]
    assert hellos[second].board_id == "left-wrist"
    assert (hellos[first].ring_bytes, hellos[second].ring_bytes) == (65_536, 8192)


@pytest.mark.parametrize(
    "damage", ["[1, 2]", "{", "", '{"rate.acc": "nonsense", "id": 5}', '{"ring": "-5"}']
)
def test_damaged_settings_do_not_stop_the_board(live, flash, damage: str) -> None:
    (flash / "settings.json").write_text(damage)
    (flash / "state.json").write_text(damage)
    heard = live(2.0, flash=flash)
    assert heard[0].firmware.startswith("signet 0")
    assert {c.name for c in heard[0].channels} == set(RATES_HZ)
