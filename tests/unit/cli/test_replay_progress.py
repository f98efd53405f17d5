"""How far a replay is, beside what it prints."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from firmware_host.cli.replay import Progress
from firmware_host.cli.streaming import EventPrinter
from firmware_host.events import StreamNoted


@dataclass
class Bar:
    shown: list[tuple[float, str]] = field(default_factory=list)
    n_cleared: int = 0

    def __call__(self, share: float, words: str = "") -> None:
        self.shown.append((share, words))

    def clear(self) -> None:
        self.n_cleared += 1


@dataclass
class Played:
    n_played: float = 0.0
    rounds: int | None = 1


def _progress(bar: Bar, times: list[float]) -> Progress:
    return Progress(bar, EventPrinter(as_json=True), monotonic=lambda: times.pop(0))


def test_share_and_time_left_are_shown_now_and_then() -> None:
    bar = Bar()
    progress = _progress(bar, [0.0, 0.1, 30.0, 30.1, 60.0])
    assert not progress.show(Played(0.1))
    assert not progress.show(Played(0.25))
    assert not progress.show(Played(0.26))
    assert not progress.show(Played(0.5))
    assert bar.shown == [(0.25, "00:01:30 left"), (0.5, "00:01:00 left")]


def test_rounds_are_numbered_and_endless_ones_have_no_end() -> None:
    bar = Bar()
    progress = _progress(bar, [0.0, 10.0, 20.0])
    progress.show(Played(1.5, rounds=3))
    progress.show(Played(7.25, rounds=None))
    assert bar.shown == [(0.5, "00:00:10 left round 2"), (0.25, "round 8")]


def test_event_takes_the_place_of_the_bar(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Bar()
    _progress(bar, [0.0]).emit(StreamNoted(1.0, 2.0, "gap"))
    assert bar.n_cleared == 1
    assert '"what":"gap"' in capsys.readouterr().out
