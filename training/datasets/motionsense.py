"""MotionSense (Malekzadeh et al. 2018): phone in the front trouser pocket, 50 Hz.

Layouts: the publisher's `data/A_DeviceMotion_data/<trial>/sub_<number>.csv`, as folders or as
`A_DeviceMotion_data.zip`, itself in an archive or not; or the same paths in one archive a person.

The publisher splits acceleration into gravity and user acceleration, both in g; the sum is what a
bare sensor measures. There are no time stamps: the rate is the publisher's word. Trials of one
person are one session.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np

from firmware_host.errors import RecordingError
from firmware_host.events import Activity
from firmware_host.units import g_to_ms2
from training.datasets.bad_people import attempt
from training.datasets.base import locate
from training.datasets.copies import find_copies, require_original
from training.datasets.members import Member, content_hash, find_members, parse_numbers
from training.datasets.motion import MotionDataset, MotionRecording

NAME = "motionsense"
PLACEMENT = "pocket"
SAMPLE_RATE_HZ = 50.0
ACTIVITIES = {
    "wlk": Activity.WALK,
    "jog": Activity.RUN,
    "ups": Activity.STAIRS,
    "dws": Activity.STAIRS,
    "sit": Activity.STILL,
    "std": Activity.STILL,
}
# The publisher's other folders hold the same trials with other columns.
_PATTERN = r"A_DeviceMotion_data/((?:wlk|jog|ups|dws|sit|std)_\d+)/sub_(\d+)\.csv"
_NEAR = r"A_DeviceMotion_data/(?:[^/]+/)*[^/]+\.csv"
_COLUMNS = (
    "",
    *("attitude.roll", "attitude.pitch", "attitude.yaw"),
    *("gravity.x", "gravity.y", "gravity.z"),
    *("rotationRate.x", "rotationRate.y", "rotationRate.z"),
    *("userAcceleration.x", "userAcceleration.y", "userAcceleration.z"),
)
# Putting the phone into the pocket and taking it out.
_HANDLING_S = 4.0


def index(data_dir: Path) -> MotionDataset:
    """List the people found under `data_dir`, in the publisher's folders or in archives.

    Raises
    ------
    RecordingError
        If there is none, somebody lacks a trial that the others have, or a trial is a copy.
    """
    root = locate(data_dir, NAME)
    members: dict[str, list[Member]] = defaultdict(list)
    for member in find_members(root, _PATTERN, _NEAR):
        members[member.groups[1]].append(member)
    if not members:
        expected = "files A_DeviceMotion_data/<trial>/sub_<number>.csv, plain or in zip archives"
        raise RecordingError(root, expected, "none")
    trials = {member.groups[0] for files in members.values() for member in files}
    ordered = sorted(members, key=int)
    files = (file for person in ordered for file in members[person])
    copies = {file: of for file, of in find_copies(files, _samples_of).items() if _harms(file, of)}

    def is_usable(person: str) -> bool:
        _require_trials(root, person, members[person], trials)
        require_original(members[person], copies)
        return True

    people = [who for who in ordered if attempt(f"{NAME}/{who}", partial(is_usable, who))]
    return MotionDataset(
        NAME,
        PLACEMENT,
        {person: partial(_load, members[person]) for person in people},
        {person: partial(content_hash, members[person]) for person in people},
    )


def _require_trials(root: Path, person: str, members: list[Member], trials: set[str]) -> None:
    """Refuse somebody without a trial that others have."""
    missing = sorted(trials - {member.groups[0] for member in members}, key=_trial_order)
    if missing:
        raise RecordingError(root, f"{missing[0]}/sub_{person}.csv, as the others have", "none")


def _harms(copy: Member, original: Member) -> bool:
    """Whether a copy is another person's, or a walk: people are told by one and tested on another.

    The publisher's own sit_5 of person 1 is their sit_13 again.
    """
    (trial, person), (_, owner) = copy.groups, original.groups
    return person != owner or ACTIVITIES[trial.split("_")[0]] is Activity.WALK


def _samples_of(content: bytes) -> bytes:
    """What the phone measured: all but the line of names."""
    return content.replace(b"\r", b"").partition(b"\n")[2]


def _load(members: list[Member]) -> list[MotionRecording]:
    ordered = sorted(members, key=lambda member: _trial_order(member.groups[0]))
    return [_read(member) for member in ordered]


def _trial_order(trial: str) -> tuple[str, int]:
    kind, number = trial.split("_")
    return kind, int(number)


def _read(member: Member) -> MotionRecording:
    trial, participant = member.groups
    header, _, body = member.read().replace(b"\r", b"").partition(b"\n")
    columns = tuple(header.decode("ascii", "replace").split(","))
    if columns != _COLUMNS:
        received = ",".join(columns)[:200]
        raise RecordingError(member.place, f"columns {','.join(_COLUMNS)}", received)
    table = parse_numbers(body.strip().replace(b"\n", b","), len(_COLUMNS), member)
    n_cut = round(_HANDLING_S * SAMPLE_RATE_HZ)
    if len(table) <= 2 * n_cut:
        received = f"{len(table) / SAMPLE_RATE_HZ:.1f} s; the file is cut"
        raise RecordingError(member.place, f"more than {2 * _HANDLING_S:g} s", received)
    table = table[n_cut:-n_cut]
    return MotionRecording(
        dataset=NAME,
        participant=participant,
        trial=trial,
        activity=ACTIVITIES[trial.split("_")[0]],
        sample_rate_hz=SAMPLE_RATE_HZ,
        acc_ms2=(table[:, 4:7] + table[:, 10:13]) * g_to_ms2(1.0),
        gyro_rads=np.ascontiguousarray(table[:, 7:10]),
    )
