"""What a comparison yields, how it is timed and how it is shown."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
_DATA = Path(os.environ.get("SIGNET_DATA", REPO.parent / "shared" / "data"))


@dataclass(frozen=True, slots=True)
class Row:
    """One measured number, and how often the peer's number it is; `note` says why if there is none.

    `is_speed` marks what is true of this machine only.
    """

    what: str
    value: float | None
    unit: str
    peer: str = ""
    ratio: float | None = None
    note: str = ""
    is_speed: bool = True


@dataclass(frozen=True, slots=True)
class Options:
    """How thorough to be, and where recordings of real people are."""

    quick: bool
    data: Path

    @property
    def repeats(self) -> int:
        """How often a thing is timed; the fastest counts."""
        return 2 if self.quick else 5


def cpu_s(work: Callable[[], object], *, repeats: int) -> float:
    """CPU seconds of the fastest call: others may use the machine too, they only add."""
    best = math.inf
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def per_call_s(call: Callable[[], object], *, repeats: int, n_calls: int) -> float:
    """CPU seconds of one of many short calls."""

    def many() -> None:
        for _ in range(n_calls):
            call()

    call()
    return cpu_s(many, repeats=repeats) / n_calls


_CHILD = """
import json, resource, sys, runpy
from pathlib import Path
code = 0
try:
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
except SystemExit as end:
    code = end.code or 0
status = Path("/proc/self/status")
lines = status.read_text().splitlines() if status.exists() else []
# Reset by exec, unlike ru_maxrss, which begins with the size of the process that started us.
peak = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
own = resource.getrusage(resource.RUSAGE_SELF)
children = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({
    "code": code, "cpu_s": own.ru_utime + own.ru_stime,
    "children_cpu_s": children.ru_utime + children.ru_stime,
    "peak_mb": (peak[0] if peak else own.ru_maxrss) * 1024 / 1e6,
}), file=sys.stderr)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a child process took; `peak_mb` is its largest resident size in 10^6 bytes."""

    cpu_s: float
    children_cpu_s: float
    peak_mb: float


def run_module(module: str, *arguments: str | Path, home: Path | None = None) -> Cost:
    """Run ``python -m module`` to its end in a process of its own; its output is thrown away.

    Raises
    ------
    RuntimeError
        If it fails; the text is what it said last.
    """
    env = {**os.environ, "PYTHONPATH": str(REPO), "OPENBLAS_NUM_THREADS": "1"}
    if home is not None:
        env |= {"SIGNET_STATE_DIR": str(home / "state"), "SIGNET_KEY_FILE": str(home / "key")}
    command = [sys.executable, "-c", _CHILD, module, *map(str, arguments)]
    done = subprocess.run(
        command, cwd=REPO, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    lines = done.stderr.decode(errors="replace").splitlines() or ["nothing"]
    try:
        cost = json.loads(lines[-1])
    except ValueError:
        cost = {"code": done.returncode or 1}
    if cost["code"]:
        said = lines[-2] if len(lines) > 1 else lines[-1]
        raise RuntimeError(f"python -m {module} {' '.join(map(str, arguments))}: {said}")
    return Cost(cost["cpu_s"], cost["children_cpu_s"], cost["peak_mb"])


def import_cost(module: str) -> Cost:
    """Cost of a process that imports a module and does nothing else."""
    return run_module("timeit", "-n", "1", "-r", "1", f"import {module}")


def machine() -> dict[str, str]:
    """Processor and interpreter that the figures are true of."""
    import numpy as np

    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def as_markdown(rows: Sequence[Row]) -> str:
    """Rows as one table, with the machine they are true of."""
    about = machine()
    lines = [
        f"This machine: {about['cpu']} ({about['architecture']}), Python {about['python']}, "
        f"numpy {about['numpy']}. Times are CPU time, the best of several runs. Rows marked "
        '"this machine" say nothing about another one.',
        "",
        "| what | value | unit | compared with | ours / theirs | true of |",
        "|---|---:|---|---|---:|---|",
    ]
    for row in rows:
        value = row.note if row.value is None else _short(row.value)
        ratio = "" if row.ratio is None else f"{row.ratio:.2g}"
        scope = "this machine" if row.is_speed else "any"
        note = f" ({row.note})" if row.note and row.value is not None else ""
        lines.append(
            f"| {row.what}{note} | {value} | {row.unit} | {row.peer} | {ratio} | {scope} |"
        )
    return "\n".join(lines)


def as_json(rows: Sequence[Row]) -> str:
    """Rows as one JSON object."""
    document: dict[str, Any] = {"machine": machine(), "rows": [asdict(row) for row in rows]}
    return json.dumps(document, indent=1, allow_nan=False)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def main(
    measure: Callable[[Options], list[Row]], module: str, argv: Sequence[str] | None = None
) -> int:
    """Command line of one comparison, or of all."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter and less exact")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    parser.add_argument("--data", type=Path, default=_DATA, help="folder of public recordings")
    args = parser.parse_args(argv)
    rows = measure(Options(args.quick, args.data))
    print(as_json(rows) if args.json else as_markdown(rows))
    return 0
