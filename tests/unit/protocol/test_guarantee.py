"""The Hamming distance of our frames: what of a damaged body is sure to be seen, by computation."""

from __future__ import annotations

import functools
import operator
import random
from binascii import crc32

import pytest

from bench.wire.hamming import flipped, lightest_unseen, remainders
from bench.wire.samples import frames, is_longest
from firmware_host.protocol import frame

MAX_BITS = 8 * frame.MAX_BODY_BYTES
SHOWS_ALL_BELOW_SIX = ()


@pytest.mark.parametrize(
    ("n_bits", "distance"),
    # Koopman's table for this generator: 268 and 2974 bits before the 32 of the CRC.
    [
        (8 * frame.MIN_BODY_BYTES, 6),
        (268 + 32, 6),
        (269 + 32, 5),
        (MAX_BITS, 5),
        (2974 + 32, 5),
        (2975 + 32, 4),
    ],
)
def test_distance_is_what_the_tables_say(n_bits: int, distance: int) -> None:
    found = lightest_unseen(n_bits)
    assert len(found) == distance if distance < 6 else found == SHOWS_ALL_BELOW_SIX


def test_longest_frame_shows_any_four_flips_of_its_body_and_not_any_five() -> None:
    code = frames()["BLOCK, pulse wave"]
    assert is_longest(code)
    body = bytes(frame.cobs_decode(code))
    places = lightest_unseen(8 * len(body))
    assert len(places) == 5
    other = flipped(body, places)
    # The decoder itself cannot tell: the bound is exact.
    assert frame.decode(frame.cobs_encode(other)) is not None
    for left_out in range(5):
        four = places[:left_out] + places[left_out + 1 :]
        assert frame.decode(frame.cobs_encode(flipped(body, four))) is None


def test_remainders_are_what_flips_do_to_the_check_of_the_decoder() -> None:
    rng = random.Random(7)
    body = bytes(frame.cobs_decode(frames()["HELLO"]))
    r = remainders(8 * len(body))
    for _ in range(300):
        places = tuple(rng.sample(range(8 * len(body)), rng.randint(1, 6)))
        damaged = flipped(body, places)
        differs_by = int.from_bytes(damaged[-4:], "little") ^ crc32(damaged[:-4])
        assert differs_by == functools.reduce(operator.xor, (int(r[k]) for k in places))


def test_any_burst_of_up_to_32_bits_of_a_body_shows() -> None:
    """Sampled here, and certain by the generator's degree: a burst is shorter than it."""
    rng = random.Random(8)
    body = bytes(frame.cobs_decode(frames()["BLOCK, pulse wave"]))
    for _ in range(5000):
        width = rng.randint(2, 32)
        start = rng.randrange(8 * len(body) - width)
        places = {start, start + width - 1, *rng.choices(range(start, start + width), k=8)}
        assert frame.decode(frame.cobs_encode(flipped(body, tuple(places)))) is None
