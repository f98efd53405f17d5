"""The simulator as a real process and a real device: pty, TCP, lock-step."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_host.errors import ConfigError
from firmware_host.protocol.encode import encode_command
from firmware_host.protocol.messages import Ack, Block, Command, CommandKind, Hello, Message
from firmware_host.protocol.parser import MessageParser
from sim.ports import PtyPort, TcpPort

LIMIT_S = 30.0


@pytest.fixture
def start(repo: Path) -> Iterator[object]:
    children: list[subprocess.Popen[bytes]] = []

    def run(*arguments: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, "-m", "sim", *arguments],
            cwd=repo,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        children.append(child)
        return child

    yield run
    for child in children:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout, child.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def _listen(fd: int, parser: MessageParser, *, until: type, n: int) -> list[Message]:
    """Messages from ``fd`` until ``n`` of one kind have come."""
    found: list[Message] = []
    while sum(isinstance(m, until) for m in found) < n:
        assert select.select([fd], [], [], LIMIT_S)[0], f"nothing for {LIMIT_S} s"
        data = os.read(fd, 4096)
        assert data, "the other side left"
        found += parser.feed(data)
    return found


def test_pty_survives_hosts_that_come_and_go(start, tmp_path: Path) -> None:
    link = tmp_path / "ttyBOARD"
    child = start("--pty", str(link), "--scenario", "short", "--speed", "20")
    assert child.stdout.readline() == f"pty {link}\n".encode()
    for _ in range(2):
        fd = os.open(link, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(fd)
        parser = MessageParser()
        _listen(fd, parser, until=Block, n=20)
        os.write(fd, encode_command(Command(CommandKind.START, token=3), seq=0))
        answers = _listen(fd, parser, until=Ack, n=1)
        assert any(isinstance(m, Ack) and m.token == 3 for m in answers)
        # At most the frame that was cut by opening in the middle of it.
        assert parser.decoder.bad_frames <= 1
        os.close(fd)
    child.send_signal(signal.SIGTERM)
    assert child.wait(LIMIT_S) == 143
    assert child.stderr.read() == b""
    assert not link.is_symlink()


def test_pty_plays_to_the_end_and_leaves(start, tmp_path: Path) -> None:
    truth = tmp_path / "truth.csv"
    child = start(
        *("--pty", "--scenario", "short", "--hours", "0.01", "--speed", "200"),
        *("--truth", str(truth), "--fault", "corrupt=1e-4"),
    )
    fd = os.open(child.stdout.readline().split()[1], os.O_RDWR | os.O_NOCTTY)
    parser = MessageParser()
    _listen(fd, parser, until=Hello, n=2)
    os.close(fd)
    assert child.wait(LIMIT_S) == 0
    assert truth.read_text().endswith(",rest\n")
    assert child.stderr.read().startswith(b"sim: faults:")


def test_interrupt_is_clean(start, tmp_path: Path) -> None:
    link = tmp_path / "tty"
    child = start("--pty", str(link))
    child.stdout.readline()
    child.send_signal(signal.SIGINT)
    assert child.wait(LIMIT_S) == 130
    assert child.stderr.read() == b""
    assert not link.is_symlink()


def test_tcp_serves_one_host_after_another(start) -> None:
    child = start("--tcp", "0", "--scenario", "short", "--speed", "20")
    host, port = child.stdout.readline().decode().split()[1].split(":")
    assert host == "127.0.0.1"
    for _ in range(2):
        with socket.create_connection((host, int(port)), LIMIT_S) as link:
            parser = MessageParser()
            link.sendall(encode_command(Command(CommandKind.START, token=1), seq=0))
            found = _listen(link.fileno(), parser, until=Hello, n=1)
            found += _listen(link.fileno(), parser, until=Block, n=10)
            assert parser.decoder.bad_frames == 0


def _day(start, *arguments: str) -> bytes:
    child = start("--stdio", *arguments)
    out = bytearray()
    while True:
        head = child.stdout.read(12)
        _, n = struct.unpack("<dI", head)
        out += head
        if n == 0xFFFFFFFF:
            assert child.wait(LIMIT_S) == 0
            return bytes(out)
        out += child.stdout.read(n)
        child.stdin.write(bytes(8))
        child.stdin.flush()


def test_lock_step_is_the_same_to_the_last_byte(start) -> None:
    options = ("--seed", "5", "--scenario", "short", "--hours", "0.1", "--fault", "corrupt=1e-5")
    assert _day(start, *options) == _day(start, *options)


def test_lock_step_ends_quietly_when_the_reader_is_gone(start) -> None:
    child = start("--stdio", "--scenario", "short")
    child.stdout.read(12)
    child.stdout.close()
    child.stdin.write(bytes(8 * 400))
    child.stdin.close()
    assert child.wait(LIMIT_S) == 0
    assert child.stderr.read() == b""


def test_pty_port_comes_back_after_an_unplug(tmp_path: Path) -> None:
    link, told = tmp_path / "tty", []
    port = PtyPort(link, told.append)
    port.plug(plugged=True)
    host = os.open(link, os.O_RDWR | os.O_NOCTTY)
    assert port.write(b"\x00\x03\x04\x11\n\xff") == 6
    assert os.read(host, 100) == b"\x00\x03\x04\x11\n\xff"
    port.plug(plugged=False)
    assert not link.is_symlink()
    with pytest.raises(OSError, match="Input/output"):
        os.write(host, b"x")
    os.close(host)
    port.plug(plugged=True)
    host = os.open(link, os.O_RDWR | os.O_NOCTTY)
    os.write(host, b"\x04\x03\r")
    port.wait(LIMIT_S)
    assert port.read() == b"\x04\x03\r"
    os.close(host)
    assert told == [str(link)] * 2
    port.close()


def test_pty_port_takes_no_more_than_fits() -> None:
    told: list[str] = []
    port = PtyPort(None, told.append)
    port.plug(plugged=True)
    host = os.open(told[0], os.O_RDWR | os.O_NOCTTY)
    taken = [port.write(bytes(1024)) for _ in range(200)]
    assert taken[0] == 1024
    assert taken[-1] == 0
    os.close(host)
    port.close()


def test_pty_port_keeps_nothing_for_a_later_program() -> None:
    told: list[str] = []
    port = PtyPort(None, told.append)
    port.plug(plugged=True)
    assert port.write(b"nobody") == 6
    first = os.open(told[0], os.O_RDWR | os.O_NOCTTY)
    while port.write(bytes(1024)):
        pass
    os.write(first, b"last words")
    os.close(first)
    assert port.write(b"nobody again") == 12
    assert port.read() == b"last words"
    assert port.read() == b""
    second = os.open(told[0], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    assert port.write(b"\x03\x04\n") == 3
    assert os.read(second, 100) == b"\x03\x04\n"
    os.close(second)
    port.close()


def test_pty_link_of_a_running_board_is_not_taken(tmp_path: Path) -> None:
    link = tmp_path / "tty"
    first = PtyPort(link, lambda _path: None)
    first.plug(plugged=True)
    target = link.readlink()
    with pytest.raises(ConfigError, match="no other simulator serves"):
        PtyPort(link, lambda _path: None)
    assert link.readlink() == target
    first.close()
    # One that was killed leaves its link, and nobody serves it.
    link.symlink_to(target)
    again = PtyPort(link, lambda _path: None)
    again.plug(plugged=True)
    again.close()
    assert not link.is_symlink()


def test_pty_link_to_something_else_is_not_replaced(tmp_path: Path) -> None:
    link = tmp_path / "tty"
    link.symlink_to(tmp_path / "thesis.txt")
    with pytest.raises(ConfigError, match="a link to a terminal"):
        PtyPort(link, lambda _path: None)
    assert link.is_symlink()


def test_tcp_port_notices_that_the_host_left() -> None:
    told: list[str] = []
    port = TcpPort(0, told.append)
    port.plug(plugged=True)
    for text in (b"one", b"two"):
        with socket.create_connection(("127.0.0.1", port.port), LIMIT_S) as host:
            port.wait(LIMIT_S)
            assert port.write(text) == 3
            assert host.recv(10) == text
        port.wait(LIMIT_S)
        assert port.read() == b""
        assert port.write(b"lost") == 4
    port.close()
    assert told == [f"127.0.0.1:{port.port}"]
