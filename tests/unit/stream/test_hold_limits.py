"""Waiting for blocks is bounded: in time, in memory, and in what is worth it."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import pytest

from firmware_host.protocol.messages import Block, Channel, Event, EventKind, Message
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.hold import MAX_EVENTS, MAX_HELD_BYTES, MAX_HOLD_S, MAX_HOLES, PATIENCE_S
from firmware_host.stream.samples import Note
from tests.unit.stream.outages import RING, Out, live_blocks, made_block, notes_of, plain, play
from tests.unit.stream.streams import BVP, EDA, HELLO, UTC0


def test_no_answer_means_a_gap_as_ever_after_some_patience() -> None:
    fed = live_blocks(BVP, [k for k in range(120) if k != 20])
    out, assembler = play(fed)
    bare = StreamAssembler()
    want: Out = bare.feed(HELLO, UTC0)
    for message, utc in fed:
        want += bare.feed(message, utc)
    assert plain(out) == plain(want)
    (gap,) = notes_of(out, Note.GAP)
    assert gap.detail == {"missing_samples": 32, "lost_frames": 1}
    assert assembler.tracks.counters["bvp"].filled_blocks == 0


def test_patience_goes_by_the_boards_time() -> None:
    assembler = StreamAssembler()
    assembler.feed(RING, UTC0)
    n_out = []
    for message, _ in live_blocks(BVP, [k for k in range(60) if k != 20]):
        # As if a backlog came all at once.
        n_out.append(len(assembler.feed(message, UTC0 + 60.0)))
    first_after = 20
    released = next(n for n, got in enumerate(n_out) if n >= first_after and got)
    assert (released - first_after) * 0.5 == pytest.approx(PATIENCE_S, abs=1.0)
    assert n_out[released + 1 :] == [1] * (len(n_out) - released - 1)


@pytest.mark.parametrize(("eda_block", "is_filled"), [(9, True), (7, False)])
def test_what_came_gives_hope_for_blocks_made_at_the_same_time(
    eda_block: int, is_filled: bool
) -> None:
    """Of two streams, one is sent again after 4 s; the other, a second or three before it, after 11 s."""
    live = [
        *live_blocks(BVP, [k for k in range(60) if k != 20]),
        *live_blocks(EDA, [k for k in range(30) if k != eda_block]),
    ]
    again = [(made_block(BVP, 20), UTC0 + 15.0), (made_block(EDA, eda_block), UTC0 + 22.0)]
    _, assembler = play(sorted([*live, *again], key=lambda pair: pair[1]))
    eda, bvp = assembler.tracks.counters["eda"], assembler.tracks.counters["bvp"]
    assert (bvp.filled_samples, bvp.lost_samples) == (32, 0)
    assert (eda.filled_samples, eda.lost_samples) == ((4, 0) if is_filled else (0, 4))


def test_what_was_passed_over_has_time_to_be_asked_for_anew() -> None:
    """Of ten seconds that are missing, a block of the middle comes first, and what was before it later."""
    live = live_blocks(BVP, [*range(20), *range(40, 80)])
    again = [(made_block(BVP, 30), UTC0 + 26.0)]
    again += [(made_block(BVP, k), UTC0 + 31.0) for k in range(20, 40) if k != 30]
    out, assembler = play(sorted([*live, *again], key=lambda pair: pair[1]))
    counters = assembler.tracks.counters["bvp"]
    assert (counters.filled_blocks, counters.lost_samples, counters.late_blocks) == (20, 0, 0)
    assert notes_of(out, Note.GAP) == []


ONES = Channel(0, "bytes", "au", 100.0, 1.0, 0.0, "i8", 1)


def _hold_with(*messages: Message, ticks_s: float = 0.05) -> StreamAssembler:
    """One byte, a hole of five, one byte; then these."""
    assembler = StreamAssembler()
    assembler.feed(replace(RING, channels=(ONES,)), UTC0)
    for message in (_one(0, 0, 0.0), _one(1, 6, ticks_s), *messages):
        assembler.feed(message, UTC0)
    return assembler


def _one(seq: int, idx: int, t_s: float) -> Block:
    return Block(7, 0, seq % (1 << 16), round(t_s * 1e6), 0, idx, b"\1")


def test_many_holes_are_too_much() -> None:
    """Every second sample, while the board's clock stands still: no hole is ever due to be given up."""
    assembler = _hold_with()
    n_holes = []
    for k in range(1, 2500):
        assembler.feed(_one(1 + k, 6 + 2 * k, 0.05), UTC0)
        n_holes.append(assembler._session.hold._n_holes)
    assert max(n_holes) == MAX_HOLES
    assert len(assembler.holes) <= 64
    counters = assembler.tracks.counters["bytes"]
    assert counters.lost_samples + assembler._session.hold._n_holes == 5 + 2499


def test_many_events_are_too_much() -> None:
    presses = [Event(7, 50_000, EventKind.BUTTON, 1, n) for n in range(MAX_EVENTS + 1)]
    assembler = _hold_with(*presses[:-1])
    assert assembler.holes
    out = assembler.feed(presses[-1], UTC0)
    assert len(notes_of(out, Note.BUTTON)) == MAX_EVENTS + 1
    assert assembler.holes == []


def test_a_clock_that_stands_still_makes_nothing_wait_for_ever() -> None:
    slow = replace(ONES, rate_hz=1.0)
    assembler = StreamAssembler()
    assembler.feed(replace(RING, channels=(slow,)), UTC0)
    n_out = [
        len(assembler.feed(_one(k, 6 * (k > 0) + k, 7.0 * (k > 0)), UTC0 + k)) for k in range(70)
    ]
    assert n_out[:3] == [1, 0, 0]
    assert next(k for k in range(2, 70) if n_out[k]) == pytest.approx(MAX_HOLD_S, abs=2)


def test_what_waits_takes_no_more_memory_than_it_may() -> None:
    """Blocks of one byte, which Python keeps in hundreds."""
    assembler = _hold_with()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for n in range(1, 10_000):
            # Time goes by, but too slowly for patience to end.
            made = Block(7, 0, 1 + n, 50_001 + n, 0, 6 + n, bytes([n % 251]))
            kept = tracemalloc.get_traced_memory()[0] - before
            assembler.feed(made, UTC0 + n * 1e-3)
            if not assembler.holes:
                break
    finally:
        tracemalloc.stop()
    assert 3000 < n < 9_999
    assert 0.5 * MAX_HELD_BYTES < kept < 1.1 * MAX_HELD_BYTES


def test_too_much_never_waits() -> None:
    """A board far faster than its line: memory stays in bounds, the gap is noted."""
    fast = Channel(1, "fast", "au", 500_000.0, 1.0, 0.0, "u8", 1)
    hello = replace(RING, channels=(fast,))
    assembler = StreamAssembler()
    assembler.feed(hello, UTC0)
    n_bytes = 0
    for k in (k for k in range(6000) if k != 3):
        made = Block(7, 1, k % 65_536, 400 * k, 0, 200 * k, bytes(200))
        n_bytes += 700
        if assembler.feed(made, UTC0 + k * 0.0004) and k > 3:
            break
    assert n_bytes == pytest.approx(MAX_HELD_BYTES, rel=0.01)
    assert assembler.holes == []


def test_no_gap_waits_for_ever_however_much_comes() -> None:
    """A huge backlog that dribbles in is given up after a minute of the board's time."""
    assembler = StreamAssembler()
    assembler.feed(RING, UTC0)
    live = live_blocks(BVP, [0, *range(1000, 1300)])
    back = 1
    for n, (message, utc) in enumerate(live):
        assembler.feed(message, utc)
        if n and n % 4 == 0:
            assembler.feed(made_block(BVP, back), utc)
            back += 1
        if n > 1 and not assembler.holes:
            break
    assert n * 0.5 == pytest.approx(MAX_HOLD_S, abs=2.0)
    counters = assembler.tracks.counters["bvp"]
    assert counters.lost_samples + counters.filled_samples == 999 * 32
    assert counters.filled_blocks + counters.late_blocks == back - 1
