"""Stream time: wraps, jumps and pauses, and what arrivals and answers do to it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from firmware_host.protocol.messages import Block, Event, EventKind, Ping, Pong
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.samples import Note, Samples, StreamEvent
from tests.unit.stream.feeding import Out, bvp_blocks, events_of, feed, three_streams
from tests.unit.stream.streams import BVP, HELLO, UTC0, arrival_utc, block


def test_wrap_is_an_event_and_time_goes_on() -> None:
    first_us = (1 << 32) - 1_000_000
    assembler = StreamAssembler()
    out = feed(
        assembler,
        [(replace(HELLO, ticks_us=first_us), UTC0), *bvp_blocks(range(8), first_us=first_us)],
    )
    assert [(e.what, e.channel) for e in events_of(out)] == [("clock_wrap", "")]
    assert [s.t0_s for s in out if isinstance(s, Samples)] == [k * 0.5 for k in range(8)]


@pytest.mark.parametrize("jump_s", [-3000.0, -20.0, 90.0, 3000.0])
def test_jump_of_the_board_clock_is_one_event_and_samples_stay_continuous(jump_s: float) -> None:
    """The count leaps at 30.2 s; blocks whose first sample is older keep the old count."""
    assembler = StreamAssembler()
    out: Out = assembler.feed(HELLO, UTC0)
    for made, utc in three_streams(60):
        leap_us = round(jump_s * 1e6) if made.ticks_us > 30_200_000 else 0
        out += assembler.feed(made._replace(ticks_us=(made.ticks_us + leap_us) % (1 << 32)), utc)
    (jump,) = events_of(out, "clock_wrap")
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
    for made, utc in three_streams(90):
        leap_us = 200_000_000 if 30_200_000 < made.ticks_us < 60_200_000 else 0
        out += assembler.feed(made._replace(ticks_us=made.ticks_us + leap_us), utc)
    there, back = events_of(out)
    assert (there.what, back.what) == (Note.CLOCK_JUMP, Note.CLOCK_JUMP)
    assert there.detail["jump_s"] == pytest.approx(200.0)
    assert back.detail["jump_s"] == pytest.approx(-200.0)
    starts = [s.t0_s for s in out if isinstance(s, Samples) and s.channel.name == "eda"]
    assert np.diff(starts) == pytest.approx(1.0)
    assert assembler.clock is not None
    assert assembler.clock.unwrap(90_000_000, UTC0 + 90.0) == pytest.approx(90.0)


def test_pause_of_a_sensor_is_a_gap_in_time_and_not_a_loss() -> None:
    assembler = StreamAssembler()
    out = feed(assembler, [(HELLO, UTC0), *bvp_blocks(range(10))])
    out = feed(assembler, bvp_blocks(range(10, 20), late_s=30.0, first_us=30_000_000))
    (pause,) = events_of(out)
    assert (pause.what, pause.detail) == ("pause", {"missing_samples": 1920})
    assert isinstance(out[1], Samples)
    assert (out[1].t0_s, out[1].gap_before_samples) == (35.0, 1920)
    assert assembler.tracks.counters["bvp"].lost_samples == 0
    assert assembler.tracks.counters["bvp"].paused_samples == 1920


@pytest.mark.parametrize("host_step_s", [0.0, 5_000.0])
def test_loss_longer_than_two_wraps_keeps_its_exact_length(host_step_s: float) -> None:
    """Even if the host's clock was set meanwhile: the sample index tells the wraps."""
    assembler = StreamAssembler()
    feed(assembler, [(HELLO, UTC0), *bvp_blocks(range(10))])
    n_lost = 20_000
    out = feed(assembler, bvp_blocks(range(10 + n_lost, 20 + n_lost), late_s=host_step_s))
    samples = [s for s in out if isinstance(s, Samples)]
    assert samples[0].gap_before_samples == 32 * n_lost
    assert samples[0].t0_s == pytest.approx((10 + n_lost) * 0.5)
    assert samples[-1].t0_s == pytest.approx((19 + n_lost) * 0.5)
    assert {e.what for e in events_of(out)} <= {"gap", "clock_wrap", "clock_step"}


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


def test_state_that_is_said_again_is_no_news_until_it_changes_or_the_board_boots() -> None:
    assembler = StreamAssembler()
    said = [(EventKind.WEAR, 1), (EventKind.BATTERY, 50), (EventKind.BUTTON, 1)]
    said = [*said, *said, (EventKind.WEAR, 0), (EventKind.WEAR, 0), (EventKind.BATTERY, 49)]
    told: list[tuple[str, object]] = []
    for session in (7, 8):
        assembler.feed(replace(HELLO, session=session), UTC0)
        for n, (kind, value) in enumerate(said):
            out = assembler.feed(Event(session, n * 1000, kind, value), UTC0 + n / 1000)
            told += [(e.what, e.detail["value"]) for e in events_of(out)]
    once = [
        ("wear", 1),
        ("battery", 50),
        ("button", 1),
        ("button", 1),
        ("wear", 0),
        ("battery", 49),
    ]
    assert told == 2 * once


def test_answered_ping_serves_the_clock() -> None:
    assembler = StreamAssembler()
    feed(assembler, [(HELLO, UTC0 + 0.1), *bvp_blocks(range(30), late_s=0.1)])
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


def test_arrival_does_not_touch_stream_time(rng: np.random.Generator) -> None:
    def run(delays_s: np.ndarray) -> list[tuple[float, bytes]]:
        assembler = StreamAssembler()
        assembler.feed(HELLO, UTC0)
        pairs = [(m, u + d) for (m, u), d in zip(three_streams(60), delays_s, strict=True)]
        return [
            (s.t0_s, s.values.tobytes()) for s in feed(assembler, pairs) if isinstance(s, Samples)
        ]

    n = len(three_streams(60))
    assert run(np.zeros(n)) == run(rng.uniform(0.0, 8.0, n))
