"""Frozen results that cross layers, and their one canonical JSON form.

Every event carries ``t_s``, stream time in seconds (board clock, from the session's start), and ``utc``, host
time in UNIX seconds. Equal events have equal JSON, byte for byte, which is what makes replays comparable.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """What the stress model says of one window, not knowing included."""

    REST = "rest"
    STRESS = "stress"
    UNSURE = "unsure"
    EXERCISE = "exercise"
    MOVING = "moving"
    POOR_SIGNAL = "poor_signal"
    NOT_WORN = "not_worn"
    LEARNING_BASELINE = "learning_baseline"


class Activity(StrEnum):
    """What the gait model's gate says of one window; the order is the model's output order."""

    STILL = "still"
    WALK = "walk"
    RUN = "run"
    STAIRS = "stairs"
    OTHER = "other"


class Wearer(StrEnum):
    """Whether the walking is the enrolled wearer's."""

    WEARER = "wearer"
    OTHER = "other"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class StressScored:
    """One stress window: the state, and the probability of stress before and after personalisation.

    ``p_personal`` equals ``p_generic`` while nothing was learned; both are None when the window was not scored.
    ``adapter`` is the version of the adapter in use, 0 for the generic model. ``quality`` is that of the worse of
    the two signals an answer rests on, ``channel_quality`` each channel's: shares of the window, 0 to 1.
    """

    t_s: float
    utc: float
    state: State
    p_generic: float | None
    p_personal: float | None
    adapter: int
    quality: float
    motion: float
    channel_quality: dict[str, float] = field(default_factory=dict)
    kind: str = field(default="stress", init=False)


@dataclass(frozen=True, slots=True)
class ActivityScored:
    """One gait window: the activity, and cadence in steps per minute while walking or running."""

    t_s: float
    utc: float
    activity: Activity
    probability: float
    cadence_spm: float | None
    kind: str = field(default="activity", init=False)


@dataclass(frozen=True, slots=True)
class WearerVerified:
    """Verification over the last walking windows: similarity score and decision."""

    t_s: float
    utc: float
    wearer: Wearer
    score: float
    n_windows: int
    kind: str = field(default="wearer", init=False)


@dataclass(frozen=True, slots=True)
class OnBoard:
    """A stretch between two presses on the board's own clock, which nobody sets.

    ``start_s`` and ``end_s`` are stream time of ``session``; ``start_utc`` is what the host's clock showed when it
    began, whatever that was set to since.
    """

    session: int
    start_s: float
    end_s: float
    start_utc: float

    @property
    def lasts_s(self) -> float:
        """Seconds from one press to the other."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Labelled:
    """The wearer said what a stretch of time was; times are host UTC.

    ``on_board`` says it once more for a label of the board's buttons; any other label has none.
    """

    t_s: float
    utc: float
    label: str
    start_utc: float
    end_utc: float
    source: str
    on_board: OnBoard | None = None
    kind: str = field(default="label", init=False)


@dataclass(frozen=True, slots=True)
class StreamNoted:
    """Something about the stream itself: session, gap, reboot, silence, wear, rate, button, swap."""

    t_s: float
    utc: float
    what: str
    channel: str = ""
    detail: dict[str, float | int | str] = field(default_factory=dict)
    kind: str = field(default="stream", init=False)


AnyEvent = StressScored | ActivityScored | WearerVerified | Labelled | StreamNoted

# Six decimals are finer than any sensor here and hide nothing; fixed so that text is reproducible.
_DECIMALS = 6
# Kept: `json.dumps` makes one at each call that asks for more than its defaults.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DECIMALS) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, OnBoard):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value


def to_dict(event: AnyEvent) -> dict[str, Any]:
    """The event as plain values; floats rounded to six decimals, NaN as None.

    ``on_board`` is there only where it says something.
    """
    values = {name: _plain(getattr(event, name)) for name in event.__dataclass_fields__}
    if isinstance(event, Labelled) and event.on_board is None:
        del values["on_board"]
    return values


def to_json(event: AnyEvent) -> str:
    """One canonical line of JSON: sorted keys, no spaces."""
    return _ENCODER.encode(to_dict(event))
