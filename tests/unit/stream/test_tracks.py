"""What a board describes: layouts, rates, channels that stop, and totals over all of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_host.protocol.messages import Channel, Hello, Message
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.samples import Note, Samples, StreamEvent
from tests.unit.stream.feeding import bvp_blocks, events_of, feed
from tests.unit.stream.streams import ACC, BVP, EDA, HELLO, UTC0, arrival_utc, block


def test_changed_channels_within_a_session_are_followed() -> None:
    assembler = StreamAssembler()
    feed(assembler, [(HELLO, UTC0), *bvp_blocks([0])])
    (event,) = assembler.feed(replace(HELLO, channels=(BVP, replace(EDA, scale=2.0))), UTC0 + 5)
    assert isinstance(event, StreamEvent)
    assert event.what == Note.LAYOUT
    assert assembler.tracks.counters["bvp"].blocks == 1
    (samples,) = assembler.feed(block(EDA, 1, n_samples=4), UTC0 + 5)
    assert isinstance(samples, Samples)
    assert samples.values[0, 0] == 8.0


@pytest.mark.parametrize(("true_hz", "is_off"), [(64.0, False), (64.9, False), (66.0, True)])
def test_rate_outside_tolerance_is_reported_once(true_hz: float, is_off: bool) -> None:
    assembler = StreamAssembler()
    out = assembler.feed(HELLO, UTC0)
    for k in range(400):
        ticks_us = round(k * 32 / true_hz * 1e6)
        made = block(BVP, k)._replace(ticks_us=ticks_us)
        out += assembler.feed(made, UTC0 + (k + 1) * 32 / true_hz)
    events = events_of(out)
    assert [e.what for e in events] == (["rate"] if is_off else [])
    assert assembler.tracks.measured_rates_hz["bvp"] == pytest.approx(true_hz, rel=1e-4)
    if is_off:
        assert events[0].t_s >= 30.0
        assert events[0].detail["declared_hz"] == 64.0


def test_losses_do_not_look_like_a_wrong_rate() -> None:
    assembler = StreamAssembler()
    out = feed(assembler, [(HELLO, UTC0), *bvp_blocks([k for k in range(300) if k % 5])])
    assert {e.what for e in events_of(out)} == {"gap"}
    assert assembler.tracks.measured_rates_hz["bvp"] == pytest.approx(64.0)


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
    out = feed(assembler, sorted(pairs, key=lambda pair: pair[1]))
    return [e for e in out if isinstance(e, StreamEvent) and e.what == Note.STOPPED]


def test_channel_that_stops_while_others_go_on_is_said_once() -> None:
    assembler = StreamAssembler()
    assembler.feed(HELLO, UTC0)
    # EDA until 20 s and again from 36 to 40 s; ACC never.
    eda = [k for k in range(40) if k < 20 or 36 <= k < 40]
    told = [(block(EDA, k, n_samples=4), arrival_utc(EDA, k, n_samples=4)) for k in eda]
    stopped = _stops(assembler, told + bvp_blocks(range(120)))
    assert [(e.channel, round(e.t_s)) for e in stopped] == [("acc", 10), ("eda", 30), ("eda", 50)]
    assert stopped[1].detail["silent_s"] == pytest.approx(10.0, abs=1.1)


def test_silence_of_all_channels_is_not_one_that_stopped() -> None:
    assembler = StreamAssembler()
    assembler.feed(replace(HELLO, channels=(BVP, EDA)), UTC0)
    eda = [k for k in range(60) if not 20 <= k < 45]
    told = [(block(EDA, k, n_samples=4), arrival_utc(EDA, k, n_samples=4)) for k in eda]
    bvp = [k for k in range(120) if not 40 <= k < 90]
    assert _stops(assembler, told + bvp_blocks(bvp)) == []


def test_slow_channel_has_not_stopped() -> None:
    slow = Channel(5, "batt", "V", 0.2, 1.0, 0.0, "i32", 1)
    assembler = StreamAssembler()
    assembler.feed(replace(HELLO, channels=(BVP, slow)), UTC0)
    told = [(block(slow, k, n_samples=2), arrival_utc(slow, k, n_samples=2)) for k in range(12)]
    assert _stops(assembler, told + bvp_blocks(range(240))) == []
