from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from firmware_host.protocol.encode import encode_command, encode_ping
from firmware_host.protocol.messages import (
    Ack,
    AckResult,
    Block,
    BootCause,
    Command,
    CommandKind,
    Event,
    EventKind,
    Hello,
    Message,
    Ping,
    Pong,
    Reset,
    Status,
)
from firmware_host.protocol.parser import MessageParser
from sim.board import VirtualBoard
from sim.body import SyntheticBody
from sim.person import Wearer
from sim.schedule import build_schedule, load_scenario
from sim.sensor_stream import block_samples
from sim.sensors import CHANNELS, NUMPY_DTYPES, to_raw

MakeBoard = Callable[..., VirtualBoard]


@pytest.fixture
def make_board() -> MakeBoard:
    def make(*, hours: float = 0.1, seed: int = 7, **options: float) -> VirtualBoard:
        schedule = load_scenario("short").lasting(hours)
        return VirtualBoard(SyntheticBody(Wearer(schedule, seed=seed)), seed=seed, **options)

    return make


def _run(board: VirtualBoard, *, step_s: float) -> bytes:
    out, t_s = bytearray(), 0.0
    while not board.finished:
        t_s += step_s
        out += board.advance(t_s)
    return bytes(out)


def _parse(data: bytes) -> list[Message]:
    parser = MessageParser()
    messages = parser.feed(data)
    assert parser.decoder.bad_frames == parser.decoder.oversize == parser.bad_payloads == 0
    return messages


def _blocks(data: bytes, stream: int) -> list[Block]:
    return [m for m in _parse(data) if isinstance(m, Block) and m.stream == stream]


def _samples(blocks: list[Block], stream: int) -> np.ndarray:
    channel = CHANNELS[stream]
    raw = np.frombuffer(b"".join(b.data for b in blocks), NUMPY_DTYPES[channel.dtype])
    return raw.reshape(-1, channel.axes)


@pytest.mark.parametrize("step_s", [0.05, 0.37, 7.0, 1000.0])
def test_bytes_are_the_same_in_any_steps(make_board: MakeBoard, step_s: float) -> None:
    assert _run(make_board(), step_s=step_s) == _run(make_board(), step_s=1.0)


def test_bytes_differ_when_the_seed_does(make_board: MakeBoard) -> None:
    assert _run(make_board(), step_s=10.0) != _run(make_board(seed=8), step_s=10.0)


def test_every_sample_arrives_once_and_scaled(make_board: MakeBoard) -> None:
    data = _run(make_board(), step_s=1.0)
    pieces = list(Wearer(load_scenario("short").lasting(0.1), seed=7))
    for channel in CHANNELS:
        blocks = _blocks(data, channel.stream)
        truth = np.concatenate([to_raw(channel, p.channel(channel.name)) for p in pieces])
        np.testing.assert_array_equal(_samples(blocks, channel.stream), truth)
        starts = [b.sample_idx for b in blocks]
        assert starts == list(range(0, len(truth), block_samples(channel)))


def test_block_time_is_its_first_samples_time(make_board: MakeBoard) -> None:
    for block in _blocks(_run(make_board(), step_s=1.0), 3):
        assert block.ticks_us == round(block.sample_idx / 50 * 1e6)


def test_no_block_comes_before_its_last_sample(make_board: MakeBoard) -> None:
    board = make_board()
    parser, t_s = MessageParser(), 0.0
    while t_s < 20:
        t_s += 0.1
        for message in parser.feed(board.advance(t_s)):
            if isinstance(message, Block) and message.stream == 0:
                assert message.ticks_us / 1e6 + 31 / 64 <= t_s


def test_hello_comes_first_and_every_five_seconds(make_board: MakeBoard) -> None:
    messages = _parse(make_board().advance(21.0))
    assert isinstance(messages[0], Hello)
    hellos = [m for m in messages if isinstance(m, Hello)]
    assert [h.ticks_us for h in hellos] == [0, 5_000_000, 10_000_000, 15_000_000, 20_000_000]
    assert hellos[0].channels == CHANNELS


def test_events_carry_their_own_time(make_board: MakeBoard) -> None:
    events = [m for m in _parse(_run(make_board(), step_s=1.0)) if isinstance(m, Event)]
    wanted = load_scenario("short").lasting(0.1).events(seed=7)
    assert [(e.kind, e.value, e.ticks_us) for e in events] == [
        (e.kind, e.value, round(e.t_s * 1e6)) for e in wanted
    ]
    assert EventKind.BUTTON in {e.kind for e in events}


def test_ticks_wrap_at_32_bits(make_board: MakeBoard) -> None:
    board = make_board(first_tick_us=(1 << 32) - 2_000_000)
    ticks = [b.ticks_us for b in _blocks(board.advance(6.0), 1)]
    assert ticks[:4] == [4292967296, 4293967296, 0, 1_000_000]


def test_drift_makes_more_samples_in_the_same_time(make_board: MakeBoard) -> None:
    straight, fast = make_board(), make_board(drift_ppm=1000.0)
    n = [len(_blocks(board.advance(300.0), 0)) * 32 for board in (straight, fast)]
    assert n[1] - n[0] == pytest.approx(300 * 64 * 1e-3, abs=32)


def test_ping_is_answered_with_the_boards_time(make_board: MakeBoard) -> None:
    board = make_board()
    board.advance(2.5)
    board.receive(encode_ping(Ping(77), seq=0))
    pongs = [m for m in _parse(board.advance(2.6)) if isinstance(m, Pong)]
    assert pongs == [Pong(board.session, 2_500_000, 77)]


def _order(board: VirtualBoard, kind: CommandKind, value: int = 0) -> None:
    board.receive(encode_command(Command(kind, value, token=5), seq=0))


def test_stop_silences_blocks_and_start_shows_the_gap(make_board: MakeBoard) -> None:
    board = make_board()
    before = _blocks(board.advance(10.0), 0)
    _order(board, CommandKind.STOP)
    quiet = _parse(board.advance(20.2))
    assert {type(m) for m in quiet} == {Ack, Hello, Status}
    _order(board, CommandKind.START)
    after = _parse(board.advance(30.0))
    first = next(m for m in after if isinstance(m, Block) and m.stream == 0)
    assert first.sample_idx > before[-1].sample_idx + 10 * 64 - 32
    assert first.ticks_us == round(first.sample_idx / 64 * 1e6)
    assert first.seq == before[-1].seq + 1
    assert any(isinstance(m, Hello) for m in after[:3])


@pytest.mark.parametrize("label", ["rest", "off"])
def test_host_that_comes_later_is_told_what_is_so(label: str) -> None:
    bouts = [{"label": "rest", "minutes": 1}, {"label": label, "minutes": 11}]
    start = datetime(2026, 5, 4, 8, tzinfo=UTC)
    schedule = build_schedule({"start_utc": start, "bout": bouts}, name="later")
    board = VirtualBoard(SyntheticBody(Wearer(schedule, seed=7)), seed=7)
    board.advance(650.0)
    for order in (CommandKind.START, CommandKind.START):
        _order(board, order)
        told = [m for m in _parse(board.advance(650.0)) if not isinstance(m, Block)]
        assert [type(m) for m in told] == [Ack, Hello, Event, Event]
        state = [(m.kind, m.value, m.ticks_us) for m in told if isinstance(m, Event)]
        is_worn = int(label == "rest")
        assert state == [(EventKind.WEAR, is_worn, 650e6), (EventKind.BATTERY, 97, 650e6)]
    assert not [m for m in _parse(board.advance(700.0)) if isinstance(m, Event)]


def test_host_that_is_there_at_the_boot_is_told_once(make_board: MakeBoard) -> None:
    board = make_board()
    _order(board, CommandKind.START)
    told = [m.kind for m in _parse(board.advance(1.0)) if isinstance(m, Event)]
    assert told == [EventKind.WEAR, EventKind.BATTERY]


@pytest.mark.parametrize(("pattern", "result"), [(2, AckResult.DONE), (9, AckResult.BAD_VALUE)])
def test_cue_is_acknowledged_and_logged(
    make_board: MakeBoard, pattern: int, result: AckResult
) -> None:
    board = make_board()
    board.advance(3.0)
    _order(board, CommandKind.CUE, pattern)
    (ack,) = [m for m in _parse(board.advance(3.1)) if isinstance(m, Ack)]
    assert (ack.command, ack.result, ack.token) == (CommandKind.CUE, result, 5)
    cues = [(c.t_s, c.pattern) for c in board.counters.cues]
    assert cues == ([(3.0, 2)] if result is AckResult.DONE else [])


def test_full_line_drops_whole_frames_and_counts_them(make_board: MakeBoard) -> None:
    board = make_board()
    # No HELLO falls into this stretch: only blocks compete for the room.
    board.advance(5.5)
    squeezed = board.advance(9.9, room_bytes=1000)
    assert len(squeezed) <= 1000
    lost = board.counters.dropped_frames
    assert lost > 10
    _parse(squeezed)
    first = {}
    for message in _parse(board.advance(15.0)):
        if isinstance(message, Block):
            first.setdefault(message.stream, message)
    assert sum(b.dropped for b in first.values()) == lost
    assert all(b.sample_idx * 1e6 / CHANNELS[s].rate_hz >= 9e6 for s, b in first.items())


def test_reboot_starts_a_new_session_from_zero(make_board: MakeBoard) -> None:
    board = make_board()
    first_session = board.session
    board.advance(30.0)
    board.reboot(dark_s=2.0)
    messages = _parse(board.advance(40.0))
    assert board.session != first_session
    assert isinstance(messages[0], Hello)
    assert messages[0].session == board.session
    blocks = [m for m in messages if isinstance(m, Block) and m.stream == 3]
    assert (blocks[0].sample_idx, blocks[0].seq, blocks[0].ticks_us) == (0, 0, 0)
    # Ten seconds less two in the dark; the last block is not full yet.
    assert len(blocks) == 16


def test_last_samples_come_in_a_shorter_block() -> None:
    schedule = load_scenario("short").lasting(61 / 3600)
    board = VirtualBoard(SyntheticBody(Wearer(schedule, seed=1)), seed=1)
    data = _run(board, step_s=0.4)
    assert len(_samples(_blocks(data, 0), 0)) == 61 * 64
    assert len(_samples(_blocks(data, 4), 4)) == 61 * 50
    assert board.advance(100.0) == b""


def test_to_raw_saturates_at_the_sensors_range() -> None:
    acc, eda = CHANNELS[3], CHANNELS[1]
    raw = to_raw(acc, np.array([[500.0, -500.0, 9.80665]]))
    assert raw[0, 0] == 32767
    assert raw[0, 1] == -32768
    assert raw[0, 2] * acc.scale == pytest.approx(9.80665, abs=acc.scale)
    assert to_raw(eda, np.array([[-1.0], [1000.0]])).ravel().tolist() == [0, 65_535]
    bvp = CHANNELS[0]
    # More light, less blood: the chip is upside down.
    assert to_raw(bvp, np.array([[1e5], [-1e5]])).ravel().tolist() == [0, 2**18 - 1]


def test_status_comes_at_boot_every_ten_seconds_and_when_asked(make_board: MakeBoard) -> None:
    board = make_board()
    told = [m for m in _parse(board.advance(25.0)) if isinstance(m, Status)]
    assert [status.uptime_s for status in told] == [0, 10, 20]
    assert {part.name for part in told[0].parts} == {channel.name for channel in CHANNELS}
    _order(board, CommandKind.STATUS)
    ack, status = [m for m in _parse(board.advance(26.0)) if isinstance(m, Ack | Status)]
    assert isinstance(ack, Ack)
    assert isinstance(status, Status)
    assert (ack.result, status.uptime_s) == (AckResult.DONE, 25)


def test_reset_answers_then_boots(make_board: MakeBoard) -> None:
    board = make_board()
    before = board.session
    board.advance(25.0)
    _order(board, CommandKind.RESET, Reset.BOOTLOADER)
    _order(board, CommandKind.RESET, Reset.ANEW)
    told = _parse(board.advance(26.0))
    acks = [m for m in told if isinstance(m, Ack)]
    assert [ack.result for ack in acks] == [AckResult.BAD_VALUE, AckResult.DONE]
    assert {ack.session for ack in acks} == {before}
    hello = next(m for m in told if isinstance(m, Hello))
    status = next(m for m in told if isinstance(m, Status))
    assert hello.session != before
    assert (status.session, status.cause, status.uptime_s) == (hello.session, BootCause.ASKED, 0)
