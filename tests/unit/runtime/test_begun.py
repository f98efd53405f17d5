"""A recording that an error ends before anything that was asked for came is taken away; any other stays."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from firmware_host.config import Recording
from firmware_host.errors import ConfigError, LinkTimeout, SignetError, StreamSilent
from firmware_host.protocol.encode import encode_block, encode_event, encode_hello
from firmware_host.protocol.messages import Block, Button, Channel, Event, EventKind, Hello, Message
from firmware_host.recording.mcap_file import McapReader
from firmware_host.runtime.begun import Begun
from firmware_host.runtime.recorder import Recorder
from firmware_host.runtime.tap import recording_tap

UTC0 = 1.7e9
RATES = {"eda": 8.0}


def _hello(rate_hz: float) -> Hello:
    return Hello(1, "b", "f", (Channel(2, "eda", "uS", rate_hz, 0.001, 0.0, "u16", 1),))


def _block(n: int) -> Block:
    return Block(1, 2, n, n * 1_000_000, 0, 4 * n, struct.pack("<4H", *([n] * 4)))


@contextmanager
def _tapped(path: Path) -> Iterator[Callable[[Message, float], None]]:
    with recording_tap(path, Recording(), lambda _: None, RATES) as tap:
        assert tap is not None
        yield lambda message, utc: tap.message(message, utc, None)


@contextmanager
def _recorded(path: Path) -> Iterator[Callable[[Message, float], None]]:
    with Recorder(lambda _: path, begun=Begun(RATES)) as recorder:

        def feed(message: Message, utc: float) -> None:
            if isinstance(message, Hello):
                recorder.feed(encode_hello(message, seq=0, ticks_us=0), utc)
            elif isinstance(message, Block):
                recorder.feed(encode_block(message), utc)
            elif isinstance(message, Event):
                recorder.feed(encode_event(message), utc)

        yield feed


WAYS = (_tapped, _recorded)
REFUSED = (ConfigError("rates", "another", "8"), LinkTimeout("the board did not answer"))


@pytest.mark.parametrize("error", [*REFUSED, KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("way", WAYS)
def test_what_came_at_the_rates_of_before_does_not_stay(
    tmp_path: Path, way: Callable[[Path], object], error: BaseException
) -> None:
    with pytest.raises(type(error)), way(tmp_path / "a.mcap") as take:
        take(_hello(4.0), UTC0)
        for n in range(20):
            take(_block(n), UTC0 + n)
        assert (tmp_path / "a.mcap").exists()
        raise error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("way", WAYS)
def test_refusal_after_samples_at_the_wanted_rates_keeps_them(
    tmp_path: Path, way: Callable[[Path], object]
) -> None:
    """A board that was swapped an hour later, and cannot do the rate."""
    path = tmp_path / "a.mcap"
    with pytest.raises(SignetError), way(path) as take:
        take(_hello(8.0), UTC0)
        take(_block(0), UTC0 + 1)
        take(_hello(4.0), UTC0 + 2)
        raise REFUSED[0]
    assert len(list(McapReader(path).messages())) == 3


@pytest.mark.parametrize("way", WAYS)
def test_board_that_has_the_rates_but_never_sends_leaves_nothing(
    tmp_path: Path, way: Callable[[Path], object]
) -> None:
    with pytest.raises(SignetError), way(tmp_path / "a.mcap") as take:
        take(_hello(8.0), UTC0)
        raise REFUSED[1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("way", WAYS)
def test_silence_is_worth_keeping(tmp_path: Path, way: Callable[[Path], object]) -> None:
    path = tmp_path / "a.mcap"
    with pytest.raises(StreamSilent), way(path) as take:
        take(_hello(8.0), UTC0)
        raise StreamSilent("no samples for 20 s")
    assert len(list(McapReader(path).messages())) == 1


@pytest.mark.parametrize("way", WAYS)
def test_press_of_the_button_is_kept(tmp_path: Path, way: Callable[[Path], object]) -> None:
    path = tmp_path / "a.mcap"
    press = Event(1, 5, EventKind.BUTTON, Button.STRESS_STARTS)
    with pytest.raises(SignetError), way(path) as take:
        take(_hello(4.0), UTC0)
        take(press, UTC0 + 1)
        raise REFUSED[0]
    assert [m for _, m in McapReader(path).messages()][1] == press


def test_what_somebody_said_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    with pytest.raises(SignetError), Recorder(lambda _: path, begun=Begun(RATES)) as recorder:
        recorder.feed(encode_hello(_hello(4.0), seq=0, ticks_us=0), UTC0)
        recorder.mark("put it on", UTC0 + 1)
        raise REFUSED[0]
    assert McapReader(path).markers() == [(UTC0 + 1, "put it on")]


def test_run_that_ended_before_there_was_a_board_leaves_nothing(tmp_path: Path) -> None:
    with _tapped(tmp_path / "a.mcap"):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("way", WAYS)
def test_recording_that_nobody_broke_off_stays_whatever_its_rates(
    tmp_path: Path, way: Callable[[Path], object]
) -> None:
    path = tmp_path / "a.mcap"
    with way(path) as take:
        take(_hello(4.0), UTC0)
        take(_block(0), UTC0 + 1)
    assert len(list(McapReader(path).messages())) == 2
