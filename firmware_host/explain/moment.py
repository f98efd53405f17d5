"""One stress event of the past, with everything that the answer was made of at the time."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation.adapters import history
from firmware_host.adaptation.samples import WindowTable, load_baselines, load_windows_between
from firmware_host.errors import DataError
from firmware_host.events import State
from firmware_host.runtime.memory import EVENT_KIND
from firmware_host.signals.normalise import Baseline
from firmware_host.vault.records import Vault

# An adapter's arrays by name.
Weights = Mapping[str, NDArray[np.float32]]

# Ten time constants of the longer memory, sustained effort: older windows weigh less than 1 in 20,000.
_MEMORY_TIME_CONSTANTS = 10.0
# Event times are stored with six decimals, window times in full.
_SAME_TIME_S = 1e-3
_FAR_S = 120.0
_DAY_S = 86_400.0
# Windows are kept a month unless the settings say longer.
_DAYS_BACK = 366


@dataclass(frozen=True, slots=True)
class Moment:
    """A stress event, the windows up to it and what was in force.

    `events` (n,) and `table` (n rows) are the windows of the event's own session that its smoothing
    still remembers, oldest first; the last one is the event's own. `baselines` are those that may
    have been in force, the likeliest first; `adapters` the weights by version, 0 left out.
    """

    events: Sequence[Mapping[str, Any]]
    table: WindowTable
    baselines: Sequence[Baseline]
    adapters: Mapping[int, Weights] = field(repr=False)

    @property
    def event(self) -> Mapping[str, Any]:
        """The event to explain."""
        return self.events[-1]


def stress_events(
    vault: Vault, *, since_utc: float = -math.inf, until_utc: float = math.inf
) -> list[dict[str, Any]]:
    """Stored stress events of a stretch of time, in the order in which they were stored."""
    records = vault.iterate(EVENT_KIND, since_utc=since_utc, until_utc=until_utc, skip_damaged=True)
    events = (json.loads(record.payload) for record in records)
    return [event for event in events if event["kind"] == "stress"]


def find_moment(vault: Vault, *, utc: float | None, effort_s: float) -> Moment:
    """Gather the stress event nearest to a time, or the newest that was called stress.

    Parameters
    ----------
    utc
        UNIX seconds; None for the newest stress, or the newest scored window if there was none.
    effort_s
        Time constant of sustained effort, which remembers longest.

    Raises
    ------
    DataError
        If nothing is stored near that time.
    """
    event = _newest(vault) if utc is None else _nearest(vault, utc)
    memory_s = _MEMORY_TIME_CONSTANTS * effort_s
    since_utc, until_utc = event["utc"] - memory_s - 1.0, event["utc"] + _SAME_TIME_S
    nearby = stress_events(vault, since_utc=since_utc, until_utc=until_utc)
    past = _same_session(nearby, event, memory_s)
    table = load_windows_between(vault, since_utc, until_utc)
    pairs = _paired(past, table)
    if not pairs or pairs[-1][0]["utc"] != event["utc"]:
        msg = "expected the window behind this event, found none: it is no longer stored"
        raise DataError(msg)
    return Moment(
        [known for known, _ in pairs],
        table.rows(np.array([row for _, row in pairs])),
        _by_likelihood(load_baselines(vault), event["utc"]),
        {adapter.version: adapter.arrays for adapter in history(vault, "stress")},
    )


def newest_at_clock(vault: Vault, utc: float) -> float:
    """The same time of the newest local day with a stress event near it; unchanged if there is none.

    Parameters
    ----------
    utc
        UNIX seconds; where there is an event near this one, it is taken.
    """
    newest_utc = vault.newest_utc(EVENT_KIND)
    if newest_utc is None or _near(vault, utc):
        return utc
    clock, newest = datetime.fromtimestamp(utc).time(), datetime.fromtimestamp(newest_utc).date()
    for n_days in range(_DAYS_BACK):
        that_utc = datetime.combine(newest - timedelta(days=n_days), clock).timestamp()
        if _near(vault, that_utc):
            return that_utc
    return utc


def _newest(vault: Vault) -> dict[str, Any]:
    """The newest stress, looked for in the last day first: a month of events takes its time."""
    newest_utc = vault.newest_utc(EVENT_KIND) or 0.0
    for days in (1, 7, math.inf):
        found = stress_events(vault, since_utc=newest_utc - days * _DAY_S)
        scored = [event for event in found if event["p_personal"] is not None]
        called = [event for event in scored if event["state"] == State.STRESS]
        if called or (scored and days == math.inf):
            return max(called or scored, key=lambda event: event["utc"])
    raise DataError("expected a scored stress window to explain, got none: nothing was scored yet")


def _nearest(vault: Vault, utc: float) -> dict[str, Any]:
    found = _near(vault, utc)
    if not found:
        msg = (
            f"expected a time with a stress window, got {_written(utc)}: none within {_FAR_S:.0f} s"
        )
        raise DataError(f"{msg} (signet explain --list shows what there is)")
    return min(found, key=lambda e: abs(e["utc"] - utc))


def _written(utc: float) -> str:
    try:
        return datetime.fromtimestamp(utc).astimezone().isoformat(timespec="minutes")
    except (ValueError, OverflowError, OSError):
        # No time of any calendar.
        return str(utc)


def _near(vault: Vault, utc: float) -> list[dict[str, Any]]:
    return stress_events(vault, since_utc=utc - _FAR_S, until_utc=utc + _FAR_S)


def _same_session(
    scored: list[dict[str, Any]], event: dict[str, Any], memory_s: float
) -> list[dict[str, Any]]:
    """Events up to this one on the same board clock, oldest first."""
    offset_s = event["utc"] - event["t_s"]
    found = []
    for other in scored:
        age_s = event["t_s"] - other["t_s"]
        # A crystal drifts by less than a second in these minutes, another session is elsewhere.
        is_same_clock = abs(other["utc"] - other["t_s"] - offset_s) < 1.0
        if 0 <= age_s <= memory_s and is_same_clock:
            found.append(other)
    return sorted(found, key=lambda e: e["t_s"])


def _paired(past: list[dict[str, Any]], table: WindowTable) -> list[tuple[dict[str, Any], int]]:
    pairs = []
    for event in past:
        row = int(np.searchsorted(table.t_end_utc, event["utc"] - _SAME_TIME_S))
        if row < len(table) and abs(table.t_end_utc[row] - event["utc"]) <= _SAME_TIME_S:
            pairs.append((event, row))
    return pairs


def _by_likelihood(stored: list[tuple[float, Baseline]], utc: float) -> list[Baseline]:
    """The newest that was there at the time, then older ones, then later ones."""
    before = [baseline for t_utc, baseline in stored if t_utc <= utc]
    after = [baseline for t_utc, baseline in stored if t_utc > utc]
    return [*reversed(before), *after]
