"""``signet board`` on the CPython board, in one process: no program of others is needed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_host.cli.main import main
from firmware_host.errors import FlashError
from firmware_host.flash.asking import Conversation, status_lines
from firmware_host.flash.listening import listen
from firmware_host.protocol.encode import encode_ack
from firmware_host.protocol.messages import (
    Ack,
    AckResult,
    BootCause,
    Command,
    CommandKind,
    Part,
    PartState,
    Status,
)
from firmware_host.protocol.parser import MessageParser
from sim.board import VirtualBoard
from sim.flash.repl_board import ReplBoard
from sim.flash.whole_board import WholeBoard
from tests.flash.conftest import new_app


@pytest.fixture
def port(serve: Callable[..., str], tmp_path: Path) -> str:
    folder = tmp_path / "flash"
    folder.mkdir()
    (folder / "main.py").write_text("")
    return serve(WholeBoard(None, ReplBoard(folder), new_app))


@pytest.fixture
def run(capfd, monkeypatch) -> Callable[..., tuple[int, str, str]]:
    # What the verb itself puts in place for a whole process.
    monkeypatch.setattr("firmware_host.cli.main.COUNTER.install", lambda: None)
    monkeypatch.setattr("firmware_host.cli.interrupts.signal.signal", lambda *_: None)

    def call(*args: str) -> tuple[int, str, str]:
        code = main(list(args))
        said = capfd.readouterr()
        return code, said.out, said.err

    return call


def test_logs_say_how_the_board_does(run, port) -> None:
    code, out, _ = run("board", "logs", "--device", port, "--seconds", "0.1")
    assert code == 0
    assert out.startswith("sim-board: signet-sim")
    assert "booted because: power" in out


def test_logs_for_machines(run, port) -> None:
    _, out, _ = run("board", "logs", "--device", port, "--seconds", "0.1", "--json")
    assert json.loads(out)["firmware"].startswith("signet-sim")


def test_reset_begins_a_new_session(run, port) -> None:
    with Conversation(port) as board:
        before = board.hello.session
    code, _, err = run("board", "reset", "--device", port)
    assert (code, err) == (0, "sim-board starts anew\n")
    code, out, err = run("board", "reset", "--device", port, "--json")
    assert (code, json.loads(out), err) == (0, {"board": "sim-board", "starts": "anew"}, "")
    with Conversation(port) as board:
        assert board.hello.session != before


class FirstApp(VirtualBoard):
    """An app from before there were settings."""

    _answers = b""

    def receive(self, data: bytes) -> None:
        for message in MessageParser().feed(data):
            if isinstance(message, Command) and message.kind == CommandKind.SETTING:
                ack = Ack(self.session, 0, message.kind, AckResult.UNKNOWN, message.token)
                self._answers += encode_ack(ack, seq=0)
        if not self._answers:
            super().receive(data)

    def advance(self, now_s: float) -> bytes:
        said, self._answers = self._answers, b""
        return super().advance(now_s) + said


def test_board_that_keeps_nothing_is_said_to_be_older(run, serve, tmp_path) -> None:
    (tmp_path / "main.py").write_text("")
    port = serve(WholeBoard(None, ReplBoard(tmp_path), lambda: new_app(kind=FirstApp)))
    code, _, err = run("board", "settings", "--device", port)
    assert code == 3
    assert "knows no such order; update it: signet flash --app-only --device" in err


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["settings", "--device", "PORT", "ring"], 2, "expected KEY=VALUE, got 'ring'"),
        (["settings", "--device", "PORT", "=5"], 2, "expected KEY=VALUE, got '=5'"),
        (["logs", "--device", "replay:x.mcap"], 2, "expected a board that runs our app"),
        (["logs", "--device", "text:/dev/null"], 2, "expected a board that runs our app"),
        (["logs", "--device", "/nowhere/tty"], 3, "no such port"),
        (
            ["settings", "--device", "PORT", f"id={'x' * 300}"],
            2,
            "id: expected 1 to 32 printable ASCII characters",
        ),
        (["settings", "--device", "PORT", "rate.acc=9999"], 2, "rate.acc: expected Hz, 0.1 to 200"),
        (["reset"], 2, "--device: expected a device URL"),
    ],
)
def test_wrong_call_is_one_line(run, port, args, code, says) -> None:
    got, _, err = run("board", *[port if word == "PORT" else word for word in args])
    assert got == code
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf"])
def test_nobody_listens_for_no_time(run, seconds) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("board", "logs", "--device", "/nowhere", "--seconds", seconds)


def test_settings_that_were_kept_before_a_refused_one_are_named(run, port) -> None:
    code, _, err = run("board", "settings", "--device", port, "ring=32", "foo=1")
    assert code == 2
    assert err.splitlines()[0] == "kept before that: ring"
    _, out, _ = run("board", "settings", "--device", port, "--json")
    assert json.loads(out)["ring"] == "32"


def test_what_to_do_after_settings_names_the_board(run, port) -> None:
    _, _, err = run("board", "settings", "--device", port, "ring=32")
    assert (
        err.strip() == f"in force from the next boot on: signet board reset --device serial:{port}"
    )


def test_list_names_the_kinds_we_know_where_there_is_no_board(run) -> None:
    code, _, err = run("board", "ls")
    assert code == 0
    assert "xiao-nrf52840-sense" in err or not err


def test_status_for_a_person() -> None:
    status = Status(
        1,
        0,
        uptime_s=90,
        cause=BootCause.WATCHDOG,
        free_bytes=51_200,
        n_late=3,
        parts=(Part("lsm6ds3", PartState.WORKS, 2), Part("tmp117", PartState.ABSENT)),
    )
    assert status_lines(status) == [
        "up 90 s, booted because: watchdog",
        "free memory: 51200 bytes",
        "samples not taken in time: 3",
        "lsm6ds3: works, 2 bus errors",
        "tmp117: absent",
    ]


def test_first_words_are_hello_and_samples_of_each_channel(port) -> None:
    words = listen(port)
    assert set(words.n_samples) == {channel.name for channel in words.hello.channels}
    assert words.lines[0].startswith("sim-board says HELLO")
    assert len(words.lines) == 1 + len(words.hello.channels)


def test_board_that_never_answers_is_said(serve, tmp_path) -> None:
    port = serve(ReplBoard(tmp_path))
    times = iter(range(0, 1000, 40))
    with pytest.raises(FlashError, match=r"restarted and does not answer: .*not a Signet board"):
        listen(port, monotonic=lambda: next(times), sleep=lambda _s: None)
