"""The virtual board in real time behind a pseudo-terminal, as a host and a person at the prompt find it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firmware_host.protocol.encode import encode_command, encode_ping
from firmware_host.protocol.messages import (
    Ack,
    Block,
    Command,
    CommandKind,
    Hello,
    Ping,
    Pong,
    Reset,
)
from firmware_host.protocol.parser import MessageParser
from sim.micropython.process import MicroPythonBoard, board_json, put_app
from sim.micropython.worn import Hardware
from tests.board.conftest import REPO

pytestmark = pytest.mark.needs_node

_PATIENCE_S = 30.0


class Line:
    """The host's end."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        self.bytes = b""

    def write(self, data: bytes) -> None:
        os.write(self._fd, data)

    def until(self, is_there: Callable[[bytes], bool]) -> bytes:
        """Everything from now on until something is in it."""
        self.bytes, ends = b"", time.monotonic() + _PATIENCE_S
        while not is_there(self.bytes):
            assert time.monotonic() < ends, self.bytes[-500:]
            if select.select([self._fd], [], [], 0.2)[0]:
                self.bytes += os.read(self._fd, 4096)
        return self.bytes

    def close(self) -> None:
        os.close(self._fd)


def _has(*kinds: type, n_blocks: int = 0) -> Callable[[bytes], bool]:
    def look(data: bytes) -> bool:
        heard = MessageParser().feed(data)
        return {*kinds} <= {type(m) for m in heard} and n_blocks <= sum(
            isinstance(m, Block) for m in heard
        )

    return look


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    link = tmp_path / "tty"
    command = [sys.executable, "-m", "sim.micropython", "--pty", link, "--scenario", "short"]
    with subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"pty {link}\n"
        line = Line(link)
        yield line
        line.close()
        process.terminate()


def test_a_host_and_then_a_person_at_the_prompt(line: Line) -> None:
    line.until(_has(Hello))
    line.write(encode_ping(Ping(7), seq=0) + encode_command(Command(CommandKind.START), seq=0))
    line.until(_has(Pong, Ack, Hello, n_blocks=4))
    # What mpremote sends, all at once.
    line.write(b"\r\x03\r\x01")
    line.until(lambda data: data.endswith(b"raw REPL; CTRL-B to exit\r\n>"))
    line.write(b"import os; print(sorted(os.listdir()))\x04")
    told = line.until(lambda data: data.endswith(b"\x04\x04>"))
    assert b"'app.py'" in told
    assert b"'frame.py'" in told
    # A loop without an end is ended by Ctrl-C.
    line.write(b"import time\nwhile True: time.sleep_ms(10)\x04")
    line.until(lambda data: data.endswith(b"OK"))
    line.write(b"\x03")
    assert b"KeyboardInterrupt" in line.until(lambda data: data.endswith(b"\x04>"))
    line.write(b"import machine; machine.reset()\x04")
    first = MessageParser().feed(line.until(_has(Hello, n_blocks=2)))
    line.write(b"\0" + encode_command(Command(CommandKind.RESET, Reset.ANEW), seq=1))
    again = line.until(_boots)
    sessions = {m.session for m in first + MessageParser().feed(again)}
    assert len(sessions) == 2


def _boots(data: bytes) -> bool:
    heard = MessageParser().feed(data)
    acks = [m.session for m in heard if isinstance(m, Ack)]
    return bool(acks) and any(isinstance(m, Hello) and m.session != acks[-1] for m in heard)


def test_power_that_fails_in_real_time(tmp_path: Path, wearer) -> None:
    put_app(tmp_path, board_json({"temp": 4.0}, sensors=["tmp117"]))
    parser, sessions, begun_s = MessageParser(), [], time.monotonic()
    with MicroPythonBoard(wearer(), Hardware(dark_s=((0.5, 1.5),)), tmp_path) as board:
        while len(sessions) < 2 and time.monotonic() < begun_s + _PATIENCE_S:
            for message in parser.feed(board.read()):
                if isinstance(message, Hello) and message.session not in sessions:
                    sessions.append(message.session)
    assert len(sessions) == 2
    # It was without power for a second.
    assert time.monotonic() - begun_s > 1.5
