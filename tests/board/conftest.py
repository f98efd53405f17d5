"""Board code: under CPython beside the chips, and on the official MicroPython build."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from firmware_host.protocol.messages import Message
from firmware_host.protocol.parser import MessageParser
from sim.body import Body, SyntheticBody
from sim.micropython.process import run_virtually
from sim.micropython.worn import Hardware
from sim.person import Wearer
from sim.schedule import load_scenario
from tests.board.fake_machine import FakeMachine

REPO = Path(__file__).resolve().parents[2]
BOARD = REPO / "firmware_host" / "board"
RUNNER = REPO / "sim" / "micropython"


class Ticks:
    """The board's counters, which wrap; set by a test."""

    def __init__(self) -> None:
        self.ms = 0

    @property
    def us(self) -> int:
        return self.ms * 1000


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def machine() -> FakeMachine:
    return FakeMachine()


@pytest.fixture
def on_board(
    monkeypatch: pytest.MonkeyPatch, machine: FakeMachine, ticks: Ticks
) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a module of the board as MicroPython would, and forgets it after the test."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BOARD))
    monkeypatch.syspath_prepend(str(REPO / "firmware_host" / "protocol"))
    names = {"const": lambda value: value}
    monkeypatch.setitem(sys.modules, "micropython", SimpleNamespace(**names))
    monkeypatch.setattr(time, "ticks_add", lambda a, b: (a + b) & 0x3FFFFFFF, raising=False)
    half = 1 << 29
    monkeypatch.setattr(
        time,
        "ticks_diff",
        lambda a, b: ((a - b + half) & 0x3FFFFFFF) - half,
        raising=False,
    )
    monkeypatch.setitem(sys.modules, "machine", machine)
    monkeypatch.setattr(time, "ticks_us", lambda: ticks.us & 0x3FFFFFFF, raising=False)
    monkeypatch.setattr(time, "ticks_ms", lambda: ticks.ms & 0x3FFFFFFF, raising=False)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(BOARD)):
            del sys.modules[name]
    sys.modules.pop("frame", None)


class FakeBody:
    """Counts of the moment, set by a test."""

    def __init__(self) -> None:
        self.counts: dict[str, list[int]] = {
            "acc": [1, -2, 32767],
            "gyro": [-32768, 5, 0],
            "bvp": [131072],
            "temp": [-77],
        }
        self.us = 0
        self.worn = True

    def is_worn(self) -> bool:
        return self.worn

    def sample(self, name: str) -> list[int]:
        return self.counts[name]

    def now_us(self) -> int:
        return self.us


@pytest.fixture
def body() -> FakeBody:
    return FakeBody()


@pytest.fixture
def wearer() -> Callable[[], SyntheticBody]:
    """Makes the same body each time, of nine minutes."""

    def make() -> SyntheticBody:
        return SyntheticBody(Wearer(load_scenario("short").lasting(0.15), seed=7))

    return make


class Heard(list[Message]):
    """What the board said, in order."""

    def of(self, kind: type) -> list[Any]:
        return [message for message in self if isinstance(message, kind)]


@pytest.fixture
def spoken(wearer: Callable[[], SyntheticBody]) -> Callable[..., bytes]:
    """Runs the app in virtual time; everything that it sent, with what a prompt says."""

    def run(
        seconds: float,
        *,
        flash: Path | None = None,
        config: dict[str, Any] | None = None,
        body: Body | None = None,
        **has: Any,
    ) -> bytes:
        return run_virtually(
            body or wearer(), Hardware(**has), seconds=seconds, flash=flash, config=config
        )

    return run


@pytest.fixture
def live_words(spoken: Callable[..., bytes]) -> Callable[..., Heard]:
    """The same, only its frames."""

    def run(seconds: float, **has: Any) -> Heard:
        return Heard(MessageParser().feed(spoken(seconds, **has)))

    return run


@pytest.fixture
def live(spoken: Callable[..., bytes]) -> Callable[..., Heard]:
    """The same where nobody comes to the prompt: every byte of it is right."""

    def run(seconds: float, **has: Any) -> Heard:
        parser = MessageParser()
        heard = Heard(parser.feed(spoken(seconds, **has)))
        decoder = parser.decoder
        assert (decoder.bad_frames, decoder.oversize, parser.bad_payloads) == (0, 0, 0)
        assert parser.unknown_kinds == 0
        return heard

    return run
