"""What the service manager hears, and from where: never from anything but the loop itself."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_host.host.service import ServiceManager


class _Manager:
    """systemd's end of the socket."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + path[1:] if path.startswith("@") else path)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        try:
            return self._socket.recv(4096).decode().split("\n")
        except BlockingIOError:
            return []

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest) -> Iterator[_Manager]:
    # Not tmp_path: the name of a socket file has 107 characters at most.
    with tempfile.TemporaryDirectory() as folder:
        name = f"@signet-test-{os.getpid()}" if request.param == "abstract" else f"{folder}/notify"
        made = _Manager(name)
        yield made
        made.close()


class _Time:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def _env(manager: _Manager, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": manager.path, "PATH": "/bin", **more}


def test_first_turn_of_the_loop_says_ready_and_later_ones_that_it_is_alive(
    manager: _Manager,
) -> None:
    time = _Time()
    with ServiceManager(_env(manager, WATCHDOG_USEC="60000000"), monotonic=time) as service:
        assert manager.heard() == []
        service.alive(lambda: "streaming")
        assert manager.heard() == ["READY=1", "WATCHDOG=1", "STATUS=streaming"]
        time.now_s += 14.0
        service.alive(lambda: "streaming")
        assert manager.heard() == []
        time.now_s += 1.1
        service.alive(lambda: "the board is away")
        assert manager.heard() == ["WATCHDOG=1", "STATUS=the board is away"]
        service.stopping()
        assert manager.heard() == ["STOPPING=1", "STATUS=ending"]


@pytest.mark.parametrize(
    "watchdog",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"},
    ],
    ids=["none", "zero", "garbled", "another process"],
)
def test_nobody_is_fed_who_does_not_watch_this_process(
    manager: _Manager, watchdog: dict[str, str]
) -> None:
    with ServiceManager(_env(manager, **watchdog)) as service:
        service.alive(lambda: "streaming")
        assert manager.heard() == ["READY=1", "STATUS=streaming"]
        service.alive(lambda: "streaming")
        assert manager.heard() == []


def test_status_is_one_line_whatever_an_error_quotes(manager: _Manager) -> None:
    with ServiceManager(_env(manager)) as service:
        service.alive(lambda: "waiting: ttyX\nWATCHDOG=1\x1b[2J")
        assert manager.heard() == ["READY=1", "STATUS=waiting: ttyX WATCHDOG=1\\x1b[2J"]


def test_children_are_not_the_service(manager: _Manager) -> None:
    env = _env(manager, WATCHDOG_USEC="60000000", WATCHDOG_PID=str(os.getpid()))
    ServiceManager(env).close()
    assert env == {"PATH": "/bin"}


def test_manager_that_is_gone_or_does_not_listen_holds_nothing_up(manager: _Manager) -> None:
    time = _Time()
    with ServiceManager(_env(manager, WATCHDOG_USEC="4"), monotonic=time) as service:
        for _ in range(2000):
            time.now_s += 1.0
            service.alive(lambda: "streaming")
        manager.close()
        time.now_s += 1.0
        service.alive(lambda: "streaming")
    service.alive(lambda: "streaming")


def test_no_socket_is_made_where_nobody_asked() -> None:
    service = ServiceManager({})
    service.alive(lambda: "streaming")
    service.stopping()
    assert service._socket is None


def test_socket_file_that_does_not_exist_is_no_error(tmp_path: Path) -> None:
    with ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "none")}) as service:
        service.alive(lambda: "streaming")
