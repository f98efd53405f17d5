"""What a board is asked for: bounded, repeated until answered, never without need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from firmware_host.errors import ConfigError, LinkTimeout
from firmware_host.protocol.messages import Ack, AckResult, Channel, Command, CommandKind, Hello
from firmware_host.protocol.parser import MessageParser
from firmware_host.runtime.orders import Backfill, Orders
from firmware_host.runtime.rates import MAX_TRIES, Rates, is_at
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.hold import Hole
from tests.unit.stream.streams import BVP, HELLO, UTC0, arrival_utc, block

ACC = Channel(3, "acc", "m/s2", 50.0, 0.01, 0.0, "i16", 3)
BOARD = Hello(7, "board-1", "fw 1", (BVP, ACC))
FASTER = replace(BOARD, channels=(BVP, replace(ACC, stream=5, rate_hz=100.0)))


def _counter() -> Callable[[], int]:
    n = 0

    def number() -> int:
        nonlocal n
        n += 1
        return n

    return number


def _ack(command: Command, result: AckResult) -> Ack:
    return Ack(7, 0, command.kind, result, command.token)


def test_rate_is_asked_for_once_a_second_until_hello_says_it() -> None:
    rates = Rates({"acc": 100.0}, _counter())
    (command,) = rates.due(BOARD, 10.0, 100)
    assert command == Command(CommandKind.RATE, 100_000, 1, 3)
    assert rates.due(BOARD, 10.5, 105) == []
    assert rates.due(BOARD, 11.0, 110) == [command]
    rates.take(_ack(command, AckResult.DONE), BOARD)
    assert rates.due(BOARD, 11.5, 115) == []
    assert rates.due(FASTER, 12.0, 120) == []
    assert rates.due(FASTER, 99.0, 990) == []


def test_rate_is_asked_for_again_after_a_boot() -> None:
    rates = Rates({"acc": 100.0}, _counter())
    rates.due(BOARD, 0.0, 0)
    rates.due(FASTER, 1.0, 10)
    (again,) = rates.due(replace(BOARD, session=8), 1.1, 11)
    assert (again.value, again.stream, again.token) == (100_000, 3, 2)


def test_board_at_the_rate_already_is_not_asked() -> None:
    assert Rates({"acc": 50.0, "bvp": 64.0}, _counter()).due(BOARD, 0.0, 0) == []


@pytest.mark.parametrize(
    ("said_hz", "wanted_hz", "same"),
    [(33.33300018310547, 33.333, True), (100.0, 99.999, False), (100.0, 100.0004, True)],
)
def test_rates_are_compared_as_far_as_the_wire_can_say(
    said_hz: float, wanted_hz: float, same: bool
) -> None:
    assert is_at(replace(ACC, rate_hz=said_hz), wanted_hz) is same


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (AckResult.UNKNOWN, "this board cannot change sample rates; it has 50 Hz, got 'acc=100'"),
        (AckResult.BAD_VALUE, "this board can do, .* it has 50 Hz, got 'acc=100'"),
    ],
)
def test_refusal_is_one_clear_line(result: AckResult, says: str) -> None:
    rates = Rates({"acc": 100.0}, _counter())
    (command,) = rates.due(BOARD, 0.0, 0)
    with pytest.raises(ConfigError, match=says) as err:
        rates.take(_ack(command, result), BOARD)
    assert "\n" not in str(err.value)


def test_not_now_is_asked_a_few_times_more() -> None:
    rates = Rates({"acc": 100.0}, _counter())
    n_asked = 0
    with pytest.raises(ConfigError, match="another time"):
        for second in range(60):
            for command in rates.due(BOARD, float(second), second):
                n_asked += 1
                rates.take(_ack(command, AckResult.NOT_NOW), BOARD)
    assert n_asked == 4


def test_board_that_never_answers_is_an_end() -> None:
    rates = Rates({"acc": 100.0}, _counter())
    n_asked = 0
    with pytest.raises(LinkTimeout, match=f"asked {MAX_TRIES} times"):
        for second in range(60):
            n_asked += len(rates.due(BOARD, float(second), second))
    assert n_asked == MAX_TRIES


def test_board_that_agrees_and_does_nothing_is_called_that() -> None:
    rates = Rates({"acc": 100.0}, _counter())
    with pytest.raises(
        LinkTimeout, match=f"agreed but still says 50 Hz: .* asked {MAX_TRIES} times"
    ):
        for second in range(60):
            for command in rates.due(BOARD, float(second), second):
                rates.take(_ack(command, AckResult.DONE), BOARD)


def test_board_that_sends_nothing_is_not_asked_in_vain() -> None:
    """It is the watch for silence that ends it, with what is true: nothing comes."""
    rates = Rates({"acc": 100.0}, _counter())
    n_asked = sum(len(rates.due(BOARD, float(second), min(second, 3))) for second in range(600))
    assert n_asked == 4
    assert len(rates.due(BOARD, 600.0, 4)) == 1


def test_channel_the_board_does_not_have() -> None:
    with pytest.raises(ConfigError, match=r"channels of this board \(bvp, acc\), got 'ecg'"):
        Rates({"ecg": 100.0}, _counter()).due(BOARD, 0.0, 0)


def test_gap_is_asked_for_at_once_and_a_few_times() -> None:
    backfill = Backfill(_counter())
    hole = Hole(3, 500, 75, 0.0)
    (command,) = backfill.due([hole], 20.0)
    assert command == Command(CommandKind.BACKFILL, 75, 1, 3, 500)
    times = []
    for tick in range(200):
        now_s = 20.0 + 0.1 * tick
        asked = backfill.due([hole._replace(idle_s=now_s - 20.0)], now_s)
        times += [round(now_s, 1)] * len(asked)
    assert times == [22.0, 24.0, 26.0]
    assert backfill.n_asked == 4


def test_gap_that_is_being_filled_is_left_alone() -> None:
    backfill = Backfill(_counter())
    backfill.due([Hole(3, 500, 750, 0.0)], 20.0)
    for n in range(1, 30):
        # Filled from its start, a block a second.
        assert backfill.due([Hole(3, 500 + 25 * n, 750 - 25 * n, 0.4)], 20.0 + n) == []


def test_no_more_ranges_are_open_than_a_board_remembers() -> None:
    backfill = Backfill(_counter())
    holes = [Hole(3, 100 * n, 10, 0.0) for n in range(20)]
    assert len(backfill.due(holes, 0.0)) == 8
    assert backfill.due(holes, 0.1) == []
    assert len(backfill.due(holes[3:], 0.2)) == 3


def test_line_that_loses_everything_is_not_flooded() -> None:
    backfill = Backfill(_counter())
    n_asked = 0
    for n in range(2000):
        n_asked += len(backfill.due([Hole(3, 100 * n, 10, 0.0)], n * 0.02))
    assert n_asked == 240


@dataclass
class _Link:
    """A link that keeps what is written."""

    has_board: bool = True
    is_up: bool = True
    now_s: float = 0.0
    written: bytearray = field(default_factory=bytearray)

    def now_utc(self) -> float:
        return self.now_s

    def write(self, data: bytes) -> None:
        self.written += data

    def commands(self) -> list[Command]:
        return [m for m in MessageParser().feed(bytes(self.written)) if isinstance(m, Command)]


def _with_gap(*, ring_bytes: int) -> StreamAssembler:
    assembler = StreamAssembler()
    assembler.feed(replace(HELLO, ring_bytes=ring_bytes), UTC0)
    for k in (0, 1, 4):
        assembler.feed(block(BVP, k), arrival_utc(BVP, k))
    return assembler


def test_orders_are_sent_and_told() -> None:
    link, told = _Link(now_s=5.0), []
    orders = Orders(link)  # type: ignore[arg-type]
    orders.give_due(_with_gap(ring_bytes=1), lambda *said: told.append(said))
    (command,) = link.commands()
    assert told == [(command, 5.0)]
    assert (command.kind, command.sample_idx, command.value) == (CommandKind.BACKFILL, 64, 64)
    assert orders.n_asked == 1


@pytest.mark.parametrize(
    ("link", "ring_bytes"),
    [(_Link(has_board=False), 1), (_Link(is_up=False), 1), (_Link(), 0)],
    ids=["recording", "away", "no ring"],
)
def test_nothing_is_asked_in_vain(link: _Link, ring_bytes: int) -> None:
    orders = Orders(link)  # type: ignore[arg-type]
    orders.give_due(_with_gap(ring_bytes=ring_bytes), lambda *_: None)
    assert not link.written
    assert orders.n_asked == 0


def test_blocks_nobody_announced_make_the_board_say_what_it_is() -> None:
    """Once a second at most, and only while they come."""
    link = _Link()
    orders, assembler = Orders(link), StreamAssembler()  # type: ignore[arg-type]
    for tick in range(30):
        link.now_s = 0.1 * tick
        if tick < 15:
            assembler.feed(block(BVP, tick), UTC0)
        orders.give_due(assembler, lambda *_: None)
    assert [c.kind for c in link.commands()] == [CommandKind.START, CommandKind.START]


def test_board_that_never_announces_its_blocks_is_asked_ever_more_seldom() -> None:
    link = _Link()
    orders, assembler = Orders(link), StreamAssembler()  # type: ignore[arg-type]
    for second in range(3600):
        link.now_s = float(second)
        assembler.feed(block(BVP, 0), UTC0)
        orders.give_due(assembler, lambda *_: None)
    assert 60 < len(link.commands()) < 70
    # Once it has said what it is, a lost HELLO of the next boot is asked for at once again.
    n_before = len(link.commands())
    assembler.feed(HELLO, UTC0)
    for second in range(3600, 3603):
        link.now_s = float(second)
        assembler.feed(block(BVP, 0)._replace(session=9), UTC0)
        orders.give_due(assembler, lambda *_: None)
    assert len(link.commands()) == n_before + 2


def test_cue_and_wake_up_are_told_and_numbered_like_every_order() -> None:
    link, told = _Link(now_s=5.0), []
    orders = Orders(link)  # type: ignore[arg-type]
    orders.cue(2, lambda *said: told.append(said))
    orders.wake(lambda *said: told.append(said))
    assert link.commands() == [Command(CommandKind.CUE, 2, 1), Command(CommandKind.START, 0, 2)]
    assert told == [(command, 5.0) for command in link.commands()]
    link.is_up = False
    orders.cue(2, lambda *said: told.append(said))
    orders.wake(lambda *said: told.append(said))
    assert len(told) == 2


def test_cue_that_is_refused_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    orders, assembler = Orders(_Link()), _with_gap(ring_bytes=0)  # type: ignore[arg-type]
    for result in (AckResult.DONE, AckResult.UNKNOWN, AckResult.UNKNOWN):
        assembler.feed(Ack(7, 0, CommandKind.CUE, result, 1), UTC0 + 3)
        orders.give_due(assembler, lambda *_: None)
    assert orders.n_cues_refused == 2
    assert len(caplog.records) == 1
    assert "cannot tap" in caplog.text
