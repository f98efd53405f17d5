"""The watchdog outlives a soft reset, so somebody must always feed it; and a reset by a program is no hang."""

from __future__ import annotations

import pytest

from firmware_host.protocol.encode import encode_command, encode_ping
from firmware_host.protocol.messages import (
    Ack,
    AckResult,
    BootCause,
    Command,
    CommandKind,
    Hello,
    Log,
    Ping,
    Pong,
    Reset,
    Status,
)
from firmware_host.protocol.parser import MessageParser
from sim.micropython.process import board_json, put_app

pytestmark = pytest.mark.needs_node

# What mpremote sends: the prompt, raw mode, a soft reset there.
PROMPT, RAW, SOFT_RESET, RESET = (
    b"\r\x03",
    b"\r\x01",
    b"\x04",
    b"import machine; machine.reset()\x04",
)
RATES_HZ = {"temp": 4.0}


@pytest.fixture
def flash(tmp_path):
    folder = tmp_path / "flash"
    put_app(folder, board_json(RATES_HZ, sensors=["tmp117"]))
    return folder


def _idle(from_s: float, to_s: float) -> list[tuple[float, bytes]]:
    """Somebody who types once a second."""
    return [(from_s + i, b"1\x04") for i in range(int(to_s - from_s))]


def test_nobody_at_the_prompt_is_reset(spoken, flash) -> None:
    say = [(2.0, PROMPT + RAW), *_idle(3.0, 14.0), (14.0, SOFT_RESET), *_idle(15.0, 40.0)]
    data = spoken(45.0, flash=flash, say=say)
    assert data.count(b"MPY: soft reboot") == 1
    # One boot of the app, and every line was answered.
    assert len(_sessions(data)) == 1
    assert data.count(b">OK") == len(say) - 1


def test_without_boot_py_the_simulated_watchdog_bites(spoken, flash) -> None:
    (flash / "boot.py").unlink()
    say = [(2.0, PROMPT + RAW), (3.0, SOFT_RESET), *_idle(4.0, 14.0)]
    assert len(_sessions(spoken(20.0, flash=flash, say=say))) == 2


def test_board_without_a_timer_works_unwatched_and_says_so(live, flash) -> None:
    dog = (flash / "dog.py").read_text()
    (flash / "dog.py").write_text(dog.replace("machine.Timer(-1)", "machine.Timer(3)"))
    heard = live(12.0, flash=flash)
    assert [log.text for log in heard.of(Log)] == ["watchdog: ValueError: invalid Timer number"]
    assert len(heard.of(Status)) == 2


def test_no_watchdog_where_board_json_wants_none(live, flash) -> None:
    put_app(flash, board_json(RATES_HZ, sensors=["tmp117"], watchdog=False))
    (flash / "dog.py").write_text("raise OSError(5)\n" + (flash / "dog.py").read_text())
    heard = live(3.0, flash=flash)
    # The file is broken, and would have been found to be.
    assert heard[0].firmware.startswith("signet-safe")


@pytest.mark.parametrize("reset_cause", [2, 3])
def test_resets_from_the_prompt_are_no_failures(live_words, flash, reset_cause) -> None:
    say = []
    for i in range(4):
        say += [(2.0 + 4 * i, PROMPT + RAW), (3.0 + 4 * i, RESET)]
    heard = live_words(20.0, flash=flash, say=say, reset_cause=reset_cause)
    assert len({hello.session for hello in heard.of(Hello)}) == 5
    assert all(hello.firmware.startswith("signet 0") for hello in heard.of(Hello))
    last = heard.of(Status)[-1]
    assert (last.n_boots, last.n_failures, last.cause) == (5, 0, BootCause.ASKED)


def test_first_boot_of_a_board_that_was_reset_to_begin_is_no_hang(on_board, machine) -> None:
    machine.cause = machine.WDT_RESET
    assert on_board("settings").has_hung()
    assert on_board("settings").State().n_boots == 0


# Longer than the 10 ms that it has.
_SLOW_SENSOR = """
from time import sleep_ms
_quick = Lsm6ds3.sample
def _slow(self):
    sleep_ms(12)
    return _quick(self)
Lsm6ds3.sample = _slow
"""


def test_board_that_is_always_late_answers_and_can_be_reset(live, flash) -> None:
    put_app(flash, board_json({"acc": 100.0}, sensors=["lsm6ds3"]))
    driver = flash / "sensors" / "lsm6ds3.py"
    driver.write_text(driver.read_text() + _SLOW_SENSOR)
    reset = Command(CommandKind.RESET, Reset.ANEW, 1)
    say = [(4.0, encode_ping(Ping(77), seq=0)), (12.0, encode_command(reset, seq=0))]
    heard = live(16.0, flash=flash, say=say)
    assert heard.of(Status)[1].n_late > 100
    (pong,) = heard.of(Pong)
    assert pong.token == 77
    assert [ack.result for ack in heard.of(Ack)] == [AckResult.DONE]
    # And the watchdog was fed.
    assert [s.cause for s in heard.of(Status)] == [BootCause.POWER] * 2 + [BootCause.ASKED]


def _sessions(data: bytes) -> set[int]:
    return {m.session for m in MessageParser().feed(data) if isinstance(m, Hello)}
