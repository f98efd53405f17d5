"""A recorded board: what it says, to whom, and what it does not take."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from firmware_host.protocol.encode import encode_command, encode_ping
from firmware_host.protocol.messages import (
    Block,
    Command,
    CommandKind,
    Event,
    EventKind,
    Hello,
    Message,
    Ping,
)
from firmware_host.protocol.parser import MessageParser
from firmware_host.recording.mcap_writer import McapWriter
from firmware_host.recording.take_reader import TakeReader
from sim.__main__ import main
from sim.links import CHUNK_HEADER, END_OF_DAY, REPLY_HEADER
from sim.options import build_parser
from sim.recorded import RecordedBoard
from tests.unit.recording.take_fixtures import make_take

START = encode_command(Command(CommandKind.START), seq=0)
STOP = encode_command(Command(CommandKind.STOP), seq=1)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "a.mcap"
    with McapWriter(path) as writer:
        for utc, message in TakeReader(path, lambda _: make_take()).messages():
            writer.write(message, utc)
            writer.write(Ping(9), utc)
    return path


def _said(recording: Path) -> list[Message]:
    from firmware_host.recording.mcap_reader import McapReader

    return [m for _, m in McapReader(recording).messages() if not isinstance(m, Ping)]


class FakePort:
    """A line that takes ``room`` bytes at once; ``hears`` is what the host says, by the number of waits."""

    def __init__(self, hears: dict[int, bytes], room: int = 1 << 20) -> None:
        self.now_s = 0.0
        self.n_waits = 0
        self.out = bytearray()
        self.at: list[tuple[float, bytes]] = []
        self._hears = hears
        self._room = room

    def clock(self) -> float:
        return self.now_s

    def wait(self, timeout_s: float) -> None:
        self.now_s += timeout_s
        self.n_waits += 1

    def read(self) -> bytes:
        ready = [n for n in self._hears if n <= self.n_waits]
        return b"".join(self._hears.pop(n) for n in ready)

    def write(self, data: bytes) -> int:
        part = bytes(data[: self._room])
        self.at.append((self.now_s, part))
        self.out += part
        return len(part)

    def plug(self, *, plugged: bool) -> None:
        raise AssertionError(f"a recorded board stays in, got plugged={plugged}")

    def close(self) -> None:
        raise AssertionError("whoever opened it closes it")


def _board(recording: Path, *options: str) -> RecordedBoard:
    return RecordedBoard(
        build_parser().parse_args(["--pty", "--recording", str(recording), *options])
    )


def test_it_waits_for_start_and_then_says_all_at_the_recorded_pace(recording: Path) -> None:
    port = FakePort({50: START, 60: encode_ping(Ping(1), seq=3)})
    _board(recording).serve(port, speed=2.0, clock=port.clock)
    assert MessageParser().feed(bytes(port.out)) == _said(recording)
    assert port.at[0][0] == pytest.approx(1.0)
    # Forty seconds of signals at twice the pace.
    assert port.at[-1][0] == pytest.approx(21.0, abs=0.3)


def test_a_line_that_is_full_delays_and_loses_nothing(recording: Path) -> None:
    port = FakePort({0: START}, room=40)
    _board(recording).serve(port, speed=1000.0, clock=port.clock)
    assert MessageParser().feed(bytes(port.out)) == _said(recording)


def test_the_next_host_hears_it_from_the_start(recording: Path) -> None:
    port = FakePort({0: START, 200: STOP, 300: START})
    _board(recording).serve(port, speed=2.0, clock=port.clock)
    parsed = MessageParser().feed(bytes(port.out))
    whole = _said(recording)
    n_first = len(parsed) - len(whole)
    assert 0 < n_first < len(whole)
    assert parsed[n_first:] == whole
    assert parsed[:n_first] == whole[:n_first]


def test_rounds_and_places_over_a_line(recording: Path) -> None:
    port = FakePort({0: START})
    board = _board(recording, "--from", "10", "--to", "20", "--loop", "2")
    board.serve(port, speed=1000.0, clock=port.clock)
    parsed = MessageParser().feed(bytes(port.out))
    hellos = [m for m in parsed if isinstance(m, Hello)]
    assert len({m.session for m in hellos}) == len(hellos) == 2
    n_blocks = sum(isinstance(m, Block) for m in parsed)
    assert 0 < n_blocks < sum(isinstance(m, Block) for m in _said(recording))


def test_lock_step_carries_the_recorded_arrivals(recording: Path) -> None:
    sink = io.BytesIO()
    _board(recording).serve_stdio(io.BytesIO(REPLY_HEADER.pack(0, 0.0) * 10_000), sink)
    data, parser = sink.getvalue(), MessageParser()
    at, got, arrivals = 0, list[Message](), list[float]()
    while True:
        utc, n = CHUNK_HEADER.unpack_from(data, at)
        at += CHUNK_HEADER.size
        if n == END_OF_DAY:
            break
        arrivals.append(utc)
        got += parser.feed(data[at : at + n])
        at += n
    assert arrivals == sorted(set(arrivals))
    assert [m for m in got if not isinstance(m, Ping)] == _said(recording)
    assert any(isinstance(m, Event) and m.kind is EventKind.BUTTON for m in got)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--fault", "drop=0.1"], 2, "a recording of a body"),
        (["--hours", "1", "--drift-ppm", "5"], 2, "drift_ppm and hours"),
        (["--from", "2h"], 2, "play from: expected a place in the recording"),
        (["--loop", "0"], 2, "loop: expected"),
    ],
)
def test_what_does_not_go_together_is_one_line(
    recording: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int, words: str
) -> None:
    assert main(["--stdio", "--recording", str(recording), *options]) == code
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_places_are_for_recorded_boards_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--stdio", "--from", "10m"]) == 2
    assert "an .mcap --recording" in capsys.readouterr().err
