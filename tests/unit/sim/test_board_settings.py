"""What the simulated board keeps from boot to boot, and its safe mode."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from firmware_host.protocol.encode import encode_command, encode_ping
from firmware_host.protocol.messages import (
    Ack,
    AckResult,
    Block,
    BootCause,
    Command,
    CommandKind,
    Event,
    EventKind,
    Hello,
    Log,
    Message,
    Ping,
    Pong,
    Reset,
    SettingOrder,
    Status,
)
from firmware_host.protocol.parser import MessageParser
from sim.board import VirtualBoard
from sim.body import SyntheticBody
from sim.person import Wearer
from sim.schedule import Schedule, build_schedule, load_scenario

SHORT = load_scenario("short").lasting(0.1)
KEEP, TELL, FORGET = SettingOrder.KEEP, SettingOrder.TELL, SettingOrder.FORGET


class Asked:
    """A board, and what it says to each order."""

    def __init__(self, schedule: Schedule = SHORT) -> None:
        self.board = VirtualBoard(SyntheticBody(Wearer(schedule, seed=7)), seed=7, board_id="own")
        self._parser = MessageParser()
        self.t_s = 0.0
        self.heard: list[Message] = []

    def live(self, seconds: float) -> list[Message]:
        self.t_s += seconds
        return self._parser.feed(self.board.advance(self.t_s))

    def order(self, kind: CommandKind, value: int = 0, key: str = "", text: str = "") -> Ack:
        self.board.receive(encode_command(Command(kind, value, 5, key=key, text=text), seq=0))
        self.heard = self.live(0.01)
        (ack,) = (m for m in self.heard if isinstance(m, Ack))
        return ack

    def keep(self, key: str, text: str) -> Ack:
        return self.order(CommandKind.SETTING, KEEP, key, text)

    def reset(self, how: Reset = Reset.ANEW) -> list[Message]:
        self.order(CommandKind.RESET, how)
        return self.heard + self.live(3.0)


@pytest.fixture
def asked() -> Asked:
    asked = Asked()
    asked.live(2.0)
    return asked


def _hello(messages: list[Message]) -> Hello:
    return next(m for m in messages if isinstance(m, Hello))


def test_what_is_kept_counts_from_the_next_boot_on_and_until_it_is_forgotten(asked: Asked) -> None:
    for key, text in (("id", "left wrist"), ("ring", "8"), ("rate.acc", "25"), ("rate.eda", "2")):
        ack = asked.keep(key, text)
        assert (ack.result, ack.key, ack.text) == (AckResult.DONE, key, text)
    assert _hello(asked.live(5.0)).board_id == "own"
    hello = _hello(asked.reset())
    assert (hello.board_id, hello.ring_bytes) == ("left wrist", 8192)
    rates = {channel.name: channel.rate_hz for channel in hello.channels}
    assert rates == {"acc": 25, "gyro": 50, "bvp": 64, "eda": 2, "temp": 4}
    assert [channel.stream for channel in hello.channels] == list(range(5))
    asked.board.reboot()
    assert _hello(asked.live(1.0)).board_id == "left wrist"
    for key in ("id", "ring", "rate.acc", "rate.eda"):
        assert asked.order(CommandKind.SETTING, FORGET, key).text == ""
    hello = _hello(asked.reset())
    assert (hello.board_id, hello.ring_bytes) == ("own", 65_536)
    assert {c.name: c.rate_hz for c in hello.channels}["acc"] == 50


def test_samples_of_a_kept_rate_are_those_of_a_changed_rate(asked: Asked) -> None:
    asked.keep("rate.acc", "25")
    told = asked.reset() + asked.live(3.0)
    stream = _hello(told).channel("acc").stream
    blocks = [m for m in told if isinstance(m, Block) and m.stream == stream]
    assert [b.seq for b in blocks] == list(range(len(blocks)))
    assert [b.sample_idx for b in blocks] == [12 * i for i in range(len(blocks))]
    took_us = blocks[-1].ticks_us - blocks[0].ticks_us
    assert took_us == pytest.approx(blocks[-1].sample_idx / 25 * 1e6, abs=1)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        *(("id", text) for text in ("", "\u00e9", 33 * "x")[:2]),
        *(("ring", text) for text in ("-1", "8193", "1.5", "nan", "inf", "big")),
        *(("wear", text) for text in ("-1", "262144", "1.5", "skin")),
        *(("rate.acc", text) for text in ("0.05", "201", "nan", "", "fast")),
        ("rate.warp", "5"),
        ("colour", "red"),
        ("", ""),
    ],
)
def test_what_no_board_could_begin_with_is_refused(asked: Asked, key: str, text: str) -> None:
    asked.keep("id", "kept")
    ack = asked.keep(key, text)
    assert (ack.result, ack.text) == (AckResult.BAD_VALUE, "kept" if key == "id" else "")


@pytest.mark.parametrize(
    ("order", "key"), [(TELL, "colour"), (FORGET, "rate.warp"), (3, "id"), (-1, "id")]
)
def test_no_such_key_and_no_such_order(asked: Asked, order: int, key: str) -> None:
    assert asked.order(CommandKind.SETTING, order, key).result is AckResult.BAD_VALUE


def test_kept_rate_that_the_sensor_cannot_do_is_left_out_and_told(asked: Asked) -> None:
    assert asked.keep("rate.acc", "33.3").result is AckResult.DONE
    told = asked.reset()
    assert _hello(told).channel("acc").rate_hz == 50
    assert [m.text for m in told if isinstance(m, Log)] == ["acc cannot be read at 33.3 Hz"]
    assert not [m for m in asked.live(10.0) if isinstance(m, Log)]


@pytest.mark.parametrize(("text", "told"), [("0", []), ("30000", [1, 0, 1])])
def test_contact_is_told_unless_it_is_not_wanted(text: str, told: list[int]) -> None:
    bouts = [{"label": label, "minutes": 0.2} for label in ("rest", "off", "rest")]
    start = datetime(2026, 5, 4, 8, tzinfo=UTC)
    asked = Asked(build_schedule({"start_utc": start, "bout": bouts}, name="off"))
    asked.live(2.0)
    asked.keep("wear", text)
    asked.board.reboot()
    events = [m for m in asked.live(28.0) if isinstance(m, Event) and m.kind is EventKind.WEAR]
    assert [event.value for event in events] == told


def test_safe_mode_only_talks_says_why_and_ends_with_a_reset(asked: Asked) -> None:
    told = asked.reset(Reset.SAFE) + asked.live(10.0)
    hellos = [m for m in told if isinstance(m, Hello)]
    assert len(hellos) == 3
    assert all(h.firmware.startswith("signet-safe") and h.channels == () for h in hellos)
    logs = [m for m in told if isinstance(m, Log)]
    assert [(m.level, m.text) for m in logs] == [(40, "safe mode: the host asked for it")] * 3
    assert not [m for m in told if isinstance(m, Block | Event)]
    status = next(m for m in told if isinstance(m, Status))
    assert (status.cause, status.n_boots, status.parts) == (BootCause.ASKED, 2, ())
    asked.board.receive(encode_ping(Ping(9), seq=0))
    assert [m.token for m in asked.live(0.1) if isinstance(m, Pong)] == [9]
    for kind in (1, 2, 3, 4, 5):
        assert asked.order(kind, 1).result is AckResult.NOT_NOW
    assert asked.order(CommandKind.STATUS).result is AckResult.DONE
    assert asked.keep("id", "found again").result is AckResult.DONE
    told = asked.reset()
    assert _hello(told).board_id == "found again"
    assert len(_hello(told).channels) == 5
    assert [m for m in told if isinstance(m, Block)]


def test_power_that_fails_ends_safe_mode(asked: Asked) -> None:
    asked.reset(Reset.SAFE)
    asked.board.reboot()
    assert len(_hello(asked.live(1.0)).channels) == 5
