"""Labels and notes of a recording whose clocks were set while it was made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firmware_host.protocol.messages import Block, Button, Event, EventKind, Hello, Message
from firmware_host.recording.frames import MessageEncoder
from firmware_host.recording.labels import Label
from firmware_host.recording.registry import open_recording
from firmware_host.recording.take import Take
from firmware_host.recording.take_reader import TakeReader
from firmware_host.runtime.convert import convert
from firmware_host.runtime.recorder import Recorder
from firmware_host.runtime.takes import take_of
from tests.unit.recording.take_fixtures import CHANNELS, START_UTC, make_take

FORMATS = [".csv", ".edf", ".xdf", ".mcap"]
LASTS_S, STEP_AT_S = 300.0, 150.0
# Pressed while the clock was set, and said by a person before that and after it.
PRESSED = (100.0, 220.0)
EARLY, LATE = (20.0, 60.0), (240.0, 280.0)
NOTED_S, MARKED_S = 50.0, 120.0


def _take() -> Take:
    take = make_take({channel.name: [(0, LASTS_S)] for channel in CHANNELS})
    presses = zip(PRESSED, (Button.STRESS_STARTS, Button.STRESS_ENDS), strict=True)
    events = [(START_UTC + t_s, EventKind.BUTTON, int(which)) for t_s, which in presses]
    events.append((START_UTC + MARKED_S, EventKind.BUTTON, int(Button.PRESS)))
    return replace(take, labels=(), markers=(), events=tuple(events))


def _jumped(message: Message, by_s: float) -> Message:
    if not isinstance(message, Block | Event):
        return message
    ticks_us = (message.ticks_us + round(by_s * 1e6)) % (1 << 32)
    if isinstance(message, Block):
        return message._replace(ticks_us=ticks_us)
    return replace(message, ticks_us=ticks_us)


def _record(path: Path, *, host_step_s: float = 0.0, board_jump_s: float = 0.0) -> Path:
    """A recording as `signet record` makes it; both clocks are set at the same moment."""
    recorder = Recorder(lambda _: path)
    encode = MessageEncoder()

    def host_utc(t_s: float) -> float:
        return START_UTC + t_s + (host_step_s if t_s > STEP_AT_S else 0.0)

    told, noted = [(EARLY, "rest"), (LATE, "stress")], [NOTED_S]
    for utc, message in TakeReader(path, lambda _: _take()).messages():
        t_s = utc - START_UTC
        if told and t_s > told[0][0][1] + 1:
            (start_s, end_s), word = told.pop(0)
            recorder.label(Label(host_utc(start_s), host_utc(end_s), word, "cli"), host_utc(t_s))
        if noted and t_s > noted[0]:
            recorder.mark("tea", host_utc(noted.pop()))
        is_after = t_s > STEP_AT_S
        recorder.feed(encode(_jumped(message, board_jump_s * is_after)), host_utc(t_s))
    recorder.close()
    return path


def _labels(path: Path) -> list[tuple[str, float, float]]:
    take = take_of(open_recording(path), where=path)
    begun_utc = take.start_utc
    return [(x.label, x.t_start_utc - begun_utc, x.t_end_utc - begun_utc) for x in take.labels]


CLOCKS = {
    "host forwards": {"host_step_s": 120.0},
    "host back": {"host_step_s": -90.0},
    "host back beyond the label": {"host_step_s": -5000.0},
    "host forwards by years": {"host_step_s": 3e8},
    "board forwards": {"board_jump_s": 200.0},
    "board back": {"board_jump_s": -100.0},
    "neither": {},
}


@pytest.fixture(scope="module", params=CLOCKS.values(), ids=list(CLOCKS))
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording while which a clock was set."""
    return _record(tmp_path_factory.mktemp("said") / "a.mcap", **request.param)


@pytest.mark.parametrize("suffix", FORMATS)
def test_labels_stay_with_the_samples_and_come_once(
    suffix: str, source: Path, tmp_path: Path
) -> None:
    done = convert(source, tmp_path / f"b{suffix}", report=lambda _: None)
    found = _labels(tmp_path / f"b{suffix}")
    expected = [("rest", *EARLY), ("stress", *PRESSED), ("stress", *LATE)]
    assert [word for word, _, _ in found] == [word for word, _, _ in expected]
    assert np.array([x[1:] for x in found]) == pytest.approx(
        np.array([x[1:] for x in expected]), abs=0.6
    )
    # The copy keeps what was told then; any other file has each label once.
    assert suffix == ".mcap" or done["labels"] == 3


def test_presses_and_notes_move_too(source: Path) -> None:
    take = take_of(open_recording(source), where=source)
    (pressed,) = (x for x in take.labels if x.source == "button")
    presses = [utc for utc, kind, _ in take.events if kind is EventKind.BUTTON]
    assert [pressed.t_start_utc, MARKED_S + take.start_utc, pressed.t_end_utc] == pytest.approx(
        presses, abs=0.6
    )
    assert pressed.t_end_utc == presses[-1]
    (tea,) = (utc for utc, text in take.markers if text == "tea")
    assert tea - take.start_utc == pytest.approx(NOTED_S, abs=0.6)


def test_press_in_an_e4_archive_is_where_the_samples_are(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "b.zip", report=lambda _: None)
    take = take_of(open_recording(tmp_path / "b.zip"), where="b.zip")
    presses = [e[0] - take.start_utc for e in take.events if e[1] is EventKind.BUTTON]
    assert presses == pytest.approx([MARKED_S], abs=0.6)


def test_reboot_within_a_label_ends_it_unsaid(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    recorder, encode = Recorder(lambda _: path), MessageEncoder()
    for utc, message in TakeReader(path, lambda _: _take()).messages():
        t_s = utc - START_UTC
        if isinstance(message, Hello):
            hello = message
        elif t_s > STEP_AT_S:
            if hello is not None:
                recorder.feed(encode(replace(hello, session=hello.session ^ 1)), utc)
                hello = None
            ticks_us = message.ticks_us - round(STEP_AT_S * 1e6)
            changes = {"session": message.session ^ 1, "ticks_us": max(ticks_us, 0)}
            is_block = isinstance(message, Block)
            later = message._replace(**changes) if is_block else replace(message, **changes)
            recorder.feed(encode(later), utc)
            continue
        recorder.feed(encode(message), utc)
    recorder.close()
    assert recorder.n_labels == 0
    assert _labels(path) == []
