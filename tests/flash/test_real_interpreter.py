"""The app that gets flashed, by the real `mpremote`, onto the real interpreter; then asked about itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flash.conftest import program

REPO = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.needs_node, pytest.mark.needs_flash_tools]


def signet(*args: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "firmware_host", *map(str, args)]
    return subprocess.run(words, cwd=REPO, capture_output=True, text=True, check=False, timeout=120)


def told(*args: object) -> str:
    done = signet(*args)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Path]:
    """A board with MicroPython and nothing else."""
    program("mpremote")
    if not shutil.which("node") or not (REPO / "sim/micropython/node_modules").is_dir():
        pytest.skip("needs Node.js and the npm package: tools/install-tools.sh")
    link = tmp_path / "ttyBoard"
    words = [sys.executable, "-m", "sim.micropython", "--bare", "--pty", str(link)]
    process = subprocess.Popen(words, cwd=REPO, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("pty")
    yield link
    process.terminate()
    process.wait(10)
    process.stdout.close()


def test_bare_interpreter_to_first_samples_twice_then_asked(port) -> None:
    first = json.loads(told("flash", "--device", port, "--app-only", "--json"))
    assert first["firmware"].startswith("signet ")
    assert set(first["samples"]) == {"acc", "gyro", "bvp", "temp", "eda"}
    again = signet("flash", "--device", port, "--app-only")
    assert again.returncode == 0, again.stderr
    # The app streams, and still gives the prompt to who asks.
    assert "0 to copy" in again.stderr

    status = json.loads(told("board", "logs", "--device", port, "--json", "--seconds", "0.1"))
    assert status["n_failures"] == 0
    assert {part["name"] for part in status["parts"]} >= {"lsm6ds3", "max30102", "tmp117", "eda"}

    told("board", "settings", "--device", port, "rate.acc=50", "id=left-wrist")
    wrong = signet("board", "settings", "--device", port, "colour=red")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("signet: colour: expected a key of id, ring, rate.acc")
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
