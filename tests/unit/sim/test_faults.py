from __future__ import annotations

import numpy as np
import pytest

from firmware_host.protocol.messages import Block, Hello
from firmware_host.protocol.parser import MessageParser
from sim.bad_line import short_pieces
from sim.board import VirtualBoard
from sim.body import SyntheticBody
from sim.fault_plan import parse_fault_spec
from sim.faults import FaultyBoard
from sim.person import Wearer
from sim.schedule import load_scenario


def _board() -> VirtualBoard:
    schedule = load_scenario("short").lasting(0.05)
    return VirtualBoard(SyntheticBody(Wearer(schedule, seed=3)), seed=3)


def _run(spec: str, *, step_s: float = 1.0, seed: int = 1) -> tuple[bytes, FaultyBoard]:
    device = FaultyBoard(_board(), parse_fault_spec(spec), seed=seed)
    out, t_s = bytearray(), 0.0
    while not device.finished:
        t_s += step_s
        out += device.advance(t_s)
    return bytes(out), device


CLEAN = _board().advance(1e6)
ALL = "corrupt=5e-4,drop=1e-4,duplicate=1e-4,stall=20:5,unplug=60:10,reboot=100:2"


@pytest.mark.parametrize("step_s", [0.11, 3.7, 500.0])
def test_faults_do_not_depend_on_the_steps(step_s: float) -> None:
    data, device = _run(ALL, step_s=step_s)
    reference, other = _run(ALL, step_s=1.0)
    assert data == reference
    assert device.counters == other.counters


def test_no_plan_leaves_every_byte_alone() -> None:
    data, device = _run("")
    assert data == CLEAN
    assert device.counters.as_text() == "none"


def test_flips_are_counted_exactly() -> None:
    data, device = _run("corrupt=1e-3")
    a, b = (np.frombuffer(x, np.uint8) for x in (CLEAN, data))
    changed = np.flatnonzero(a != b)
    assert len(changed) == device.counters.flipped_bytes > 20
    assert all(int(x).bit_count() == 1 for x in (a ^ b)[changed])


def test_drops_are_counted_exactly() -> None:
    data, device = _run("drop=2e-4")
    assert device.counters.dropped_runs > 5
    assert len(CLEAN) - len(data) == device.counters.dropped_bytes


def test_duplicates_are_counted_exactly() -> None:
    data, device = _run("duplicate=2e-4")
    assert device.counters.duplicated_runs > 5
    assert len(data) - len(CLEAN) == device.counters.duplicated_bytes


def test_decoder_survives_and_notices_flips() -> None:
    data, device = _run("corrupt=2e-4")
    parser = MessageParser()
    parser.feed(data)
    assert 0 < parser.decoder.bad_frames <= 2 * device.counters.flipped_bytes
    assert parser.bad_payloads == 0


def test_stall_delivers_everything_late() -> None:
    device = FaultyBoard(_board(), parse_fault_spec("stall=10:5"), seed=1)
    before = device.advance(10.0)
    assert device.advance(14.9) == b""
    after = device.advance(1e6)
    assert before + after == CLEAN
    assert device.counters.stalls == 1


def test_unplug_loses_what_the_board_says_and_what_it_is_told() -> None:
    device = FaultyBoard(_board(), parse_fault_spec("unplug=10:5"), seed=1)
    before = device.advance(12.0)
    assert device.unplugged
    device.receive(b"anything")
    after = device.advance(1e6)
    assert not device.unplugged
    assert len(before) + len(after) + device.counters.unplugged_bytes == len(CLEAN)
    assert before == _board().advance(10.0)


def test_reboot_changes_the_session() -> None:
    data, device = _run("reboot=30:3,reboot=90")
    sessions = [m.session for m in MessageParser().feed(data) if isinstance(m, Hello)]
    assert len(set(sessions)) == 3
    assert device.counters.reboots == 2


def test_blocks_after_a_drop_show_the_gap_in_samples() -> None:
    data, _ = _run("drop=2e-4")
    blocks = [m for m in MessageParser().feed(data) if isinstance(m, Block) and m.stream == 0]
    steps = np.diff([b.sample_idx for b in blocks])
    assert (steps % 32 == 0).all()
    assert steps.max() > 32


def test_short_reads_keep_every_byte() -> None:
    pieces = short_pieces(CLEAN[:1001], 16)
    assert b"".join(pieces) == CLEAN[:1001]
    assert max(map(len, pieces)) == 16
    assert short_pieces(b"", 16) == []
    assert short_pieces(b"abc", 0) == [b"abc"]
