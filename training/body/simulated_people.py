"""Simulated people in the same conditions as the real ones, through the board's own sensors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from firmware_host.events import Activity
from sim.person import PieceSignals, Wearer
from sim.schedule import Schedule, build_schedule
from sim.sensors import CHANNELS, to_raw
from training.body.gait_measures import contact_windows, gait_windows
from training.body.vital_measures import VitalTracks
from training.body.windows import Seen, Span
from training.datasets.motion import MotionRecording
from training.evaluation.progress import progress

FloatArray = NDArray[np.float64]

# Nobody whom a test, the demo or the week knows.
FIRST_SEED = 10_000
_START = datetime(2026, 5, 4, 8, tzinfo=UTC)
# Label, minutes, and what else differs from the label's own; the protocol of Stress-Predict.
_LABORATORY = (
    ("rest", 10, {}),
    ("stress", 5, {"task": "stroop"}),
    ("rest", 5, {}),
    ("stress", 9, {"task": "speech"}),
    ("rest", 5, {}),
    ("stress", 4, {"task": "arithmetic"}),
    ("rest", 12, {}),
)
# On a bicycle, as the real ones; breaks and recovery included.
_EXERCISE = (
    ("rest", 3, {}),
    ("other", 22, {"activity": "cycle"}),
    ("rest", 5, {}),
)
_MOVING = (
    ("rest", 3, {}),
    ("walk", 3, {}),
    ("run", 3, {}),
    ("stairs", 3, {}),
    ("other", 3, {"activity": "typing"}),
    ("other", 3, {"activity": "eating"}),
)
# Putting the device on, and people who start and stop moving.
_SETTLE_S, _HANDLING_S = 60, 2
_GAITS = {"walk": Activity.WALK, "run": Activity.RUN, "stairs": Activity.STAIRS}
_CONDITIONS = {"still": "sit"}
# A pocket is at the leg: the true contacts stand for it.
_POCKETS = {"walk": "walk_pocket", "run": "run_pocket"}


def simulated_people(n_people: int) -> tuple[list[Seen], dict[str, list[MotionRecording]]]:
    """That many people in every condition, and their walks."""
    seen: list[Seen] = []
    walks = {}
    for seed in progress(range(FIRST_SEED, FIRST_SEED + n_people), "simulated"):
        person = f"simulated/{seed}"
        seen += _vitals(person, seed)
        pieces = list(Wearer(_schedule(_MOVING), seed=seed))
        recordings = list(_motion(seed, pieces))
        for one in recordings:
            seen.append(Seen(person, one.trial, gait_windows([one])))
        walks[person] = [one for one in recordings if one.trial == "walk"]
        seen += _legs(person, pieces)
    return seen, walks


def _legs(person: str, pieces: Sequence[PieceSignals]) -> Iterator[Seen]:
    for activity, condition in _POCKETS.items():
        lefts = [
            one.gait.left_t_s
            for one in pieces
            if one.gait is not None and one.piece.bout.activity == activity
        ]
        yield Seen(person, condition, contact_windows(np.concatenate(lefts)))


def _vitals(person: str, seed: int) -> Iterator[Seen]:
    schedule = _schedule(_LABORATORY)
    spans = defaultdict(list)
    for bout in schedule.bouts:
        spans[bout.label].append(Span(max(bout.start_s, _SETTLE_S), bout.end_s))
    tracks = _tracks(schedule, seed)
    for condition in ("rest", "stress"):
        yield Seen(person, condition, tracks.windows(spans[condition]))
    schedule = _schedule(_EXERCISE)
    tracks = _tracks(schedule, seed)
    yield Seen(person, "exercise", tracks.windows([Span(_SETTLE_S, schedule.duration_s)]))


def _schedule(rows: tuple[tuple[str, float, dict[str, str]], ...]) -> Schedule:
    bouts = [{"label": label, "minutes": minutes, **more} for label, minutes, more in rows]
    return build_schedule({"start_utc": _START, "bout": bouts}, name="body")


def _tracks(schedule: Schedule, seed: int) -> VitalTracks:
    parts = defaultdict(list)
    for piece in Wearer(schedule, seed=seed):
        for channel in CHANNELS:
            raw = to_raw(channel, piece.channel(channel.name))
            parts[channel.name].append(raw * channel.scale + channel.offset)
    values = {name: np.concatenate(pieces) for name, pieces in parts.items() if name != "gyro"}
    return VitalTracks(
        {name: one if name == "acc" else one[:, 0] for name, one in values.items()},
        {channel.name: channel.rate_hz for channel in CHANNELS},
        dict.fromkeys(values, 0.0),
    )


def _motion(seed: int, pieces: Sequence[PieceSignals]) -> Iterator[MotionRecording]:
    by_name = {channel.name: channel for channel in CHANNELS}
    parts: dict[str, list[tuple[FloatArray, ...]]] = defaultdict(list)
    for piece in pieces:
        activity = piece.piece.bout.activity
        sensed = tuple(
            to_raw(by_name[name], piece.channel(name)) * by_name[name].scale
            for name in ("acc", "gyro")
        )
        parts[activity].append(sensed)
    rate_hz = by_name["acc"].rate_hz
    cut = slice(round(_HANDLING_S * rate_hz), -round(_HANDLING_S * rate_hz))
    for activity, sensed_pieces in parts.items():
        acc, gyro = (np.concatenate(one)[cut] for one in zip(*sensed_pieces, strict=True))
        yield MotionRecording(
            "simulated",
            str(seed),
            _CONDITIONS.get(activity, activity),
            _GAITS.get(activity, Activity.OTHER),
            rate_hz,
            acc,
            gyro,
        )
