"""One recording over every way there is: in the process, in lock-step, over a pty, over TCP.

What has its own clock gives the same bytes. Over a real line the host stamps what comes when it comes, as it does with
any board, so ``utc`` and the times of labels are of that run; all else is the same, and the run's own recording gives
the run's own bytes.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from command import ENV, REPO, Wearer, one_line, signet

from firmware_host.config import Recording
from firmware_host.devices import open_device
from firmware_host.errors import ConfigError, StreamSilent
from firmware_host.events import AnyEvent, to_json
from firmware_host.runtime.build import SessionOptions, open_session
from firmware_host.runtime.pipeline import Listeners
from firmware_host.runtime.session import Session
from firmware_host.runtime.tap import Tap
from firmware_host.transport.base import Transport

# Body seconds a second: the board and the host's clock live that much faster.
SPEED = 100
# What the host says of the line itself.
OF_THE_LINE = ("link", "silence", "clock_step")
HOST_TIMES = ("utc", "start_utc", "end_utc")


def _run(
    open_transport: Callable[[], Transport], *, until_lost: bool = False, tap: Tap | None = None
) -> list[str]:
    lines: list[str] = []
    sessions: list[Session] = []

    def emit(event: AnyEvent) -> None:
        lines.append(to_json(event))
        if tap is not None:
            tap.event(event)

    options = SessionOptions(
        url="replay:", listeners=Listeners() if tap is None else Listeners(message=tap.message)
    )
    session = open_session(
        options,
        None,
        emit=emit,
        stop=lambda: until_lost and bool(sessions) and sessions[0].link.n_lost > 0,
        open_transport=open_transport,
    )
    sessions.append(session)
    session.run()
    return lines


@contextmanager
def _board(recording: Path, *line: str) -> Iterator[str]:
    """The URL that the board says it is to be read with."""
    child = subprocess.Popen(
        [sys.executable, "-m", "sim", *line, "--recording", recording, "--speed", f"{SPEED}"],
        cwd=REPO,
        env=ENV,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    try:
        where = child.stdout.readline().split()[1]
        url = shlex.split(child.stdout.readline())[-1]
        assert url.endswith(f"{where}?speed={SPEED}")
        yield url
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def _on_board_time(lines: list[str]) -> list[Any]:
    events = [json.loads(line) for line in lines]
    return [_without_host_times(event) for event in events if event.get("what") not in OF_THE_LINE]


def _without_host_times(said: Any) -> Any:
    if not isinstance(said, dict):
        return said
    return {key: _without_host_times(value) for key, value in said.items() if key not in HOST_TIMES}


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six minutes with a gap, a rest between two presses of a button, and windows scored by what it taught."""
    path = tmp_path_factory.mktemp("short") / "short.mcap"
    device = "synthetic:?seed=8&hours=0.1&ring=0&fault=unplug=60:20"
    signet("record", "--device", device, "--out", path).check()
    return path


@pytest.fixture(scope="module")
def expected(short: Path) -> list[str]:
    lines = _run(lambda: open_device(f"replay:{short}"))
    events = [json.loads(line) for line in lines]
    assert {"stress", "activity", "label"} <= {event["kind"] for event in events}
    # A host whose clock is another than the board's finds no rest in it.
    assert {"gap", "baseline"} <= {event.get("what") for event in events}
    return lines


@pytest.mark.parametrize("way", ["replay:{}?speed=200", "synthetic:?recording={}"])
def test_ways_with_their_own_clock_give_the_same_bytes(
    short: Path, expected: list[str], way: str
) -> None:
    assert _run(lambda: open_device(way.format(short))) == expected


def _in_time(run: Callable[[Path], list[str]], folder: Path) -> tuple[list[str], Path]:
    """A run of a host that keeps pace, and its folder: of one that is kept busy, a moment is seconds of the board's.

    Such a host says that its clock was set; one that has the wrong clock says it every time.
    """
    for name in ("first", "second", "third"):
        (folder / name).mkdir()
        lines = run(folder / name)
        if not any(json.loads(line).get("what") == "clock_step" for line in lines):
            break
    return lines, folder / name


@pytest.mark.parametrize("line", ["--pty", "--tcp"])
def test_real_line_gives_the_same_on_board_time_and_its_recording_the_same_bytes(
    short: Path, expected: list[str], tmp_path: Path, line: str
) -> None:
    def run(folder: Path) -> list[str]:
        with _board(short, *([line, "0"] if line == "--tcp" else [line])) as url:
            tap = Tap(folder / "live.mcap", Recording(), lambda _: None)
            lines = _run(lambda: open_device(url), until_lost=True, tap=tap)
            tap.close()
        return lines

    live, folder = _in_time(run, tmp_path)
    assert _on_board_time(live) == _on_board_time(expected)
    again = _run(lambda: open_device(f"replay:{folder / 'live.mcap'}"))
    assert again == [text for text in live if json.loads(text).get("what") not in ("link",)]


def test_command_that_the_board_says_gives_the_same_on_board_time(
    short: Path, expected: list[str], tmp_path: Path
) -> None:
    def run(folder: Path) -> list[str]:
        with _board(short, "--pty") as url:
            options = ("--no-learn", "--json", "--max-silence", "3")
            done = Wearer(folder).signet("run", "--device", url, *options)
        assert done.code == StreamSilent.exit_code, done.err
        return done.out.splitlines()

    live, _ = _in_time(run, tmp_path)
    assert _on_board_time(live) == _on_board_time(expected)


@pytest.mark.parametrize("url", ["/dev/none?speed={}", "socket://127.0.0.1:1?speed={}"])
@pytest.mark.parametrize(
    "speed", ["0", "-20", "nan", "inf", "fast", "", "0.001", "1e9", "2&speed=3"]
)
def test_speed_that_makes_no_sense_is_one_line(url: str, speed: str) -> None:
    with pytest.raises(ConfigError, match=r"^device URL .*speed.*: expected .*, got ") as caught:
        open_device(url.format(speed))
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_speed_that_makes_no_sense_ends_the_command_with_its_code() -> None:
    done = signet("run", "--device", "/dev/none?speed=0", "--no-learn")
    assert done.code == 2
    assert "option speed: expected a number above zero, got '0'" in one_line(done)


def test_live_run_with_clock_questions_is_replayed_to_the_byte(
    wearer: Wearer, tmp_path: Path
) -> None:
    file = tmp_path / "live.mcap"
    command = [sys.executable, "-m", "sim", "--tcp", "0", "--scenario", "short", "--seed", "8"]
    board = subprocess.Popen(command, cwd=REPO, env=ENV, stdout=subprocess.PIPE, text=True)
    assert board.stdout is not None
    try:
        url = f"socket://{board.stdout.readline().split()[1]}"
        options = ("--seconds", "7", "--record", file, "--no-learn", "--json")
        live = wearer.signet("run", "--device", url, *options).check()
    finally:
        board.kill()
        board.wait()
        board.stdout.close()
    again = signet("replay", file, "--json").check()
    assert any(event["kind"] == "activity" for event in again.events)
    assert again.out.splitlines() == live.out.splitlines()[:-1]
