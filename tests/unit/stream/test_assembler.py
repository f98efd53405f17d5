from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_host.protocol.messages import (
    Block,
    Channel,
    Event,
    EventKind,
    Hello,
    Message,
    Mismatch,
    Ping,
    Pong,
)
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.samples import Note, Samples, StreamEvent
from tests.unit.stream.streams import ACC, BVP, EDA, HELLO, UTC0, arrival_utc, block

Out = list[Samples | StreamEvent]


def _feed(assembler: StreamAssembler, pairs: list[tuple[Message, float]]) -> Out:
    return [item for message, utc in pairs for item in assembler.feed(message, utc)]


def _events(out: Out, *but: str) -> list[StreamEvent]:
    # Most tests feed one channel of three: that the others have stopped is true, and not their matter.
    but = ("session", "channel_stopped", *but)
    return [e for e in out if isinstance(e, StreamEvent) and e.what not in but]


def _bvp(
    ks: range | list[int], *, late_s: float = 0.0, **options: int
) -> list[tuple[Message, float]]:
    return [(block(BVP, k, **options), arrival_utc(BVP, k) + late_s) for k in ks]


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
    assert _feed(assembler, _bvp(range(3))) == []
    assert assembler.n_foreign == 3
    assert np.isnan(assembler.utc(0.0))


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
    out = _feed(assembler, [(block(BVP, k, first_us=first_us), arrival_utc(BVP, k)) for k in order])
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
    assert {e.what for e in _events(out)} <= {"gap", "clock_wrap"}


def test_gap_is_reported_with_its_exact_length() -> None:
    assembler = StreamAssembler()
    out = _feed(assembler, [(HELLO, UTC0), *_bvp([0, 1, 5])])
    (gap,) = _events(out)
    assert (gap.what, gap.channel, gap.t_s) == ("gap", "bvp", 2.5)
    assert gap.detail == {"missing_samples": 96, "lost_frames": 3}
    assert isinstance(out[-1], Samples)
    assert out[-1].gap_before_samples == 96


def test_wrap_is_an_event_and_time_goes_on() -> None:
    first_us = (1 << 32) - 1_000_000
    assembler = StreamAssembler()
    out = _feed(
        assembler, [(replace(HELLO, ticks_us=first_us), UTC0), *_bvp(range(8), first_us=first_us)]
    )
    assert [(e.what, e.channel) for e in _events(out)] == [("clock_wrap", "")]
    assert [s.t0_s for s in out if isinstance(s, Samples)] == [k * 0.5 for k in range(8)]


def test_reboot_starts_stream_time_anew() -> None:
    assembler = StreamAssembler()
    _feed(assembler, [(HELLO, UTC0), *_bvp(range(8))])
    out = assembler.feed(replace(HELLO, session=9), UTC0 + 30)
    out += _feed(assembler, _bvp([0, 1], session=9, late_s=30.0))
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
    out = _feed(assembler, [(HELLO, UTC0), *_bvp(range(600))])
    out = _feed(assembler, _bvp(range(100), late_s=305.0))
    assert assembler.tracks.counters["bvp"].index_restarts == 1
    assert sum(len(s.values) for s in out if isinstance(s, Samples)) > 32 * 70


def test_changed_channels_within_a_session_are_followed() -> None:
    assembler = StreamAssembler()
    _feed(assembler, [(HELLO, UTC0), *_bvp([0])])
    (event,) = assembler.feed(replace(HELLO, channels=(BVP, replace(EDA, scale=2.0))), UTC0 + 5)
    assert isinstance(event, StreamEvent)
    assert event.what == Note.LAYOUT
    assert assembler.tracks.counters["bvp"].blocks == 1
    (samples,) = assembler.feed(block(EDA, 1, n_samples=4), UTC0 + 5)
    assert isinstance(samples, Samples)
    assert samples.values[0, 0] == 8.0


def _three_streams(n_s: int) -> list[tuple[Block, float]]:
    pairs: list[tuple[Block, float]] = []
    for channel, n_samples in ((BVP, 32), (EDA, 4), (ACC, 25)):
        n_blocks = int(n_s * channel.rate_hz / n_samples)
        pairs += [
            (block(channel, k, n_samples=n_samples), arrival_utc(channel, k, n_samples=n_samples))
            for k in range(n_blocks)
        ]
    return sorted(pairs, key=lambda pair: pair[1])


@pytest.mark.parametrize("jump_s", [-3000.0, -20.0, 90.0, 3000.0])
def test_jump_of_the_board_clock_is_one_event_and_samples_stay_continuous(jump_s: float) -> None:
    """The count leaps at 30.2 s; blocks whose first sample is older keep the old count."""
    assembler = StreamAssembler()
    out: Out = assembler.feed(HELLO, UTC0)
    for made, utc in _three_streams(60):
        leap_us = round(jump_s * 1e6) if made.ticks_us > 30_200_000 else 0
        out += assembler.feed(made._replace(ticks_us=(made.ticks_us + leap_us) % (1 << 32)), utc)
    (jump,) = _events(out, "clock_wrap")
    assert jump.what == Note.CLOCK_JUMP
    # The counter wraps: a leap of 3000 s cannot be told from one of -1295 s.
    seen_s = jump.detail["jump_s"]
    assert isinstance(seen_s, float)
    # Microseconds at the most: more is of the arithmetic.
    assert seen_s == round(seen_s, 6)
    assert (seen_s - jump_s + 2000.0) % (2**32 * 1e-6) == pytest.approx(2000.0)
    for name, step in (("bvp", 0.5), ("eda", 1.0), ("acc", 0.5)):
        starts = [s.t0_s for s in out if isinstance(s, Samples) and s.channel.name == name]
        assert len(starts) == 60 / step
        assert np.diff(starts) == pytest.approx(step)
    assert sum(c.lost_samples + c.paused_samples for c in assembler.tracks.counters.values()) == 0
    assert assembler.utc(59.0) == pytest.approx(UTC0 + 59.0, abs=1e-3)


def test_leap_back_by_as_much_is_a_jump_of_its_own() -> None:
    """There and back: the second one is not the first one showing late in another stream."""
    assembler = StreamAssembler()
    out: Out = assembler.feed(HELLO, UTC0)
    for made, utc in _three_streams(90):
        leap_us = 200_000_000 if 30_200_000 < made.ticks_us < 60_200_000 else 0
        out += assembler.feed(made._replace(ticks_us=made.ticks_us + leap_us), utc)
    there, back = _events(out)
    assert (there.what, back.what) == (Note.CLOCK_JUMP, Note.CLOCK_JUMP)
    assert there.detail["jump_s"] == pytest.approx(200.0)
    assert back.detail["jump_s"] == pytest.approx(-200.0)
    starts = [s.t0_s for s in out if isinstance(s, Samples) and s.channel.name == "eda"]
    assert np.diff(starts) == pytest.approx(1.0)
    assert assembler.clock is not None
    assert assembler.clock.unwrap(90_000_000, UTC0 + 90.0) == pytest.approx(90.0)


def test_pause_of_a_sensor_is_a_gap_in_time_and_not_a_loss() -> None:
    assembler = StreamAssembler()
    out = _feed(assembler, [(HELLO, UTC0), *_bvp(range(10))])
    out = _feed(assembler, _bvp(range(10, 20), late_s=30.0, first_us=30_000_000))
    (pause,) = _events(out)
    assert (pause.what, pause.detail) == ("pause", {"missing_samples": 1920})
    assert isinstance(out[1], Samples)
    assert (out[1].t0_s, out[1].gap_before_samples) == (35.0, 1920)
    assert assembler.tracks.counters["bvp"].lost_samples == 0
    assert assembler.tracks.counters["bvp"].paused_samples == 1920


@pytest.mark.parametrize("host_step_s", [0.0, 5_000.0])
def test_loss_longer_than_two_wraps_keeps_its_exact_length(host_step_s: float) -> None:
    """Even if the host's clock was set meanwhile: the sample index tells the wraps."""
    assembler = StreamAssembler()
    _feed(assembler, [(HELLO, UTC0), *_bvp(range(10))])
    n_lost = 20_000
    out = _feed(assembler, _bvp(range(10 + n_lost, 20 + n_lost), late_s=host_step_s))
    samples = [s for s in out if isinstance(s, Samples)]
    assert samples[0].gap_before_samples == 32 * n_lost
    assert samples[0].t0_s == pytest.approx((10 + n_lost) * 0.5)
    assert samples[-1].t0_s == pytest.approx((19 + n_lost) * 0.5)
    assert {e.what for e in _events(out)} <= {"gap", "clock_wrap", "clock_step"}


def test_wild_index_does_not_make_a_wild_gap() -> None:
    assembler = StreamAssembler()
    pairs = _bvp(range(10))
    pairs[5] = (block(BVP, 5)._replace(sample_idx=1_000_000_000), pairs[5][1])
    out = _feed(assembler, [(HELLO, UTC0), *pairs])
    assert all(s.gap_before_samples == 0 for s in out if isinstance(s, Samples))
    assert _events(out) == []
    assert assembler.tracks.counters["bvp"].lost_samples == 0
    assert [s.t0_s for s in out if isinstance(s, Samples)] == [k * 0.5 for k in range(10)]


def test_index_that_starts_over_is_followed() -> None:
    assembler = StreamAssembler()
    _feed(assembler, [(HELLO, UTC0), *_bvp(range(10))])
    moved = [block(BVP, 10 + k)._replace(sample_idx=k * 32, seq=13 + k) for k in range(5)]
    out = _feed(assembler, [(b, arrival_utc(BVP, 10 + k)) for k, b in enumerate(moved)])
    assert len([s for s in out if isinstance(s, Samples)]) == 5
    assert assembler.tracks.counters["bvp"].index_restarts == 1


@pytest.mark.parametrize(("true_hz", "is_off"), [(64.0, False), (64.9, False), (66.0, True)])
def test_rate_outside_tolerance_is_reported_once(true_hz: float, is_off: bool) -> None:
    assembler = StreamAssembler()
    out = assembler.feed(HELLO, UTC0)
    for k in range(400):
        ticks_us = round(k * 32 / true_hz * 1e6)
        made = block(BVP, k)._replace(ticks_us=ticks_us)
        out += assembler.feed(made, UTC0 + (k + 1) * 32 / true_hz)
    events = _events(out)
    assert [e.what for e in events] == (["rate"] if is_off else [])
    assert assembler.tracks.measured_rates_hz["bvp"] == pytest.approx(true_hz, rel=1e-4)
    if is_off:
        assert events[0].t_s >= 30.0
        assert events[0].detail["declared_hz"] == 64.0


def test_losses_do_not_look_like_a_wrong_rate() -> None:
    assembler = StreamAssembler()
    out = _feed(assembler, [(HELLO, UTC0), *_bvp([k for k in range(300) if k % 5])])
    assert {e.what for e in _events(out)} == {"gap"}
    assert assembler.tracks.measured_rates_hz["bvp"] == pytest.approx(64.0)


@pytest.mark.parametrize(
    ("kind", "what"),
    [(EventKind.BUTTON, "button"), (EventKind.WEAR, "wear"), (EventKind.BATTERY, "battery")],
)
def test_board_events_get_stream_and_host_time(kind: EventKind, what: str) -> None:
    assembler = StreamAssembler()
    assembler.feed(HELLO, UTC0)
    (event,) = assembler.feed(Event(7, 2_000_000, kind, 1), UTC0 + 2)
    assert isinstance(event, StreamEvent)
    assert (event.what, event.t_s, event.detail) == (what, 2.0, {"value": 1})
    assert event.utc == pytest.approx(UTC0 + 2)


def test_answered_ping_serves_the_clock() -> None:
    assembler = StreamAssembler()
    _feed(assembler, [(HELLO, UTC0 + 0.1), *_bvp(range(30), late_s=0.1)])
    assembler.feed(Ping(77), UTC0 + 14.9)
    assert assembler.feed(Pong(7, 15_000_000, 77), UTC0 + 15.1) == []
    assert assembler.utc(15.0) == pytest.approx(UTC0 + 15.0, abs=1e-6)
    assert assembler.feed(Pong(7, 16_000_000, 78), UTC0 + 16.2) == []


def test_unanswered_pings_are_forgotten() -> None:
    assembler = StreamAssembler()
    assembler.feed(HELLO, UTC0)
    for token in range(1000):
        assembler.feed(Ping(token), UTC0 + token)
    clock = assembler.clock
    assert clock is not None
    assembler.feed(Pong(7, 1_000_000_000, 983), UTC0 + 1000.0)
    assert math.isnan(clock.health().round_trip_ms)
    assembler.feed(Pong(7, 1_000_000_000, 984), UTC0 + 1000.0)
    assert clock.health().round_trip_ms == pytest.approx(16_000.0)


def test_question_that_comes_twice_was_sent_when_it_came_first() -> None:
    assembler = StreamAssembler()
    assembler.feed(HELLO, UTC0)
    assembler.feed(Ping(5), UTC0 + 1.0)
    assembler.feed(Ping(5), UTC0 + 1.2)
    assembler.feed(Pong(7, 1_100_000, 5), UTC0 + 1.2)
    assert assembler.clock is not None
    assert assembler.clock.health().round_trip_ms == pytest.approx(200.0)


def test_asking_when_a_block_was_sent_changes_nothing() -> None:
    """A stream that nobody announced: a recording asks of it, a run of the recording does not."""

    def run(*, asks: bool) -> tuple[object, ...]:
        assembler = StreamAssembler()
        out = assembler.feed(HELLO, UTC0)
        for k in range(200):
            fed = [block(BVP, k)]
            if k in (50, 60, 70):
                # Each nearly half a wrap later than the one before: what counted them would be far off.
                ticks_us = (fed[0].ticks_us + (k // 10 - 4) * 2_000_000_000) % (1 << 32)
                fed.append(Block(7, 9, k, ticks_us, 0, 0, b"\1"))
            for message in fed:
                utc = arrival_utc(BVP, k)
                out += assembler.feed(message, utc)
                if asks:
                    assert math.isfinite(assembler.sent_utc(message, utc))
        assert assembler.clock is not None
        times = [(x.t0_s if isinstance(x, Samples) else x.t_s) for x in out]
        return assembler.t_s, assembler.clock.health(), times

    assert run(asks=True)[0] == run(asks=False)[0] == 100.0
    assert repr(run(asks=True)) == repr(run(asks=False))


def test_names_of_channels_without_number_are_counted_together() -> None:
    assembler = StreamAssembler()
    for k in range(1000):
        hello = replace(HELLO, session=k % 7 + 1, channels=(replace(EDA, name=f"c{k}"),))
        assembler.feed(hello, UTC0 + k)
        assembler.feed(block(EDA, 0, n_samples=4, session=hello.session), UTC0 + k + 0.75)
    totals = assembler.tracks.totals
    assert len(totals) <= 257
    assert len(assembler.tracks.channels) <= 256
    assert sum(counts["samples"] for counts in totals.values()) == 4000
    assert totals["c999"]["samples"] == 4
    assert totals["(others)"]["samples"] > 2900


def test_other_protocol_version_is_an_event() -> None:
    (event,) = StreamAssembler().feed(Mismatch(9), UTC0)
    assert isinstance(event, StreamEvent)
    assert (event.what, event.detail) == ("mismatch", {"theirs": 9})


def test_same_messages_give_the_same_output_bit_for_bit() -> None:
    def run() -> list[tuple[object, ...]]:
        assembler = StreamAssembler()
        out = _feed(assembler, [(HELLO, UTC0), *_three_streams(90)])
        return [
            (s.t0_s, s.values.tobytes(), assembler.utc(s.t0_s))
            for s in out
            if isinstance(s, Samples)
        ]

    assert run() == run()


def test_arrival_does_not_touch_stream_time(rng: np.random.Generator) -> None:
    def run(delays_s: np.ndarray) -> list[tuple[float, bytes]]:
        assembler = StreamAssembler()
        assembler.feed(HELLO, UTC0)
        pairs = [(m, u + d) for (m, u), d in zip(_three_streams(60), delays_s, strict=True)]
        return [
            (s.t0_s, s.values.tobytes()) for s in _feed(assembler, pairs) if isinstance(s, Samples)
        ]

    n = len(_three_streams(60))
    assert run(np.zeros(n)) == run(rng.uniform(0.0, 8.0, n))


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


def test_hello_without_channels_opens_an_empty_session() -> None:
    assembler = StreamAssembler()
    assembler.feed(Hello(1, "b", "f", ()), UTC0)
    assert assembler.tracks.counters == {}


def test_totals_go_over_all_sessions_and_layouts() -> None:
    assembler = StreamAssembler()
    assembler.feed(HELLO, UTC0)
    for k in (0, 2, 2):
        assembler.feed(block(BVP, k), arrival_utc(BVP, k))
    assembler.feed(replace(HELLO, session=8), UTC0 + 60)
    for k in (0, 3):
        assembler.feed(block(BVP, k, session=8), arrival_utc(BVP, k) + 60)
    assembler.feed(replace(HELLO, session=8, channels=(EDA, ACC)), UTC0 + 70)
    totals = assembler.tracks.totals
    assert (totals["bvp"]["blocks"], totals["bvp"]["samples"]) == (4, 4 * 32)
    assert (totals["bvp"]["lost_frames"], totals["bvp"]["duplicate_blocks"]) == (3, 1)
    assert totals["eda"]["blocks"] == 0


def _stops(assembler: StreamAssembler, pairs: list[tuple[Message, float]]) -> list[StreamEvent]:
    out = _feed(assembler, sorted(pairs, key=lambda pair: pair[1]))
    return [e for e in out if isinstance(e, StreamEvent) and e.what == Note.STOPPED]


def test_channel_that_stops_while_others_go_on_is_said_once() -> None:
    assembler = StreamAssembler()
    assembler.feed(HELLO, UTC0)
    # EDA until 20 s and again from 36 to 40 s; ACC never.
    eda = [k for k in range(40) if k < 20 or 36 <= k < 40]
    told = [(block(EDA, k, n_samples=4), arrival_utc(EDA, k, n_samples=4)) for k in eda]
    stopped = _stops(assembler, told + _bvp(range(120)))
    assert [(e.channel, round(e.t_s)) for e in stopped] == [("acc", 10), ("eda", 30), ("eda", 50)]
    assert stopped[1].detail["silent_s"] == pytest.approx(10.0, abs=1.1)


def test_silence_of_all_channels_is_not_one_that_stopped() -> None:
    assembler = StreamAssembler()
    assembler.feed(replace(HELLO, channels=(BVP, EDA)), UTC0)
    eda = [k for k in range(60) if not 20 <= k < 45]
    told = [(block(EDA, k, n_samples=4), arrival_utc(EDA, k, n_samples=4)) for k in eda]
    bvp = [k for k in range(120) if not 40 <= k < 90]
    assert _stops(assembler, told + _bvp(bvp)) == []


def test_slow_channel_has_not_stopped() -> None:
    slow = Channel(5, "batt", "V", 0.2, 1.0, 0.0, "i32", 1)
    assembler = StreamAssembler()
    assembler.feed(replace(HELLO, channels=(BVP, slow)), UTC0)
    told = [(block(slow, k, n_samples=2), arrival_utc(slow, k, n_samples=2)) for k in range(12)]
    assert _stops(assembler, told + _bvp(range(240))) == []
