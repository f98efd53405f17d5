"""What a run came to: counts and costs as plain values."""

from __future__ import annotations

import math
import resource
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from firmware_host.host.sockets import COUNTER
from firmware_host.runtime.announced import announced
from firmware_host.runtime.counts import Counts
from firmware_host.runtime.drops import BLOCK_DROPS, drops
from firmware_host.runtime.pipeline import Pipeline
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.tracks import Tracks


def summarise(pipeline: Pipeline, states: Counter[str], *, wall_s: float) -> dict[str, Any]:
    """Counts and costs of a run as plain values; nothing about the body but the states' counts."""
    counts, assembler = pipeline.counts, pipeline.assembler
    hello = pipeline.hello
    return {
        "board": hello.board_id if hello else None,
        "firmware": hello.firmware if hello else None,
        "hello": announced(hello),
        "battery_percent": pipeline.battery.percent,
        "board_status": None if pipeline.board_status is None else asdict(pipeline.board_status),
        "placement": pipeline.paths.placement,
        "stream_s": round(assembler.earlier_sessions_s + assembler.t_s, 3),
        "wall_s": round(wall_s, 3),
        "n_sessions": assembler.n_sessions,
        "n_bytes": counts.n_bytes,
        "n_frames": pipeline.parser.decoder.frames,
        **drops(assembler, pipeline.parser),
        "clock": _clock(assembler),
        "channels": _channels(assembler.tracks, counts),
        "states": dict(sorted(states.items())),
        "events": dict(sorted(counts.events.items())),
        "notes": dict(sorted(counts.notes.items())),
        "adapter": pipeline.paths.adapter,
        "models_run_on": pipeline.paths.runs_on,
        "seen_in_training": pipeline.was_trained_on,
        "peak_rss_mb": round(peak_rss_mb(), 1),
        "sockets_opened": COUNTER.n_sockets,
        "sockets_local": COUNTER.n_local,
    }


def _channels(tracks: Tracks, counts: Counts) -> dict[str, dict[str, Any]]:
    """What came and what did not by channel: those that the board has now first, then those of earlier sessions."""
    described, totals, rates = tracks.channels, tracks.totals, tracks.measured_rates_hz
    return {
        name: {
            "unit": described[name].unit if name in described else "",
            "declared_hz": described[name].rate_hz if name in described else 0.0,
            "measured_hz": rates.get(name),
            "is_sent": name in rates,
            "n_samples": counts.samples[name],
            "n_gaps": counts.gaps[name],
            "missing_samples": counts.missing[name],
            **{what: totals[name][what] for what in BLOCK_DROPS},
        }
        for name in [*rates, *(name for name in totals if name not in rates)]
    }


def _clock(assembler: StreamAssembler) -> dict[str, float | None]:
    """How the board's clock relates to the host's; None for what is not known."""
    if assembler.clock is None:
        return {}
    health = asdict(assembler.clock.health())
    return {name: round(v, 6) if math.isfinite(v) else None for name, v in health.items()}


def peak_rss_mb() -> float:
    """Largest resident size of this process so far, in MB (10^6 bytes).

    Linux's own high-water mark: what getrusage says is inherited from the process that started this one.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
