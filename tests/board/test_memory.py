"""The app fits into the heap of the smallest board, with the ring that its table says."""

from __future__ import annotations

import pytest

from sim.micropython.memory import heap_bytes

pytestmark = pytest.mark.needs_node

# A Pico's, with MicroPython on it; what compiling a file takes for a moment must fit in too.
PICO_HEAP_BYTES = 190_000


def test_half_of_a_picos_heap_is_left_beside_the_app() -> None:
    bare, small, large = (heap_bytes(ring_kib) for ring_kib in (None, 0, 32))
    assert 40_000 < small - bare < 90_000
    # The ring, and what says which frame lies where in it.
    assert 32 * 1024 < large - small < 1.25 * 32 * 1024
    assert large - bare < 0.65 * PICO_HEAP_BYTES
