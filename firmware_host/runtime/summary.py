"""What a run came to: counts and costs as plain values."""

from __future__ import annotations

import resource
from collections import Counter
from pathlib import Path
from typing import Any

from firmware_host.host.sockets import COUNTER
from firmware_host.runtime.pipeline import Pipeline


def summarise(pipeline: Pipeline, states: Counter[str], *, wall_s: float) -> dict[str, Any]:
    """Counts and costs of a run as plain values; nothing about the body but the states' counts."""
    counts, assembler, decoder = pipeline.counts, pipeline.assembler, pipeline.parser.decoder
    hello = pipeline.hello
    rates = assembler.measured_rates_hz
    channels = {
        channel.name: {
            "unit": channel.unit,
            "declared_hz": channel.rate_hz,
            "measured_hz": rates.get(channel.name),
            "n_samples": counts.samples[channel.name],
            "n_gaps": counts.gaps[channel.name],
            "missing_samples": counts.missing[channel.name],
        }
        for channel in (hello.channels if hello else ())
    }
    return {
        "board": hello.board_id if hello else None,
        "firmware": hello.firmware if hello else None,
        "stream_s": round(counts.earlier_sessions_s + assembler.t_s, 3),
        "wall_s": round(wall_s, 3),
        "n_sessions": assembler.n_sessions,
        "n_bytes": counts.n_bytes,
        "n_frames": decoder.frames,
        "bad_frames": decoder.bad_frames,
        "oversize": decoder.oversize,
        "skipped_bytes": decoder.skipped_bytes,
        "bad_payloads": pipeline.parser.bad_payloads,
        "channels": channels,
        "states": dict(sorted(states.items())),
        "events": dict(sorted(counts.events.items())),
        "notes": dict(sorted(counts.notes.items())),
        "adapter": pipeline.adapter,
        "seen_in_training": pipeline.was_trained_on,
        "peak_rss_mb": round(peak_rss_mb(), 1),
        "sockets_opened": COUNTER.n_sockets,
    }


def peak_rss_mb() -> float:
    """Largest resident size of this process so far, in MB (10^6 bytes).

    Linux's own high-water mark: what getrusage says is inherited from the process that started this one.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
