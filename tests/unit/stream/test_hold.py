"""Blocks that the board sends again: in their place, in order, in bounded time, and never lost."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_host.protocol.messages import (
    Ack,
    AckResult,
    Block,
    BootCause,
    Channel,
    CommandKind,
    Event,
    EventKind,
    Log,
    Message,
    Status,
)
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.hold import (
    MAX_EVENTS,
    MAX_HELD_BYTES,
    MAX_HOLD_S,
    MAX_HOLES,
    PATIENCE_S,
)
from firmware_host.stream.samples import Note, Samples, StreamEvent
from tests.unit.stream.streams import ACC, BVP, EDA, HELLO, UTC0, arrival_utc, block

RING = replace(HELLO, ring_bytes=65_536)
Out = list[Samples | StreamEvent]
Timed = list[tuple[Message, float]]
N_SAMPLES = {"bvp": 32, "eda": 4, "acc": 25}


def _made(channel: Channel, k: int) -> Block:
    return block(channel, k, n_samples=N_SAMPLES[channel.name])


def _live(channel: Channel, ks: range | list[int]) -> Timed:
    n = N_SAMPLES[channel.name]
    return [(_made(channel, k), arrival_utc(channel, k, n_samples=n)) for k in ks]


def _minute() -> Timed:
    """All three streams for a minute, in the order in which a board sends them."""
    pairs = [*_live(BVP, range(120)), *_live(EDA, range(60)), *_live(ACC, range(120))]
    return sorted(pairs, key=lambda pair: pair[1])


def _run(pairs: Timed) -> tuple[Out, StreamAssembler]:
    assembler = StreamAssembler()
    out: Out = assembler.feed(RING, UTC0)
    for message, utc in pairs:
        out += assembler.feed(message, utc)
    return [*out, *assembler.end()], assembler


def _plain(out: Out) -> list[object]:
    """What can be compared; host time may differ, deliveries being others."""
    return [
        (x.channel.name, x.t0_s, x.values.tobytes(), x.gap_before_samples)
        if isinstance(x, Samples)
        else (x.what, x.channel, x.t_s, tuple(x.detail.items()))
        for x in out
    ]


def _notes(out: Out, what: str) -> list[StreamEvent]:
    return [x for x in out if isinstance(x, StreamEvent) and x.what == what]


def _by_channel(out: Out) -> dict[str, list[object]]:
    names = ("bvp", "eda", "acc", "")
    return {name: [row for row in _plain(out) if row[0] == name] for name in names}  # type: ignore[index]


@cache
def _whole_minute() -> dict[str, list[object]]:
    return _by_channel(_run(_minute())[0])


def _with_outage(first_s: float, last_s: float, again_s: float) -> Timed:
    """A minute of which a part is lost, and comes again stream by stream when asked."""
    pairs = _minute()
    lost = [p for p in pairs if first_s <= p[1] - UTC0 < last_s]
    kept = [p for p in pairs if p not in lost]
    order = sorted(lost, key=lambda p: (p[0].stream, p[1]))  # type: ignore[union-attr]
    again = [(m, UTC0 + again_s + 0.02 * n) for n, (m, _) in enumerate(order)]
    return sorted([*kept, *again], key=lambda pair: pair[1])


def test_outage_that_is_sent_again_leaves_no_trace() -> None:
    whole, _ = _run(_minute())
    out, assembler = _run(_with_outage(10.0, 30.0, 31.5))
    assert _plain(out) == _plain(whole)
    counters = assembler.tracks.counters["bvp"]
    assert (counters.filled_blocks, counters.filled_samples) == (40, 1280)
    assert (counters.gaps, counters.lost_samples, counters.lost_frames) == (0, 0, 0)


@settings(max_examples=30, deadline=None)
@given(
    lost=st.sets(st.integers(5, 290), max_size=25),
    twice=st.sets(st.integers(5, 290), max_size=5),
    delays_s=st.lists(st.floats(0.0, 3.0), min_size=30, max_size=30),
)
def test_whatever_is_sent_again_whenever_no_sample_is_lost_or_doubled(
    lost: set[int], twice: set[int], delays_s: list[float]
) -> None:
    pairs = _minute()
    fed = [p for n, p in enumerate(pairs) if n not in lost]
    # A board sends again what it was asked for after the next block had shown it missing.
    late = sorted(lost | twice)
    fed += [
        (pairs[n][0], pairs[n][1] + 1.1 + delay) for n, delay in zip(late, delays_s, strict=False)
    ]
    out, assembler = _run(sorted(fed, key=lambda pair: pair[1]))
    assert _by_channel(out) == _whole_minute()
    totals = assembler.tracks.counters.values()
    n_known = len(twice - lost)
    # What comes before a later block has shown it missing fills no gap.
    assert sum(c.filled_blocks for c in totals) <= len(lost)
    assert sum(c.lost_samples + c.late_blocks for c in totals) == 0
    assert sum(c.duplicate_blocks for c in totals) == n_known
    # Streams that are apart for longer than this would make windows of the others incomplete.
    ends = [x.t0_s + len(x.values) / x.channel.rate_hz for x in out if isinstance(x, Samples)]
    assert max(0.0, *(a - b for a, b in pairwise(ends))) <= 2.0


def test_no_answer_means_a_gap_as_ever_after_some_patience() -> None:
    fed = _live(BVP, [k for k in range(120) if k != 20])
    out, assembler = _run(fed)
    bare = StreamAssembler()
    want: Out = bare.feed(HELLO, UTC0)
    for message, utc in fed:
        want += bare.feed(message, utc)
    assert _plain(out) == _plain(want)
    (gap,) = _notes(out, Note.GAP)
    assert gap.detail == {"missing_samples": 32, "lost_frames": 1}
    assert assembler.tracks.counters["bvp"].filled_blocks == 0


def test_patience_goes_by_the_boards_time() -> None:
    assembler = StreamAssembler()
    assembler.feed(RING, UTC0)
    n_out = []
    for message, _ in _live(BVP, [k for k in range(60) if k != 20]):
        # As if a backlog came all at once.
        n_out.append(len(assembler.feed(message, UTC0 + 60.0)))
    first_after = 20
    released = next(n for n, got in enumerate(n_out) if n >= first_after and got)
    assert (released - first_after) * 0.5 == pytest.approx(PATIENCE_S, abs=1.0)
    assert n_out[released + 1 :] == [1] * (len(n_out) - released - 1)


def test_what_is_before_a_gap_does_not_wait_for_it() -> None:
    """Two gaps, of which one is closed: all streams go on up to the other."""
    assembler = StreamAssembler()
    assembler.feed(RING, UTC0)
    reached: dict[str, float] = {}

    def feed(message: Message, utc: float) -> None:
        for item in assembler.feed(message, utc):
            if isinstance(item, Samples):
                end_s = item.t0_s + len(item.values) / item.channel.rate_hz
                reached[item.channel.name] = end_s

    for message, utc in _minute():
        assert isinstance(message, Block)
        if utc < UTC0 + 21.0 and (message.stream, message.seq) not in {(0, 30), (3, 36)}:
            feed(message, utc)
    # The blocks that came before the next one of the stream showed its loss.
    assert reached == {"bvp": 15.0, "eda": 16.0, "acc": 16.0}
    feed(_made(BVP, 30), UTC0 + 21.0)
    assert reached == {"bvp": 18.0, "eda": 18.0, "acc": 18.0}
    assert [(h.stream, h.sample_idx, h.n_samples) for h in assembler.holes] == [(3, 900, 25)]
    feed(_made(ACC, 36), UTC0 + 21.1)
    assert reached == {"bvp": 21.0, "eda": 21.0, "acc": 21.0}


def test_gone_is_noted_at_once() -> None:
    assembler = StreamAssembler()
    assembler.feed(RING, UTC0)
    out: Out = []
    for message, utc in _live(BVP, [*range(10), *range(14, 16)]):
        out += assembler.feed(message, utc)
    assert len(out) == 10
    answer = Ack(7, 8_000_000, CommandKind.BACKFILL, AckResult.DONE, 1, 0, 320, 64, 2)
    assert assembler.feed(answer, UTC0 + 8.1) == []
    assert [(h.sample_idx, h.n_samples) for h in assembler.holes] == [(384, 64)]
    rest = _live(BVP, [12, 13])
    assert assembler.feed(rest[0][0], UTC0 + 8.2) != []
    out = assembler.feed(rest[1][0], UTC0 + 8.3)
    assert [x.t0_s for x in out if isinstance(x, Samples)] == [6.5, 7.0, 7.5]
    counters = assembler.tracks.counters["bvp"]
    assert (counters.gone_samples, counters.lost_samples, counters.filled_samples) == (64, 64, 64)
    assert assembler.holes == []


@pytest.mark.parametrize("result", [AckResult.NOT_NOW, AckResult.BAD_VALUE, AckResult.UNKNOWN])
def test_a_refusal_says_nothing_of_what_is_gone(result: AckResult) -> None:
    assembler = StreamAssembler()
    assembler.feed(RING, UTC0)
    for message, utc in _live(BVP, [0, 1, 4]):
        assembler.feed(message, utc)
    answer = Ack(7, 3_000_000, CommandKind.BACKFILL, result, 1, 0, 64, 64, 0)
    assembler.feed(answer, UTC0 + 3)
    assert len(assembler.holes) == 1


def test_events_wait_for_the_samples_before_them() -> None:
    def button(t_s: float) -> tuple[Event, float]:
        return Event(7, round(t_s * 1e6), EventKind.BUTTON, 1), UTC0 + t_s

    live = [*_live(BVP, [k for k in range(40) if k != 20]), button(11.2), button(12.2)]
    again = (_made(BVP, 20), UTC0 + 14.0)
    out, _ = _run(sorted([*live, again], key=lambda pair: pair[1]))
    # The other channels never sent anything.
    out = [x for x in out if isinstance(x, Samples) or x.what != Note.STOPPED]
    at = [x.t0_s if isinstance(x, Samples) else x.t_s for x in out]
    assert at.index(11.2) == at.index(10.5) + 1
    assert at.index(12.2) == at.index(11.5) + 1
    utc = [x.utc for x in out if isinstance(x, StreamEvent) and x.what == Note.BUTTON]
    assert utc == pytest.approx([UTC0 + 11.2, UTC0 + 12.2], abs=0.02)


def test_nothing_waits_when_the_stream_ends() -> None:
    out, assembler = _run(_live(BVP, [*range(10), *range(12, 14)]))
    starts = [x.t0_s for x in out if isinstance(x, Samples)]
    assert starts == [0.5 * k for k in [*range(10), 12, 13]]
    assert _notes(out, Note.GAP)[0].detail["missing_samples"] == 64
    assert assembler.end() == []


def test_reboot_first_hands_on_what_waits_of_the_session_before() -> None:
    assembler = StreamAssembler()
    assembler.feed(RING, UTC0)
    for message, utc in _live(BVP, [*range(10), *range(12, 14)]):
        assembler.feed(message, utc)
    out = assembler.feed(replace(RING, session=9), UTC0 + 30)
    assert [type(x) for x in out] == [StreamEvent, Samples, Samples, StreamEvent]
    assert isinstance(out[-1], StreamEvent)
    assert out[-1].what == Note.REBOOT
    assert assembler.earlier_sessions_s == 7.0
    assert assembler.holes == []


def test_what_waits_for_a_reboot_keeps_the_clock_of_its_session() -> None:
    assembler = StreamAssembler()
    assembler.feed(RING, UTC0)
    for message, utc in _live(BVP, [*range(10), *range(12, 14)]):
        assert assembler.end_before(message) == []
        assembler.feed(message, utc)
    assert assembler.end_before(RING) == []
    after = replace(RING, session=9)
    waited = assembler.end_before(after)
    assert [x.t0_s for x in waited if isinstance(x, Samples)] == [6.0, 6.5]
    assert assembler.t_s == 7.0
    assert assembler.utc(6.0) == pytest.approx(UTC0 + 6.0, abs=0.02)
    (event,) = assembler.feed(after, UTC0 + 500)
    assert isinstance(event, StreamEvent)
    assert (event.what, event.t_s, event.utc) == (Note.REBOOT, 0.0, UTC0 + 500)


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
    assert len(_notes(out, Note.BUTTON)) == MAX_EVENTS + 1
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
    live = _live(BVP, [0, *range(1000, 1300)])
    back = 1
    for n, (message, utc) in enumerate(live):
        assembler.feed(message, utc)
        if n and n % 4 == 0:
            assembler.feed(_made(BVP, back), utc)
            back += 1
        if n > 1 and not assembler.holes:
            break
    assert n * 0.5 == pytest.approx(MAX_HOLD_S, abs=2.0)
    counters = assembler.tracks.counters["bvp"]
    assert counters.lost_samples + counters.filled_samples == 999 * 32
    assert counters.filled_blocks + counters.late_blocks == back - 1


def test_board_without_a_ring_makes_nothing_wait() -> None:
    assembler = StreamAssembler()
    assembler.feed(HELLO, UTC0)
    for message, utc in _live(BVP, [0, 1, 4]):
        assert assembler.feed(message, utc) != []
    assert assembler.holes == []


@pytest.mark.parametrize("wild", [{"sample_idx": 1_000_000_000}, {"ticks_us": 3_000_000_000}])
def test_what_is_no_loss_does_not_wait(wild: dict[str, int]) -> None:
    """Index and clock disagree about what is missing: judged as without a ring."""
    pairs = [*_live(BVP, range(5)), (_made(BVP, 9)._replace(**wild), UTC0 + 5.0)]
    bare = StreamAssembler()
    want: Out = bare.feed(HELLO, UTC0)
    for message, utc in pairs:
        want += bare.feed(message, utc)
    assert _plain(_run(pairs)[0]) == _plain(want)


def test_rate_that_changes_keeps_new_and_old_blocks_apart() -> None:
    """HELLO lost: blocks of the new number are not read at the old rate, and are counted."""
    faster = replace(ACC, stream=9, rate_hz=100.0)
    assembler = StreamAssembler()
    assembler.feed(RING, UTC0)
    for message, utc in _live(ACC, range(10)):
        assembler.feed(message, utc)
    first_us = 5_000_000
    new = [block(faster, k, n_samples=30, first_us=first_us) for k in range(4)]
    assert assembler.feed(new[0], UTC0 + 5.3) == []
    assert assembler.n_unknown_stream == 1
    hello = replace(RING, channels=(BVP, EDA, faster), ticks_us=5_400_000)
    (layout,) = assembler.feed(hello, UTC0 + 5.4)
    assert isinstance(layout, StreamEvent)
    assert layout.what == Note.LAYOUT
    assert layout.detail["changed"] == "acc at 100 Hz"
    assert assembler.feed(new[1], UTC0 + 5.6) == []
    assert [(h.stream, h.sample_idx, h.n_samples) for h in assembler.holes] == [(9, 0, 30)]
    out = assembler.feed(new[0], UTC0 + 5.7)
    assert [x.t0_s for x in out if isinstance(x, Samples)] == pytest.approx([5.0, 5.3])
    assert [x.channel for x in out if isinstance(x, Samples)] == [faster, faster]
    assert assembler.tracks.totals["acc"]["samples"] == 250 + 60


def test_first_blocks_of_a_new_number_that_never_come_are_a_gap() -> None:
    faster = replace(ACC, stream=9, rate_hz=100.0)
    assembler = StreamAssembler()
    assembler.feed(HELLO, UTC0)
    for message, utc in _live(ACC, range(10)):
        assembler.feed(message, utc)
    assembler.feed(replace(HELLO, channels=(BVP, EDA, faster), ticks_us=5_400_000), UTC0 + 5.4)
    out = assembler.feed(block(faster, 1, n_samples=30, first_us=5_000_000), UTC0 + 5.6)
    (gap,) = _notes(out, Note.GAP)
    assert gap.detail == {"missing_samples": 30, "lost_frames": 1}
    assert isinstance(out[-1], Samples)
    assert out[-1].gap_before_samples == 30


def test_new_rate_is_not_called_off_and_no_gap_is_seen() -> None:
    faster = replace(ACC, stream=9, rate_hz=100.0)
    hello = replace(RING, channels=(ACC,))
    assembler = StreamAssembler()
    out: Out = assembler.feed(hello, UTC0)
    for message, utc in _live(ACC, range(120)):
        out += assembler.feed(message, utc)
    out += assembler.feed(replace(RING, channels=(faster,), ticks_us=60_000_000), UTC0 + 60)
    for k in range(300):
        made = block(faster, k, n_samples=30, first_us=60_000_000)
        out += assembler.feed(made, UTC0 + 60 + 0.3 * (k + 1))
    assert [x.what for x in out if isinstance(x, StreamEvent)] == ["session", "layout"]
    assert assembler.tracks.measured_rates_hz["acc"] == pytest.approx(100.0)
    times = np.concatenate(
        [
            x.t0_s + np.arange(len(x.values)) / x.channel.rate_hz
            for x in out
            if isinstance(x, Samples)
        ]
    )
    assert set(np.round(np.diff(times), 6)) == {0.01, 0.02}


_ANY_BLOCK = st.builds(
    Block,
    st.just(7),
    st.sampled_from([0, 1, 3]),
    st.integers(0, 65_535) | st.integers(0, 20),
    st.integers(0, (1 << 32) - 1) | st.integers(0, 20_000_000),
    st.integers(0, 3),
    st.integers(0, (1 << 32) - 1) | st.integers(0, 1000),
    st.integers(1, 40).map(lambda n: bytes(12 * n)),
)
_ANY_ANSWER = st.builds(
    Ack,
    st.just(7),
    st.integers(0, 20_000_000),
    st.just(int(CommandKind.BACKFILL)),
    st.sampled_from(AckResult),
    st.just(1),
    st.sampled_from([0, 1, 3, 9]),
    st.integers(0, (1 << 32) - 1) | st.integers(0, 1000),
    st.integers(0, (1 << 32) - 1) | st.integers(0, 500),
    st.integers(0, 65_535),
)
_ANY_EVENT = st.builds(
    Event, st.just(7), st.integers(0, 20_000_000), st.sampled_from(EventKind), st.integers(0, 6)
)


@settings(max_examples=100, deadline=None)
@given(st.lists(_ANY_BLOCK | _ANY_BLOCK | _ANY_ANSWER | _ANY_EVENT, max_size=60))
def test_messages_of_any_content_neither_raise_nor_run_backwards(messages: list[Message]) -> None:
    out, assembler = _run([(message, UTC0 + 0.1 * n) for n, message in enumerate(messages)])
    newest: dict[str, float] = {}
    n_samples = 0
    for item in out:
        if isinstance(item, Samples):
            assert item.t0_s >= newest.get(item.channel.name, -np.inf)
            assert item.gap_before_samples >= 0
            newest[item.channel.name] = item.t0_s
            n_samples += len(item.values)
    assert n_samples == sum(c.samples for c in assembler.tracks.counters.values())
    told = [
        x for x in out if isinstance(x, StreamEvent) and x.what in ("button", "wear", "battery")
    ]
    assert len(told) == sum(isinstance(message, Event) for message in messages)
    assert assembler.holes == []
    assert assembler.end() == []


def test_status_of_a_session_that_was_not_announced_is_counted() -> None:
    assembler = StreamAssembler()
    status = Status(RING.session, 0, 0, BootCause.POWER)
    assembler.feed(status, UTC0)
    assert assembler.n_foreign == 1
    assembler.feed(RING, UTC0)
    assembler.feed(status, UTC0 + 1)
    assembler.feed(Log(RING.session + 1, 0, 20, "x"), UTC0 + 1)
    assert assembler.n_foreign == 2
