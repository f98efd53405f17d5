from __future__ import annotations

import random

import pytest

from firmware_host.errors import LinkClosed
from firmware_host.transport.loopback import (
    FakeClock,
    LoopbackBoard,
    LoopbackTransport,
    Misbehaviour,
)
from firmware_host.transport.registry import open_transport


def make(**faults) -> LoopbackTransport:
    misbehaviour = Misbehaviour(rng=random.Random(5), **faults)
    return LoopbackTransport(LoopbackBoard(FakeClock(1000.0), misbehaviour))


def test_time_moves_to_the_arrival_and_no_further() -> None:
    link = make()
    link.board.send(b"a", after_s=2.0)
    assert link.read(0.5) is None
    assert link.now_utc() == 1000.5
    assert link.read(60.0) == (1002.0, b"a")


def test_bytes_overtake_when_they_are_due_sooner() -> None:
    link = make()
    link.board.send(b"slow", after_s=2.0)
    link.board.send(b"fast", after_s=1.0)
    assert link.read(5.0) == (1001.0, b"fast")
    assert link.read(5.0) == (1002.0, b"slow")


def test_short_reads_keep_order_when_more_is_sent_between() -> None:
    link = make(short_read_bytes=3)
    link.board.send(b"abcde")
    assert link.read(1.0).data == b"abc"
    link.board.send(b"fg")
    assert link.read(1.0).data == b"def"
    assert link.read(1.0).data == b"g"


def test_flipped_bytes_are_as_many_as_asked_and_the_same_each_time() -> None:
    data = bytes(100_000)
    seen = []
    for _ in range(2):
        link = make(flip_every_bytes=1000)
        link.board.send(data)
        seen.append(link.read(1.0).data)
    assert seen[0] == seen[1]
    flipped = [byte for byte in seen[0] if byte]
    assert 60 < len(flipped) < 140
    assert all(byte.bit_count() == 1 for byte in flipped)


def test_silence_swallows_what_is_sent_until_it_ends() -> None:
    link = make(silent=True)
    link.board.send(b"lost")
    assert link.read(1.0) is None
    link.board.misbehaviour.silent = False
    link.board.send(b"heard")
    assert link.read(1.0).data == b"heard"


def test_unplugging_lets_what_is_on_the_way_arrive() -> None:
    link = make()
    link.board.send(b"last", after_s=1.0)
    link.board.unplug()
    link.board.send(b"never")
    assert link.read(5.0).data == b"last"
    with pytest.raises(LinkClosed, match="board went away"):
        link.read(5.0)
    with pytest.raises(LinkClosed, match="board went away"):
        link.write(b"x")


def test_the_clock_refuses_to_run_backwards() -> None:
    with pytest.raises(ValueError, match="forward only"):
        FakeClock().advance(-1.0)


def test_misbehaviour_comes_by_url() -> None:
    link = open_transport("loop:?short_reads=2&flip_every=50&silent=1&seed=9")
    faults = link.board.misbehaviour
    assert (faults.short_read_bytes, faults.flip_every_bytes, faults.silent) == (2, 50, True)
