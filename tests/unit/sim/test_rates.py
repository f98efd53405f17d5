"""A board whose sample rates are changed while it streams, as SPEC.md says it."""

from __future__ import annotations

import numpy as np
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
from sim.schedule import load_scenario
from sim.sensors import NUMPY_DTYPES

ACC, GYRO = 3, 4


def _board(hours: float = 0.05) -> VirtualBoard:
    schedule = load_scenario("short").lasting(hours)
    return VirtualBoard(SyntheticBody(Wearer(schedule, seed=7)), seed=7)


def _set_rate(board: VirtualBoard, rate_hz: float, stream: int = ACC) -> None:
    command = Command(CommandKind.RATE, round(rate_hz * 1000), 77, stream)
    board.receive(encode_command(command, seq=0))


def _parse(data: bytes) -> list[Message]:
    return MessageParser().feed(data)


def _values(messages: list[Message], stream: int) -> np.ndarray:
    data = b"".join(m.data for m in messages if isinstance(m, Block) and m.stream == stream)
    return np.frombuffer(data, NUMPY_DTYPES["i16"]).reshape(-1, 3)


def _ack(messages: list[Message]) -> Ack:
    (ack,) = [m for m in messages if isinstance(m, Ack)]
    return ack


@pytest.mark.parametrize("rate_hz", [100.0, 25.0, 12.5, 6.25])
def test_last_old_block_then_answer_then_hello_then_new_numbers(rate_hz: float) -> None:
    board = _board()
    before = _parse(board.advance(10.3))
    _set_rate(board, rate_hz)
    after = _parse(board.advance(30.0))
    kinds = [type(m) for m in after[:3]]
    assert kinds == [Block, Ack, Hello]
    old, ack, hello = after[:3]
    assert isinstance(old, Block)
    assert isinstance(hello, Hello)
    # From the block that ended at 10.0 s to now, which is the 16th sample.
    assert (old.stream, old.sample_idx, len(old.data)) == (ACC, 500, 16 * 6)
    assert _ack(after).result is AckResult.DONE
    assert ack.token == 77
    changed = hello.channel("acc")
    assert changed is not None
    assert (changed.stream, changed.rate_hz) == (5, rate_hz)
    assert [c.name for c in hello.channels] == ["bvp", "eda", "temp", "acc", "gyro"]
    assert not [m for m in after[3:] if isinstance(m, Block) and m.stream == ACC]
    new = [m for m in after if isinstance(m, Block) and m.stream == 5]
    assert (new[0].seq, new[0].sample_idx, new[0].dropped) == (0, 0, 0)
    starts_us = [m.ticks_us for m in new]
    assert starts_us == [round((10.32 + m.sample_idx / rate_hz) * 1e6) for m in new]
    assert before[0].session == hello.session


def test_every_other_sample_and_means_between_them() -> None:
    plain, half, twice = _board(), _board(), _board()
    for board, rate_hz in ((half, 25.0), (twice, 100.0)):
        board.advance(10.0)
        _set_rate(board, rate_hz)
    whole = _values(_parse(plain.advance(40.0)), ACC)[501:]
    slow = _values(_parse(half.advance(40.0)), 5)
    fast = _values(_parse(twice.advance(40.0)), 5)
    np.testing.assert_array_equal(slow, whole[::2][: len(slow)])
    np.testing.assert_array_equal(fast[::2], whole[: len(fast[::2])])
    means = (whole[:-1].astype(int) + whole[1:]) // 2
    np.testing.assert_array_equal(fast[1::2], means[: len(fast[1::2])])


def test_other_channels_go_on_untouched() -> None:
    plain, changed = _board(), _board()
    changed.advance(10.3)
    _set_rate(changed, 100.0)
    mine = [m for m in _parse(changed.advance(30.0)) if isinstance(m, Block) and m.stream == GYRO]
    plain.advance(10.3)
    assert mine == [
        m for m in _parse(plain.advance(30.0)) if isinstance(m, Block) and m.stream == GYRO
    ]


@pytest.mark.parametrize(("rate_hz", "stream"), [(60.0, ACC), (0.0, ACC), (-50.0, ACC), (50.0, 31)])
def test_what_the_sensor_cannot_do_is_refused_and_nothing_changes(
    rate_hz: float, stream: int
) -> None:
    board, untouched = _board(), _board()
    for b in (board, untouched):
        b.advance(10.3)
    _set_rate(board, rate_hz, stream)
    got = _parse(board.advance(20.0))
    assert _ack(got).result is AckResult.BAD_VALUE
    assert [m for m in got if not isinstance(m, Ack)] == _parse(untouched.advance(20.0))


def test_command_said_twice_by_the_old_number_changes_once() -> None:
    board = _board()
    board.advance(10.3)
    _set_rate(board, 100.0)
    first = _parse(board.advance(11.0))
    _set_rate(board, 100.0)
    second = _parse(board.advance(12.0))
    assert _ack(second).result is AckResult.DONE
    hellos = [m for m in first + second if isinstance(m, Hello)]
    assert [m.channel("acc") for m in hellos] == [hellos[0].channel("acc")] * 2
    blocks = [m for m in first + second if isinstance(m, Block) and m.stream == 5]
    assert [m.sample_idx for m in blocks] == [38 * k for k in range(len(blocks))]


def test_numbers_are_never_used_again_until_a_boot() -> None:
    board = _board()
    t_s, results, numbers = 1.0, [], []
    board.advance(t_s)
    for k in range(30):
        _set_rate(board, 25.0 if k % 2 else 12.5)
        t_s += 0.1
        messages = _parse(board.advance(t_s))
        results.append(_ack(messages).result)
        numbers += [c.stream for m in messages if isinstance(m, Hello) for c in m.channels[3:4]]
    # The last but one asks for the rate that it has.
    refused = [AckResult.NOT_NOW, AckResult.DONE, AckResult.NOT_NOW]
    assert results == [AckResult.DONE] * 27 + refused
    assert len(set(numbers)) == 27
    board.reboot()
    (hello,) = [m for m in _parse(board.advance(t_s + 1.0)) if isinstance(m, Hello)]
    assert hello.channels == _board().channels


def test_rate_changed_while_stopped_holds_when_started() -> None:
    board = _board()
    board.advance(5.0)
    board.receive(encode_command(Command(CommandKind.STOP), seq=0))
    _set_rate(board, 25.0)
    assert not [m for m in _parse(board.advance(9.9)) if isinstance(m, Block)]
    board.receive(encode_command(Command(CommandKind.START), seq=0))
    blocks = [m for m in _parse(board.advance(20.0)) if isinstance(m, Block) and m.stream == 5]
    gaps = np.diff([m.ticks_us for m in blocks])
    assert set(gaps) == {480_000}
    assert blocks[0].ticks_us == pytest.approx(9.9e6, abs=40_000)


def test_no_sample_of_the_body_is_left_out_over_several_changes() -> None:
    board, plain = _board(), _board()
    messages = _parse(board.advance(10.0))
    rates_hz = {ACC: 50.0}
    for n, rate_hz in enumerate((100.0, 50.0, 100.0, 50.0)):
        _set_rate(board, rate_hz, max(rates_hz))
        rates_hz[5 + n] = rate_hz
        messages += _parse(board.advance(10.0 + 7.31 * (n + 1)))
    whole = _values(_parse(plain.advance(60.0)), ACC)
    seen: list[int] = []
    for block in (m for m in messages if isinstance(m, Block) and m.stream in rates_hz):
        values = _values([block], block.stream)
        at = block.ticks_us * 50e-6 + np.arange(len(values)) * 50.0 / rates_hz[block.stream]
        own = np.abs(at - np.rint(at)) < 0.01
        idx = np.rint(at[own]).astype(int)
        np.testing.assert_array_equal(values[own], whole[idx])
        seen += idx.tolist()
    assert seen == list(range(len(seen)))
    assert len(seen) > 1900
