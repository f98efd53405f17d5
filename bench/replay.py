"""Time to replay and to simulate an hour, process start included: ``python -m bench.replay``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.rows import Options, Row, main, run_module
from firmware_host.recording.registry import open_recording

_HOUR_S = 3600.0


def rows(options: Options) -> list[Row]:
    hours = 0.1 if options.quick else 1.0
    with tempfile.TemporaryDirectory() as folder:
        synthetic = Path(folder) / "synthetic.mcap"
        device = f"synthetic:?seed=8&scenario=day&hours={hours}"
        recorded = run_module("firmware_host", "record", "--device", device, "--out", synthetic)
        return [
            Row("simulate one hour", recorded.children_cpu_s / hours, "s"),
            Row("record one hour to MCAP", recorded.cpu_s / hours, "s"),
            _replay("synthetic, 50 Hz gyroscope", synthetic, options),
            _real(options),
        ]


def _real(options: Options) -> Row:
    recordings = sorted((options.data / "stress-predict" / "e4").glob("*.zip"))
    if not recordings:
        return Row("replay one hour: Empatica E4", None, "s", note="no data; see --data")
    return _replay("Empatica E4", recordings[0], options)


def _replay(name: str, path: Path, options: Options) -> Row:
    reader = open_recording(path)
    duration_s = reader.duration_s
    reader.close()
    repeats = 1 if options.quick else 3
    took_s = min(
        run_module("firmware_host", "replay", path, "--json").cpu_s for _ in range(repeats)
    )
    per_hour_s = took_s * _HOUR_S / duration_s
    real = f"real time: {_HOUR_S / per_hour_s:,.0f} times faster"
    return Row(
        f"replay one hour: {name}",
        per_hour_s,
        "s",
        real,
        per_hour_s / _HOUR_S,
        note=f"measured on {duration_s / 60:.0f} min",
    )


if __name__ == "__main__":
    raise SystemExit(main(rows, "bench.replay"))
