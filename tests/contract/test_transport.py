"""One suite for every link to a board: what the runtime may rely on, whatever the URL."""

from __future__ import annotations

import contextlib
import os
import socket
import tty
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import pytest

from firmware_host.devices import ReplayTransport, open_device
from firmware_host.errors import LinkClosed, LinkEnded
from firmware_host.protocol.messages import Block, Channel, Hello, Message
from firmware_host.protocol.parser import MessageParser
from firmware_host.transport.base import Transport
from firmware_host.transport.registry import open_transport

# Generous for a loaded machine; only NOTHING_S is ever waited out.
ARRIVES_S = 5.0
NOTHING_S = 0.01
PAYLOAD = bytes(range(256)) * 8


class Board(Protocol):
    """The other end of a link, in the test's hands."""

    transport: Transport

    def send(self, data: bytes) -> None: ...
    def received(self, n_bytes: int) -> bytes: ...
    def unplug(self) -> None: ...


class LoopBoard:
    def __init__(self) -> None:
        self.transport = open_transport("loop:")
        self.send = self.transport.board.send
        self.unplug = self.transport.board.unplug

    def received(self, n_bytes: int) -> bytes:
        data = self.transport.board.received()
        assert len(data) == n_bytes
        return data


class PtyBoard:
    def __init__(self) -> None:
        # Our own handle on the slave keeps the pair alive and raw until unplug.
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.transport = open_transport(f"pty:{os.ttyname(self._slave)}")

    def send(self, data: bytes) -> None:
        assert os.write(self._master, data) == len(data)

    def received(self, n_bytes: int) -> bytes:
        data = b""
        while len(data) < n_bytes:
            data += os.read(self._master, n_bytes - len(data))
        return data

    def unplug(self) -> None:
        for fd in (self._master, self._slave):
            with contextlib.suppress(OSError):
                os.close(fd)


class TcpBoard:
    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.transport = open_transport(f"socket://127.0.0.1:{server.getsockname()[1]}")
            self._socket = server.accept()[0]

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def received(self, n_bytes: int) -> bytes:
        return self._socket.recv(n_bytes, socket.MSG_WAITALL)

    def unplug(self) -> None:
        self._socket.close()


BOARDS = {"loopback": LoopBoard, "pty": PtyBoard, "tcp": TcpBoard}


@pytest.fixture(params=BOARDS)
def board(request: pytest.FixtureRequest) -> Iterator[Board]:
    made = BOARDS[request.param]()
    yield made
    made.transport.close()
    made.unplug()


def read_bytes(transport: Transport, n_bytes: int) -> bytes:
    data = b""
    while len(data) < n_bytes:
        chunk = transport.read(ARRIVES_S)
        assert chunk is not None, f"only {len(data)} of {n_bytes} bytes came"
        data += chunk.data
    return data


def test_bytes_come_in_order_when_sent_in_pieces(board: Board) -> None:
    for at in range(0, len(PAYLOAD), 100):
        board.send(PAYLOAD[at : at + 100])
    assert read_bytes(board.transport, len(PAYLOAD)) == PAYLOAD


def test_a_short_chunk_comes_at_once_when_no_more_follows(board: Board) -> None:
    board.send(b"\x01")
    chunk = board.transport.read(ARRIVES_S)
    assert chunk is not None
    assert chunk.data == b"\x01"


def test_read_gives_none_when_nothing_comes(board: Board) -> None:
    assert board.transport.read(NOTHING_S) is None
    board.send(b"later")
    assert read_bytes(board.transport, 5) == b"later"


def test_arrivals_lie_between_the_clock_before_and_after(board: Board) -> None:
    before_utc = board.transport.now_utc()
    arrivals_utc = []
    for _ in range(3):
        board.send(b"x")
        chunk = board.transport.read(ARRIVES_S)
        assert chunk is not None
        arrivals_utc.append(chunk.arrival_utc)
    assert before_utc <= arrivals_utc[0]
    assert arrivals_utc == sorted(arrivals_utc)
    assert arrivals_utc[-1] <= board.transport.now_utc()


def test_written_bytes_reach_the_board(board: Board) -> None:
    board.transport.write(PAYLOAD[:300])
    assert board.received(300) == PAYLOAD[:300]


def test_unplugging_is_link_closed_after_what_had_arrived(board: Board) -> None:
    board.send(b"last words")
    assert read_bytes(board.transport, 10) == b"last words"
    board.unplug()
    with pytest.raises(LinkClosed) as caught:
        board.transport.read(ARRIVES_S)
    assert not isinstance(caught.value, LinkEnded)


def test_reading_again_after_unplugging_is_still_link_closed(board: Board) -> None:
    board.unplug()
    for _ in range(2):
        with pytest.raises(LinkClosed):
            board.transport.read(ARRIVES_S)


def test_close_twice_is_fine(board: Board) -> None:
    board.transport.close()
    board.transport.close()


def test_use_after_close_is_link_closed(board: Board) -> None:
    board.transport.close()
    with pytest.raises(LinkClosed):
        board.transport.read(NOTHING_S)
    with pytest.raises(LinkClosed):
        board.transport.write(b"x")


def test_a_closed_link_can_be_opened_again_when_its_url_is_used(board: Board) -> None:
    if not isinstance(board, PtyBoard):
        pytest.skip("the other end of a loop or a connection goes with the link")
    board.transport.close()
    board.transport = open_transport(board.transport.url)
    board.send(b"again")
    assert read_bytes(board.transport, 5) == b"again"


CHANNEL = Channel(0, "temp", "degC", 4.0, 0.01, 0.0, "i16", 1)
HELLO = Hello(7, "board-1", "signet 0.1", (CHANNEL,))


@dataclass
class FakeReader:
    """A recording in memory: one block each quarter second."""

    n_blocks: int
    hello: Hello = HELLO
    start_utc: float = 1_700_000_000.0
    closed: int = 0
    blocks: list[Block] = field(default_factory=list)

    @property
    def duration_s(self) -> float:
        return 0.25 * (self.n_blocks - 1)

    def messages(self) -> Iterator[tuple[float, Message]]:
        yield self.start_utc, self.hello
        for i in range(self.n_blocks):
            block = Block(7, 0, i, 250_000 * i, 0, i, bytes([i & 0xFF, 1]))
            self.blocks.append(block)
            yield self.start_utc + 0.25 * i, block

    def labels(self) -> list[object]:
        return []

    def close(self) -> None:
        self.closed += 1


@dataclass
class FakeTime:
    now_s: float = 100.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


def replay(reader: FakeReader, speed: float | None = None, real: FakeTime | None = None):
    real = real or FakeTime()
    return ReplayTransport(
        reader, url="replay:fake", speed=speed, monotonic=real.monotonic, sleep=real.sleep
    )


def read_all(transport: Transport, timeout_s: float = 10.0):
    chunks = []
    with contextlib.suppress(LinkEnded):
        while True:
            chunk = transport.read(timeout_s)
            if chunk is not None:
                chunks.append(chunk)
    return chunks


def test_replay_gives_back_every_message() -> None:
    reader = FakeReader(40)
    parser = MessageParser()
    messages = [m for chunk in read_all(replay(reader)) for m in parser.feed(chunk.data)]
    assert messages == [HELLO, *reader.blocks]


def test_replay_does_not_know_earlier_than_the_host_did_what_the_board_is() -> None:
    reader = FakeReader(3)
    hello, first, *rest = [message for _, message in reader.messages()]
    said = [first, hello, *rest]
    reader.messages = lambda: iter([(reader.start_utc, message) for message in said])
    parser = MessageParser()
    assert [m for c in read_all(replay(reader)) for m in parser.feed(c.data)] == said


def test_replay_ends_with_link_ended_each_time_it_is_read() -> None:
    transport = replay(FakeReader(1))
    read_all(transport)
    for _ in range(2):
        with pytest.raises(LinkEnded):
            transport.read(1.0)


@pytest.mark.parametrize("speed", [1.0, 7.3, 1000.0])
@pytest.mark.parametrize("timeout_s", [0.1, 100.0])
def test_replay_chunks_are_the_same_when_speed_and_timeout_differ(speed, timeout_s) -> None:
    expected = read_all(replay(FakeReader(40)))
    assert read_all(replay(FakeReader(40), speed), timeout_s) == expected
    assert [c.arrival_utc for c in expected] == sorted(c.arrival_utc for c in expected)


def test_replay_takes_the_recorded_time_divided_by_speed() -> None:
    real = FakeTime()
    transport = replay(FakeReader(401), 4.0, real)
    assert not transport.virtual_time
    read_all(transport)
    assert real.now_s - 100.0 == pytest.approx(100.0 / 4.0)


def test_replay_catches_up_when_the_reader_was_slow() -> None:
    real = FakeTime()
    transport = replay(FakeReader(401), 1.0, real)
    transport.read(10.0)
    real.now_s += 60.0
    read_all(transport)
    assert real.now_s - 100.0 == pytest.approx(100.0)


def test_replay_gives_none_when_the_next_chunk_is_not_due() -> None:
    real = FakeTime()
    transport = replay(FakeReader(40), 1.0, real)
    transport.read(1.0)
    assert transport.read(0.125) is None
    assert real.slept[-1] == 0.125
    assert transport.read(10.0) is not None


def test_replay_at_full_speed_never_sleeps() -> None:
    real = FakeTime()
    transport = replay(FakeReader(40), None, real)
    assert transport.virtual_time
    read_all(transport)
    assert real.slept == []


def test_replay_clock_is_the_recorded_one() -> None:
    reader = FakeReader(40)
    transport = replay(reader)
    assert transport.now_utc() == reader.start_utc
    chunk = transport.read(1.0)
    assert transport.now_utc() == chunk.arrival_utc


def test_replay_closes_its_recording_once() -> None:
    reader = FakeReader(2)
    transport = replay(reader)
    transport.write(b"to nobody")
    transport.close()
    transport.close()
    assert reader.closed == 1
    with pytest.raises(LinkClosed):
        transport.write(b"x")
    with pytest.raises(LinkClosed):
        transport.read(1.0)


@pytest.mark.needs_data
def test_a_real_recording_gives_the_same_chunks_at_any_speed(data_dir) -> None:
    url = f"replay:{data_dir / 'stress-predict/e4/S05.zip'}"
    first = None
    for query in ("", "?speed=max", "?speed=1", "?speed=250"):
        real = FakeTime()
        transport = open_device(url + query, monotonic=real.monotonic, sleep=real.sleep)
        chunks = read_all(transport, timeout_s=0.3)
        transport.close()
        first = first or chunks
        assert chunks == first
    arrivals_utc = [chunk.arrival_utc for chunk in first]
    assert arrivals_utc == sorted(arrivals_utc)
    parser = MessageParser()
    n_messages = sum(len(parser.feed(chunk.data)) for chunk in first)
    assert n_messages > 10_000
    assert parser.decoder.bad_frames == parser.bad_payloads == 0
