"""Where Node.js or the npm package is not installed, tests that run MicroPython are skipped, all of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.board.conftest import REPO


def test_every_test_that_needs_node_is_skipped_without_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "needs_node"]
    done = subprocess.run(
        [*command, "tests/board", "tests/flash"],
        cwd=REPO,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    summary = done.stdout.strip().splitlines()[-1]
    assert done.returncode == 0, summary
    assert " skipped" in summary
    assert "passed" not in summary
