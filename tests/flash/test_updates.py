"""Boards with an earlier app of ours are offered the update, once and in one line; nobody else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_host.flash.app_files import app_version
from firmware_host.flash.updates import update_offer
from sim.flash.repl_board import ReplBoard
from sim.flash.whole_board import WholeBoard
from tests.flash.conftest import REPO, new_app

OLD = "signet 0.0.9"
# What the table would say of a port, and what runs behind it.
_LISTED = """
from firmware_host.host import ports
port = ports.PortInfo({port!r}, None, "2e8a:0005", None, None, "dialout", True, {holders!r})
ports.list_ports = lambda: [port]
"""


@pytest.fixture
def running(serve: Callable[..., str], tmp_path: Path) -> Callable[[str], str]:
    """A board whose app says what it is; gives its port."""

    def start(firmware: str) -> str:
        folder = tmp_path / "flash"
        folder.mkdir()
        (folder / "main.py").write_text("")
        app = lambda: new_app(firmware=firmware)  # noqa: E731
        return serve(WholeBoard(None, ReplBoard(folder), app))

    return start


def offers(text: str) -> list[str]:
    return [line for line in text.splitlines() if "older than ours" in line]


@pytest.mark.parametrize(
    ("url", "ends"),
    [
        ("serial:/dev/tty A", "--app-only --device '/dev/tty A'"),
        ("/dev/ttyACM0", "--app-only --device /dev/ttyACM0"),
        ("auto:", "--app-only"),
        ("socket://there:4000", "--app-only, where it is plugged in"),
    ],
)
def test_offer_names_what_to_do(url, ends) -> None:
    ours = app_version()
    said = f"the board's app is older than ours (0.0.9, ours is {ours}): signet flash {ends}"
    assert update_offer(OLD, url) == said
    assert update_offer("signet-safe 0.0.9", url) == said


@pytest.mark.parametrize(
    "firmware",
    [
        f"signet {app_version()}",
        "signet 99.0",
        "signet-sim 0.0.1",
        "text, t_ms clock",
        "signet",
        "signet 0.x",
        "acme 0.0.1",
        "",
    ],
)
def test_nothing_is_offered_to_others(firmware) -> None:
    assert update_offer(firmware, "serial:/dev/ttyACM0") == ""


def test_version_is_the_apps_own() -> None:
    assert f'VERSION = "{app_version()}"\n' in (REPO / "firmware_host/board/talk.py").read_text()


@pytest.mark.parametrize(("firmware", "n"), [(OLD, 1), ("signet-sim 0.1", 0)])
def test_logs_offer_it(signet, running, firmware, n) -> None:
    port = running(firmware)
    done = signet("board", "logs", "--device", port, "--seconds", "0.1")
    assert done.returncode == 0, done.stderr
    assert len(offers(done.stderr)) == n
    assert not offers(done.stdout)


@pytest.mark.parametrize(("firmware", "n"), [(OLD, 1), ("signet-sim 0.1", 0)])
def test_list_that_asks_offers_it(signet, running, firmware, n) -> None:
    port = running(firmware)
    before = _LISTED.format(port=port, holders=())
    done = signet("board", "ls", "--ask", before=before)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{port}  pico  sim-board  {firmware}  ")
    assert "  acc 50 Hz m/s2" in done.stdout
    assert len(offers(done.stderr)) == n
    told = json.loads(signet("board", "ls", "--ask", "--json", before=before).stdout)
    assert (told[0]["board_id"], told[0]["firmware"]) == ("sim-board", firmware)
    assert told[0]["channels"]["acc"]["unit"] == "m/s2"


def test_list_that_does_not_ask_opens_nothing(signet, running) -> None:
    port = running(OLD)
    done = signet("board", "ls", before=_LISTED.format(port="/nowhere/tty", holders=()))
    assert done.stdout == "/nowhere/tty  pico\n"
    done = signet("board", "ls", "--ask", before=_LISTED.format(port="/nowhere/tty", holders=()))
    assert done.returncode == 0
    assert done.stdout.startswith("/nowhere/tty  pico  /nowhere/tty: no such port")
    done = signet("board", "ls", "--ask", before=_LISTED.format(port=port, holders=("screen (7)",)))
    assert done.stdout == f"{port}  pico  in use by screen (7)\n"


def test_run_offers_it_once(signet, running, tmp_path) -> None:
    port = running(OLD)
    places = ("--state", tmp_path / "state", "--key-file", tmp_path / "key")
    words = ("run", "--device", port, "--seconds", "7", "--no-learn", "--json", *places)
    done = signet(*words, cwd=REPO)
    assert done.returncode == 0, done.stderr
    assert len(offers(done.stderr)) == 1
    assert all(json.loads(line) for line in done.stdout.splitlines())
