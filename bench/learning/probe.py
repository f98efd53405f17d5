"""What a peer's process tells of itself: its first step, its steps after that, and its memory."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.learning.workload import FloatArray, Workload, load

Step = Callable[[dict[str, FloatArray], FloatArray], float]
# workload, folder with what was built for it -> (step, versions)
Make = Callable[[Workload, Path], tuple[Step, str]]
# Steps before the clock counts: caches, branch predictors and lazily made kernels.
_N_WARM = 30


def main(make: Make) -> int:
    """Run a peer: one JSON object on standard output."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True, help="holds <network>.npz and files")
    parser.add_argument("--network", required=True)
    parser.add_argument("--steps", type=int, required=True, help="steps that are timed")
    parser.add_argument("--losses", type=int, default=40, help="first steps, whose loss is told")
    parser.add_argument("--started", type=float, required=True, help="time.monotonic() at start")
    args = parser.parse_args()
    workload = load(args.folder / f"{args.network}.npz")
    step, versions = make(workload, args.folder)
    losses = [step(*workload.batch(0))]
    first_s, first_cpu_s = time.monotonic() - args.started, time.process_time()
    losses += [step(*workload.batch(k)) for k in range(1, args.losses)]
    cpu_ms, wall_ms = _timed(step, workload, args.steps)
    told = {
        "first_step_s": first_s,
        "first_step_cpu_s": first_cpu_s,
        "step_cpu_ms": cpu_ms,
        "step_wall_ms": wall_ms,
        "losses": losses,
        "peak_mb": peak_mb(),
        "versions": versions,
    }
    print(json.dumps(told))
    return 0


def _timed(step: Step, workload: Workload, n_steps: int) -> tuple[list[float], list[float]]:
    """CPU and wall milliseconds of each of `n_steps` steps, the loss read every time."""
    batches = [workload.batch(k) for k in range(len(workload.labels))]
    for k in range(_N_WARM):
        step(*batches[k % len(batches)])
    cpu, wall = [], []
    for k in range(n_steps):
        batch = batches[k % len(batches)]
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        step(*batch)
        cpu.append(1e3 * (time.process_time() - cpu_start))
        wall.append(1e3 * (time.perf_counter() - wall_start))
    return cpu, wall


def peak_mb() -> float:
    """Largest resident size of this process so far, in 10^6 bytes."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    # Reset by exec, unlike ru_maxrss, which begins with the size of the process that started us.
    peak = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes.
    own_kb = own / 1024 if sys.platform == "darwin" else own
    return (peak[0] if peak else own_kb) * 1024 / 1e6
