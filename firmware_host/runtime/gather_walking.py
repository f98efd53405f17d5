"""From stored activity windows to walks: how long, how many steps, at what cadence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from firmware_host.events import Activity
from firmware_host.report import Signal, WalkingDay
from firmware_host.runtime.gather_seen import Event, FloatArray, column
from firmware_host.signals.stepping import GAITS, count_steps

# A turn, a door: two stretches with less than this between them are one walk.
_PAUSE_S = 10.0
_LOW_HIGH_PERCENT = (5.0, 95.0)


@dataclass(frozen=True, slots=True)
class Walk:
    """One walk or run.

    `seconds` are walked, pauses left out; `walking_spm` (n,) are the cadences known of walking
    alone.
    """

    start_utc: float
    end_utc: float
    seconds: float
    steps: float
    walking_spm: FloatArray


def walks(activity: Sequence[Event], hop_s: float) -> list[Walk]:
    """Walks in windows ordered by time, each window speaking of the hop before its time."""
    stretches: list[list[Event]] = []
    for event in activity:
        if event["activity"] not in GAITS:
            continue
        last = stretches[-1][-1] if stretches else None
        if last is not None and event["utc"] - hop_s - last["utc"] < _PAUSE_S:
            stretches[-1].append(event)
        else:
            stretches.append([event])
    return [_walk(stretch, hop_s) for stretch in stretches]


def _walk(stretch: Sequence[Event], hop_s: float) -> Walk:
    by_gait = {
        gait: column([e for e in stretch if e["activity"] == gait], "cadence_spm") for gait in GAITS
    }
    walking = by_gait[Activity.WALK]
    return Walk(
        start_utc=stretch[0]["utc"] - hop_s,
        end_utc=stretch[-1]["utc"],
        seconds=hop_s * len(stretch),
        steps=sum(count_steps(spm, hop_s=hop_s) for spm in by_gait.values()),
        walking_spm=walking[np.isfinite(walking)],
    )


def walking_days(
    activity: Sequence[Event], hop_s: float, local_offset_s: Callable[[float], float]
) -> list[WalkingDay]:
    """Walks summed over local days; a walk over midnight counts on the day it began."""
    by_day: dict[str, list[Walk]] = {}
    for walk in walks(activity, hop_s):
        local_s = walk.start_utc + local_offset_s(walk.start_utc)
        day = datetime.fromtimestamp(local_s, UTC).date().isoformat()
        by_day.setdefault(day, []).append(walk)
    return [_day(day, those) for day, those in by_day.items()]


def _day(day: str, those: Sequence[Walk]) -> WalkingDay:
    spm = np.concatenate([walk.walking_spm for walk in those])
    low, high = np.percentile(spm, _LOW_HIGH_PERCENT).tolist() if spm.size else (np.nan, np.nan)
    return WalkingDay(
        day,
        len(those),
        sum(walk.seconds for walk in those),
        round(sum(walk.steps for walk in those)),
        float(np.median(spm)) if spm.size else float("nan"),
        low,
        high,
    )


def cadence_signal(activity: Sequence[Event]) -> list[Signal]:
    """Curve of the cadence, none without any."""
    known = [event for event in activity if event["cadence_spm"] is not None]
    if not known:
        return []
    times, spm = column(known, "utc"), column(known, "cadence_spm")
    return [Signal("Cadence", "steps/min", times, spm, note="walking and running, each 5 s")]
