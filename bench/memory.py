"""Peak memory of streaming and of learning, each in its own process: ``python -m bench.memory``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.rows import Options, Row, main, run_module

# Seed and scenario with which a learner finds enough labels: twenty minutes of a day.
_DEVICE = "synthetic:?seed=8&scenario=short"
_LIMIT_MB = {"streaming": 64.0, "learning": 80.0}


def rows(_options: Options) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        peaks = {
            "streaming": run_module(
                "firmware_host", "run", "--device", _DEVICE, "--no-learn", "--json", home=home
            ).peak_mb,
            "learning": run_module("firmware_host", "learn", "--json", home=home).peak_mb,
        }
    return [
        Row(
            f"peak memory, {what}",
            peak,
            "MB",
            f"our limit of {_LIMIT_MB[what]:.0f} MB",
            peak / _LIMIT_MB[what],
        )
        for what, peak in peaks.items()
    ]


if __name__ == "__main__":
    raise SystemExit(main(rows, "bench.memory"))
