"""Everybody in a folder whom the stress model can be trained on, data set by data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from training.datasets.registry import STRESS, is_there
from training.datasets.stress_windows import load_windows
from training.stress.people import Person, people_of


@dataclass(frozen=True)
class StressData:
    """People by dataset: laboratory sessions (rest and stress) and exercise sessions."""

    lab: dict[str, list[Person]]
    exercise: list[Person]

    def everyone(self) -> list[Person]:
        """All laboratory sessions of all datasets."""
        return [person for people in self.lab.values() for person in people]


def load_people(
    data_dir: Path, *, cache_dir: Path | None = None, hold_out: frozenset[str] = frozenset()
) -> StressData:
    """People of every stress dataset under `data_dir`.

    `hold_out` names people ("dataset/participant") whose sessions are not even opened.
    """
    lab: dict[str, list[Person]] = {}
    exercise: list[Person] = []
    for name, list_sessions in STRESS.items():
        if not is_there(data_dir, name):
            continue
        sessions = [s for s in list_sessions(Path(data_dir)) if s.person not in hold_out]
        people = people_of(load_windows(sessions, cache_dir=cache_dir))
        lab[name] = [p for p in people if p.kind == "stress" and p.has_both_classes()]
        exercise += [p for p in people if p.kind != "stress"]
    return StressData(lab, exercise)
