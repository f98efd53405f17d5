"""When a run asks for learning, and how the learner runs: another process, at low priority."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firmware_host.events import Labelled
from firmware_host.stream.buttons import REST, STRESS

# The smallest story a gate can judge anything on: rest, a stressor, and the rest after it.
MIN_STRESS_EPISODES = 1
MIN_REST_EPISODES = 2
# A label shorter than two minutes holds too few windows to teach anything.
MIN_LABEL_S = 120.0
# Nice value of the learner: it takes what the stream leaves.
_NICE = 15


@dataclass(slots=True)
class LearnTrigger:
    """Says when enough new labels have come in: a whole stress episode and the rest after it."""

    _n_stress: int = 0
    _n_rest: int = 0
    _n_stress_learned: int = 0

    def add(self, label: Labelled) -> None:
        """Take note of a label."""
        if label.end_utc - label.start_utc < MIN_LABEL_S:
            return
        self._n_stress += label.label == STRESS
        self._n_rest += label.label == REST

    @property
    def is_due(self) -> bool:
        """Whether a learning job is worth starting."""
        enough = self._n_stress >= MIN_STRESS_EPISODES and self._n_rest >= MIN_REST_EPISODES
        # A stress episode counts once the rest after it is labelled too.
        followed = self._n_rest > self._n_stress
        return enough and followed and self._n_stress > self._n_stress_learned

    def started(self) -> None:
        """A job was started on everything labelled so far."""
        self._n_stress_learned = self._n_stress


@dataclass(slots=True)
class LearnerProcess:
    """``signet learn`` in a process of its own; at most one at a time.

    Parameters
    ----------
    arguments
        Options after ``signet learn``: where the vault, its key and the bundle are.
    """

    arguments: Sequence[str | Path]
    results: list[dict[str, Any]] = field(default_factory=list)
    _process: subprocess.Popen[str] | None = None

    def start(self, *, now_utc: float) -> None:
        """Begin a job; ``now_utc`` is the stream's time, which is what its results are dated with."""
        command = [sys.executable, "-m", "firmware_host", "learn", "--json"]
        command += [*map(str, self.arguments), "--now-utc", repr(now_utc)]
        # The same package as this process runs, wherever it was started from.
        root = str(Path(__file__).resolve().parents[2])
        inherited = os.environ.get("PYTHONPATH")
        env = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{inherited}" if inherited else root}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )

    @property
    def is_running(self) -> bool:
        """Whether a job is under way."""
        return self._process is not None and self._process.poll() is None

    def finish(self, *, wait: bool) -> dict[str, Any] | None:
        """What the job did, once it is over; None if none is, or it still runs and ``wait`` is off."""
        process = self._process
        if process is None or (not wait and process.poll() is None):
            return None
        out, err = process.communicate()
        self._process = None
        result = _result(process.returncode, out, err)
        self.results.append(result)
        return result

    def stop(self) -> None:
        """End a running job; the vault keeps what it held."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def lower_priority() -> None:
    """Give way to the stream, on systems that know how."""
    try:
        os.nice(_NICE)
    except OSError:
        # A container may forbid it; learning is then merely less polite.
        return


def _result(code: int, out: str, err: str) -> dict[str, Any]:
    if code == 0 and out.strip():
        parsed = json.loads(out.strip().splitlines()[-1])
        if isinstance(parsed, dict):
            return parsed
    last = err.strip().splitlines()[-1:] or [f"the learner ended with code {code}"]
    return {"kept": False, "reason": "failed", "text": last[0], "exit_code": code}
