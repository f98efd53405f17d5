"""PhysioNet "Wearable Device Dataset from Induced Stress and Structured Exercise Sessions".

Hongn et al. 2025, Sci Data, doi 10.1038/s41597-025-04845-9. E4 wrist; a stress, an aerobic and an
anaerobic session a person. Button tags are stage edges, numbered from 1. The opinion and subtract
tasks last 30 s each and are one stress stage with the reporting breaks between them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware_host.recording.e4 import E4Archive
from training.datasets.base import (
    EXERCISE,
    REST,
    STRESS,
    Session,
    Stage,
    locate,
    recordings_in,
    require_sessions,
)

if TYPE_CHECKING:
    from pathlib import Path

NAME = "physionet-stress-exercise"
KINDS = ("stress", "aerobic", "anaerobic")

# (name, label, first tag, last tag); protocol V1 are participants S.., V2 are f...
_V1 = (
    ("baseline", REST, 1, 2),
    ("stroop", STRESS, 3, 4),
    ("rest-1", REST, 4, 5),
    ("tmct", STRESS, 5, 6),
    ("rest-2", REST, 6, 7),
    ("opinion-subtract", STRESS, 7, 12),
)
_V2 = (
    ("tmct", STRESS, 2, 3),
    ("rest-1", REST, 3, 4),
    ("opinion", STRESS, 4, 6),
    ("rest-2", REST, 7, 8),
    ("subtract", STRESS, 8, 9),
)
# V2 has no tag where the baseline begins: the recordings start 9 to 39 minutes before its end.
V2_BASELINE_S = 600.0
SETTLE_S = 60.0


def sessions(data_dir: Path) -> list[Session]:
    """Every session of the three kinds that is there, by kind and participant."""
    root = locate(data_dir, NAME)
    folders = {p.name.lower(): p for p in sorted(root.iterdir()) if p.is_dir()}
    found = [
        Session(NAME, participant, kind, path, _stages(kind, participant, path))
        for kind in KINDS
        if kind in folders
        for participant, path in recordings_in(folders[kind], r"[Sf]\d+")
    ]
    return require_sessions(found, root, f"folders {', '.join(KINDS)} of E4 archives")


def _stages(kind: str, participant: str, path: Path) -> tuple[Stage, ...]:
    archive = E4Archive(path)
    if kind != "stress":
        # Warm-up, breaks and cool-down included: in daily life nobody tags them either.
        return (Stage(kind, EXERCISE, archive.start_utc, archive.end_utc),)
    tags = archive.tags_utc.tolist()
    if participant.startswith("S"):
        return _between(tags, _V1)
    if not tags:
        return ()
    start = max(archive.start_utc + SETTLE_S, tags[0] - V2_BASELINE_S)
    return (Stage("baseline", REST, start, tags[0]), *_between(tags, _V2))


def _between(tags: list[float], table: tuple[tuple[str, str, int, int], ...]) -> tuple[Stage, ...]:
    """Stages of the table whose tags exist; a session cut short loses its last stages."""
    return tuple(
        Stage(name, label, tags[first - 1], tags[last - 1])
        for name, label, first, last in table
        if last <= len(tags)
    )
