"""Damaged lines never give a frame that nobody sent; all of it, in minutes: ``make proof-wire``."""

from __future__ import annotations

from itertools import chain
from random import Random

import pytest

from bench.wire import damage
from bench.wire.samples import frames, is_longest, simulated_frames
from firmware_host.protocol import frame

CODED = frames()
LINES = {name: damage.line(code) for name, code in CODED.items()}
LONGEST = [name for name, code in CODED.items() if is_longest(code)]
SHORT = [name for name, code in CODED.items() if len(code) < 40]


def test_frames_are_of_every_kind_and_of_the_greatest_length() -> None:
    assert {line.sent[1][0] for line in LINES.values()} == set(range(frame.HELLO, frame.ACK + 1))
    assert len(LONGEST) == 4
    for line in LINES.values():
        assert len(line.sent) == 3
        assert line.wire[line.start] == line.wire[line.end - 1] == 0


@pytest.mark.parametrize("name", CODED)
def test_every_flip_of_one_bit_costs_a_frame_and_gives_none(name: str) -> None:
    line = LINES[name]
    count = damage.judge(line.sent, damage.flips(line, 1))
    assert count.tried == 8 * (len(CODED[name]) + 2)
    assert count.wrong == []
    assert count.lost == count.tried


@pytest.mark.parametrize("name", SHORT)
def test_every_flip_of_two_bits_of_a_short_frame_costs_a_frame_and_gives_none(name: str) -> None:
    line = LINES[name]
    count = damage.judge(line.sent, damage.flips(line, 2))
    n_bits = 8 * (len(CODED[name]) + 2)
    assert count.tried == n_bits * (n_bits - 1) // 2
    assert count.wrong == []
    assert count.lost == count.tried


@pytest.mark.parametrize("name", LONGEST)
@pytest.mark.parametrize("n_flips", [2, 3, 4, 6])
def test_some_flips_of_the_longest_frames_cost_a_frame_and_give_none(
    name: str, n_flips: int
) -> None:
    line = LINES[name]
    count = damage.judge(line.sent, damage.some_flips(line, n_flips, 5000, Random(n_flips)))
    assert count.wrong == []
    assert count.lost == count.tried == 5000


@pytest.mark.parametrize("name", ["CMD", "BLOCK, pulse wave", "BLOCK, all zeros"])
def test_other_damage_gives_no_frame_that_nobody_sent(name: str) -> None:
    line, rng = LINES[name], Random(3)
    of_every_kind = chain(
        damage.bursts(line, 3, rng),
        damage.swaps(line),
        list(damage.cuts(line))[::7],
        list(damage.repeats(line))[::7],
        list(damage.insertions(line, 8, rng))[::7],
        list(damage.changed_bytes(line))[::7],
    )
    count = damage.judge(line.sent, of_every_kind)
    assert count.wrong == []
    assert count.lost > 0.9 * count.tried > 1000


def test_every_flip_in_the_frames_of_a_simulated_wearer_costs_a_frame_and_gives_none() -> None:
    codes = simulated_frames(3.0)
    assert len(codes) > 10
    for line in map(damage.line, codes):
        count = damage.judge(line.sent, damage.flips(line, 1))
        assert count.wrong == []
        assert count.lost == count.tried


def test_frames_run_together_give_neither_of_them() -> None:
    first, second = CODED["BLOCK, pulse wave"], CODED["BLOCK, no zero"]
    sent = LINES["BLOCK, pulse wave"].sent + LINES["BLOCK, no zero"].sent
    count = damage.judge(sent, list(damage.splices(first, second))[::5])
    assert count.wrong == []
    assert count.lost == count.tried > 10_000


def test_a_wrong_frame_would_be_seen() -> None:
    """The judge is no rubber stamp: a right frame of another number, and one that comes twice."""
    line = LINES["PING"]
    other = frame.encode(frame.PING, 0, 0, 99, 0, 0, b"\x01\x02\x03\x04")
    count = damage.judge(line.sent, [line.wire + other, line.wire + line.wire, line.wire])
    assert (count.tried, len(count.wrong), count.repeated, count.as_sent) == (3, 1, 1, 1)
