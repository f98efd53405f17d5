"""Participants of the gait data sets, cut into windows: what training and evaluation read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from firmware_host.errors import DataError
from firmware_host.events import Activity
from firmware_host.signals.gait import HOP_S
from training.datasets.bad_people import attempt
from training.datasets.motion import MotionDataset
from training.datasets.registry import GAIT
from training.evaluation.progress import progress
from training.gait.gate_figures import LABELS
from training.gait.windows import Stream, Walks, stream_of, walks_of


@dataclass(frozen=True, eq=False)
class Person:
    """What is kept of one participant: the gate's streams, walking windows, content hash."""

    name: str
    streams: list[Stream]
    walks: Walks | None
    sha256: str


def load_people(
    data_dir: Path, datasets: Collection[str], *, hold_out: Collection[str] = frozenset()
) -> list[Person]:
    """Everyone in the named datasets but those held out, as "dataset/participant".

    Raises
    ------
    DataError
        If a held-out name is of nobody in these datasets: a typo would leak that person.
    """
    found: list[Person] = []
    known: set[str] = set()
    for name in sorted(datasets):
        dataset = GAIT[name].index(data_dir)
        known |= {f"{name}/{participant}" for participant in dataset.people}
        wanted = [p for p in dataset.people if f"{name}/{p}" not in hold_out]
        read = (
            attempt(f"{name}/{who}", partial(person_of, dataset, who))
            for who in progress(wanted, name)
        )
        found += [person for person in read if person is not None]
    unknown = sorted(set(hold_out) - known)
    if unknown:
        raise DataError(f"expected held-out people among those in {data_dir}, got {unknown}")
    return found


def person_of(dataset: MotionDataset, participant: str) -> Person:
    """Read one participant's recordings and cut them into windows."""
    recordings = dataset.load(participant)
    walking = [r for r in recordings if r.activity is Activity.WALK]
    walking.sort(key=lambda r: (len(r.trial), r.trial))  # wlk_7, wlk_8, wlk_15: as they were done
    name = f"{dataset.name}/{participant}"
    return Person(
        name=name,
        streams=[stream_of(recording, LABELS) for recording in recordings],
        walks=walks_of(name, walking, hop_s=HOP_S) if walking else None,
        sha256=dataset.content_sha256[participant](),
    )
