"""Recordings of simulated wearers, made as a user makes them: with `signet record`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from firmware_host.cli.main import main

START = datetime(2026, 5, 4, 8, tzinfo=UTC)
# What the wearer does and for how many minutes.
DAY = (("rest", 3.0), ("stress", 2.5), ("rest", 2.5))
WALK = (("walk", 1.5),)


def record(path: Path, *, seed: int, day=DAY, presses: bool = True, options=()) -> Path:
    """Let a wearer live a short day and record it, with presses of the labelling buttons."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"start_utc = {START.isoformat().replace('+00:00', 'Z')}"]
    for label, minutes in day:
        rows += ["[[bout]]", f'label = "{label}"', f"minutes = {minutes}"]
        if presses and label in ("rest", "stress"):
            rows.append('buttons = "on_time"')
    scenario = path.with_suffix(".toml")
    scenario.write_text("\n".join(rows) + "\n")
    url = f"synthetic:?seed={seed}&scenario={scenario}"
    assert main(["record", "--device", url, "--out", str(path), *options]) == 0
    scenario.unlink()
    return path


def spans(start_utc: float, day=DAY) -> list[tuple[float, float, str]]:
    """(start, end, label) of every bout of a recording that began then."""
    found, at = [], start_utc
    for label, minutes in day:
        found.append((at, at + 60 * minutes, label))
        at += 60 * minutes
    return found


def label_file(path: Path, rows: list[tuple[float, float, str]]) -> Path:
    """Write stretches in our layout."""
    lines = [f"{start:.3f},{end:.3f},{label}" for start, end, label in rows]
    path.write_text("\n".join(["start_utc,end_utc,label", *lines]) + "\n")
    return path
