"""Starts the coverage-guided fuzzer and reads what it says."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.targets import CORPUS, Target

REPO = Path(__file__).resolve().parents[2]
NO_GUIDE = (
    "atheris is not installed (it has wheels for Linux with glibc on x86-64): nothing was run; "
    "the same targets without coverage: python -m pytest tests/fuzz"
)
# The slowest right input takes a hundredth of it on a slow machine.
_TIMEOUT_S = 20
_RSS_MB = 2048
_RUNS = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_PEAK = re.compile(r"stat::peak_rss_mb:\s*(\d+)")
_PROGRESS = re.compile(r"^#(\d+)\s.*?cov: (\d+)", re.MULTILINE)
# An exception of Python's, or libFuzzer's own words for what took too long, too much, or crashed.
_REASON = re.compile(r"(?:=== Uncaught Python exception: ===\s*\n(.*)|ERROR: libFuzzer: (.*))")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What fuzzing one target came to; ``escaped`` is empty if nothing did."""

    name: str
    runs: int
    branches: int
    peak_mb: int
    escaped: str
    took_s: float


def has_guide() -> bool:
    """Whether the coverage-guided fuzzer is installed."""
    return importlib.util.find_spec("atheris") is not None


def fuzz(
    chosen: Sequence[Target], *, seconds: int = 0, seed: int = 1, keep: Path
) -> Iterator[Outcome]:
    """Fuzz targets one after another, each for ``seconds``, or for its own number of runs if that is 0.

    ``keep`` gets what is learned from one time to the next, what escaped, and all that was printed.
    """
    keep.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="signet-fuzz-") as scratch,
        (keep / "guide.txt").open("w") as log,
    ):
        plan = [
            [t.name, _arguments(t, seconds, seed, keep, Path(scratch)), str(keep / f"{t.name}.txt")]
            for t in chosen
        ]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.guided"],
            cwd=REPO,
            # Small sums on small arrays: a thread of their own would be another process's core.
            env={**os.environ, "TMPDIR": scratch, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        with process:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps(plan))
            process.stdin.close()
            began = time.monotonic()
            for line in process.stdout:
                name, code = json.loads(line)
                output = (keep / f"{name}.txt").read_text(errors="replace")
                yield _outcome(name, code, output, time.monotonic() - began)
                began = time.monotonic()
        if process.returncode:
            raise RuntimeError((keep / "guide.txt").read_text(errors="replace")[-2000:])


def _arguments(target: Target, seconds: int, seed: int, keep: Path, scratch: Path) -> list[str]:
    """What libFuzzer is told; folders last, and it writes into the first one."""
    grown = keep / target.name
    for folder in (grown, CORPUS / target.name):
        folder.mkdir(parents=True, exist_ok=True)
    options: dict[str, object] = {
        "runs": -1 if seconds else target.runs,
        "max_total_time": seconds,
        "seed": seed,
        "max_len": target.max_bytes,
        "timeout": _TIMEOUT_S,
        "rss_limit_mb": _RSS_MB,
        "artifact_prefix": keep / f"{target.name}-escaped-",
        "print_final_stats": 1,
        "len_control": 0,
    }
    if target.words:
        words = scratch / f"{target.name}.words"
        words.write_text("".join(f'"{_quoted(word)}"\n' for word in target.words))
        options["dict"] = words
    told = [f"-{key}={value}" for key, value in options.items()]
    return [*told, str(grown), str(CORPUS / target.name)]


def _quoted(word: bytes) -> str:
    """A word as libFuzzer's dictionaries have it."""
    return "".join(chr(b) if 32 < b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in word)


def _outcome(name: str, code: int, output: str, took_s: float) -> Outcome:
    progress = _PROGRESS.findall(output)
    told, peak, reason = (found.search(output) for found in (_RUNS, _PEAK, _REASON))
    runs = int(told[1]) if told else int(progress[-1][0]) if progress else 0
    branches = int(progress[-1][1]) if progress else 0
    escaped = ""
    if code != 0:
        said = next((group for group in reason.groups() if group), "") if reason else ""
        escaped = said.strip() or f"exit code {code}"
    return Outcome(name, runs, branches, int(peak[1]) if peak else 0, escaped, took_s)
