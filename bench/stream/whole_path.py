"""An hour and a day of all channels through the whole host path, each in a process of its own."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.stream.host_path import capture
from bench.stream.processes import finished, start

HOUR_AIM_S, DAY_AIM_S = 2.0, 45.0
_SEED = 8
_SECONDS_PER_HOUR = 3600.0
# A day on a machine ten times slower than the aim.
_LONGEST_S = 450.0
# Caches and the allocator's free lists have their size by then.
_SETTLED_S = 7200.0


def measure(
    *, n_rounds: int, hour_h: float, day_h: float, told: Callable[[str], None]
) -> dict[str, Any]:
    """Give the cost of an hour, `n_rounds` times, and of a day, once; lengths in hours.

    Every run starts with an enrolled wearer and a vault of its own.

    Raises
    ------
    RuntimeError
        If a process fails, or lost a sample.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wires = {}
        for what, hours in (("hour", hour_h), ("day", day_h)):
            told(f"simulating one {what}")
            wires[what] = folder / f"{what}.wire"
            capture(f"synthetic:?seed={_SEED}&scenario=day&hours={hours}", wires[what])
        hours_run = []
        for turn in range(n_rounds):
            told(f"one hour, round {turn + 1} of {n_rounds}")
            hours_run.append(_played(wires["hour"], folder / f"hour{turn}"))
        told("one day")
        day = _played(wires["day"], folder / "day0")
    return {"hours": hours_run, "day": day, "slope_mb_per_h": slope_mb_per_h(day["memory"])}


def _played(wire: Path, home: Path) -> dict[str, Any]:
    home.mkdir()
    walk = ("--device", f"synthetic:?seed={_SEED}&scenario=walk")
    finished(start("firmware_host", "enrol", "gait", *walk, home=home))
    arguments = ("--wire", wire, "--state", home / "state", "--key-file", home / "key")
    process = start("bench.stream.host_path", *arguments)
    found: dict[str, Any] = json.loads(finished(process, within_s=_LONGEST_S))
    if found["n_missing"] or found["bad_frames"]:
        raise RuntimeError(f"expected every sample, {found['n_missing']} are missing")
    return found


def slope_mb_per_h(memory: Sequence[Sequence[float]]) -> float | None:
    """Growth of the resident size once settled, least squares; None for too short a run."""
    settled = [(t_s / _SECONDS_PER_HOUR, mb) for t_s, mb in memory if t_s >= _SETTLED_S]
    if len(settled) < 3:
        return None
    hours, sizes = zip(*settled, strict=True)
    return statistics.linear_regression(hours, sizes).slope


def rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(what, value, aim)."""
    hours, day, slope = found["hours"], found["day"], found["slope_mb_per_h"]
    per_hour = [one["cpu_s"] * _SECONDS_PER_HOUR / one["stream_s"] for one in hours]
    per_day = day["cpu_s"] * 24 * _SECONDS_PER_HOUR / day["stream_s"]
    starts = [one["start_cpu_s"] for one in hours]
    sizes = [mb for _, mb in day["memory"]]
    grown = "too short to say" if slope is None else f"{slope:+.3f} MB an hour"
    return [
        (
            "one hour of all channels, whole host path, CPU s: median (least to most)",
            f"{statistics.median(per_hour):.2f} ({min(per_hour):.2f} to {max(per_hour):.2f})",
            f"{HOUR_AIM_S:g}",
        ),
        (
            "start of the process until it streams, imports and models, CPU s",
            f"{statistics.median(starts):.2f}",
            "",
        ),
        (
            f"24 h, CPU s (measured on {day['stream_s'] / _SECONDS_PER_HOUR:.1f} h)",
            f"{per_day:.1f}",
            f"{DAY_AIM_S:g}",
        ),
        (
            "resident memory along the day, MB: first, last, peak; slope after two hours",
            f"{sizes[0]:.1f}, {sizes[-1]:.1f}, {day['peak_mb']:.1f}; {grown}",
            "flat",
        ),
    ]
