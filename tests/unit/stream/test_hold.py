"""Blocks that the board sends again: in their place, in order, and never lost."""

from __future__ import annotations

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
    CommandKind,
    Event,
    EventKind,
    Message,
)
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.samples import Note, Samples, StreamEvent
from tests.unit.stream.outages import (
    RING,
    Out,
    live_blocks,
    made_block,
    minute,
    notes_of,
    plain,
    play,
    with_outage,
)
from tests.unit.stream.streams import ACC, BVP, HELLO, UTC0


def _by_channel(out: Out) -> dict[str, list[object]]:
    names = ("bvp", "eda", "acc", "")
    return {name: [row for row in plain(out) if row[0] == name] for name in names}  # type: ignore[index]


@cache
def _whole_minute() -> dict[str, list[object]]:
    return _by_channel(play(minute())[0])


def test_outage_that_is_sent_again_leaves_no_trace() -> None:
    whole, _ = play(minute())
    out, assembler = play(with_outage(10.0, 30.0, 31.5))
    assert plain(out) == plain(whole)
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
    pairs = minute()
    fed = [p for n, p in enumerate(pairs) if n not in lost]
    # A board sends again what it was asked for after the next block had shown it missing.
    late = sorted(lost | twice)
    fed += [
        (pairs[n][0], pairs[n][1] + 1.1 + delay) for n, delay in zip(late, delays_s, strict=False)
    ]
    out, assembler = play(sorted(fed, key=lambda pair: pair[1]))
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

    for message, utc in minute():
        assert isinstance(message, Block)
        if utc < UTC0 + 21.0 and (message.stream, message.seq) not in {(0, 30), (3, 36)}:
            feed(message, utc)
    # The blocks that came before the next one of the stream showed its loss.
    assert reached == {"bvp": 15.0, "eda": 16.0, "acc": 16.0}
    feed(made_block(BVP, 30), UTC0 + 21.0)
    assert reached == {"bvp": 18.0, "eda": 18.0, "acc": 18.0}
    assert [(h.stream, h.sample_idx, h.n_samples) for h in assembler.holes] == [(3, 900, 25)]
    feed(made_block(ACC, 36), UTC0 + 21.1)
    assert reached == {"bvp": 21.0, "eda": 21.0, "acc": 21.0}


def test_gone_is_noted_at_once() -> None:
    assembler = StreamAssembler()
    assembler.feed(RING, UTC0)
    out: Out = []
    for message, utc in live_blocks(BVP, [*range(10), *range(14, 16)]):
        out += assembler.feed(message, utc)
    assert len(out) == 10
    answer = Ack(7, 8_000_000, CommandKind.BACKFILL, AckResult.DONE, 1, 0, 320, 64, 2)
    assert assembler.feed(answer, UTC0 + 8.1) == []
    assert [(h.sample_idx, h.n_samples) for h in assembler.holes] == [(384, 64)]
    rest = live_blocks(BVP, [12, 13])
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
    for message, utc in live_blocks(BVP, [0, 1, 4]):
        assembler.feed(message, utc)
    answer = Ack(7, 3_000_000, CommandKind.BACKFILL, result, 1, 0, 64, 64, 0)
    assembler.feed(answer, UTC0 + 3)
    assert len(assembler.holes) == 1


def test_events_wait_for_the_samples_before_them() -> None:
    def button(t_s: float) -> tuple[Event, float]:
        return Event(7, round(t_s * 1e6), EventKind.BUTTON, 1), UTC0 + t_s

    live = [*live_blocks(BVP, [k for k in range(40) if k != 20]), button(11.2), button(12.2)]
    again = (made_block(BVP, 20), UTC0 + 14.0)
    out, _ = play(sorted([*live, again], key=lambda pair: pair[1]))
    # The other channels never sent anything.
    out = [x for x in out if isinstance(x, Samples) or x.what != Note.STOPPED]
    at = [x.t0_s if isinstance(x, Samples) else x.t_s for x in out]
    assert at.index(11.2) == at.index(10.5) + 1
    assert at.index(12.2) == at.index(11.5) + 1
    utc = [x.utc for x in out if isinstance(x, StreamEvent) and x.what == Note.BUTTON]
    assert utc == pytest.approx([UTC0 + 11.2, UTC0 + 12.2], abs=0.02)


def test_nothing_waits_when_the_stream_ends() -> None:
    out, assembler = play(live_blocks(BVP, [*range(10), *range(12, 14)]))
    starts = [x.t0_s for x in out if isinstance(x, Samples)]
    assert starts == [0.5 * k for k in [*range(10), 12, 13]]
    assert notes_of(out, Note.GAP)[0].detail["missing_samples"] == 64
    assert assembler.end() == []


def test_reboot_first_hands_on_what_waits_of_the_session_before() -> None:
    assembler = StreamAssembler()
    assembler.feed(RING, UTC0)
    for message, utc in live_blocks(BVP, [*range(10), *range(12, 14)]):
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
    for message, utc in live_blocks(BVP, [*range(10), *range(12, 14)]):
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


def test_board_without_a_ring_makes_nothing_wait() -> None:
    assembler = StreamAssembler()
    assembler.feed(HELLO, UTC0)
    for message, utc in live_blocks(BVP, [0, 1, 4]):
        assert assembler.feed(message, utc) != []
    assert assembler.holes == []


@pytest.mark.parametrize("wild", [{"sample_idx": 1_000_000_000}, {"ticks_us": 3_000_000_000}])
def test_what_is_no_loss_does_not_wait(wild: dict[str, int]) -> None:
    """Index and clock disagree about what is missing: judged as without a ring."""
    pairs = [*live_blocks(BVP, range(5)), (made_block(BVP, 9)._replace(**wild), UTC0 + 5.0)]
    bare = StreamAssembler()
    want: Out = bare.feed(HELLO, UTC0)
    for message, utc in pairs:
        want += bare.feed(message, utc)
    assert plain(play(pairs)[0]) == plain(want)


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
NAMES = {EventKind.BUTTON: "button", EventKind.WEAR: "wear", EventKind.BATTERY: "battery"}
_ANY_EVENT = st.builds(
    Event, st.just(7), st.integers(0, 20_000_000), st.sampled_from(EventKind), st.integers(0, 6)
)


@settings(max_examples=100, deadline=None)
@given(st.lists(_ANY_BLOCK | _ANY_BLOCK | _ANY_ANSWER | _ANY_EVENT, max_size=60))
def test_messages_of_any_content_neither_raise_nor_run_backwards(messages: list[Message]) -> None:
    out, assembler = play([(message, UTC0 + 0.1 * n) for n, message in enumerate(messages)])
    newest: dict[str, float] = {}
    n_samples = 0
    for item in out:
        if isinstance(item, Samples):
            assert item.t0_s >= newest.get(item.channel.name, -np.inf)
            assert item.gap_before_samples >= 0
            newest[item.channel.name] = item.t0_s
            n_samples += len(item.values)
    assert n_samples == sum(c.samples for c in assembler.tracks.counters.values())
    told = [x for x in out if isinstance(x, StreamEvent) and x.what in NAMES.values()]
    said = [message.kind for message in messages if isinstance(message, Event)]
    by_name = {kind: [x.detail["value"] for x in told if x.what == kind] for kind in NAMES.values()}
    assert len(by_name["button"]) == said.count(EventKind.BUTTON)
    for kind in (EventKind.WEAR, EventKind.BATTERY):
        values = by_name[NAMES[kind]]
        assert bool(values) == (kind in said)
        assert all(one != other for one, other in pairwise(values))
    assert assembler.holes == []
    assert assembler.end() == []
