"""An app that cannot begin, fails or hangs: the board answers all the same, and says why."""

from __future__ import annotations

import json

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
from sim.micropython.process import board_json, put_app

pytestmark = pytest.mark.needs_node

RATES_HZ = {"acc": 100.0, "gyro": 100.0, "bvp": 64.0, "temp": 4.0, "eda": 4.0}


def _order(kind: CommandKind, value: int = 0, token: int = 1) -> bytes:
    return encode_command(Command(kind, value, token), seq=token)


@pytest.fixture
def flash(tmp_path):
    folder = tmp_path / "flash"
    put_app(folder, board_json(RATES_HZ))
    return folder


def _is_safe(hello: Hello) -> bool:
    return hello.firmware.startswith("signet-safe") and not hello.channels


@pytest.mark.parametrize(
    ("file", "text", "why"),
    [
        ("app.py", "def broken(:\n", "SyntaxError"),
        ("board.json", '{"sensors": ["lsm6ds3",', "board.json: syntax error in JSON"),
        ("board.json", "[1, 2]", "board.json: expected an object, got list"),
        ("app.py", "raise ValueError('two\\nlines\\x1b[2J')\n", "ValueError: two lines [2J"),
        ("found.py", "raise OSError(5)\n", "OSError: [Errno 5]"),
    ],
)
def test_app_that_cannot_begin_leaves_a_board_that_says_why(live, flash, file, text, why) -> None:
    (flash / file).write_text(text)
    heard = live(7.0, flash=flash, say=[(2.0, encode_ping(Ping(5), seq=0))])
    assert all(map(_is_safe, heard.of(Hello)))
    assert all(log.level == 40 and why in log.text for log in heard.of(Log))
    assert len(heard.of(Log)) == len(heard.of(Hello)) == 2
    assert heard.of(Pong)[0].token == 5


def test_app_that_fails_thrice_ends_in_safe_mode_until_reset(live, flash) -> None:
    app = (flash / "app.py").read_text()
    failing = app.replace(
        "        now = self.clock.tick()\n",
        "        now = self.clock.tick()\n        self._die()\n",
    )
    failing += "\n    def _die(self):\n        if ticks_ms() > 800:\n            raise IndexError('too far')\n"
    (flash / "app.py").write_text(failing)
    say = [(9.0, _order(CommandKind.STATUS, 0, 1)), (9.1, _order(CommandKind.START, 0, 2))]
    say += [(9.5, _order(CommandKind.RESET, Reset.ANEW, 3))]
    heard = live(16.0, flash=flash, say=say)
    told = [h.firmware.split()[0] for h in heard.of(Hello)]
    first = told.index("signet-safe")
    assert first >= 1
    safe = next(s for s in heard.of(Status) if s.session == heard.of(Hello)[first].session)
    assert (safe.cause, safe.n_failures, safe.n_boots) == (BootCause.FAILED, 3, 4)
    assert "IndexError: too far" in heard.of(Log)[0].text
    results = {ack.token: ack.result for ack in heard.of(Ack)}
    assert results == {1: AckResult.DONE, 2: AckResult.NOT_NOW, 3: AckResult.DONE}
    last = heard.of(Status)[-1]
    assert json.loads((flash / "state.json").read_text())["boots"] >= 4
    assert last.n_boots > 4


def test_app_that_fails_on_a_flash_that_cannot_be_written_ends_in_safe_mode_too(
    live, flash
) -> None:
    app = (flash / "app.py").read_text()
    app = app.replace("        now = self.clock.tick()\n", "        raise IndexError('too far')\n")
    (flash / "app.py").write_text(app)
    (flash / "state.json.new").mkdir()
    heard = live(12.0, flash=flash, say=[(11.0, _order(CommandKind.STATUS))])
    assert _is_safe(heard.of(Hello)[-1])
    assert len(heard.of(Hello)) <= 6
    assert "IndexError: too far" in heard.of(Log)[-1].text
    assert heard.of(Ack)[0].result == AckResult.DONE


@pytest.mark.parametrize(
    ("place", "failure"),
    [
        ("        now = self.clock.tick()\n", "IndexError('too far')"),
        ("        self._due = begin_us\n", "MemoryError('no room')"),
    ],
)
def test_safe_mode_outlives_the_watchdog_that_the_app_took(live, flash, place, failure) -> None:
    app = (flash / "app.py").read_text()
    (flash / "app.py").write_text(app.replace(place, f"        raise {failure}\n", 1))
    (flash / "state.json.new").mkdir()
    heard = live(30.0, flash=flash)
    safe = [hello for hello in heard.of(Hello) if _is_safe(hello)]
    assert len({hello.session for hello in safe}) == 1
    # From the first second to the last.
    assert len(safe) >= 6
    assert heard.of(Hello)[-1] == safe[-1]
    why = failure.replace("('", ": ").replace("')", "")
    assert all(log.text == "safe mode: " + why for log in heard.of(Log))


def test_safe_mode_when_asked_and_back(live) -> None:
    say = [
        (2.0, _order(CommandKind.RESET, Reset.SAFE, 1)),
        (4.0, _order(CommandKind.RESET, Reset.ANEW, 2)),
    ]
    heard = live(6.0, say=say)
    sessions = dict.fromkeys(h.session for h in heard.of(Hello))
    hellos = {h.session: h for h in heard.of(Hello)}
    assert [_is_safe(hellos[s]) for s in sessions] == [False, True, False]
    assert "the host asked" in heard.of(Log)[0].text


def test_app_that_hangs_is_reset_by_the_watchdog_and_told(live, flash) -> None:
    app = (flash / "app.py").read_text()
    hanging = app.replace(
        "        now = self.clock.tick()\n",
        "        now = self.clock.tick()\n        while ticks_ms() > 1500: pass\n",
    )
    assert hanging != app
    (flash / "app.py").write_text(hanging)
    heard = live(11.0, flash=flash)
    told = {status.session: status for status in heard.of(Status)}
    first, second = list(told.values())[:2]
    assert (first.cause, first.n_failures) == (BootCause.POWER, 0)
    assert (second.cause, second.n_failures, second.n_boots) == (BootCause.WATCHDOG, 1, 2)
