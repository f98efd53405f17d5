"""From messages to samples: sessions, order, losses, and what is counted."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_host.protocol.messages import (
    Block,
    BootCause,
    Channel,
    Log,
    Message,
    Mismatch,
    Status,
)
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.samples import Note, Samples, StreamEvent
from tests.unit.stream.feeding import bvp_blocks, events_of, feed, three_streams
from tests.unit.stream.streams import ACC, BVP, EDA, HELLO, UTC0, arrival_utc, block


def test_first_hello_opens_a_session_and_repeats_say_nothing() -> None:
    assembler = StreamAssembler()
    (event,) = assembler.feed(HELLO, UTC0)
    assert isinstance(event, StreamEvent)
    assert (event.what, event.t_s, event.utc) == ("session", 0.0, UTC0)
    assert event.detail == {"session": 7, "board": "board-1", "firmware": "fw 1", "n_channels": 3}
    assert assembler.feed(replace(HELLO, ticks_us=5_000_000), UTC0 + 5) == []


def test_samples_are_in_si_units_on_board_time() -> None:
    assembler = StreamAssembler()
    assembler.feed(replace(HELLO, ticks_us=250_000), UTC0)
    (samples,) = assembler.feed(block(ACC, 2, n_samples=10, first_us=500_000), UTC0 + 1)
    assert isinstance(samples, Samples)
    assert samples.channel == ACC
    assert samples.t0_s == pytest.approx(0.25 + 0.4)
    expected = np.repeat(np.arange(20, 30), 3).reshape(-1, 3) * 0.01 + 0.5
    np.testing.assert_array_equal(samples.values, expected)
    assert samples.values.dtype == np.float64


def test_blocks_before_their_hello_are_counted_and_dropped() -> None:
    assembler = StreamAssembler()
    assert feed(assembler, bvp_blocks(range(3))) == []
    assert assembler.n_foreign == 3
    assert np.isnan(assembler.utc(0.0))


def test_status_of_a_session_that_was_not_announced_is_counted() -> None:
    assembler = StreamAssembler()
    status = Status(HELLO.session, 0, 0, BootCause.POWER)
    assembler.feed(status, UTC0)
    assert assembler.n_foreign == 1
    assembler.feed(HELLO, UTC0)
    assembler.feed(status, UTC0 + 1)
    assembler.feed(Log(HELLO.session + 1, 0, 20, "x"), UTC0 + 1)
    assert assembler.n_foreign == 2


def test_block_of_a_stream_nobody_described_is_counted() -> None:
    assembler = StreamAssembler()
    assembler.feed(HELLO, UTC0)
    other = Channel(9, "x", "", 1.0, 1.0, 0.0, "i16", 1)
    assert assembler.feed(block(other, 0), UTC0) == []
    assert assembler.n_unknown_stream == 1


def test_block_of_half_a_sample_is_counted() -> None:
    assembler = StreamAssembler()
    assembler.feed(HELLO, UTC0)
    assert assembler.feed(block(BVP, 0)._replace(data=b"\1\2\3"), UTC0) == []
    assert assembler.tracks.counters["bvp"].bad_blocks == 1


@settings(max_examples=40, deadline=None)
@given(
    fates=st.lists(st.sampled_from(["ok", "ok", "ok", "lost", "twice", "swapped"]), max_size=60),
    first_us=st.sampled_from([0, (1 << 32) - 7_000_000]),
)
def test_counters_and_gaps_equal_what_was_injected(fates: list[str], first_us: int) -> None:
    fates = ["ok", "ok", *fates, "ok", "ok"]
    order: list[int] = []
    for k, fate in enumerate(fates):
        order += {"lost": [], "twice": [k, k]}.get(fate, [k])
    late = 0
    for i, k in enumerate(order[:-1]):
        if fates[k] == "swapped" and order[i + 1] == k + 1 and fates[k + 1] == "ok":
            order[i], order[i + 1] = k + 1, k
            late += 1
    assembler = StreamAssembler()
    assembler.feed(replace(HELLO, ticks_us=first_us), UTC0)
    out = feed(assembler, [(block(BVP, k, first_us=first_us), arrival_utc(BVP, k)) for k in order])
    counters = assembler.tracks.counters["bvp"]
    n_lost = fates.count("lost")
    assert counters.duplicate_blocks == fates.count("twice")
    assert counters.late_blocks == late
    assert counters.lost_samples == 32 * (n_lost + late)
    assert counters.blocks == len(fates) - n_lost - late
    samples = [s for s in out if isinstance(s, Samples)]
    assert sum(s.gap_before_samples for s in samples) == 32 * (n_lost + late)
    for s in samples:
        assert s.t0_s == pytest.approx(s.values[0, 0] / BVP.scale / 64.0, abs=2e-6)
    assert {e.what for e in events_of(out)} <= {"gap", "clock_wrap"}


def test_gap_is_reported_with_its_exact_length() -> None:
    assembler = StreamAssembler()
    out = feed(assembler, [(HELLO, UTC0), *bvp_blocks([0, 1, 5])])
    (gap,) = events_of(out)
    assert (gap.what, gap.channel, gap.t_s) == ("gap", "bvp", 2.5)
    assert gap.detail == {"missing_samples": 96, "lost_frames": 3}
    assert isinstance(out[-1], Samples)
    assert out[-1].gap_before_samples == 96


def test_reboot_starts_stream_time_anew() -> None:
    assembler = StreamAssembler()
    feed(assembler, [(HELLO, UTC0), *bvp_blocks(range(8))])
    out = assembler.feed(replace(HELLO, session=9), UTC0 + 30)
    out += feed(assembler, bvp_blocks([0, 1], session=9, late_s=30.0))
    assert [e.what for e in out if isinstance(e, StreamEvent)] == ["reboot"]
    assert [s.t0_s for s in out if isinstance(s, Samples)] == [0.0, 0.5]
    assert assembler.tracks.counters["bvp"].blocks == 2
    assert assembler.feed(block(BVP, 9), UTC0 + 31) == []
    assert (assembler.n_foreign, assembler.n_sessions) == (1, 2)


def test_another_board_is_a_swap() -> None:
    assembler = StreamAssembler()
    assembler.feed(HELLO, UTC0)
    (event,) = assembler.feed(replace(HELLO, session=8, board_id="board-2"), UTC0 + 9)
    assert isinstance(event, StreamEvent)
    assert event.what == Note.SWAP


def test_reboot_into_the_same_session_id_does_not_silence_the_stream() -> None:
    assembler = StreamAssembler()
    out = feed(assembler, [(HELLO, UTC0), *bvp_blocks(range(600))])
    out = feed(assembler, bvp_blocks(range(100), late_s=305.0))
    assert assembler.tracks.counters["bvp"].index_restarts == 1
    assert sum(len(s.values) for s in out if isinstance(s, Samples)) > 32 * 70


def test_wild_index_does_not_make_a_wild_gap() -> None:
    assembler = StreamAssembler()
    pairs = bvp_blocks(range(10))
    pairs[5] = (block(BVP, 5)._replace(sample_idx=1_000_000_000), pairs[5][1])
    out = feed(assembler, [(HELLO, UTC0), *pairs])
    assert all(s.gap_before_samples == 0 for s in out if isinstance(s, Samples))
    assert events_of(out) == []
    assert assembler.tracks.counters["bvp"].lost_samples == 0
    assert [s.t0_s for s in out if isinstance(s, Samples)] == [k * 0.5 for k in range(10)]


def test_index_that_starts_over_is_followed() -> None:
    assembler = StreamAssembler()
    feed(assembler, [(HELLO, UTC0), *bvp_blocks(range(10))])
    moved = [block(BVP, 10 + k)._replace(sample_idx=k * 32, seq=13 + k) for k in range(5)]
    out = feed(assembler, [(b, arrival_utc(BVP, 10 + k)) for k, b in enumerate(moved)])
    assert len([s for s in out if isinstance(s, Samples)]) == 5
    assert assembler.tracks.counters["bvp"].index_restarts == 1


def test_other_protocol_version_is_an_event() -> None:
    (event,) = StreamAssembler().feed(Mismatch(9), UTC0)
    assert isinstance(event, StreamEvent)
    assert (event.what, event.detail) == ("mismatch", {"theirs": 9})


def test_same_messages_give_the_same_output_bit_for_bit() -> None:
    def run() -> list[tuple[object, ...]]:
        assembler = StreamAssembler()
        out = feed(assembler, [(HELLO, UTC0), *three_streams(90)])
        return [
            (s.t0_s, s.values.tobytes(), assembler.utc(s.t0_s))
            for s in out
            if isinstance(s, Samples)
        ]

    assert run() == run()


def test_an_hour_of_five_channels_costs_well_under_a_second() -> None:
    gyro = replace(ACC, stream=4, name="gyro", dtype="i16")
    hello = replace(HELLO, channels=(BVP, EDA, ACC, gyro))
    pairs: list[tuple[Message, float]] = []
    for channel, n_samples in ((BVP, 32), (EDA, 4), (ACC, 25), (gyro, 25)):
        data = block(channel, 0, n_samples=n_samples).data
        for k in range(int(3600 * channel.rate_hz / n_samples)):
            ticks_us = round(k * n_samples / channel.rate_hz * 1e6)
            made = Block(7, channel.stream, k & 0xFFFF, ticks_us, 0, k * n_samples, data)
            pairs.append((made, arrival_utc(channel, k, n_samples=n_samples)))
    pairs.sort(key=lambda pair: pair[1])
    costs_s = []
    for _ in range(3):
        assembler = StreamAssembler()
        assembler.feed(hello, UTC0)
        began = time.process_time()
        for message, utc in pairs:
            assembler.feed(message, utc)
        costs_s.append(time.process_time() - began)
    assert len(pairs) > 24_000
    # 0.17 s when written; the limit leaves room for a slow or busy machine.
    assert min(costs_s) < 0.7


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, 3, 9]),
            st.integers(0, 65_535) | st.integers(0, 20),
            st.integers(0, (1 << 32) - 1) | st.integers(0, 10_000_000),
            st.integers(0, 65_535),
            st.integers(0, (1 << 32) - 1) | st.integers(0, 500),
            st.binary(min_size=1, max_size=230),
            st.floats(-100.0, 10_000.0) | st.floats(0.0, 1.0),
        ),
        max_size=40,
    )
)
def test_blocks_of_any_content_neither_raise_nor_run_backwards(
    rows: list[tuple[int, int, int, int, int, bytes, float]],
) -> None:
    assembler = StreamAssembler()
    assembler.feed(HELLO, UTC0)
    newest: dict[str, float] = {}
    for stream, seq, ticks_us, dropped, idx, data, late_s in rows:
        made = Block(7, stream, seq, ticks_us, dropped, idx, data)
        for item in assembler.feed(made, UTC0 + late_s):
            if isinstance(item, Samples):
                name = item.channel.name
                assert item.t0_s >= newest.get(name, -np.inf)
                assert item.gap_before_samples >= 0
                assert len(item.values) > 0
                newest[name] = item.t0_s
            else:
                assert all(isinstance(v, int | float | str) for v in item.detail.values())
    assert np.isfinite(assembler.utc(assembler.t_s))


def test_wrong_times_are_wrong_calls() -> None:
    with pytest.raises(ValueError, match="finite"):
        StreamAssembler().feed(HELLO, float("inf"))
