"""The app fits into the heap of the smallest board, with the ring that its table says."""

from __future__ import annotations

import re

import pytest

from sim.micropython.memory import heap_bytes
from tests.board.conftest import REPO

_TOLD = re.compile(r"takes (\d+) kB of heap, with a ring of 32 KiB (\d+) kB, of 64 KiB (\d+) kB")
pytestmark = pytest.mark.needs_node

# A Pico's, with MicroPython on it; what compiling a file takes for a moment must fit in too.
PICO_HEAP_BYTES = 190_000


def test_half_of_a_picos_heap_is_left_beside_the_app() -> None:
    bare, small, large, largest = (heap_bytes(ring_kib) for ring_kib in (None, 0, 32, 64))
    assert 40_000 < small - bare < 90_000
    # The ring, and what says which frame lies where in it.
    assert 32 * 1024 < large - small < 1.25 * 32 * 1024
    assert large - bare < 0.65 * PICO_HEAP_BYTES
    told = _TOLD.search((REPO / "docs/boards.md").read_text("utf-8"))
    assert told is not None
    for kb, used in zip(told.groups(), (small, large, largest), strict=True):
        # A line of code more is no reason to change the page.
        assert int(kb) == pytest.approx((used - bare) / 1000, abs=1.5)
