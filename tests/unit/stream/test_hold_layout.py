"""A board that changes a rate while blocks wait: nothing is mixed up, nothing is taken for a loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.samples import Note, Samples, StreamEvent
from tests.unit.stream.outages import RING, Out, live_blocks, notes_of
from tests.unit.stream.streams import ACC, BVP, EDA, HELLO, UTC0, block


def test_rate_that_changes_keeps_new_and_old_blocks_apart() -> None:
    """HELLO lost: blocks of the new number are not read at the old rate, and are counted."""
    faster = replace(ACC, stream=9, rate_hz=100.0)
    assembler = StreamAssembler()
    assembler.feed(RING, UTC0)
    for message, utc in live_blocks(ACC, range(10)):
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
    for message, utc in live_blocks(ACC, range(10)):
        assembler.feed(message, utc)
    assembler.feed(replace(HELLO, channels=(BVP, EDA, faster), ticks_us=5_400_000), UTC0 + 5.4)
    out = assembler.feed(block(faster, 1, n_samples=30, first_us=5_000_000), UTC0 + 5.6)
    (gap,) = notes_of(out, Note.GAP)
    assert gap.detail == {"missing_samples": 30, "lost_frames": 1}
    assert isinstance(out[-1], Samples)
    assert out[-1].gap_before_samples == 30


def test_new_rate_is_not_called_off_and_no_gap_is_seen() -> None:
    faster = replace(ACC, stream=9, rate_hz=100.0)
    hello = replace(RING, channels=(ACC,))
    assembler = StreamAssembler()
    out: Out = assembler.feed(hello, UTC0)
    for message, utc in live_blocks(ACC, range(120)):
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
