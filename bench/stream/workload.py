"""What every decoder is given: the same samples, in blocks that each protocol frames its own way.

Standard library only: the peers' environment reads it too.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

# Half a second of three axes at 48 Hz in 16 bits, as a motion sensor sends them.
N_SAMPLES, N_AXES = 24, 3
BLOCK_BYTES = 2 * N_SAMPLES * N_AXES
RATE_HZ = 48.0
STREAM, SESSION = 3, 7
# As much as a host's read gives under load.
_READ_BYTES = 2048
# One block in so many is never sent: whoever counts losses must find exactly these.
_LOST_EVERY = 997


def blocks(n: int) -> Iterator[tuple[int, bytes]]:
    """(number, samples) of the blocks that are sent, of `n` that were made."""
    rng = random.Random(5)
    for number in range(n):
        data = rng.randbytes(BLOCK_BYTES)
        if not is_lost(number):
            yield number, data


def is_lost(number: int) -> bool:
    """Whether a block is left out."""
    return number % _LOST_EVERY == _LOST_EVERY - 1


def n_lost(n: int) -> int:
    """How many of `n` blocks are left out and followed by another one."""
    return sum(map(is_lost, range(n - 1)))


def reads(wire: bytes) -> Iterator[bytes]:
    """The stream in pieces, as from a port."""
    for start in range(0, len(wire), _READ_BYTES):
        yield wire[start : start + _READ_BYTES]
