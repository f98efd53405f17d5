"""What ``signet run`` takes of one core while a board sends all channels as fast as it lives."""

from __future__ import annotations

import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.stream.processes import cpu_s_of, finished, start, wait_for

# Imports, the first HELLO and the vault are over by then.
_SETTLE_S = 4.0


def measure(seconds: float) -> dict[str, Any]:
    """CPU share of the host over `seconds` on a pseudo-terminal, vault and live checks included.

    Raises
    ------
    RuntimeError
        If the board or the host fails.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        link = folder / "board"
        board = start("sim", "--pty", link, "--seed", 8, "--scenario", "day")
        wait_for(link)
        host = start("firmware_host", "run", "--device", link, "--json", home=folder)
        time.sleep(_SETTLE_S)
        began_s, cpu_s = time.monotonic(), cpu_s_of(host)
        time.sleep(seconds)
        share = (cpu_s_of(host) - cpu_s) / (time.monotonic() - began_s)
        host.send_signal(signal.SIGINT)
        finished(host)
        board.send_signal(signal.SIGTERM)
        board.communicate()
    return {"seconds": seconds, "cpu_share": share}
