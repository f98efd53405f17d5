"""Garbage is collected where no sample is due, if it can be."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

PERIOD_US = 10_000


@pytest.fixture
def streaming(on_board, monkeypatch):
    """Runs the app's loop at 100 Hz on a clock of its own; how late each sample was, and when was collected."""
    clock = SimpleNamespace(us=0)
    monkeypatch.setattr(
        time, "sleep_ms", lambda ms: setattr(clock, "us", clock.us + 1000 * ms), raising=False
    )
    monkeypatch.setattr(time, "ticks_us", lambda: clock.us & 0x3FFFFFFF)
    monkeypatch.setattr(time, "ticks_ms", lambda: clock.us // 1000 & 0x3FFFFFFF)
    app = on_board("app")

    def run(seconds: float, gc_us: int) -> tuple[list[int], list[int]]:
        late_us, collected_us = [], []

        def collect() -> None:
            collected_us.append(clock.us)
            clock.us += gc_us

        monkeypatch.setattr(app.gc, "collect", collect)

        class Board:
            _due = 0
            _talk_ms = _tidied_ms = 0
            _tidy_us = gc_us + 2000
            step = app.Board.step

            def __init__(self) -> None:
                self.clock = self

            def tick(self) -> int:
                clock.us += 50
                return clock.us

            def sample(self, now: int) -> None:
                late_us.append(now - self._due)
                self._due += PERIOD_US
                clock.us += 1500

            def _look_around(self, _: int) -> None:
                clock.us += 1000

        board = Board()
        while clock.us < seconds * 1e6:
            board.step()
        return late_us, collected_us

    return run


def test_short_collections_cost_no_sample(streaming) -> None:
    late_us, collected_us = streaming(20.0, gc_us=5000)
    assert len(collected_us) == pytest.approx(20, abs=1)
    assert max(late_us) < PERIOD_US / 2


def test_a_collection_that_never_fits_is_left_to_the_interpreter(streaming) -> None:
    late_us, collected_us = streaming(20.0, gc_us=60_000)
    assert collected_us == []
    assert len(late_us) == pytest.approx(2000, abs=1)
