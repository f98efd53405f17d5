"""Faults of sensors, clocks, power and the host, and the account of what arrived."""

from __future__ import annotations

import math

import numpy as np
import pytest

from firmware_host.protocol.messages import Block, Event, EventKind, Hello
from firmware_host.protocol.parser import MessageParser
from sim.bad_sensors import TroubledBody
from sim.board import VirtualBoard
from sim.body import SyntheticBody
from sim.fault_plan import FaultPlan, build_faults, parse_fault_spec
from sim.faults import FaultyBoard
from sim.person import Wearer
from sim.schedule import load_scenario

SECONDS = 180


def _body() -> SyntheticBody:
    return SyntheticBody(Wearer(load_scenario("short").lasting(SECONDS / 3600), seed=3))


def _device(plan: FaultPlan, *, ring_bytes: int = 0) -> FaultyBoard:
    body = TroubledBody(_body(), plan, seed=3)
    return FaultyBoard(VirtualBoard(body, seed=3, ring_bytes=ring_bytes), plan, seed=3)


def _run(device: FaultyBoard, step_s: float = 1.0) -> bytes:
    out, t_s = bytearray(), 0.0
    while not device.finished:
        t_s += step_s
        out += device.advance(t_s)
    return bytes(out)


def _samples(data: bytes, stream: int, dtype: str) -> np.ndarray:
    blocks = [m for m in MessageParser().feed(data) if isinstance(m, Block) and m.stream == stream]
    return np.concatenate([np.frombuffer(b.data, dtype) for b in blocks])


EVERYTHING = load_scenario("everything").faults


@pytest.mark.parametrize("step_s", [0.23, 2.9, 400.0])
def test_no_fault_depends_on_the_steps(step_s: float) -> None:
    one, other = _device(EVERYTHING), _device(EVERYTHING)
    assert _run(one) == _run(other, step_s)
    assert one.counters == other.counters
    assert one.account is not None
    assert other.account is not None
    assert one.account.counts == other.account.counts
    assert one.struck == other.struck


def test_account_counts_what_the_decoder_counts() -> None:
    device = _device(EVERYTHING)
    parser = MessageParser()
    messages = parser.feed(_run(device))
    assert device.account is not None
    counts, decoder = device.account.counts, parser.decoder
    assert (counts.frames, counts.bad_frames) == (decoder.frames, decoder.bad_frames)
    assert (counts.oversize, counts.skipped_bytes) == (decoder.oversize, decoder.skipped_bytes)
    assert device.account.n_messages == len(messages)
    assert counts.bad_frames > 0


def test_account_knows_every_hole_to_the_sample() -> None:
    device = _device(parse_fault_spec("unplug=60:20"))
    _run(device)
    assert device.account is not None
    for name, rate_hz in (("bvp", 64), ("eda", 4), ("acc", 50)):
        channel = device.account.channels[name]
        (hole,) = channel.holes
        assert hole.n_samples == channel.missing_samples == 20 * rate_hz
        assert hole.sample_idx == pytest.approx(60 * rate_hz, abs=rate_hz)
        assert channel.samples == (SECONDS - 20) * rate_hz == channel.sent_samples - 20 * rate_hz


def test_reordered_frames_all_arrive_and_are_late() -> None:
    device = _device(parse_fault_spec("reorder=0.1"))
    clean = MessageParser().feed(_run(_device(FaultPlan())))
    mixed = MessageParser().feed(_run(device))
    assert mixed != clean
    assert sorted(map(repr, mixed)) == sorted(map(repr, clean))
    assert device.account is not None
    late = sum(channel.late_blocks for channel in device.account.channels.values())
    assert 0 < late <= device.counters.reordered_frames


def test_slow_host_makes_the_board_drop_whole_frames() -> None:
    device = _device(build_faults([{"kind": "slow_host", "at_s": 30, "for_s": 20}]))
    parser = MessageParser()
    before = device.advance(30.0)
    assert device.advance(49.9) == b""
    parser.feed(before + _run(device))
    assert parser.decoder.bad_frames == 0
    assert device.board.counters.dropped_frames > 100
    assert device.account is not None
    dropped = sum(channel.board_dropped for channel in device.account.channels.values())
    assert 0 < dropped <= device.board.counters.dropped_frames


def test_brown_out_is_resets_in_a_row_and_garbage() -> None:
    rows = [{"kind": "brown_out", "at_s": 70, "resets": 4, "apart_s": 3, "garbage_bytes": 50}]
    device = _device(build_faults(rows))
    messages = MessageParser().feed(_run(device))
    assert device.board.counters.reboots == device.counters.brown_out_resets == 4
    assert device.counters.garbage_bytes == 200
    assert len({m.session for m in messages if isinstance(m, Hello)}) == 5
    battery = [m.value for m in messages if isinstance(m, Event) and m.kind is EventKind.BATTERY]
    # As of the boot, and again after each of the four that follow.
    assert battery == [98, 5, 3, 1, 1, 1, 1, 1]


def test_clock_jump_moves_ticks_and_the_hosts_clock_and_no_sample() -> None:
    rows = [{"kind": "clock_jump", "at_s": 60, "board_jump_s": 500, "host_step_s": -30}]
    device = _device(build_faults(rows))
    blocks = [m for m in MessageParser().feed(_run(device)) if isinstance(m, Block)]
    eda = [(b.ticks_us, b.sample_idx) for b in blocks if b.stream == 1]
    steps_us = np.diff([ticks for ticks, _ in eda])
    assert sorted(set(steps_us.tolist())) == [1_000_000, 501_000_000]
    assert set(np.diff([idx for _, idx in eda]).tolist()) == {4}
    assert device.host_step_s == -30.0


def test_drift_changes_how_much_comes_in_a_true_second() -> None:
    device = _device(build_faults([{"kind": "drift", "drift_ppm": 1000}]))
    device.advance(170.0)
    assert device.account is not None
    assert device.account.channels["bvp"].sent_samples >= 64 * 170.0
    assert device.dark_until_s is None


def test_saturation_clips_and_counts_every_sample() -> None:
    rows = [
        {"kind": "saturation", "at_s": 50, "for_s": 30, "channel": "temp", "gain": 50},
        {"kind": "saturation", "at_s": 50, "for_s": 30, "channel": "eda", "gain": 1000},
    ]
    plan = build_faults(rows)
    body = TroubledBody(_body(), plan, seed=3)
    temp, clean = body.read("temp", 4 * SECONDS), _body().read("temp", 4 * SECONDS)
    eda = body.read("eda", 4 * SECONDS)
    assert (temp[200:320] == 2**15 - 1).all() == (clean[200:320] * 50 > 2**15).all()
    assert (eda[200:320] == 2**16 - 1).all()
    assert (temp[:200] == clean[:200]).all()
    assert (temp[320:] == clean[320:]).all()
    assert body.counts["saturation", "eda"] == 120
    assert body.counts["saturation", "bvp"] == 0


def test_off_skin_is_air_on_the_sensors_and_an_event_for_the_whole_band() -> None:
    plan = build_faults([{"kind": "off_skin", "at_s": 60, "for_s": 60}])
    device = _device(plan)
    data = _run(device)
    eda, temp = _samples(data, 1, "<u2"), _samples(data, 2, "<i2") * 0.0078125
    assert (eda[240:480] == 0).all()
    assert (eda[:240] > 0).all()
    assert temp[479] == pytest.approx(22.0 + (temp[480] - 22.0) * math.exp(-1), abs=0.5)
    events = [m for m in MessageParser().feed(data) if isinstance(m, Event)]
    contact = [(e.ticks_us, e.value) for e in events if e.kind is EventKind.WEAR]
    assert contact == [(0, 1), (60_000_000, 0), (120_000_000, 1)]


def test_one_sensor_off_the_skin_is_no_event() -> None:
    plan = build_faults([{"kind": "off_skin", "at_s": 60, "for_s": 60, "channel": "eda"}])
    body = TroubledBody(_body(), plan, seed=3)
    assert body.events() == _body().events()
    assert (body.read("bvp", 64 * SECONDS) == _body().read("bvp", 64 * SECONDS)).all()
    assert (body.read("eda", 4 * SECONDS)[240:480] == 0).all()
