"""``signet learn`` in a process of its own, started, paused and listened to by a run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from firmware_host.adaptation.outcome import PAUSED
from firmware_host.runtime.permission import GO, QUESTION, STOP, Asks

# A step takes milliseconds and a checkpoint a few more; beyond this something hangs.
_PAUSE_S = 20.0
# By the signal itself or by our own handler of it, before the job was there to keep a checkpoint.
_STOPPED_EARLY = (-signal.SIGTERM, 130)


@dataclass(slots=True)
class LearnerProcess:
    """At most one job at a time.

    Parameters
    ----------
    arguments
        Options after ``signet learn``: where the vault, its key and the bundle are.
    asks
        Whom the job asks before each step.
    """

    arguments: Sequence[str | Path]
    asks: Asks = Asks.NOBODY
    results: list[dict[str, Any]] = field(default_factory=list)
    _process: subprocess.Popen[str] | None = None
    _stderr: IO[bytes] | None = None
    _said: list[str] = field(default_factory=list)
    _is_told_to_pause: bool = False

    def start(self, *, now_utc: float) -> None:
        """Begin a job, or go on with one; ``now_utc`` is the stream's time, which dates its results."""
        command = [sys.executable, "-m", "firmware_host", "learn", "--json", "--asks", self.asks]
        command += [*map(str, self.arguments), "--now-utc", repr(now_utc)]
        # The same package as this process runs, wherever it was started from.
        root = str(Path(__file__).resolve().parents[2])
        inherited = os.environ.get("PYTHONPATH")
        env = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{inherited}" if inherited else root}
        # A file and not a pipe: nobody has to empty it while the job runs.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._said = []
        self._is_told_to_pause = False
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if self.asks is Asks.RUN else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            env=env,
        )

    @property
    def is_started(self) -> bool:
        """Whether there is a job whose result was not taken yet."""
        return self._process is not None

    def allow(self) -> bool:
        """Let a job that asks the run do a second's worth; False once it asks no more."""
        return self._answer(GO)

    def refuse(self, why: str) -> None:
        """Tell a job that asks the run to pause."""
        self._answer(f"{STOP} {why}")

    def pause(self) -> None:
        """Tell a job to keep a checkpoint and end; again is fine."""
        if self._process is not None and not self._is_told_to_pause:
            self._is_told_to_pause = True
            self._process.terminate()

    def finish(self, *, wait: bool) -> dict[str, Any] | None:
        """What the job did, once it is over; None if none is, or it still runs and ``wait`` is off."""
        process = self._process
        if process is None or (not wait and process.poll() is None):
            return None
        out = "".join(self._said) + cast("IO[str]", process.stdout).read()
        code = process.wait()
        result = _result(code, out, self._let_go())
        if self._is_told_to_pause and code in _STOPPED_EARLY:
            result = {"kept": False, "reason": PAUSED, "text": "not begun: told to pause"}
        self.results.append(result)
        return result

    def stop(self) -> None:
        """End a running job, with a checkpoint if it still answers; the vault keeps what it held."""
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=_PAUSE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._let_go()

    def _answer(self, answer: str) -> bool:
        process = self._process
        if process is None:
            return False
        line = cast("IO[str]", process.stdout).readline()
        if line.strip() != QUESTION:
            self._said.append(line)
            return False
        stdin = cast("IO[str]", process.stdin)
        try:
            stdin.write(answer + "\n")
            stdin.flush()
        except BrokenPipeError:
            # It died after asking; its result says of what.
            return False
        return True

    def _let_go(self) -> str:
        """Close what belongs to the process; what it said on standard error."""
        process, stderr = self._process, self._stderr
        self._process = self._stderr = None
        for pipe in () if process is None else (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        if stderr is None:
            return ""
        with stderr:
            stderr.seek(0)
            return stderr.read().decode(errors="replace")


def _result(code: int, out: str, err: str) -> dict[str, Any]:
    if code == 0 and out.strip():
        parsed = json.loads(out.strip().splitlines()[-1])
        if isinstance(parsed, dict):
            return parsed
    last = err.strip().splitlines()[-1:] or [f"the learner ended with code {code}"]
    return {"kept": False, "reason": "failed", "text": last[0], "exit_code": code}
