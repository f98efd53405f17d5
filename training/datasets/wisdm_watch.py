"""WISDM-51 watch (Weiss 2019): wrist, 20 Hz, 18 activities of three minutes, one session a person.

Layouts: the publisher's `wisdm-dataset/raw/watch/{accel,gyro}/data_<id>_*_watch.txt` as folders or
as `wisdm-dataset.zip` (in the repository's archive or not), or the same in one archive a person.

Acceleration (m/s²) and rotation rate (rad/s) come in two files with clocks of their own; both are
interpolated onto one 20 Hz grid over the time they share.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import RecordingError
from firmware_host.events import Activity
from training.datasets.bad_people import attempt
from training.datasets.base import locate
from training.datasets.copies import find_copies, require_original
from training.datasets.members import Member, content_hash, find_members, parse_numbers
from training.datasets.motion import MotionDataset, MotionRecording

NAME = "wisdm-watch"
PLACEMENT = "wrist"
SAMPLE_RATE_HZ = 20.0
# activity_key.txt of the publisher; there is no N.
CODES = "ABCDEFGHIJKLMOPQRS"
ACTIVITIES = {
    "A": Activity.WALK,
    "B": Activity.RUN,
    "C": Activity.STAIRS,
    "D": Activity.STILL,
    "E": Activity.STILL,
}
"""Everything else is done with the hands, sitting or standing: `other`."""

_PATTERN = r"data_(\d+)_(accel|gyro)_watch\.txt"
_NEAR = r"data_[^/]*(?:accel|gyro)_watch[^/]*\.txt"
_NUMBER_AND_CLOCK = re.compile(rb"\d+,([A-S]),\d+,")
# Shorter than this after merging, an activity was not really recorded.
_MIN_DURATION_S = 30.0
# The wearer starts and stops the application with the other hand.
_HANDLING_S = 1.0
# Now and then the watch sampled at 100 Hz for a while; a whole person who is off is another file.
_RATE_TOLERANCE = 0.1

FloatArray = NDArray[np.float64]


def index(data_dir: Path) -> MotionDataset:
    """List the people with watch files under `data_dir`, plain or in archives.

    Raises
    ------
    RecordingError
        If there is none, somebody lacks one of the two files, or has a copy of another's.
    """
    root = locate(data_dir, NAME)
    members: dict[str, list[Member]] = defaultdict(list)
    for member in find_members(root, _PATTERN, _NEAR):
        members[member.groups[0]].append(member)
    ordered = sorted(members, key=int)
    copies = find_copies((file for person in ordered for file in members[person]), _samples_of)

    def is_usable(person: str) -> bool:
        _require_both(root, person, members[person])
        require_original(members[person], copies)
        return True

    people = [who for who in ordered if attempt(f"{NAME}/{who}", partial(is_usable, who))]
    if not people:
        expected = "WISDM files data_<id>_accel_watch.txt and data_<id>_gyro_watch.txt"
        raise RecordingError(root, expected, "no person with both")
    return MotionDataset(
        NAME,
        PLACEMENT,
        {person: partial(_load, members[person]) for person in people},
        {person: partial(content_hash, members[person]) for person in people},
    )


def _require_both(root: Path, person: str, members: list[Member]) -> None:
    """Refuse somebody with one sensor only."""
    sensors = {member.groups[1] for member in members}
    for sensor in ("accel", "gyro"):
        if sensor not in sensors:
            raise RecordingError(root, f"data_{person}_{sensor}_watch.txt", "none")


def _samples_of(content: bytes) -> bytes:
    """What the watch measured, row by row, without the wearer's number and the clock."""
    return _NUMBER_AND_CLOCK.sub(rb"\1,", content.replace(b"\r", b""))


def _load(members: list[Member]) -> list[MotionRecording]:
    tables = {member.groups[1]: _read(member) for member in members}
    found = []
    for number, code in enumerate(CODES):
        merged = _merge(
            *(tables[sensor][tables[sensor][:, 1] == number] for sensor in ("accel", "gyro"))
        )
        if merged is not None:
            activity = ACTIVITIES.get(code, Activity.OTHER)
            person = members[0].groups[0]
            found.append(MotionRecording(NAME, person, code, activity, SAMPLE_RATE_HZ, *merged))
    return found


def _read(member: Member) -> FloatArray:
    """(n, 6) person, number of the activity in `CODES`, time in ns, three axes."""
    text = member.read()
    for number, code in enumerate(CODES):
        text = text.replace(f",{code},".encode(), f",{number},".encode())
    # A row ends with ";", with a line end, or with both.
    text = text.replace(b"\r", b"").replace(b";\n", b",").replace(b";", b",").replace(b"\n", b",")
    table = parse_numbers(text.strip(b", "), 6, member)
    _check_rate(table, member)
    return table


def _check_rate(table: FloatArray, member: Member) -> None:
    """Refuse a file whose typical step between samples is not that of the study."""
    steps_s = [
        float(np.median(np.diff(np.unique(times)))) / 1e9
        for number in range(len(CODES))
        if len(times := table[table[:, 1] == number, 2]) > 2
    ]
    rate_hz = 1.0 / float(np.median(steps_s)) if steps_s else 0.0
    if abs(rate_hz - SAMPLE_RATE_HZ) > _RATE_TOLERANCE * SAMPLE_RATE_HZ:
        raise RecordingError(member.place, f"about {SAMPLE_RATE_HZ:g} Hz", f"{rate_hz:.1f} Hz")


def _merge(acc: FloatArray, gyro: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """Both sensors on the grid of their common time; None if that is too short."""
    if min(len(acc), len(gyro)) < 2:
        return None
    series = [_by_time(table) for table in (acc, gyro)]
    start_s = max(t_s[0] for t_s, _ in series) + _HANDLING_S
    end_s = min(t_s[-1] for t_s, _ in series) - _HANDLING_S
    if end_s - start_s < _MIN_DURATION_S:
        return None
    grid = np.arange(start_s, end_s, 1.0 / SAMPLE_RATE_HZ)
    on_grid = [
        np.stack([np.interp(grid, t_s, axes[:, i]) for i in range(3)], axis=1)
        for t_s, axes in series
    ]
    return on_grid[0], on_grid[1]


def _by_time(table: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sort by time: times in s, and the three axes; repeated stamps keep their first row."""
    t_s, first = np.unique(table[:, 2] / 1e9, return_index=True)
    return t_s, table[first, 3:]
