"""The board's app on the real interpreter, in virtual and in real time: ``python -m bench.board``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.rows import REPO, Options, Row, main

_BODY_S = 60
_INTERPRETER = "official MicroPython build under Node.js"


def rows(options: Options) -> list[Row]:
    if not shutil.which("node") or not (REPO / "sim/micropython/node_modules").is_dir():
        return [
            Row("the app on MicroPython", None, "", note="tools/install-tools.sh brings Node.js")
        ]
    return [_virtual(options), *_live(10 if options.quick else _BODY_S)]


def _virtual(options: Options) -> Row:
    n = options.repeats
    took_s, sent = zip(*(_play() for _ in range(n)), strict=True)
    if len(set(sent)) != 1:
        raise RuntimeError("the same body gave other bytes")
    return Row(
        f"{_BODY_S} s of body in virtual time, start of all processes included",
        min(took_s),
        "s",
        note=f"wall clock, {_INTERPRETER}; at most {max(took_s):.2f}, {n} times the same {len(sent[0])} bytes",
    )


def _play() -> tuple[float, bytes]:
    start_s = time.monotonic()
    command = [sys.executable, "-m", "sim.micropython", "--virtual", str(_BODY_S)]
    sent = subprocess.run(command, cwd=REPO, capture_output=True, check=True).stdout
    return time.monotonic() - start_s, sent


def _live(seconds: int) -> list[Row]:
    """Flash the bare board with the real mpremote, then stream from it."""
    what = f"{seconds} s live from the flashed board"
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if not shutil.which("mpremote", path=beside):
        return [Row(what, None, "", note="pip install '.[flash]' brings mpremote")]
    with tempfile.TemporaryDirectory() as name, _bare_board(Path(name) / "tty") as port:
        start_s = time.monotonic()
        flashed = _signet(Path(name), "flash", "--device", port, "--app-only")
        flashed_s = time.monotonic() - start_s
        seen = _signet(Path(name), "run", "--device", port, "--seconds", str(seconds + 2))
    channels = seen["channels"]
    n_samples = sum(channel["n_samples"] for channel in channels.values())
    measured = {name: channel["measured_hz"] for name, channel in channels.items()}
    rates = ", ".join(f"{name} {hz:.4g}" for name, hz in measured.items() if hz is not None)
    n_missing = sum(channel["missing_samples"] for channel in channels.values())
    return [
        Row(f"app copied, compared, restarted: {flashed['firmware']}", flashed_s, "s"),
        Row(f"{what}: samples missing", n_missing, f"of {n_samples}", note=f"measured Hz: {rates}", is_speed=False),
        Row(f"{what}: bad frames", seen["bad_frames"], "frames", is_speed=False),
    ]  # fmt: skip


@contextmanager
def _bare_board(link: Path) -> Iterator[Path]:
    command = [sys.executable, "-m", "sim.micropython", "--bare", "--pty", str(link)]
    with subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield link
        finally:
            process.terminate()


def _signet(home: Path, *words: str | Path) -> dict[str, Any]:
    """What a command says as JSON, in its last line."""
    env = os.environ | {
        "SIGNET_STATE_DIR": str(home / "state"),
        "SIGNET_KEY_FILE": str(home / "key"),
    }
    command = [sys.executable, "-m", "firmware_host", *map(str, words), "--json"]
    done = subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


if __name__ == "__main__":
    raise SystemExit(main(rows, "bench.board"))
