from __future__ import annotations

import io
import shlex
import struct
from pathlib import Path

import numpy as np
import pytest

from firmware_host.cli.main import build_parser as build_signet_parser
from firmware_host.errors import LinkError
from firmware_host.host.load import read_load
from firmware_host.host.thermal import read_heat
from firmware_host.protocol.encode import encode_command
from firmware_host.protocol.messages import Command, CommandKind
from firmware_host.transport.base import parse_url
from firmware_host.transport.host_clock import speed_of
from firmware_host.transport.registry import FACTORIES
from sim.__main__ import main
from sim.board import VirtualBoard
from sim.body import SyntheticBody
from sim.command import where_it_is
from sim.fault_plan import parse_fault_spec
from sim.faults import FaultyBoard
from sim.host import HostModel, HostTree
from sim.host_plan import HostPlan
from sim.links import END_OF_DAY, Loopback, serve_stdio
from sim.options import build_parser
from sim.person import Wearer
from sim.schedule import load_scenario


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["--stdio", "--scenario", "nope"], 2, "scenario"),
        (["--stdio", "--fault", "melt=1"], 2, "fault"),
        (["--stdio", "--speed", "2"], 2, "speed"),
        (["--stdio", "--drift-ppm", "1e9"], 2, "drift"),
        (["--stdio", "--host", "/dev/null/tree"], 2, "host"),
        (["--tcp", "0", "--speed", "0"], 2, "speed"),
        (["--tcp", "0", "--speed", "1001"], 2, "speed"),
        (["--tcp", "99999"], 2, "tcp"),
        (["--stdio", "--recording", "nothing.zip"], 4, "nothing.zip"),
        (["--stdio", "--recording", "x.zip", "--scenario", "day"], 2, "recording"),
        (["--stdio", "--truth", "no/such/folder.csv"], 8, "truth"),
    ],
)
def test_mistake_is_one_line_and_an_exit_code(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, word: str
) -> None:
    assert main(arguments) == code
    err = capsys.readouterr().err
    assert err.startswith("sim: ")
    assert err.count("\n") == 1
    assert word in err


@pytest.mark.parametrize(
    "argument",
    [
        "--seed=-1", "--seed=abc", f"--seed={'9' * 5000}", "--seed=1.5",
        "--hours=nan", "--hours=-1", "--hours=0", "--hours=1e300", "--hours=inf", "--hours=x",
    ],
)  # fmt: skip
def test_number_that_cannot_be_is_one_short_line(
    capsys: pytest.CaptureFixture[str], argument: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--stdio", argument])
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith(f"sim: argument {argument.partition('=')[0]}: expected ")
    assert err.count("\n") == 1
    assert len(err) < 150


def test_help_lists_scenarios_and_faults() -> None:
    text = build_parser().format_help()
    for name in ("day", "short", "walk", "corrupt=P", "unplug=AT:FOR", "seconds"):
        assert name in text
    for fault in (
        "corrupt",
        "drop",
        "duplicate",
        "short_reads",
        "stall",
        "unplug",
        "reboot",
        "brown_out",
    ):
        assert f"{fault}=" in text


def test_exactly_one_line_must_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--stdio", "--tcp", "0"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
    capsys.readouterr()


def test_pty_refuses_to_replace_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    precious = tmp_path / "thesis.txt"
    precious.write_text("x")
    assert main(["--pty", str(precious)]) == 2
    assert "link" in capsys.readouterr().err
    assert precious.read_text() == "x"


def test_every_option_has_help() -> None:
    assert all(action.help for action in build_parser()._actions)


@pytest.mark.parametrize(
    ("kind", "where", "prints", "url"),
    [
        ("pty", "/tmp/a b", False, "/tmp/a b"),
        ("pty", "board", False, "serial:board"),
        ("pty", "/dev/pts/3", True, "text:/dev/pts/3"),
        ("tcp", "127.0.0.1:7000", False, "socket://127.0.0.1:7000"),
        ("tcp", "127.0.0.1:7000", True, "text+socket://127.0.0.1:7000"),
    ],
)
def test_board_that_lives_faster_says_how_to_read_it(
    kind: str, where: str, prints: bool, url: str
) -> None:
    first, second = where_it_is(kind, where, speed=20.0, prints=prints).split("\n")
    assert first == where_it_is(kind, where) == f"{kind} {where}"
    said = build_signet_parser().parse_args(shlex.split(second)[1:])
    assert said.device == f"{url}?speed=20"
    parsed = parse_url(said.device)
    assert (parsed.scheme in FACTORIES, speed_of(parsed)) == (True, 20.0)


def _device(short_bytes: int = 0, hours: float = 20 / 3600) -> FaultyBoard:
    schedule = load_scenario("short").lasting(hours)
    board = VirtualBoard(SyntheticBody(Wearer(schedule, seed=2)), seed=2)
    return FaultyBoard(
        board, parse_fault_spec(f"short_reads={short_bytes}" if short_bytes else ""), seed=2
    )


def _split(output: bytes) -> list[tuple[float, bytes]]:
    chunks, at = [], 0
    while at < len(output):
        arrival_utc, n = struct.unpack_from("<dI", output, at)
        at += 12
        if n == END_OF_DAY:
            assert at == len(output)
            break
        chunks.append((arrival_utc, output[at : at + n]))
        at += n
    return chunks


def test_stdio_sends_a_chunk_about_each_second_and_says_when_the_day_ends() -> None:
    sink = io.BytesIO()
    serve_stdio(_device(), start_utc=100.0, source=io.BytesIO(bytes(8 * 40)), sink=sink)
    chunks = _split(sink.getvalue())
    steps = np.diff([100.0, *(t for t, _ in chunks)])
    assert ((steps >= 0.6) & (steps <= 1.4)).all()
    assert len(set(steps.round(6))) > 15
    assert b"".join(data for _, data in chunks) == _device().advance(1e6)


def test_stdio_hands_commands_to_the_board() -> None:
    order = encode_command(Command(CommandKind.CUE, 1, token=9), seq=0)
    replies = bytes(8) + struct.pack("<If", len(order), 0.0) + order + bytes(8 * 40)
    device = _device()
    serve_stdio(device, start_utc=0.0, source=io.BytesIO(replies), sink=io.BytesIO())
    (cue,) = device.board.counters.cues
    assert cue.pattern == 1
    assert 1.2 <= cue.t_s <= 2.8


def test_stdio_stops_when_the_parent_leaves() -> None:
    sink = io.BytesIO()
    serve_stdio(_device(), start_utc=0.0, source=io.BytesIO(bytes(8 * 3)), sink=sink)
    assert len(_split(sink.getvalue())) == 4


def test_loopback_reads_are_short_when_asked() -> None:
    link = Loopback(_device(short_bytes=10), start_utc=0.0)
    pieces = []
    with pytest.raises(EOFError):
        while True:
            pieces.append(link.read())
    sizes = [len(p.data) for p in pieces if p is not None]
    assert max(sizes) == 10
    assert sum(sizes) == len(_device().advance(1e6))


def test_stdio_host_is_warmed_by_what_the_parent_says_it_worked(tmp_path: Path) -> None:
    """Ten minutes with one busy core or without: the tree that the host reads tells them apart."""
    ends_c = []
    for worked_s in (0.0, 1.0):
        root = tmp_path / str(worked_s)
        tree = HostTree(HostModel(HostPlan(), seed=1), root)
        replies = struct.pack("<If", 0, worked_s) * 700
        serve_stdio(
            _device(hours=1 / 6),
            start_utc=0.0,
            source=io.BytesIO(replies),
            sink=io.BytesIO(),
            host=tree,
        )
        ends_c.append(read_heat(root).soc_c)
        loads = read_load(root).last_minute
        assert loads == pytest.approx(0.15 + worked_s, abs=0.15)
    assert ends_c[1] - ends_c[0] == pytest.approx(9.0, abs=1.6)


def test_stdio_refuses_work_that_is_no_number_of_seconds() -> None:
    replies = io.BytesIO(struct.pack("<If", 0, float("nan")))
    with pytest.raises(LinkError, match="expected seconds of work, got nan"):
        serve_stdio(_device(), start_utc=0.0, source=replies, sink=io.BytesIO())
