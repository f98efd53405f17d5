"""A fast line into ``signet run`` while ``signet learn`` works, and whether every byte is there."""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from bench.killed import make_wearer
from bench.rows import run_module
from bench.stream.host_path import capture
from bench.stream.processes import cpu_s_of, finished, first_line, start, wait_for

# 8 bits in 10: 3 Mbaud.
BYTES_PER_S = 300_000.0
# What the simulated board keeps too: a fifth of a second of this line.
BUFFER_BYTES = 65_536
# The host reads what the terminal still holds before it is told to end.
_LAST_BYTES_S = 0.5
# The body outlives the line.
_SPARE_S = 10.0


class Learner(threading.Thread):
    """Learning jobs one after the other, each on a fresh copy of the same vault."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self._folder = folder
        self._is_over = threading.Event()
        self.cpu_s, self.n_jobs = 0.0, 0
        self.failure: RuntimeError | None = None
        make_wearer(folder / "wearer")

    def run(self) -> None:
        """Until `end`."""
        while not self._is_over.is_set() and self.failure is None:
            home = Path(shutil.copytree(self._folder / "wearer", self._folder / "copy"))
            try:
                self.cpu_s += run_module("firmware_host", "learn", "--json", home=home).cpu_s
            except RuntimeError as err:
                self.failure = err
            self.n_jobs += 1
            shutil.rmtree(home)

    def end(self) -> None:
        """Let the last job come to its end."""
        self._is_over.set()
        self.join()


def measure(seconds: float, *, buffer_bytes: int = BUFFER_BYTES) -> dict[str, Any]:
    """Stream for so long; what was sent, what came, and what the host and the learner took.

    Parameters
    ----------
    buffer_bytes
        Of the board, for while the host, or the process that plays the board, is kept waiting.

    Raises
    ------
    RuntimeError
        If the board, the host or the learner fails.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        learner, link, wire = Learner(folder), folder / "board", folder / "body"
        capture(f"synthetic:?seed=8&scenario=day&hours={(seconds + _SPARE_S) / 3600}", wire)
        pace = ("--seconds", seconds, "--bytes-per-s", BYTES_PER_S, "--buffer-bytes", buffer_bytes)
        board = start("bench.stream.fast_board", "--wire", wire, "--link", link, *pace)
        wait_for(link)
        learner.start()
        started_s = time.monotonic()
        host = start("firmware_host", "run", "--device", link, "--no-learn", "--json", home=folder)
        told = json.loads(first_line(board))
        wall_s = time.monotonic() - started_s
        time.sleep(_LAST_BYTES_S)
        host_cpu_s = cpu_s_of(host)
        host.send_signal(signal.SIGINT)
        summary = json.loads(finished(host).splitlines()[-1])
        finished(board)
        learner.end()
    if learner.failure is not None:
        raise learner.failure
    return _compared(told, summary) | {
        "seconds": seconds,
        "host_cpu_share": host_cpu_s / wall_s,
        "board_cpu_share": told["cpu_share"],
        "board_stalled_s": told["stalled_s"],
        "most_pending_bytes": told["most_pending_bytes"],
        "buffer_bytes": buffer_bytes,
        "learner_cpu_share": learner.cpu_s / wall_s,
        "learner_jobs": learner.n_jobs,
    }


def _compared(told: dict[str, Any], summary: dict[str, Any]) -> dict[str, Any]:
    channels = summary["channels"]
    came = {name: channels[name]["n_samples"] for name in channels}
    return {
        "sent_bytes": told["bytes"],
        "sent_frames": told["frames"],
        "dropped_by_board": told["dropped_frames"],
        "sent_samples": sum(told["samples"].values()),
        "came_bytes": summary["n_bytes"],
        "came_samples": sum(came.values()),
        "unequal_channels": sorted(n for n in came if came[n] != told["samples"].get(n, 0)),
        "missing_samples": sum(c["missing_samples"] for c in channels.values()),
        "bad_frames": summary["bad_frames"] + summary["oversize"] + summary["bad_payloads"],
        "links_lost": summary["links_lost"],
    }


def is_lossless(found: dict[str, Any]) -> bool:
    """Whether every counter of both sides says that nothing is missing."""
    nothing = (
        "dropped_by_board",
        "unequal_channels",
        "missing_samples",
        "bad_frames",
        "links_lost",
    )
    is_equal = all(found[f"came_{what}"] == found[f"sent_{what}"] for what in ("bytes", "samples"))
    return is_equal and not any(found[key] for key in nothing)
