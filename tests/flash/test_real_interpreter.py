"""The app that gets flashed, by the real `mpremote`, onto the real interpreter; then asked about itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.flash.conftest import REPO, one_line, program

pytestmark = [pytest.mark.needs_node, pytest.mark.needs_flash_tools]


_PUT = """
import sys
from pathlib import Path
from firmware_host.flash.app_files import app_files
from firmware_host.flash.boards import load_board
for file in app_files(load_board("virtual")):
    path = Path(sys.argv[1]) / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.data)
"""


@pytest.fixture(scope="session")
def broken_code(whole_code: Path) -> Path:
    """The package with an app that fails as it starts."""
    folder = whole_code.parent / "broken"
    shutil.copytree(whole_code, folder)
    with (folder / "firmware_host/board/app.py").open("a") as app:
        app.write('raise ValueError("no such pin")\n')
    return folder


@pytest.fixture
def flashed(tmp_path: Path, whole_code: Path) -> Path:
    """A flash with the app on it."""
    folder = tmp_path / "flash"
    subprocess.run([sys.executable, "-c", _PUT, str(folder)], cwd=whole_code, check=True)
    return folder


@contextmanager
def _board(tmp_path: Path, *options: str) -> Iterator[Path]:
    program("mpremote")
    link = tmp_path / "ttyBoard"
    words = [sys.executable, "-m", "sim.micropython", *options, "--pty", str(link)]
    process = subprocess.Popen(words, cwd=REPO, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("pty")
    yield link
    process.terminate()
    process.wait(60)
    process.stdout.close()


@pytest.fixture
def told(signet, whole_code) -> Callable[..., str]:
    """What a command says that must not fail."""

    def run(*args: object) -> str:
        done = signet(*args, cwd=whole_code)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def port(flashed: Path, tmp_path: Path) -> Iterator[Path]:
    """A board on which an older app was, and whoever flashed it last was interrupted."""
    (flashed / "main.py").unlink()
    (flashed / "app.py").write_text("older = True\n")
    with _board(tmp_path, "--flash", str(flashed)) as link:
        yield link


def test_half_flashed_board_to_first_samples_twice_then_asked(
    signet, told, port, whole_code
) -> None:
    first = json.loads(told("flash", "--device", port, "--app-only", "--json"))
    assert first["firmware"].startswith("signet ")
    assert set(first["samples"]) == {"acc", "gyro", "bvp", "temp", "eda"}
    again = signet("flash", "--device", port, "--app-only", cwd=whole_code)
    assert again.returncode == 0, again.stderr
    # The app streams, and still gives the prompt to who asks.
    assert "0 to copy" in again.stderr

    status = json.loads(told("board", "logs", "--device", port, "--json", "--seconds", "0.1"))
    assert status["n_failures"] == 0
    assert {part["name"] for part in status["parts"]} >= {"lsm6ds3", "max30102", "tmp117", "eda"}

    told("board", "settings", "--device", port, "rate.acc=50", "id=left-wrist")
    wrong = signet("board", "settings", "--device", port, "colour=red")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("signet: colour: expected a key of id, ring, wear, rate.acc")
    told("board", "reset", "--device", port)
    kept = json.loads(told("board", "settings", "--device", port, "--json"))
    assert (kept["id"], kept["rate.acc"], kept["ring"]) == ("left-wrist", "50", None)

    told("board", "reset", "--safe", "--device", port)
    safe = told("board", "logs", "--device", port, "--seconds", "6")
    assert safe.startswith("left-wrist: signet-safe")
    assert "safe mode: the host asked for" in safe
    # A board in safe mode can be flashed as any other.
    back = told("flash", "--device", port, "--app-only")
    assert "acc: 50 Hz" in back


def test_app_that_crashes_at_boot_is_said_and_replaced(
    signet, told, flashed, broken_code, tmp_path
) -> None:
    with _board(tmp_path, "--flash", str(flashed)) as port:
        done = signet("flash", "--device", port, "--app-only", cwd=broken_code)
        assert one_line(done, 3) == (
            f"serial:{port}: the files are on the board, but its app cannot run: safe mode: ValueError: no such pin; "
            "signet board logs tells more"
        )
        logs = told("board", "logs", "--device", port, "--seconds", "6")
        assert "log 40: safe mode: ValueError: no such pin\n" in logs

        places = ("--state", tmp_path / "state", "--key-file", tmp_path / "key")
        line = one_line(signet("run", "--device", port, "--seconds", "9", *places, cwd=REPO), 3)
        assert line.startswith(f"serial:{port}: signet-")
        how = f"signet board logs --device serial:{port} says why"
        assert line.endswith(f" is in safe mode, its app cannot run; {how}")

        assert "acc: 100 Hz" in told("flash", "--device", port, "--app-only")


def test_app_that_failed_thrice_is_replaced_by_one_that_may_begin(told, flashed, tmp_path) -> None:
    # As the app keeps it (board/settings.py).
    state = {"boots": 5, "failures": 3, "why": "ValueError: no such pin", "next": "failed"}
    (flashed / "state.json").write_text(json.dumps(state))
    with _board(tmp_path, "--flash", str(flashed)) as port:
        assert "signet-safe" in told("board", "logs", "--device", port, "--seconds", "0.1")
        assert "acc: 100 Hz" in told("flash", "--device", port, "--app-only")
