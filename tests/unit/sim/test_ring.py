from __future__ import annotations

import math

import pytest

from firmware_host.protocol.encode import encode_command
from firmware_host.protocol.messages import (
    Ack,
    AckResult,
    Block,
    Command,
    CommandKind,
    Hello,
    Message,
)
from firmware_host.protocol.parser import MessageParser
from sim.board import VirtualBoard
from sim.body import SyntheticBody
from sim.person import Wearer
from sim.ring import Coming, Ring
from sim.schedule import load_scenario


def _ring(n_frames: int, *, frame_bytes: int = 100, capacity_bytes: int = 1000) -> Ring:
    """Frames of ten samples each, of stream 1."""
    ring = Ring(capacity_bytes)
    for k in range(n_frames):
        ring.put(1, 10 * k, 10, bytes([k]) * frame_bytes)
    return ring


def _sent(ring: Ring, room_bytes: float = math.inf) -> list[int]:
    """Numbers of the frames that come again."""
    out = []
    while ring.due_s < math.inf:
        data = ring.send(room_bytes)
        out += [data[0]] if data else []
    return out


def test_oldest_frames_make_room() -> None:
    ring = _ring(25)
    assert ring.ask(1, 0, 250, 0.0) == Coming(150, 10)
    assert _sent(ring) == list(range(15, 25))


@pytest.mark.parametrize(
    ("idx", "n", "coming", "frames"),
    [
        (0, 10, Coming(0, 1), [0]),
        (5, 10, Coming(0, 2), [0, 1]),
        (9, 1, Coming(0, 1), [0]),
        (40, 1000, Coming(0, 6), [4, 5, 6, 7, 8, 9]),
        (100, 10, Coming(10, 0), []),
    ],
)
def test_every_frame_with_a_sample_of_the_range_comes_once_oldest_first(
    idx: int, n: int, coming: Coming, frames: list[int]
) -> None:
    ring = _ring(10)
    assert ring.ask(1, idx, n, 0.0) == coming
    assert _sent(ring) == frames


def test_another_stream_is_all_gone() -> None:
    assert _ring(10).ask(2, 0, 10, 0.0) == Coming(10, 0)


def test_oldest_frame_of_all_ranges_comes_next_and_nine_are_too_many() -> None:
    ring = _ring(10)
    for k in range(8):
        assert ring.ask(1, 10 * (7 - k), 10, 0.0) == Coming(0, 1)
    assert ring.ask(1, 0, 10, 0.0) is None
    assert _sent(ring) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_ranges_of_two_streams_come_together() -> None:
    ring = Ring(10_000)
    for k in range(8):
        ring.put(k % 2, 10 * (k // 2), 10, bytes([k]))
    assert ring.ask(1, 0, 40, 0.0) == ring.ask(0, 0, 40, 0.0) == Coming(0, 4)
    assert _sent(ring) == list(range(8))


def test_frame_in_two_ranges_comes_once() -> None:
    ring = _ring(10)
    ring.ask(1, 20, 30, 0.0)
    assert ring.send(math.inf)[0] == 2
    ring.ask(1, 10, 30, 0.0)
    assert _sent(ring) == [1, 2, 3, 4]


def test_frame_that_left_meanwhile_is_passed_over() -> None:
    ring = _ring(10)
    ring.ask(1, 0, 100, 0.0)
    assert ring.send(math.inf)[0] == 0
    ring.put(1, 100, 10, bytes(900))
    assert _sent(ring) == [9]


def test_index_wraps_in_the_middle_of_a_range() -> None:
    ring = Ring(1000)
    for k, idx in enumerate((2**32 - 10, 0, 10)):
        ring.put(1, idx, 10, bytes([k]) * 10)
    assert ring.ask(1, 2**32 - 5, 10, 0.0) == Coming(0, 2)
    assert _sent(ring) == [0, 1]


def test_frames_sent_again_keep_to_their_rate() -> None:
    ring = _ring(10)
    ring.ask(1, 0, 100, 5.0)
    times = []
    while ring.due_s < math.inf:
        times.append(ring.due_s)
        ring.send(math.inf)
    assert times[:3] == pytest.approx([5.0, 5.0 + 100 / 4096, 5.0 + 200 / 4096])


def test_no_room_means_later_and_nothing_is_skipped() -> None:
    ring = _ring(3)
    ring.ask(1, 0, 30, 0.0)
    assert ring.send(1000) == b""
    assert ring.due_s == pytest.approx(0.1)
    assert _sent(ring) == [0, 1, 2]


def _board(ring_bytes: int = 65_536, hours: float = 0.05) -> VirtualBoard:
    schedule = load_scenario("short").lasting(hours)
    return VirtualBoard(SyntheticBody(Wearer(schedule, seed=7)), seed=7, ring_bytes=ring_bytes)


def _ask(board: VirtualBoard, stream: int, idx: int, n: int) -> None:
    command = Command(CommandKind.BACKFILL, n, 9, stream, idx)
    board.receive(encode_command(command, seq=0))


def _parse(data: bytes) -> list[Message]:
    return MessageParser().feed(data)


def _blocks(data: bytes, stream: int) -> list[Block]:
    return [m for m in _parse(data) if isinstance(m, Block) and m.stream == stream]


def test_hello_says_the_ring() -> None:
    hellos = [m for m in _parse(_board(4096).advance(1.0)) if isinstance(m, Hello)]
    assert [h.ring_bytes for h in hellos] == [4096]


def test_board_sends_the_very_same_frames_again_beside_the_live_ones() -> None:
    board, untouched = _board(), _board()
    first = board.advance(20.0)
    untouched.advance(20.0)
    _ask(board, 0, 320, 96)
    later = board.advance(22.0)
    live = _blocks(untouched.advance(22.0), 0)
    again = [b for b in _blocks(later, 0) if b not in live]
    assert again == [b for b in _blocks(first, 0) if 320 <= b.sample_idx < 416]
    assert [b for b in _blocks(later, 0) if b in live] == live
    (ack,) = [m for m in _parse(later) if isinstance(m, Ack)]
    assert (ack.result, ack.stream, ack.sample_idx) == (AckResult.DONE, 0, 320)
    assert (ack.gone, ack.frames) == (0, 3)


@pytest.mark.parametrize("step_s", [0.07, 1.3, 40.0])
def test_bytes_are_the_same_in_any_steps_with_frames_sent_again(step_s: float) -> None:
    def run(step_s: float) -> bytes:
        board = _board()
        board.advance(30.0)
        _ask(board, 3, 0, 1000)
        out, t_s = bytearray(), 30.0
        while t_s < 60.0:
            t_s = min(t_s + step_s, 60.0)
            out += board.advance(t_s)
        return bytes(out)

    assert run(step_s) == run(1.0)


def test_blocks_the_line_did_not_take_can_be_asked_for() -> None:
    board, whole = _board(), _board()
    board.advance(10.2)
    board.advance(20.0, room_bytes=0)
    assert board.counters.dropped_frames > 50
    _ask(board, 0, 0, 100_000)
    got = {b.sample_idx: b.data for b in _blocks(board.advance(40.0), 0)}
    wanted = {b.sample_idx: b.data for b in _blocks(whole.advance(40.0), 0)}
    assert got == wanted


def test_what_is_sent_again_never_takes_the_room_of_what_is_live() -> None:
    board, alone = _board(), _board()
    for b in (board, alone):
        b.advance(30.0)
    _ask(board, 0, 0, 100_000)
    live: list[Block] = []
    wanted: list[Block] = []
    for tick in range(100):
        t_s = 30.0 + 0.1 * (tick + 1)
        # As narrow as the live stream's own bursts.
        live += _blocks(board.advance(t_s, room_bytes=900), 3)
        wanted += _blocks(alone.advance(t_s, room_bytes=900), 3)
    assert live == wanted
    assert board.counters.dropped_frames == alone.counters.dropped_frames


@pytest.mark.parametrize("value", [0, -5])
def test_a_range_of_nothing_is_a_bad_value(value: int) -> None:
    board = _board()
    board.advance(5.0)
    _ask(board, 0, 0, value)
    (ack,) = [m for m in _parse(board.advance(5.1)) if isinstance(m, Ack)]
    assert (ack.result, ack.frames) == (AckResult.BAD_VALUE, 0)


def test_board_without_a_ring_does_not_know_the_command() -> None:
    board = _board(0)
    data = board.advance(5.0)
    _ask(board, 0, 0, 64)
    (ack,) = [m for m in _parse(board.advance(5.1)) if isinstance(m, Ack)]
    assert ack.result is AckResult.UNKNOWN
    assert {m.ring_bytes for m in _parse(data) if isinstance(m, Hello)} == {0}


def test_reboot_empties_the_ring() -> None:
    board = _board()
    board.advance(20.0)
    board.reboot()
    board.advance(20.1)
    _ask(board, 0, 0, 1000)
    (ack,) = [m for m in _parse(board.advance(20.2)) if isinstance(m, Ack)]
    assert (ack.gone, ack.frames) == (1000, 0)


def test_stop_forgets_what_was_asked_and_keeps_the_ring() -> None:
    board = _board()
    board.advance(20.0)
    _ask(board, 0, 0, 640)
    board.receive(encode_command(Command(CommandKind.STOP), seq=1))
    assert _blocks(board.advance(21.0), 0) == []
    board.receive(encode_command(Command(CommandKind.START), seq=2))
    assert all(b.sample_idx > 640 for b in _blocks(board.advance(25.0), 0))
    _ask(board, 0, 0, 640)
    assert sum(b.sample_idx < 640 for b in _blocks(board.advance(30.0), 0)) == 20


def test_command_of_a_newer_host_is_answered() -> None:
    board = _board()
    board.advance(5.0)
    board.receive(encode_command(Command(200, 1, token=42), seq=0))
    (ack,) = [m for m in _parse(board.advance(5.1)) if isinstance(m, Ack)]
    assert (ack.command, ack.result, ack.token) == (200, AckResult.UNKNOWN, 42)
