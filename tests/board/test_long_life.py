"""Weeks and months: counters that wrap, buses that fail for a moment, power that goes at the worst of times."""

from __future__ import annotations

import itertools
import struct
import sys
import time
from types import SimpleNamespace

import pytest

from sim.devices.bus import Bus
from sim.devices.lsm6ds3 import Lsm6ds3
from sim.devices.tmp117 import Tmp117

DAY_MS = 86_400_000


@pytest.fixture
def button(on_board, machine, ticks):
    """(press for so many ms and let go, what is told by the end of a second after)."""
    button = on_board("parts").Button(2)

    def press(held_ms: int) -> list[int]:
        told = []
        for ms in range(0, held_ms + 1000, 10):
            machine.level[2] = int(ms >= held_ms)
            event = button.look(ticks.ms & 0x3FFFFFFF)
            told += [event[0]] if event else []
            ticks.ms += 10
        return told

    def idle(days: float) -> None:
        for _ in range(int(days * 24)):
            ticks.ms += DAY_MS // 24
            assert button.look(ticks.ms & 0x3FFFFFFF) is None

    return SimpleNamespace(press=press, idle=idle, button=button)


@pytest.mark.parametrize("days", [0, 3, 7, 12, 40])
def test_button_works_after_any_number_of_idle_days(button, ticks, days) -> None:
    assert button.press(150) == [0]
    button.idle(days)
    assert button.press(150) == [0]
    assert button.press(1200) == [1]


def test_button_works_on_a_board_that_was_soft_reset_after_a_week(on_board, machine, ticks) -> None:
    ticks.ms = 7 * DAY_MS
    button = on_board("parts").Button(2)
    machine.level[2] = 0
    assert button.look(ticks.ms & 0x3FFFFFFF) is None
    ticks.ms += 100
    machine.level[2] = 1
    assert button.look(ticks.ms & 0x3FFFFFFF) is None
    ticks.ms += 1000
    assert button.look(ticks.ms & 0x3FFFFFFF) == (0, 1100)


@pytest.mark.parametrize(("wait_s", "told"), [(6, [5]), (29, [5]), (31, [0]), (9 * 86_400, [0])])
def test_press_answers_a_cue_for_half_a_minute_and_never_later(button, ticks, wait_s, told) -> None:
    button.button.cued(ticks.ms)
    for _ in range(min(wait_s, 60)):
        ticks.ms += wait_s * 1000 // min(wait_s, 60)
        assert button.button.look(ticks.ms & 0x3FFFFFFF) is None
    assert button.press(150) == told


@pytest.fixture
def filled_ring(on_board):
    ring = on_board("ring").Ring(4096)
    for i in range(4):
        ring.put(0, 10 * i, 10, bytes([i]) * 100)
    return ring


@pytest.mark.parametrize("minutes", [0.01, 1, 8, 9.5, 12, 17])
def test_what_is_asked_for_again_comes_at_once_however_long_ago_the_last_was(
    filled_ring, minutes
) -> None:
    start_us = 5_000_000
    assert filled_ring.ask(0, 0, 10, start_us) == (0, 1)
    assert filled_ring.next(start_us)[0] == 0
    assert filled_ring.next(start_us) is None
    now_us = (start_us + int(minutes * 60e6)) & 0x3FFFFFFF
    assert filled_ring.ask(0, 10, 10, now_us) == (0, 1)
    assert filled_ring.is_due(now_us)


def test_the_next_waits_as_long_as_the_last_took(filled_ring) -> None:
    filled_ring.ask(0, 0, 20, 0)
    filled_ring.next(0)
    assert [filled_ring.is_due(us) for us in (0, 24_000, 24_500)] == [False, False, True]


@pytest.mark.parametrize(
    ("wanted", "memory", "got"),
    [(65_536, 10**6, 65_536), (65_536, 50_000, 16_384), (65_536, 25_600, 1024), (65_536, 0, 0)],
)
def test_ring_is_as_large_as_there_is_memory(on_board, monkeypatch, wanted, memory, got) -> None:
    ring = on_board("ring")
    taken = []

    class Scarce(bytearray):
        def __init__(self, n: int) -> None:
            if sum(taken) + n > memory:
                taken.clear()
                raise MemoryError
            taken.append(n)
            super().__init__(n)

    monkeypatch.setattr(ring, "bytearray", Scarce, raising=False)
    assert ring.largest(wanted).n_bytes == got


def test_sample_index_wraps_after_497_days(on_board) -> None:
    block = on_board("block").Block(0, 7, 100_000, 6)
    block.sample_idx = 2**32 + 5
    block.add(bytes(6), 0)
    assert struct.unpack_from(
        "<I", on_board("frame").cobs_decode(bytes(block.seal())[:-1]), 12
    ) == (5,)


class Flaky(Bus):
    """A bus that may not answer."""

    is_broken = False

    def _at(self, address):
        if self.is_broken:
            raise OSError(110)
        return super()._at(address)


def test_rate_asked_for_while_the_bus_fails_is_set_as_soon_as_it_works(
    on_board, body, ticks
) -> None:
    bus = Flaky({0x6A: Lsm6ds3(body)})
    source = on_board("channel").Source("x", on_board("sensors.lsm6ds3").Lsm6ds3(bus, 0x6A))
    for stream in source.streams:
        stream.begin(0, 1, 50_000, 0)
    source.set_fastest()
    assert source.sample()
    bus.is_broken = True
    with pytest.raises(OSError, match="110"):
        source.can_do(200_000)
    source.streams[0].rate_mhz = 200_000
    source.set_fastest()
    assert not source.sample()
    bus.is_broken = False
    assert not source.sample()
    ticks.ms += 150
    assert source.sample()
    # CTRL1_XL: 208 Hz.
    assert bus._devices[0x6A]._registers[0x10] >> 4 == 5
    assert source.n_errors == 2
    assert not source.is_failing


def test_sensor_whose_place_another_takes_fails_and_comes_back(on_board, body, ticks) -> None:
    bus = Bus({0x48: Tmp117(body)})
    source = on_board("channel").Source("x", on_board("sensors.tmp117").Tmp117(bus, 0x48))
    source.streams[0].begin(0, 1, 4000, 0)
    source.set_fastest()
    own = bus._devices.pop(0x48)
    assert not any(source.sample() for _ in range(25))
    assert source.is_failing
    bus._devices[0x48] = own
    assert not source.sample()
    assert (source.is_failing, source.n_errors) == (True, 25)
    ticks.ms += 150
    body.us += 150_000
    assert source.sample()
    assert (source.is_failing, source.n_errors) == (False, 25)


@pytest.fixture
def line(on_board, monkeypatch, ticks):
    """The app's end of a line whose port takes a few bytes, or some time, or is silent."""
    sent: list[bytes] = []
    said = bytearray()
    port = SimpleNamespace(sent=sent, said=said, takes=1000, slow_ms=0)

    def write(data) -> int:
        sent.append(bytes(data[: port.takes]))
        ticks.ms += port.slow_ms
        return min(len(data), port.takes)

    port.write = write
    port.read = lambda _: bytes([said.pop(0)]) if said else b""
    poll = SimpleNamespace(register=lambda *_: None, poll=lambda _: bool(said) or port)
    reading = SimpleNamespace(register=lambda *_: None, poll=lambda _: bool(said))
    polls = iter((reading, poll))
    monkeypatch.setitem(
        sys.modules, "select", SimpleNamespace(POLLIN=1, POLLOUT=4, poll=lambda: next(polls))
    )
    monkeypatch.setattr(sys.modules["micropython"], "kbd_intr", lambda _: None, raising=False)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=port))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=port))
    monkeypatch.setattr(time, "sleep_ms", lambda _: None, raising=False)
    port.link = on_board("link").Link()
    return port


def test_frame_of_which_a_part_was_sent_is_not_sent_and_ended(line, ticks) -> None:
    line.takes = 3
    assert not line.link.write(b"abcdef\0")
    line.takes = 1000
    ticks.ms += 2000
    assert line.link.write(b"ghi\0")
    assert line.sent == [b"abc", b"\0", b"ghi\0"]


def _tried(line, ticks, seconds: float, said: bytes = b"") -> list[int]:
    """When a write reached the port, in ms, of one each 10 ms; before each the host says something."""
    start_ms, tried_ms = ticks.ms, []
    while ticks.ms < start_ms + 1000 * seconds:
        n, at_ms = len(line.sent), ticks.ms
        line.said += said
        line.link.read()
        line.link.write(b"abc\0")
        tried_ms += [at_ms - start_ms] if len(line.sent) > n else []
        ticks.ms += 10
    return tried_ms


@pytest.mark.parametrize("said", [b"", b"\0"], ids=["silent", "speaks-and-reads-nothing"])
def test_slow_port_is_left_alone_longer_each_time_until_it_is_quick(line, ticks, said) -> None:
    line.slow_ms, line.takes = 500, 0
    tried_ms = _tried(line, ticks, 60.0, said)
    gaps_ms = [b - a for a, b in itertools.pairwise(tried_ms)]
    assert gaps_ms == [2500, 4500, 8500, 16500, 16500]
    line.slow_ms, line.takes = 0, 1000
    (first_ms, *_, last_ms) = tried_ms = _tried(line, ticks, 20.0)
    assert first_ms < 16500
    assert len(tried_ms) == (last_ms - first_ms) / 10 + 1


def test_slow_port_is_tried_soon_once_its_host_speaks(line, ticks) -> None:
    line.slow_ms, line.takes = 500, 0
    _tried(line, ticks, 40.0)
    line.slow_ms, line.takes = 0, 1000
    line.said += b"\0"
    line.link.read()
    assert line.link.write(b"abc\0")


def test_slow_write_that_took_all_is_sent_and_the_next_ends_it_all_the_same(line, ticks) -> None:
    line.slow_ms = 500
    assert line.link.write(b"abc\0")
    line.slow_ms = 0
    assert not line.link.write(b"def\0")
    ticks.ms += 9 * DAY_MS
    assert line.link.write(b"ghi\0")
    assert line.sent == [b"abc\0", b"\0", b"ghi\0"]


@pytest.mark.parametrize("days", [0, 5, 8, 13])
def test_prompt_can_be_had_however_long_ago_half_a_frame_came(line, ticks, days) -> None:
    line.said += b"half a frame"
    line.link.read()
    for _ in range(max(1, days * 24)):
        ticks.ms += DAY_MS // 24
        assert line.link.read() == b""
    line.said += b"\r\x03"
    with pytest.raises(KeyboardInterrupt):
        line.link.read()


def test_settings_outlive_a_power_cut_while_they_are_renamed(
    on_board, monkeypatch, tmp_path
) -> None:
    settings = on_board("settings")
    monkeypatch.chdir(tmp_path)
    settings.store("settings.json", {"id": "left"})
    # As a FAT file system has it between the two steps.
    (tmp_path / "settings.json").rename(tmp_path / "settings.json.new")
    assert settings.load("settings.json") == {"id": "left"}
    settings.store("settings.json", {"id": "right"})
    assert settings.load("settings.json") == {"id": "right"}


def test_state_is_written_at_boot_and_never_again_while_all_is_well(
    on_board, monkeypatch, tmp_path
) -> None:
    settings = on_board("settings")
    monkeypatch.chdir(tmp_path)
    state = settings.State()
    state.booted()
    written = []
    monkeypatch.setattr(settings, "store", lambda *said: written.append(said))
    for _ in range(100):
        state.is_good()
    assert written == []


@pytest.mark.parametrize(
    ("wish", "cause", "told"),
    [
        ("", 1, 1),
        ("", 3, 2),
        ("", 5, 0),
        ("asked", 3, 3),
        ("failed", 3, 4),
        ("prompt", 3, 3),
        ("prompt", 1, 1),
    ],
)
def test_why_it_booted(on_board, machine, wish, cause, told) -> None:
    machine.cause = cause
    assert on_board("status").cause(wish) == told


@pytest.mark.parametrize(
    ("uptime_s", "now_us", "ago_ms", "ticks_us"),
    [
        (2, 1_999_100, 2000, 0),
        (2, 2_500_000, 2000, 500_000),
        (4300, 1_000_000, 2000, 2**32 - 10**6),
    ],
)
def test_event_is_dated_back_to_the_boot_at_most(
    on_board, uptime_s, now_us, ago_ms, ticks_us
) -> None:
    said = []
    clock = SimpleNamespace(value=lambda: now_us)
    board = SimpleNamespace(uptime_s=uptime_s, clock=clock, say=lambda *each: not said.append(each))
    assert on_board("events").Events(board).tell(2, 1, ago_ms)
    assert [ticks for _, _, ticks in said] == [ticks_us]
