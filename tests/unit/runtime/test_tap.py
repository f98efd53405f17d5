"""A recording beside a run, on a disk without room."""

from __future__ import annotations

import errno
import os
import random
import struct
from pathlib import Path

import pytest

from firmware_host.config import Recording
from firmware_host.errors import StorageError
from firmware_host.events import AnyEvent, Labelled, StreamNoted
from firmware_host.protocol.messages import Block, Channel, Hello
from firmware_host.recording.append_file import AppendFile
from firmware_host.recording.mcap_file import McapReader
from firmware_host.runtime import tap as tap_module
from firmware_host.runtime.tap import Tap, recording_tap

UTC0 = 1.7e9
EDA = Channel(2, "eda", "uS", 4.0, 0.001, 0.0, "u16", 1)
HELLO = Hello(1, "b", "f", (EDA,))


class _Disk:
    """Whether there is room; files are made in any case, as on most file systems."""

    def __init__(self) -> None:
        self.is_full = False


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> _Disk:
    state, write = _Disk(), AppendFile._write

    def fill(self: AppendFile, data: memoryview) -> int:
        if state.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, data)

    monkeypatch.setattr(AppendFile, "_write", fill)
    return state


def _block(n: int) -> Block:
    return Block(1, 2, n % 65536, n * 1_000_000, 0, 4 * n, struct.pack("<4H", *([n % 65536] * 4)))


def _stream(tap: Tap, first: int, last: int) -> None:
    for n in range(first, last):
        tap.message(_block(n), UTC0 + n, None)


def _indices(*files: Path) -> list[int]:
    messages = [message for file in files for _, message in McapReader(file).messages()]
    return [message.sample_idx // 4 for message in messages if isinstance(message, Block)]


def test_short_time_without_room_costs_nothing(
    tmp_path: Path, disk: _Disk, caplog: pytest.LogCaptureFixture
) -> None:
    said: list[AnyEvent] = []
    with recording_tap(tmp_path / "a.mcap", Recording(), said.append) as tap:
        assert tap is not None
        tap.message(HELLO, UTC0, None)
        _stream(tap, 0, 100)
        disk.is_full = True
        _stream(tap, 100, 200)
        tap.event(Labelled(199.0, UTC0 + 199, "stress", UTC0 + 150, UTC0 + 190, "button"))
        disk.is_full = False
        _stream(tap, 200, 300)
    tap.complain()
    stopped, resumed = said
    assert isinstance(stopped, StreamNoted)
    assert isinstance(resumed, StreamNoted)
    assert (stopped.what, stopped.detail) == ("recording_stopped", {"why": "disk"})
    assert 99 <= stopped.utc - UTC0 <= 102
    assert resumed.what == "recording_resumed"
    assert resumed.detail == {"lost_messages": 0, "file": "a.part1.mcap"}
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["a.mcap", "a.part1.mcap"]
    assert _indices(*files) == list(range(300))
    assert [label.label for label in McapReader(files[1]).labels()] == ["stress"]
    assert "No space left on device" in caplog.text
    assert "the run goes on" in caplog.text


def test_long_time_without_room_is_counted_and_marked(
    tmp_path: Path, disk: _Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tap_module, "_MOST_WAITING", 50)
    said: list[AnyEvent] = []
    with recording_tap(tmp_path / "a.mcap", Recording(), said.append) as tap:
        assert tap is not None
        tap.message(HELLO, UTC0, None)
        _stream(tap, 0, 100)
        disk.is_full = True
        _stream(tap, 100, 300)
        disk.is_full = False
        _stream(tap, 300, 400)
    resumed = said[-1]
    assert isinstance(resumed, StreamNoted)
    lost = int(resumed.detail["lost_messages"])
    files = sorted(tmp_path.iterdir())
    kept = _indices(*files)
    assert len(kept) + lost == 400
    assert 100 < lost < 200
    assert kept == sorted(set(kept))
    assert McapReader(files[1]).markers()[0][1] == f"recording_resumed lost_messages {lost}"


def test_disk_that_stays_full_is_an_error_in_the_end_and_leaves_no_empty_file(
    tmp_path: Path, disk: _Disk
) -> None:
    said: list[AnyEvent] = []
    with recording_tap(tmp_path / "a.mcap", Recording(), said.append) as tap:
        assert tap is not None
        tap.message(HELLO, UTC0, None)
        _stream(tap, 0, 100)
        disk.is_full = True
        _stream(tap, 100, 200)
    with pytest.raises(StorageError, match="No space left on device"):
        tap.complain()
    assert [event.what for event in said if isinstance(event, StreamNoted)] == ["recording_stopped"]
    assert [file.name for file in tmp_path.iterdir()] == ["a.mcap"]
    assert _indices(tmp_path / "a.mcap") == list(range(len(_indices(tmp_path / "a.mcap"))))
    assert len(_indices(tmp_path / "a.mcap")) > 95


def test_room_that_comes_with_the_end_is_used(tmp_path: Path, disk: _Disk) -> None:
    with recording_tap(tmp_path / "a.mcap", Recording(), lambda _: None) as tap:
        assert tap is not None
        tap.message(HELLO, UTC0, None)
        _stream(tap, 0, 50)
        disk.is_full = True
        _stream(tap, 50, 54)
        disk.is_full = False
    tap.complain()
    assert _indices(*sorted(tmp_path.iterdir())) == list(range(54))


def test_no_room_from_the_start_is_an_error_at_once(tmp_path: Path, disk: _Disk) -> None:
    disk.is_full = True
    with (
        pytest.raises(StorageError, match="No space left"),
        recording_tap(tmp_path / "a.mcap", Recording(), lambda _: None),
    ):
        pytest.fail("expected no run without its recording")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", range(12))
def test_room_that_comes_and_goes_gives_every_message_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """A disk of so many bytes, which grows a little now and then: an attempt may fail anywhere."""
    rng = random.Random(seed)
    room, write = 20_000, AppendFile._write

    def use(self: AppendFile, data: memoryview) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        n = write(self, data[:room])
        room -= n
        return n

    monkeypatch.setattr(AppendFile, "_write", use)
    monkeypatch.setattr(tap_module, "_MOST_WAITING", 40)
    said: list[AnyEvent] = []
    with recording_tap(tmp_path / "a.mcap", Recording(), said.append) as tap:
        assert tap is not None
        tap.message(HELLO, UTC0, None)
        for n in range(0, 1200, 10):
            _stream(tap, n, n + 10)
            room += rng.choice([0, 0, 600, 1500, 4000])
        room = 1_000_000
    tap.complain()
    files = list(tmp_path.iterdir())
    kept = _indices(*files)
    assert len(set(kept)) == len(kept)
    texts = [text for file in files for _, text in McapReader(file).markers()]
    told = [int(text.removeprefix("recording_resumed lost_messages ")) for text in texts]
    assert sum(told) == 1200 - len(kept)
    resumed = [e for e in said if isinstance(e, StreamNoted) and e.what == "recording_resumed"]
    assert sum(int(event.detail["lost_messages"]) for event in resumed) == sum(told)
