"""Stretches of stress: what there is to explain, as a person remembers a day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from firmware_host.events import State

# A stretch survives a few windows without an answer, as between two sentences.
_BRIDGE_S = 60.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Windows called stress, one after another; the times are ends of windows, UNIX seconds."""

    start_utc: float
    end_utc: float
    peak_utc: float
    peak_p_stress: float
    n_windows: int


def stress_stretches(events: Iterable[Mapping[str, Any]]) -> list[Stretch]:
    """Group stress events, as stored, into stretches by time."""
    called = sorted((e for e in events if e["state"] == State.STRESS), key=lambda e: e["utc"])
    groups: list[list[Mapping[str, Any]]] = []
    for event in called:
        if not groups or event["utc"] - groups[-1][-1]["utc"] > _BRIDGE_S:
            groups.append([])
        groups[-1].append(event)
    return [_stretch(group) for group in groups]


def _stretch(group: list[Mapping[str, Any]]) -> Stretch:
    peak = max(group, key=lambda e: e["p_personal"])
    return Stretch(group[0]["utc"], group[-1]["utc"], peak["utc"], peak["p_personal"], len(group))
