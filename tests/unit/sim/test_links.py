from __future__ import annotations

import hashlib

from firmware_host.protocol.encode import encode_command, encode_ping
from firmware_host.protocol.messages import Block, Command, CommandKind, Ping, Pong
from firmware_host.protocol.parser import MessageParser
from sim.board import VirtualBoard
from sim.body import SyntheticBody
from sim.fault_plan import parse_fault_spec
from sim.faults import FaultyBoard
from sim.links import Loopback, serve
from sim.person import Wearer
from sim.schedule import load_scenario


def _device(spec: str = "", *, seconds: float = 40.0) -> FaultyBoard:
    schedule = load_scenario("short").lasting(seconds / 3600)
    board = VirtualBoard(SyntheticBody(Wearer(schedule, seed=4)), seed=4)
    return FaultyBoard(board, parse_fault_spec(spec), seed=4)


class FakePort:
    """A line whose time passes in ``wait``; it may be late, slow or silent."""

    def __init__(self, *, wait_s: float = 0.02, bytes_a_tick: int = 1 << 20) -> None:
        self.now_s = 1000.0
        self.taken = bytearray()
        self.to_board = b""
        self.plugs: list[tuple[float, bool]] = []
        self._wait_s = wait_s
        self._bytes_a_tick = bytes_a_tick
        self._room = bytes_a_tick

    def clock(self) -> float:
        return self.now_s

    def wait(self, timeout_s: float) -> None:
        self.now_s += max(timeout_s, self._wait_s)
        self._room = self._bytes_a_tick

    def read(self) -> bytes:
        data, self.to_board = self.to_board, b""
        return data

    def write(self, data: bytes) -> int:
        n = min(len(data), self._room)
        self._room -= n
        self.taken += data[:n]
        return n

    def plug(self, *, plugged: bool) -> None:
        if not self.plugs or self.plugs[-1][1] != plugged:
            self.plugs.append((round(self.now_s - 1000.0, 1), plugged))

    def close(self) -> None:
        pass


def _serve(device: FaultyBoard, port: FakePort, *, speed: float = 1.0) -> None:
    serve(device, port, speed=speed, clock=port.clock)


def test_serve_delivers_the_same_bytes_however_late_the_loop_is() -> None:
    prompt, late = FakePort(), FakePort(wait_s=1.7)
    _serve(_device(), prompt)
    _serve(_device(), late)
    assert prompt.taken == late.taken == _device().advance(1e6)


def test_serve_takes_as_long_as_the_day_by_its_speed() -> None:
    for speed in (1.0, 8.0):
        port = FakePort()
        _serve(_device(), port, speed=speed)
        assert abs(port.now_s - 1000.0 - 40.0 / speed) < 0.1


def test_serve_drops_whole_frames_when_the_host_is_slow() -> None:
    port, device = FakePort(bytes_a_tick=8), _device()
    _serve(device, port)
    parser = MessageParser()
    parser.feed(bytes(port.taken))
    assert device.board.counters.dropped_frames > 10
    assert parser.decoder.bad_frames == parser.decoder.oversize == 0


def test_serve_pulls_the_cable_when_the_plan_says_so() -> None:
    port = FakePort()
    _serve(_device("unplug=10:5"), port)
    assert [plugged for _, plugged in port.plugs] == [True, False, True]
    assert abs(port.plugs[1][0] - 10.0) < 0.2
    assert abs(port.plugs[2][0] - 15.0) < 0.2


def test_serve_hands_commands_to_the_board() -> None:
    port, device = FakePort(), _device()
    port.to_board = encode_command(Command(CommandKind.STOP, token=1), seq=0)
    _serve(device, port)
    assert not any(isinstance(m, Block) for m in MessageParser().feed(bytes(port.taken)))


def test_serve_answers_a_ping_with_the_time_at_which_it_heard_it() -> None:
    class Asking(FakePort):
        """Asks in the middle of the day, when the last samples were sent half a second ago."""

        asked_s = 0.0

        def wait(self, timeout_s: float) -> None:
            super().wait(timeout_s)
            if not self.asked_s and self.now_s > 1020.0:
                self.asked_s = self.now_s - 1000.0
                self.to_board = encode_ping(Ping(7), seq=0)

    port = Asking(wait_s=0.5)
    _serve(_device(), port)
    answers = [m for m in MessageParser().feed(bytes(port.taken)) if isinstance(m, Pong)]
    assert [m.ticks_us for m in answers] == [round(port.asked_s * 1e6)]


def test_short_reads_arrive_whole_in_the_end() -> None:
    port = FakePort()
    _serve(_device("short_reads=7"), port)
    digest = hashlib.sha256(_device().advance(1e6)).digest()
    assert hashlib.sha256(port.taken).digest() == digest


def test_loopback_steps_change_no_byte() -> None:
    streams = []
    for step_s in (0.3, 1.0, 11.0):
        link, out = Loopback(_device(), start_utc=0.0, step_s=step_s), bytearray()
        while not link.device.finished:
            piece = link.read()
            out += piece.data if piece else b""
        streams.append(bytes(out))
    assert streams[0] == streams[1] == streams[2]
