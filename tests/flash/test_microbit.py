"""A closed loop with a firmware of others: `uflash` writes it with our script, qemu runs it, we read its lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flash.conftest import program
from tests.flash.microbit_v1 import MicrobitDrive

REPO = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.needs_flash_tools


@pytest.fixture
def microbit(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Its drive and its port."""
    program("uflash")
    qemu = program("qemu-system-arm", "apt-get install qemu-system-arm")
    master, slave = os.openpty()
    port = tmp_path / "ttyMicrobit"
    port.symlink_to(os.ttyname(slave))
    drive = MicrobitDrive(qemu, tmp_path / "MICROBIT", port)
    yield tmp_path / "MICROBIT", port
    drive.close()
    os.close(master)
    os.close(slave)


def test_script_runs_on_the_firmware_that_uflash_brings(microbit) -> None:
    folder, port = microbit
    words = ["flash", "--board", "microbit-v2", "--drive", folder, "--device", port, "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "firmware_host", *map(str, words)],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["firmware"] == "text, t_ms clock"
    assert list(told["samples"]) == ["acc"]
    assert f"--device 'text:{port}?columns=t_ms,acc.x[m/s2]" in done.stderr
