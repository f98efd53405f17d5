"""PhysioNet "Wearable Device Dataset from Induced Stress and Structured Exercise Sessions".

Hongn et al. 2025, Sci Data, doi 10.1038/s41597-025-04845-9. E4 wrist; a stress, an aerobic and an
anaerobic session a person. Button tags are stage edges, numbered from 1. The opinion and subtract
tasks last 30 s each and are one stress stage with the reporting breaks between them.

Layouts: the publisher's, `Wearable_Dataset/{STRESS,AEROBIC,ANAEROBIC}/<id>/*.csv` as folders or in
archives, or one archive a session in folders `stress`, `aerobic`, `anaerobic`.

What the publisher says in `data_constraints.txt` and what becomes of it: a session that was
interrupted lies in two folders `<id>_a` and `<id>_b`, which are two sessions of one person whose
tags count on; somebody without a session of a kind has none here; a recording with copied stretches
is refused as such; one made through the protective dock has no readable pulse, which the quality of
its windows says; protocols ended early lose their last stages.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from training.datasets.bad_people import attempt
from training.datasets.base import (
    EXERCISE,
    REST,
    STRESS,
    Session,
    Stage,
    locate,
    require_sessions,
)
from training.datasets.e4_sessions import E4Files, find_e4

if TYPE_CHECKING:
    from pathlib import Path

    from firmware_host.recording.e4 import E4Archive

NAME = "physionet-stress-exercise"
KINDS = ("stress", "aerobic", "anaerobic")
# Kind, participant, and which part of an interrupted session.
_PATTERN = r"(?:[^/]+/)*(stress|aerobic|anaerobic)/([Sf]\d+)((?:_[a-z])?)"

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

Parts = list[E4Files]


def sessions(data_dir: Path) -> list[Session]:
    """Every session of the three kinds that is there, by kind and participant.

    Raises
    ------
    RecordingError
        If there is none, or somebody's files cannot be used.
    """
    root = locate(data_dir, NAME)
    grouped: dict[tuple[int, str], Parts] = {}
    for (kind, participant, _part), files in find_e4(root, _PATTERN).items():
        grouped.setdefault((KINDS.index(kind.lower()), participant), []).append(files)
    found: list[Session] = []
    for (kind_idx, participant), parts in sorted(grouped.items(), key=lambda item: item[0]):
        made = partial(_sessions_of, KINDS[kind_idx], participant, parts)
        found += attempt(f"{NAME}/{participant}", made) or []
    return require_sessions(found, root, f"folders {', '.join(KINDS)} of E4 sessions")


def _sessions_of(kind: str, participant: str, parts: Parts) -> list[Session]:
    archives = [files.open() for files in parts]
    tags = sorted(float(tag) for archive in archives for tag in archive.tags_utc)
    stages = _stages(kind, participant, archives, tags)
    return [
        Session(NAME, participant, kind, files.path, _inside(archive, stages), files)
        for files, archive in zip(parts, archives, strict=True)
    ]


def _stages(
    kind: str, participant: str, archives: list[E4Archive], tags: list[float]
) -> tuple[Stage, ...]:
    if kind != "stress":
        # Warm-up, breaks and cool-down included: in daily life nobody tags them either.
        return tuple(Stage(kind, EXERCISE, a.start_utc, a.end_utc) for a in archives)
    if participant.upper().startswith("S"):
        return _between(tags, _V1)
    if not tags:
        return ()
    start_utc = min(archive.start_utc for archive in archives)
    start = max(start_utc + SETTLE_S, tags[0] - V2_BASELINE_S)
    return (Stage("baseline", REST, start, tags[0]), *_between(tags, _V2))


def _inside(archive: E4Archive, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Stages that lie wholly in this part of an interrupted session."""
    low, high = archive.start_utc, archive.end_utc
    return tuple(s for s in stages if low <= s.start_utc and s.end_utc <= high)


def _between(tags: list[float], table: tuple[tuple[str, str, int, int], ...]) -> tuple[Stage, ...]:
    """Stages of the table whose tags exist; a session cut short loses its last stages."""
    return tuple(
        Stage(name, label, tags[first - 1], tags[last - 1])
        for name, label, first, last in table
        if last <= len(tags)
    )
