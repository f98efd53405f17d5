"""A run that systemd started: it says when it is ready, that it is alive, and nothing when it hangs."""

from __future__ import annotations

import fcntl
import select
import signal
import socket
import subprocess
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command import ENV, REPO, Wearer, board, command

PATIENCE_S = 40.0
# Told four times in this, so once in a tenth of a second.
WATCHDOG_USEC = "400000"


class _Manager:
    def __init__(self, folder: str) -> None:
        self.path = f"{folder}/notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(PATIENCE_S)

    def until(self, line: str) -> list[str]:
        """Everything that was told until this line came."""
        told: list[str] = []
        deadline_s = time.monotonic() + PATIENCE_S
        while line not in told:
            # A sign of life comes all the time; the line may still never come.
            assert time.monotonic() < deadline_s, f"waited {PATIENCE_S} s for {line}"
            told += self._socket.recv(4096).decode().split("\n")
        return told

    def during(self, seconds: float) -> list[str]:
        told, end_s = [], time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            if select.select([self._socket], [], [], left_s)[0]:
                told += self._socket.recv(4096).decode().split("\n")
        return told

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager() -> Iterator[_Manager]:
    # Not tmp_path: the name of a socket file has 107 characters at most.
    with tempfile.TemporaryDirectory() as folder:
        made = _Manager(folder)
        yield made
        made.close()


@contextmanager
def _service(wearer: Wearer, manager: _Manager, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command("run", "--json", "--no-learn", *options, *wearer.options),
        cwd=REPO,
        env={**ENV, "NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": WATCHDOG_USEC},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _is_full(pipe: int) -> bool:
    """Whether the pipe holds the same as a moment ago, and not nothing: nobody gets more into it."""
    held = [fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))]
    time.sleep(0.3)
    held.append(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    return held[0] == held[1] != bytes(4)


def test_loop_that_hangs_tells_nothing_and_goes_on_telling_when_it_goes_on(
    wearer: Wearer, manager: _Manager
) -> None:
    url = "synthetic:?seed=8&scenario=day&hours=8"
    with _service(wearer, manager, "--device", url) as process:
        told = manager.until("WATCHDOG=1")
        assert told[0] == "READY=1"
        # Nobody reads its events: once the pipe is full, the loop hangs in writing one.
        assert process.stdout is not None
        deadline_s = time.monotonic() + PATIENCE_S
        while not _is_full(process.stdout.fileno()):
            assert time.monotonic() < deadline_s
        # On a busy machine it may reach that write a while later.
        while manager.during(1.5):
            assert time.monotonic() < deadline_s
        assert _is_full(process.stdout.fileno())
        assert manager.during(1.5) == []
        assert process.poll() is None
        process.stdout.read(200_000)
        assert manager.until("WATCHDOG=1") == ["WATCHDOG=1"]


def test_service_is_ready_while_it_waits_for_its_board_and_ends_in_good_order(
    wearer: Wearer, manager: _Manager, tmp_path: Path
) -> None:
    link = tmp_path / "board"
    with _service(wearer, manager, "--wait", "--device", str(link)) as process:
        told = manager.until("WATCHDOG=1") + manager.during(1.0)
        assert told[0] == "READY=1"
        assert any(line.startswith("STATUS=waiting for the board: ") for line in told)
        assert told.count("WATCHDOG=1") > 2
        with board(link) as streaming:
            manager.until("STATUS=streaming")
            manager.until("WATCHDOG=1")
            streaming.kill()
            manager.until("STATUS=the board is away, waiting for it")
            manager.until("WATCHDOG=1")
        process.send_signal(signal.SIGTERM)
        manager.until("STOPPING=1")
        assert process.wait(PATIENCE_S) == 0


def test_told_to_end_before_there_was_a_board_is_no_failure(
    wearer: Wearer, manager: _Manager, tmp_path: Path
) -> None:
    with _service(wearer, manager, "--wait", "--device", str(tmp_path / "none")) as process:
        manager.until("WATCHDOG=1")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0


def test_wrong_setting_ends_a_service_that_waits(wearer: Wearer) -> None:
    done = wearer.signet("run", "--wait", "--device", "nosuch:")
    assert done.code == 2
    assert "auto:" in done.err


def test_settings_named_in_the_environment_are_taken_unless_an_option_names_others(
    wearer: Wearer, tmp_path: Path
) -> None:
    for name, url in (("ours", "nosuch:"), ("other", "neither:")):
        (tmp_path / f"{name}.toml").write_text(f'[device]\nurl = "{url}"\n')
    env = {"SIGNET_CONFIG": str(tmp_path / "ours.toml")}
    assert "got 'nosuch:'" in wearer.signet("run", env=env).err
    other = str(tmp_path / "other.toml")
    assert "got 'neither:'" in wearer.signet("run", "--config", other, env=env).err
